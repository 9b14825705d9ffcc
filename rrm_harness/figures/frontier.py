"""The frontier: average accuracy against parameters, measured and published."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rrm_harness import models
from rrm_harness.errors import SpecError
from rrm_harness.figures.axis import (
    accuracy_name,
    parameter_axis,
    percent_axis,
    with_intervals,
)
from rrm_harness.figures.drawing import MUTED, PALETTE, SHADE, legend, short
from rrm_harness.figures.estimates import Estimate
from rrm_harness.figures.published import (
    HEADLINES,
    MEANS,
    Circle,
    circles,
    headlines,
)
from rrm_harness.figures.room import Spot
from rrm_harness.figures.runs import Point, Run, Tell, points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Corner = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Star:
    """A measured judge: its label, billions of parameters, accuracy."""

    label: str
    parameters: float
    accuracy: Estimate


@dataclass(frozen=True, slots=True)
class Frontier:
    """What is drawn: measured stars, published circles, over the same benchmarks."""

    benchmarks: tuple[str, ...]
    stars: tuple[Star, ...]
    circles: tuple[Circle, ...]

    @property
    def corners(self) -> list[Corner]:
        """Where the best accuracy so far rises, over all points."""
        return staircase(
            [
                *((each.parameters, each.accuracy.value) for each in self.stars),
                *((each.parameters, each.value) for each in self.circles),
            ]
        )


def collect(
    runs: Sequence[Run],
    asked: Sequence[str],
    sizes: Mapping[str, float],
    published: bool,
    tell: Tell,
) -> Frontier:
    """Average the runs and find what is published of the same benchmarks.

    Args:
        runs: Those that are drawn; none for the published figures alone.
        asked: The benchmarks, if there are no runs.
        sizes: Billions of parameters, by any name of a judge or a model.
        published: Whether the cards' figures are drawn.
        tell: Is told what is left out and why.

    Raises:
        SpecError: There is nothing to draw, or judges lack a benchmark.
    """
    benchmarks = tuple(sorted({run.benchmark for run in runs}) or asked)
    tell(f"Accuracy is on {', '.join(benchmarks)}.")
    measured = points(runs)
    _refuse_unknown(sizes, measured)
    stars = _stars(measured, sizes, tell)
    found = circles(models.cards(), benchmarks, sizes, tell) if published else []
    if published and not (runs or found):
        raise SpecError(
            f"nothing is published of {', '.join(benchmarks)} in the models' cards;"
            f" there is: {', '.join(headlines(models.cards()))}"
        )
    if published and not found:
        tell(f"Nothing is published of {', '.join(benchmarks)} in the models' cards.")
    if not stars and not found:
        raise SpecError(
            "there is nothing to draw: no judge has both a size and an accuracy; give"
            " --parameters JUDGE=BILLIONS, or --dataset with published figures"
        )
    for each in found:
        tell(each.source)
    return Frontier(benchmarks, tuple(stars), tuple(found))


def _refuse_unknown(sizes: Mapping[str, float], measured: Sequence[Point]) -> None:
    known = {name for point in measured for name in point.names if name}
    for card in models.cards().values():
        known |= {card.id, *(each.measured_on for each in card.published)}
    for name in sizes:
        if name not in known:
            judges = ", ".join(sorted({point.names[0] for point in measured})) or "none"
            raise SpecError(
                f"--parameters names '{name}', which is no judge and no model here; the"
                f" judges are: {judges}"
            )


def _stars(
    measured: Sequence[Point], sizes: Mapping[str, float], tell: Tell
) -> list[Star]:
    stars = []
    unknown = []
    one = len({point.strategy for point in measured}) == 1
    for point in measured:
        size = _size(point, sizes)
        if size is None:
            unknown.append(point.judge)
            continue
        label = short(point.judge, 28)
        label += "" if one else f"\n{short(point.strategy, 28)}"
        stars.append(Star(label, size, point.accuracy))
    if unknown:
        names = ", ".join(dict.fromkeys(unknown))
        tell(
            f"Left out, because their size is unknown: {names}; give --parameters"
            " JUDGE=BILLIONS."
        )
    return stars


def _size(point: Point, sizes: Mapping[str, float]) -> float | None:
    given = [sizes[name] for name in point.names if name in sizes]
    card = models.cards().get(point.runs[0].model)
    return given[0] if given else card.parameters if card else None


def staircase(found: Iterable[Corner]) -> list[Corner]:
    """The points that no smaller or equal one reaches, by size: rising in both."""
    corners: list[Corner] = []
    for size, value in sorted(found, key=lambda each: (each[0], -each[1])):
        if not corners or value > corners[-1][1]:
            corners.append((size, value))
    return corners


def draw(axes: Axes, frontier: Frontier) -> list[Spot]:
    """Draw the points and the region below the best; return what wants a label."""
    parameter_axis(axes, [size for size, _ in _all(frontier)])
    lows = [each.accuracy.low for each in frontier.stars]
    highs = [each.accuracy.high for each in frontier.stars]
    percent_axis(axes, [*lows, *highs, *(value for _, value in _all(frontier))])
    axes.set_xlabel("parameters")
    axes.set_ylabel(accuracy_name([_said(each) for each in frontier.benchmarks]))
    _draw_region(axes, frontier)
    if frontier.circles:
        axes.plot(
            [each.parameters for each in frontier.circles],
            [100 * each.value for each in frontier.circles],
            linestyle="none",
            marker="o",
            markersize=5,
            markerfacecolor="#C9C9C9",
            markeredgecolor=MUTED,
            markeredgewidth=0.7,
            label="published",
        )
    if frontier.stars:
        _draw_stars(axes, frontier.stars)
    legend(axes)
    return _spots(frontier)


def _said(benchmark: str) -> str:
    """A benchmark as its axis names it."""
    return "PPE" if HEADLINES.get(benchmark, benchmark) in MEANS else benchmark


def _all(frontier: Frontier) -> list[Corner]:
    measured = [(each.parameters, each.accuracy.value) for each in frontier.stars]
    return measured + [(each.parameters, each.value) for each in frontier.circles]


def _draw_stars(axes: Axes, stars: Sequence[Star]) -> None:
    values, reach = with_intervals([each.accuracy for each in stars])
    axes.errorbar(
        [each.parameters for each in stars],
        values,
        yerr=reach,
        linestyle="none",
        marker="*",
        markersize=10,
        color=PALETTE[0],
        markeredgecolor="white",
        markeredgewidth=0.5,
        elinewidth=1,
        zorder=3,
        label="measured, 95 % interval",
    )


def _draw_region(axes: Axes, frontier: Frontier) -> None:
    """Shade what some point of that size or less reaches."""
    corners = frontier.corners
    ends = [*(size for size, _ in corners[1:]), axes.get_xlim()[1]]
    sizes, values = [], []
    for (size, value), end in zip(corners, ends, strict=True):
        sizes += [size, end]
        values += [100 * value, 100 * value]
    both = frontier.stars and frontier.circles
    kinds = "measured or published" if both else "measured"
    kinds = kinds if frontier.stars else "published"
    axes.fill_between(
        sizes,
        values,
        axes.get_ylim()[0],
        facecolor=SHADE,
        edgecolor="none",
        zorder=0.5,
        label=f"reached at that size or less, {kinds}",
    )
    axes.plot(sizes, values, color=PALETTE[0], linewidth=0.8, linestyle="--")


def _spots(frontier: Frontier) -> list[Spot]:
    stars = [
        Spot.of(each.parameters, each.accuracy, each.label) for each in frontier.stars
    ]
    published = [
        Spot.of(
            each.parameters,
            Estimate(each.value, each.value, each.value),
            short(each.model.rpartition("/")[2], 28) if each.best else "",
            MUTED,
        )
        for each in frontier.circles
    ]
    return stars + published
