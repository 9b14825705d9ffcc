"""How far a run has come: a live bar on a terminal and in a notebook, else lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

Progress = Callable[[int, int], None]
"""Is called with the numbers of finished and of all examples."""
SECONDS = 10
"""Between two lines."""
REDRAWN = 0.2
"""Seconds between two looks of a notebook's bar."""


@contextmanager
def following(progress: Progress | bool | None) -> Iterator[Progress]:
    """Give what is to be called: the user's own, a display if True, else nothing."""
    if progress is True:
        with displayed() as advance:
            yield advance
    else:
        yield progress or _ignored


@contextmanager
def displayed(label: str = "judging") -> Iterator[Progress]:
    """Show progress on standard error, in a notebook below the cell."""
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_jupyter:
        yield _cell(label)
    elif console.is_terminal:
        with _bar(console, label) as advance:
            yield advance
    else:
        yield _lines(label)


def _ignored(done: int, total: int) -> None:
    """Nobody asked."""


@contextmanager
def _bar(console: Console, label: str) -> Iterator[Progress]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn(label),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]} examples/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(label, total=None, rate="–")

        def advance(done: int, total: int) -> None:
            elapsed = bar.tasks[0].elapsed or 0.0
            rate = f"{done / elapsed:,.0f}" if elapsed else "–"
            bar.update(task, completed=done, total=total, rate=rate)

        yield advance


def _cell(label: str) -> Progress:
    """A bar below the notebook's cell, of plain HTML: no widgets have to be there."""
    from IPython.display import HTML, display

    started = time.monotonic()
    told = -REDRAWN
    shown = display(HTML(label), display_id=True)

    def advance(done: int, total: int) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told < REDRAWN and done < total:
            return
        told = now
        rate = f"{done / (now - started):,.0f}" if now > started else "–"
        shown.update(
            HTML(
                f'{label} <progress value="{done}" max="{total}"></progress>'
                f" {done:,} of {total:,}, {rate} examples/s"
            )
        )

    return advance


def _lines(label: str) -> Progress:
    started = told = time.monotonic()

    def advance(done: int, total: int) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told < SECONDS:
            return
        told = now
        left = (now - started) / done * (total - done)
        sys.stderr.write(
            f"{label}: {done:,} of {total:,} examples,"
            f" {done / (now - started):,.1f} a second, {left:,.0f} s left\n"
        )

    return advance
