"""Intervals. All at 95 %, all reproducible: draws are keyed, never global."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist
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


def wilson(successes: float, trials: int) -> Interval:
    """Wilson's score interval of a mean of independent values from 0 to 1.

    For rights and wrongs it is the usual one; parts of a success, as ties give, vary
    less than those, so for them it is on the safe side.

    Source: E. B. Wilson, JASA 22 (1927), 209-212.
    """
    share, z = successes / trials, NormalDist().inv_cdf((1 + LEVEL) / 2)
    spread = z * sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    middle, scale = share + z**2 / (2 * trials), 1 + z**2 / trials
    low = max(0.0, (middle - spread) / scale) if share > 0 else 0.0
    high = min(1.0, (middle + spread) / scale) if share < 1 else 1.0
    return Interval(low, high, "Wilson")


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
