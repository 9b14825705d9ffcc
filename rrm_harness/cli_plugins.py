"""`list plugins`: who may run code here, where it came from and what it brings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import click

from rrm_harness import host
from rrm_harness.errors import HarnessError
from rrm_harness.origins import Origin, origins
from rrm_harness.report.signs import visible

Registered = Mapping[str, Mapping[str, Sequence[str]]]


def show_plugins() -> None:
    """Print every distribution that brings plugins, those kept out too.

    Raises:
        HarnessError: A plugin does not load; said after what is known without it.
    """
    found = origins()
    problem: HarnessError | None = None
    registered: Registered = {}
    try:
        registered = host.default().registered()
    except HarnessError as error:
        problem = error
    for origin in found:
        for line in _lines(origin, registered):
            click.echo(visible(line))
    if problem is not None:
        raise problem


def _lines(origin: Origin, registered: Registered) -> Iterator[str]:
    yield f"{origin.name} {origin.version}  ({origin.place})"
    for entry in origin.admitted:
        brought = registered.get(host.called(entry), {})
        told = [f"{kind}: {', '.join(names)}" for kind, names in brought.items()]
        yield f"  {entry.name}  {entry.value}  {'; '.join(told)}".rstrip()
    for entry in origin.kept_out:
        yield f"  {entry.name}  {entry.value}  kept out, not imported"
