"""Panels put together: one alone, or the two of the paper's first figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rrm_harness.errors import SpecError
from rrm_harness.figures import bars, compute, frontier, reliability
from rrm_harness.figures.drawing import COLUMN, PAGE, blank, settle
from rrm_harness.figures.labels import place
from rrm_harness.figures.room import Spot
from rrm_harness.figures.runs import Run, Tell

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FRONTIER_HEIGHT, PAPER_HEIGHT, HEIGHT = 3.9, 3.6, 2.7
"""Inches."""


def of_frontier(
    drawn: frontier.Frontier, tell: Tell, width: float | None = None
) -> Figure:
    """The frontier alone, as wide as a page unless told."""
    figure = blank(width or PAGE, FRONTIER_HEIGHT)
    axes = figure.add_subplot()
    spots = frontier.draw(axes, drawn)
    settle(figure)
    _label(axes, spots, tell)
    return figure


def of_bars(drawn: Sequence[bars.Bar], width: float | None = None) -> Figure:
    """Bars alone, as wide as a column unless there are many."""
    room = COLUMN if len(drawn) <= 8 else PAGE
    figure = blank(width or room, HEIGHT)
    bars.draw(figure.add_subplot(), drawn)
    settle(figure)
    return figure


def of_compute(
    drawn: compute.Compute, tell: Tell, width: float | None = None
) -> Figure:
    """Accuracy against cost; as wide as a column unless there are many strategies."""
    room = COLUMN if len(drawn.paid) <= 8 else PAGE
    figure = blank(width or room, HEIGHT if room == COLUMN else FRONTIER_HEIGHT)
    axes = figure.add_subplot()
    spots = compute.draw(axes, drawn)
    settle(figure)
    _label(axes, spots, tell)
    return figure


def of_reliability(
    drawn: Sequence[reliability.Curve], width: float | None = None
) -> Figure:
    """The curves, and below them the counts of their bins."""
    figure = blank(width or COLUMN, 3.4 + 0.15 * len(drawn))
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    reliability.draw(above, below, drawn)
    settle(figure)
    return figure


def paper(
    left: frontier.Frontier,
    right: Sequence[bars.Bar],
    tell: Tell,
    width: float | None = None,
) -> Figure:
    """The frontier and the bars side by side, as the first figure of arXiv 2505.14674.

    Both are of the runs given, on the benchmarks that those are of.
    """
    figure = blank(width or PAGE, PAPER_HEIGHT)
    first, second = figure.subplots(1, 2, width_ratios=[5, 3])
    spots = frontier.draw(first, left)
    bars.draw(second, right)
    for axes, letter in ((first, "(a)"), (second, "(b)")):
        _mark(axes, letter)
    settle(figure)
    _label(first, spots, tell)
    return figure


def _mark(axes: Axes, letter: str) -> None:
    axes.annotate(
        letter,
        (0, 1),
        xycoords="axes fraction",
        xytext=(-30, 6),
        textcoords="offset points",
        fontweight="bold",
    )


def _label(axes: Axes, spots: Sequence[Spot], tell: Tell) -> None:
    unplaced = [text.replace("\n", ", ") for text in place(axes, spots)]
    if unplaced:
        tell(
            f"There was no room for the labels of {', '.join(unplaced)}; draw it wider"
            " with --width."
        )


def divided(
    runs: Sequence[Run], groups: Mapping[str, Sequence[Run]]
) -> tuple[list[Run], Mapping[str, Sequence[Run]]]:
    """The judges' runs, and the policies': as grouped, or else those by themselves.

    A policy is measured by itself under the strategy `repeated`.

    Raises:
        SpecError: There are no policies.
    """
    if groups:
        return [*runs], groups
    policies = [run for run in runs if run.strategy.startswith("repeated")]
    if not policies:
        raise SpecError(
            "the right half of the preset 'paper' needs policies; give --before DIR and"
            " --after DIR, or --group NAME=DIR,DIR"
        )
    judges = [run for run in runs if run not in policies]
    return judges, bars.by_judge(policies)
