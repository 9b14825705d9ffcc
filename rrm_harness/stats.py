"""Intervals. All at 95 %, all reproducible: draws are keyed, never global."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from rrm_harness import chance

if TYPE_CHECKING:
    import numpy

LEVEL = 0.95
RESAMPLES = 2000


class Interval(NamedTuple):
    """A 95 % interval and how it was made."""

    low: float
    high: float
    method: str


def wilson(successes: int, trials: int) -> Interval:
    """Wilson's interval of a proportion; for independent items worth 0 or 1."""
    from scipy.stats import binomtest

    interval = binomtest(successes, trials).proportion_ci(LEVEL, method="wilson")
    return Interval(float(interval.low), float(interval.high), "Wilson")


def generator(*key: chance.Key) -> numpy.random.Generator:
    """Return a numpy generator seeded by a key."""
    import numpy

    return numpy.random.default_rng(chance.seed(*key))


def resampled_mean(
    values: Sequence[float], clusters: Sequence[str], rng: numpy.random.Generator
) -> Any:
    """Means of the values over RESAMPLES bootstrap draws of whole clusters.

    Clusters with equal sums and sizes are interchangeable, so how often each kind is
    drawn is multinomial: exact, and its cost grows with the kinds, not the items.

    Returns:
        An array of shape (RESAMPLES,).
    """
    import numpy

    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for value, cluster in zip(values, clusters, strict=True):
        sums[cluster][0] += value
        sums[cluster][1] += 1
    kinds, counts = numpy.unique(
        numpy.array(list(sums.values())), axis=0, return_counts=True
    )
    draws = rng.multinomial(counts.sum(), counts / counts.sum(), size=RESAMPLES)
    return (draws @ kinds[:, 0]) / (draws @ kinds[:, 1])


def percentile_interval(draws: Any, method: str) -> Interval:
    """The middle 95 % of bootstrap draws."""
    import numpy

    tail = 100 * (1 - LEVEL) / 2
    low, high = numpy.percentile(draws, [tail, 100 - tail])
    return Interval(float(low), float(high), method)
