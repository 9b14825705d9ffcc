"""Axes that several figures share: percent, parameters, costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rrm_harness.figures.drawing import short
from rrm_harness.figures.estimates import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
WIDE = 12
"""How many times the least cost the most one is where the axis becomes logarithmic."""
ROOM = 0.09
"""The part of a logarithmic axis that is kept free at each end, for labels."""


def percent_axis(axes: Axes, shares: Sequence[float]) -> None:
    """Let the y axis show shares from 0 to 1 as percent, with some room around."""
    from matplotlib.ticker import MaxNLocator

    low, high = 100 * min(shares), 100 * max(shares)
    room = max(1.0, 0.12 * (high - low))
    axes.set_ylim(max(-1.0, low - room), min(102.0, high + room))
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))


def with_intervals(
    estimates: Sequence[Estimate],
) -> tuple[list[float], list[list[float]]]:
    """Percent, and how far intervals reach below and above: `y` and `yerr`.

    A percentile interval may lie beside its value; then it reaches nothing there.
    """
    below = [100 * max(0.0, each.value - each.low) for each in estimates]
    above = [100 * max(0.0, each.high - each.value) for each in estimates]
    return [100 * each.value for each in estimates], [below, above]


def parameter_axis(axes: Axes, billions: Sequence[float]) -> None:
    """Make the x axis logarithmic, with ticks such as 500 k, 7 B."""
    logarithmic(axes, billions)
    axes.xaxis.set_major_formatter(lambda value, _: count(value * 1e9))


def logarithmic(axes: Axes, values: Sequence[float]) -> None:
    """Make the x axis logarithmic around some positive values."""
    from matplotlib.ticker import LogLocator, NullFormatter

    span = max(max(values) / min(values), 4.0)
    axes.set_xscale("log")
    axes.set_xlim(min(values) / span**ROOM, max(values) * span**ROOM)
    steps = (1.0,) if span > 300 else (1.0, 3.0) if span > 20 else (1.0, 2.0, 5.0)
    axes.xaxis.set_major_locator(LogLocator(subs=steps, numticks=12))
    axes.xaxis.set_minor_locator(LogLocator(subs="all", numticks=12))
    axes.xaxis.set_minor_formatter(NullFormatter())


def count(value: float) -> str:
    """A large number in a few signs: 470 k, 1.5 B."""
    for size, unit in UNITS:
        if value >= 0.9995 * size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g}"


def cost_axis(axes: Axes, costs: Sequence[float]) -> None:
    """Let the x axis show costs; logarithmic if they differ much."""
    if min(costs) > 0 and max(costs) / min(costs) > WIDE:
        logarithmic(axes, costs)
        axes.xaxis.set_major_formatter(lambda value, _: count(value))
    else:
        axes.set_xlim(0, max(costs) * 1.12)


def accuracy_name(benchmarks: Sequence[str]) -> str:
    """The y axis' name: the benchmarks without their options, or how many there are."""
    names = [short(each.partition(",")[0], 26) for each in benchmarks]
    if len(names) == 1:
        return f"accuracy on {names[0]}, %"
    told = " and ".join(names)
    if len(set(names)) == len(names) == 2 and len(told) <= 30:
        return f"mean accuracy on {told}, %"
    return f"mean accuracy on {len(names)} benchmarks, %"
