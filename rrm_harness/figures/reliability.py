"""The reliability curve: how often a judge is right when it is so sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rrm_harness.errors import OutputError, SpecError
from rrm_harness.figures.axis import with_intervals
from rrm_harness.figures.drawing import (
    HATCHES,
    INK,
    MUTED,
    PALETTE,
    legend,
    pen,
    short,
)
from rrm_harness.figures.estimates import Estimate
from rrm_harness.figures.runs import Run, Tell
from rrm_harness.stats import wilson

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SMALL = 30
"""How many times the least bin the fullest one is where counts are logarithmic."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Examples of like confidence: how many, how sure on average, how often right."""

    n: int
    confidence: float
    accuracy: float

    @property
    def share(self) -> Estimate:
        """How often right, with Wilson's interval."""
        interval = wilson(self.accuracy * self.n, self.n)
        return Estimate(self.accuracy, interval.low, interval.high)


@dataclass(frozen=True, slots=True)
class Curve:
    """A run's bins, those that hold anything, by confidence; what confidence is."""

    label: str
    bins: tuple[Bin, ...]
    kind: str = ""


def collect(runs: Sequence[Run], tell: Tell) -> list[Curve]:
    """Read the calibration of each run that has one.

    Raises:
        OutputError: None has.
        SpecError: There is no run.
    """
    if not runs:
        raise SpecError("there is no run to draw; give the directories of some")
    found = [curve for run in runs if (curve := _curve(run, _label(run, runs), tell))]
    if not found:
        raise OutputError("there is nothing to draw: no run has a calibration")
    return found


def _label(run: Run, runs: Sequence[Run]) -> str:
    """What tells a run from the others: always its judge, the rest where it differs."""
    parts = [short(run.judge, 28)]
    parts += [
        short(getattr(run, name), 28)
        for name in ("strategy", "benchmark")
        if len({getattr(each, name) for each in runs}) > 1
    ]
    return ", ".join(parts)


def _curve(run: Run, label: str, tell: Tell) -> Curve | None:
    calibration: dict[str, Any] = run.results.get("calibration") or {}
    bins = tuple(
        Bin(each["n"], each["confidence"], each["accuracy"])
        for each in calibration.get("bins") or ()
        if each.get("n")
    )
    if not bins:
        tell(
            f"{run.judge} under {run.strategy} on {run.benchmark} is left out: it has"
            " no calibration, as its scores say nothing of confidence, there are fewer"
            " than 30 prompts, or an earlier version ran it."
        )
        return None
    error = calibration.get("ece")
    known = "" if error is None else f", expected calibration error {100 * error:.1f} %"
    tell(f"{label}: {sum(each.n for each in bins):,} examples in bins{known}.")
    ordered = tuple(sorted(bins, key=lambda each: each.confidence))
    return Curve(label, ordered, str(calibration.get("confidence") or ""))


def draw(axes: Axes, below: Axes, curves: Sequence[Curve]) -> None:
    """Draw the curves with Wilson's intervals, and below them what each bin holds."""
    least = min(each.confidence for curve in curves for each in curve.bins)
    start = 0.0 if least < 0.5 else 0.5
    sure = [100 * start, 100]
    axes.plot(sure, sure, color=MUTED, linewidth=0.8, linestyle=":")
    for number, curve in enumerate(curves):
        _draw_curve(axes, curve, number)
        _draw_counts(below, curve, number, len(curves))
    axes.set_xlim(100 * start - 2, 102)
    axes.set_ylim(-2, 102)
    axes.set_ylabel("accuracy, %")
    axes.tick_params("x", labelbottom=False)
    kinds = {curve.kind for curve in curves if curve.kind}
    told = f" ({short(kinds.pop())})" if len(kinds) == 1 else ""
    below.set_xlabel(f"confidence{told}, %")
    below.set_ylabel("examples")
    below.grid(False, axis="x")
    _scale_counts(below, [each.n for curve in curves for each in curve.bins])
    legend(axes)


def _scale_counts(axes: Axes, counts: Sequence[int]) -> None:
    """Make the counts' axis logarithmic where small bins would not be seen."""
    from matplotlib.ticker import NullFormatter

    if max(counts) > SMALL * min(counts):
        axes.set_yscale("log")
        axes.set_ylim(0.7, 2 * max(counts))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.yaxis.set_minor_formatter(NullFormatter())


def _draw_curve(axes: Axes, curve: Curve, number: int) -> None:
    values, reach = with_intervals([each.share for each in curve.bins])
    axes.errorbar(
        [100 * each.confidence for each in curve.bins],
        values,
        yerr=reach,
        markersize=4.5,
        elinewidth=0.9,
        **pen(number),
        label=curve.label,
    )


def _draw_counts(axes: Axes, curve: Curve, number: int, curves: int) -> None:
    width = 3.0 / curves
    shift = (number - (curves - 1) / 2) * width
    axes.bar(
        [100 * each.confidence + shift for each in curve.bins],
        [each.n for each in curve.bins],
        width,
        facecolor=PALETTE[number % len(PALETTE)],
        edgecolor=INK,
        linewidth=0.5,
        hatch=HATCHES[number % len(HATCHES)],
    )
