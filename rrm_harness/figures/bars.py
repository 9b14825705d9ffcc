"""The bars: groups of runs, such as a policy before and after, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from json import dumps
from typing import TYPE_CHECKING

from rrm_harness.errors import SpecError
from rrm_harness.figures.axis import accuracy_name
from rrm_harness.figures.drawing import HATCHES, INK, legend, short
from rrm_harness.figures.estimates import Estimate, of_one, student
from rrm_harness.figures.runs import Run, Tell

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FILLS = ("#D9D9D9", "#8FC3E6", "#F2B98F", "#93D6BF", "#E8C6D9", "#F5DE9B")
"""Grey, and the palette made light: intervals and points lie over it."""
WIDTH = 0.76
"""The part of a benchmark's room that its bars take."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A group's mean on a benchmark, its interval, and each run's accuracy."""

    group: str
    benchmark: str
    mean: Estimate
    values: tuple[float, ...]


def collect(groups: Mapping[str, Sequence[Run]], tell: Tell) -> list[Bar]:
    """Average each group on each benchmark.

    Two or more different runs of a benchmark, such as seeds, have the wider of
    Student's interval over them and their own; one run, or one that is given several
    times, has its own.

    Raises:
        SpecError: A group lacks a benchmark that another one has.
    """
    benchmarks = sorted({run.benchmark for runs in groups.values() for run in runs})
    bars = []
    for benchmark in benchmarks:
        for name, runs in groups.items():
            own = [run for run in runs if run.benchmark == benchmark]
            if not own:
                raise SpecError(
                    f"'{name}' has no run of {benchmark}, which another group has; give"
                    " one, or choose with --dataset what is drawn"
                )
            bars.append(_bar(name, benchmark, own, tell))
        _tell_gain(benchmark, groups, tell)
    return bars


def _bar(name: str, benchmark: str, runs: Sequence[Run], tell: Tell) -> Bar:
    different = _different(runs)
    values = tuple(run.accuracy.value for run in different)
    if len(different) == 1:
        mean, kind = different[0].accuracy, "the run's own"
    else:
        mean, kind = _wider(values, [run.accuracy for run in different])
    told = f"{100 * mean.value:.1f}, {100 * mean.low:.1f} to {100 * mean.high:.1f}"
    tell(f"{name} on {benchmark}: {told} (95 %, {kind}).")
    return Bar(name, benchmark, mean, values)


def _wider(values: Sequence[float], own: Sequence[Estimate]) -> tuple[Estimate, str]:
    """The runs' mean: of what differs from run to run and within one, the wider.

    Runs of the same examples differ by their seeds alone, which says nothing of which
    other examples there might be; one run's own interval says nothing of other seeds.
    """
    between, within = student(values), of_one(own)
    if between.high - between.low > within.high - within.low:
        return between, f"Student over {len(values)} runs"
    return within, f"{len(values)} runs, their own"


def _different(runs: Sequence[Run]) -> list[Run]:
    """The runs without those that are another one again, as of a common start."""
    found: dict[str, Run] = {}
    for number, run in enumerate(runs):
        identity = run.results.get("manifest", {}).get("run")
        key = dumps(identity, sort_keys=True) if identity else str(number)
        found.setdefault(key, run)
    return [*found.values()]


def _tell_gain(benchmark: str, groups: Mapping[str, Sequence[Run]], tell: Tell) -> None:
    """For two groups of as many runs: the mean difference of the pairs as given."""
    values = [
        [run.accuracy.value for run in runs if run.benchmark == benchmark]
        for runs in groups.values()
    ]
    if len(values) != 2 or len(values[0]) != len(values[1]) or len(values[0]) < 2:
        return
    first, second = groups
    gain = student([after - before for before, after in zip(*values, strict=True)])
    points = [f"{100 * each:+.1f}" for each in gain]
    tell(
        f"{second} less {first} on {benchmark}: {points[0]} points, {points[1]} to"
        f" {points[2]} (95 %, Student over {len(values[0])} pairs in the order given;"
        " it knows how runs differ, not which other questions there might be)."
    )


