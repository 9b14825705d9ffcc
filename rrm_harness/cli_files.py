"""Options that name a file to write, and the writing of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

Command = Callable[..., Any]
Option = Callable[[Command], Command]


def printable(name: str, text: str, key: str | None = None) -> Option:
    """An option for a file that may be standard output."""
    return click.option(
        *filter(None, (name, key)),
        type=click.Path(path_type=Path, allow_dash=True),
        metavar="FILE",
        help=f"{text}; - for standard output.",
    )


def whole(name: str, text: str, metavar: str = "FILE") -> Option:
    """An option for a place that is never standard output."""
    return click.option(
        name,
        type=click.Path(path_type=Path),
        metavar=metavar,
        help=f"{text}.",
        callback=_not_printed,
    )


def _not_printed(_: click.Context, option: click.Parameter, file: Path | None) -> Any:
    if file is not None and _is_dash(file):
        raise click.BadParameter(f"{option.opts[0]} cannot be printed; name a place")
    return file


def refuse_two_printed(asked: Mapping[str, Path | None]) -> None:
    """Refuse to mix several things on standard output.

    Raises:
        UsageError: More than one option asks for it.
    """
    printed = [name for name, file in asked.items() if file and _is_dash(file)]
    if len(printed) > 1:
        options = " and ".join(f"--{name}" for name in printed)
        raise click.UsageError(
            f"{options} cannot all be printed; name a file for all but one"
        )


def deliver(what: str, file: Path, text: str) -> None:
    """Write a file whole and say so, or print it where the file is `-`."""
    from rrm_harness.files import write_whole

    if _is_dash(file):
        click.echo(text, nl=False)
        return
    write_whole(file, text)
    say_written(what, file)


def say_written(what: str, place: Path) -> None:
    """Say where something is now; on standard error, for output may be piped on."""
    click.echo(f"{what}: {place}", err=True)


def _is_dash(file: Path) -> bool:
    return str(file) == "-"
