"""What commands share: exit codes, tables on the terminal, how to go on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rrm_harness.progress import displayed

if TYPE_CHECKING:
    from rich.console import Console

    from rrm_harness.progress import Progress

NOTHING_JUDGED, MISTAKE, TOO_MANY_FAILED, INTERRUPTED = 3, 2, 4, 130


@contextmanager
def told_how_to_resume(output: Path) -> Iterator[None]:
    """Say what is kept when a run is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        kept = f"every judgment so far is in {output}" if output.exists() else "early"
        click.echo(f"\nstopped; {kept}. The same command continues.", err=True)
        raise


def progress(
    quiet: bool, label: str = "judging"
) -> AbstractContextManager[Progress | None]:
    """Show how far a run has come, unless it is to be quiet."""
    return nullcontext() if quiet else displayed(label)


def show(runs: list[Any]) -> None:
    """Print finished runs' tables."""
    from rrm_harness.report import tables

    tables.show(runs, console())


def console() -> Console:
    """The terminal, or a wide one where the output goes elsewhere."""
    from rich.console import Console

    terminal = sys.stdout.isatty()
    return Console(width=None if terminal else 200, highlight=False)
