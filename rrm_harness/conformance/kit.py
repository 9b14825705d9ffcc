"""All properties by kind, and the verdicts on a plugin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module

from rrm_harness.conformance.promises import Property, Verdict
from rrm_harness.conformance.subject import Subject


@dataclass(frozen=True, slots=True)
class Checked:
    """A property's verdict on a plugin.

    Args:
        property: What was tried.
        verdict: Whether it holds.
        sentence: The promise, or what broke it, or what it would take to try it.
    """

    property: Property
    verdict: Verdict
    sentence: str


def properties(kind: str) -> Sequence[Property]:
    """What plugins of a kind promise: judges, strategies, datasets or engines."""
    promised: Sequence[Property] = import_module(
        f"rrm_harness.conformance.{kind}"
    ).PROMISED
    return promised


def check(spec: str) -> Iterator[Checked]:
    """Try every property of a plugin that a spec names.

    Raises:
        SpecError: The spec names nothing, something of several kinds (then write
            `KIND:NAME`), or something that cannot be built.
    """
    yield from check_subject(Subject.named(spec))


def check_subject(subject: Subject) -> Iterator[Checked]:
    """Try every property of a plugin that was found."""
    for each in properties(subject.kind):
        yield Checked(each, *each.verdict(subject))