def draw(axes: Axes, bars: Sequence[Bar]) -> None:
    """Draw bars from zero; by benchmark if there are several."""
    groups = [*dict.fromkeys(bar.group for bar in bars)]
    benchmarks = [*dict.fromkeys(bar.benchmark for bar in bars)]
    alone = len(benchmarks) == 1
    for number, group in enumerate(groups):
        own = [bar for bar in bars if bar.group == group]
        width = WIDTH / (1 if alone else len(groups))
        shift = (number - (len(groups) - 1) / 2) * (1 if alone else width)
        _draw_group(axes, own, [at + shift for at in range(len(own))], width, number)
    _draw_ticks(axes, groups, benchmarks)
    highest = max(max(bar.mean.high, *bar.values) for bar in bars)
    top = min(110.0, 100 * highest * 1.14)
    axes.set_yticks([tick for tick in axes.get_yticks() if tick <= min(top, 100)])
    axes.set_ylim(0, top)
    axes.grid(False, axis="x")


def _draw_group(
    axes: Axes, bars: Sequence[Bar], places: Sequence[float], width: float, number: int
) -> None:
    means = [100 * bar.mean.value for bar in bars]
    axes.bar(
        places,
        means,
        width * 0.92,
        facecolor=FILLS[number % len(FILLS)],
        edgecolor=INK,
        linewidth=0.7,
        hatch=HATCHES[number % len(HATCHES)],
        label=short(bars[0].group, 24),
    )
    axes.errorbar(
        places,
        means,
        yerr=[
            [100 * (bar.mean.value - bar.mean.low) for bar in bars],
            [100 * (bar.mean.high - bar.mean.value) for bar in bars],
        ],
        linestyle="none",
        color=INK,
        elinewidth=1.1,
        capsize=3,
        zorder=4,
    )
    for bar, place in zip(bars, places, strict=True):
        _draw_runs(axes, bar, place, width)


def _draw_runs(axes: Axes, bar: Bar, place: float, width: float) -> None:
    """A point for each of several runs, left of the interval; the mean over all."""
    values = [100 * value for value in bar.values]
    top = max(100 * bar.mean.high, *values, 0)
    axes.annotate(
        f"{100 * bar.mean.value:.1f}",
        (place, top),
        xytext=(0, 3),
        textcoords="offset points",
        ha="center",
        va="bottom",
    )
    if len(values) > 1:
        axes.plot(
            [place + width * 0.2 for _ in values],
            values,
            linestyle="none",
            marker="o",
            markersize=4,
            markerfacecolor="white",
            markeredgecolor=INK,
            markeredgewidth=0.8,
            zorder=5,
        )


def _draw_ticks(axes: Axes, groups: Sequence[str], benchmarks: Sequence[str]) -> None:
    if len(benchmarks) == 1:
        middle = (len(groups) - 1) / 2
        axes.set_xticks(
            [number - middle for number in range(len(groups))],
            [short(group, 18) for group in groups],
        )
        axes.set_xlim(-middle - 0.6, middle + 0.6)
        axes.set_ylabel(accuracy_name(benchmarks))
    else:
        axes.set_xticks(
            range(len(benchmarks)), [short(each, 18) for each in benchmarks]
        )
        axes.set_ylabel("accuracy, %")
        legend(axes)
    if len(axes.get_xticks()) > 3:
        axes.tick_params("x", rotation=30)
        for label in axes.get_xticklabels():
            label.set_horizontalalignment("right")


def by_judge(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Runs in groups named after their judge, and its strategy where it has several."""
    one = len({run.strategy for run in runs}) == 1
    groups: dict[str, list[Run]] = {}
    for run in runs:
        name = run.judge if one else f"{run.judge}, {run.strategy}"
        groups.setdefault(name, []).append(run)
    return groups
