"""Accuracy against what it costs, under each strategy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rrm_harness.errors import SpecError
from rrm_harness.figures.axis import (
    accuracy_name,
    cost_axis,
    percent_axis,
    with_intervals,
)
from rrm_harness.figures.drawing import PALETTE, dark, legend, pen, short
from rrm_harness.figures.estimates import Estimate
from rrm_harness.figures.room import Spot
from rrm_harness.figures.runs import Results, Run, Tell, points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Cost = Literal["comparisons", "tokens", "seconds"]

COSTS: Mapping[Cost, tuple[str, Callable[[Results], float]]] = {
    "comparisons": ("comparisons an example", lambda run: run["comparisons"]),
    "tokens": ("tokens written an example", lambda run: run["tokens"]["completion"]),
    "seconds": ("seconds an example", lambda run: run["seconds"]),
}
"""A cost's name on the axis, and where the results have it for all examples."""


@dataclass(frozen=True, slots=True)
class Paid:
    """A strategy of a judge: its cost an example, and its accuracy."""

    judge: str
    strategy: str
    cost: float
    accuracy: Estimate


@dataclass(frozen=True, slots=True)
class Compute:
    """What is drawn: every judge's strategies, over the same benchmarks."""

    cost: Cost
    benchmarks: tuple[str, ...]
    paid: tuple[Paid, ...]


def collect(runs: Sequence[Run], cost: Cost, tell: Tell) -> Compute:
    """Average the runs, each with its cost an example.

    Raises:
        SpecError: Judges lack a benchmark, or nothing has this cost.
    """
    if not runs:
        raise SpecError("there is no run to draw; give the directories of some")
    timed = [run for run in runs if cost != "seconds" or not run.results["cached"]]
    for run in runs:
        if run not in timed:
            tell(
                f"{run.judge} under {run.strategy} is left out: part of its judgments"
                " came from a store, so its seconds are too few; run it with --no-reuse"
                " into a new directory."
            )
    if not timed:
        raise SpecError(
            "there is nothing to draw: part of every run's judgments came from a store,"
            " so that their seconds are too few; draw another --cost"
        )
    measure = COSTS[cost][1]
    paid = [
        Paid(
            point.judge,
            point.strategy,
            point.mean(lambda results: measure(results) / results["examples"]),
            point.accuracy,
        )
        for point in points(timed)
    ]
    if not any(each.cost for each in paid):
        raise SpecError(f"no run counts any {cost}; draw another --cost")
    benchmarks = tuple(sorted({run.benchmark for run in timed}))
    tell(f"Accuracy is on {', '.join(benchmarks)}.")
    return Compute(cost, benchmarks, tuple(paid))


def draw(axes: Axes, compute: Compute) -> list[Spot]:
    """Draw a line for each judge; return the points, to be labelled by strategy."""
    cost_axis(axes, [each.cost for each in compute.paid])
    ends = [end for each in compute.paid for end in each.accuracy]
    percent_axis(axes, ends)
    axes.set_xlabel(COSTS[compute.cost][0])
    axes.set_ylabel(accuracy_name(compute.benchmarks))
    spots: list[Spot] = []
    for number, judge in enumerate(dict.fromkeys(each.judge for each in compute.paid)):
        own = [each for each in compute.paid if each.judge == judge]
        own.sort(key=lambda each: (each.cost, each.strategy))
        _draw_judge(axes, own, number)
        color = dark(PALETTE[number % len(PALETTE)])
        spots += [
            Spot.of(each.cost, each.accuracy, short(each.strategy, 28), color)
            for each in own
        ]
    legend(axes)
    return spots


def _draw_judge(axes: Axes, paid: Sequence[Paid], number: int) -> None:
    values, reach = with_intervals([each.accuracy for each in paid])
    axes.errorbar(
        [each.cost for each in paid],
        values,
        yerr=reach,
        markersize=5,
        elinewidth=0.9,
        **pen(number),
        label=short(paid[0].judge, 28),
    )
