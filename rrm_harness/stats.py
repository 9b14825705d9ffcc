"""Intervals. All at 95 %, all reproducible: draws are keyed, never global."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Hashable, Iterable, Sequence
from itertools import chain
from math import sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, NamedTuple

from rrm_harness import chance

if TYPE_CHECKING:
    import numpy

LEVEL = 0.95
RESAMPLES = 2000
EFFECTIVE = "Wilson, with the effective number of examples by a bootstrap of prompts"
NO_VARIANCE = 1e-24
AT_ONCE = 20_000_000


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
    quantile = NormalDist().inv_cdf((1 + LEVEL) / 2)
    return Interval(*_wilson(successes / trials, trials, quantile), "Wilson")


def _wilson(share: float, trials: float, quantile: float) -> tuple[float, float]:
    z = quantile
    spread = z * sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    middle, scale = share + z**2 / (2 * trials), 1 + z**2 / trials
    low = max(0.0, (middle - spread) / scale) if share > 0 else 0.0
    high = min(1.0, (middle + spread) / scale) if share < 1 else 1.0
    return low, high


def wilson_of_draws(share: float, draws: Any, prompts: Sequence[int]) -> Interval:
    """Wilson's interval of a mean whose items are not independent.

    The variance of its bootstrap says how many independent items would tell as much:
    so many trials are put into Wilson's formula, and Student's quantile for the normal
    one, for the variance is itself estimated. Where no draw differs, as when all are
    right, the prompts are the trials.

    Args:
        share: The mean, 0-1.
        draws: Its bootstrap draws, of shape (RESAMPLES,), made of `unbiased` ones.
        prompts: How many prompts each subset has.

    Source: C. Franco and others, J. Survey Statistics and Methodology 7 (2019),
    334-364.
    """
    from scipy.special import stdtrit

    share = min(1.0, max(0.0, share))
    variance, possible = float(draws.var()), share * (1 - share)
    if variance < NO_VARIANCE or not possible:
        return wilson(share * sum(prompts), sum(prompts))
    freedom = max(1, sum(prompts) - len(prompts))
    quantile = float(stdtrit(freedom, (1 + LEVEL) / 2))
    return Interval(*_wilson(share, possible / variance, quantile), EFFECTIVE)


def unbiased(draws: Any, clusters: int) -> Any:
    """Spread a subset's draws about their mean as far as its prompts vary.

    A bootstrap of n prompts has a variance of (n - 1) / n of theirs.
    """
    if clusters < 2:
        return draws
    middle = draws.mean()
    return middle + (draws - middle) * sqrt(clusters / (clusters - 1))


def spread(share: float, prompts: int, *key: chance.Key) -> Any:
    """Draws of a share that came out alike in all prompts; shape (RESAMPLES,).

    A bootstrap of such prompts never differs, which says nothing of how the share would
    vary: these are normal, as wide as Wilson's interval, and may pass 0 and 1.
    """
    low, high, _ = wilson(share * prompts, prompts)
    width = (high - low) / (2 * NormalDist().inv_cdf((1 + LEVEL) / 2))
    return share + width * generator("alike", *key).standard_normal(RESAMPLES)


def generator(*key: chance.Key) -> numpy.random.Generator:
    """Return a numpy generator seeded by a key."""
    import numpy

    return numpy.random.default_rng(chance.seed(*key))


def numbered(clusters: Iterable[Hashable]) -> Any:
    """The clusters by number, from 0 in the order in which they come; shape (rows,).

    They are told apart by their 64-bit hashes, as `seen.Seen` does; an array is of
    such hashes, or of numbers.
    """
    import numpy

    _, first, sorted_number = numpy.unique(
        _hashes(clusters), return_index=True, return_inverse=True
    )
    number = numpy.empty(len(first), dtype=numpy.int64)
    number[numpy.argsort(first)] = numpy.arange(len(first))
    return number[sorted_number]


def distinct(clusters: Iterable[Hashable]) -> int:
    """How many clusters there are."""
    import numpy

    return len(numpy.unique(_hashes(clusters)))


def _hashes(clusters: Iterable[Hashable]) -> Any:
    import numpy

    if isinstance(clusters, array | numpy.ndarray):
        return numpy.asarray(clusters, dtype=numpy.int64)
    return numpy.fromiter(map(hash, clusters), dtype=numpy.int64)


def resampled_mean(
    values: Sequence[float], clusters: Iterable[Hashable], rng: numpy.random.Generator
) -> Any:
    """Means of the values over RESAMPLES bootstrap draws of whole clusters.

    Returns:
        An array of shape (RESAMPLES,).
    """
    (draws,) = resampled_means([(values, clusters)], rng)
    return draws


def resampled_means(
    parts: Sequence[tuple[Sequence[float], Iterable[Hashable]]],
    rng: numpy.random.Generator,
) -> Any:
    """Means of each part's values over RESAMPLES draws of the whole clusters of all.

    A cluster that has values in several parts is drawn once for all of them. Where a
    draw has nothing of a part, that part stays at its mean.

    Args:
        parts: Of each its values and their clusters.
        rng: What draws.

    Returns:
        An array of shape (parts, RESAMPLES).
    """
    import numpy

    sizes = [len(values) for values, _ in parts]
    number = numbered(chain.from_iterable(clusters for _, clusters in parts))
    columns = []
    for (values, _), cluster in zip(
        parts, numpy.split(number, numpy.cumsum(sizes)[:-1]), strict=True
    ):
        columns.append(numpy.bincount(cluster, values, number.max() + 1))
        columns.append(numpy.bincount(cluster, minlength=number.max() + 1))
    sums = redrawn(numpy.stack(columns, axis=1), rng)
    worth, count = sums[:, ::2], sums[:, 1::2]
    means = numpy.tile(
        [sum(values) / len(values) for values, _ in parts], (len(sums), 1)
    )
    return numpy.divide(worth, count, out=means, where=count > 0).T


def redrawn(rows: Any, rng: numpy.random.Generator, at_once: int = AT_ONCE) -> Any:
    """Sums over RESAMPLES draws of as many rows as there are, with replacement.

    Equal rows are interchangeable, so how often each kind is drawn is multinomial:
    exact, and its cost grows with the kinds, not the rows.

    Args:
        rows: Shape (rows, columns).
        rng: What draws.
        at_once: Counts of kinds that are held at once.

    Returns:
        An array of shape (RESAMPLES, columns).
    """
    import numpy

    kinds, counts = numpy.unique(rows, axis=0, return_counts=True)
    shares, found = counts / counts.sum(), []
    left, most = RESAMPLES, max(1, at_once // len(kinds))
    while left:
        picks = rng.multinomial(counts.sum(), shares, size=min(left, most))
        found.append(picks @ kinds)
        left -= len(picks)
    return numpy.concatenate(found)


def mean_interval(
    values: Sequence[float], clusters: Collection[Hashable], *key: chance.Key
) -> Interval:
    """The interval of a mean of values from 0 to 1, some of which may share a cluster.

    Wilson's where each has a cluster of its own, else as `wilson_of_draws` makes it of
    a bootstrap of clusters.
    """
    mean, prompts = sum(values) / len(values), distinct(clusters)
    if prompts == len(values):
        return wilson(sum(values), len(values))
    draws = resampled_mean(values, clusters, generator("bootstrap", *key))
    return wilson_of_draws(mean, unbiased(draws, prompts), [prompts])


def percentile_interval(draws: Any, method: str) -> Interval:
    """The middle 95 % of bootstrap draws."""
    import numpy

    tail = 100 * (1 - LEVEL) / 2
    low, high = numpy.percentile(draws, [tail, 100 - tail])
    return Interval(float(low), float(high), method)
