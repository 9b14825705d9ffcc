"""Two runs on the same examples: how far apart they are, and whether that is noise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import lcm, sqrt
from statistics import NormalDist
from typing import Any, NamedTuple

from rrm_harness import stats
from rrm_harness.metrics import Rule
from rrm_harness.scored import Rows, Scored

POWER = 0.8
SIGNIFICANT = 1 - stats.LEVEL
REACH = NormalDist().inv_cdf((1 + stats.LEVEL) / 2) + NormalDist().inv_cdf(POWER)
"""Standard errors between no difference and one that is found with this power."""
PARTS = 1000
"""The most parts that a credit can be a number of."""
STEPS = 100_000
"""Of a test that is counted out over several sizes; that many take seconds."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first run's headline less the second's, −1 to 1, with its 95 % interval.

    `error` is the standard error, None where no prompt differs from another, so that
    there is nothing to estimate it from.
    """

    value: float
    low: float
    high: float
    error: float | None

    @property
    def smallest(self) -> float | None:
        """The smallest true difference that is found in 80 % of such comparisons.

        (z(0.975) + z(0.8)) × the standard error: two-sided, at 5 %, by the normal
        approximation. Source: J. M. Bland, An Introduction to Medical Statistics,
        ch. 18; for paired shares the error is the one of the discordant pairs.
        """
        return None if self.error is None else REACH * self.error


@dataclass(frozen=True, slots=True)
class Discordance:
    """Where two runs part, over the examples that both have right or wrong.

    Args:
        first_only: Examples that the first alone has right.
        second_only: Those that the second alone has right.
        ties: Examples that neither count has, because a credit is neither 0 nor 1.
        unscored: Examples left out because the rule gives one of the two no credit.
        apart: How many examples the first is ahead, parts of one included.
        by_example: McNemar's exact p, for which each example stands alone, ties left
            out.
        by_prompt: The exact p where examples of a prompt do not, and a tie is half
            right: the same if each has a prompt of its own and nothing is tied.
    """

    first_only: int
    second_only: int
    ties: int
    unscored: int
    apart: float
    by_example: float
    by_prompt: float


def difference(
    rule: Rule, first: Sequence[Scored], second: Sequence[Scored]
) -> Difference:
    """Compare two runs' headlines by a paired bootstrap.

    Whole prompts are redrawn within subsets, the same ones for both runs, so what is
    hard for both cancels out.

    Args:
        rule: How subsets become the headline.
        first: A run's rows, at least one with credit.
        second: Another run's rows of the same examples in the same order.
    """
    prompts = _prompts(*_columns(first, second))
    drawn = _drawn(prompts)
    ours, theirs = (_headlines(rule, drawn, run) for run in (0, 1))
    value, draws = float(ours[0] - theirs[0]), ours[1:] - theirs[1:]
    low, high, _ = stats.percentile_interval(draws, "")
    if high - low > 1e-12:
        return Difference(value, low, high, float(draws.std(ddof=1)))
    room = stats.wilson(0, prompts.whole).high
    return Difference(value, max(-1.0, value - room), min(1.0, value + room), None)


def _columns(first: Sequence[Scored], second: Sequence[Scored]) -> tuple[Rows, Rows]:
    if len(first) != len(second):
        raise ValueError(f"{len(first)} rows are not on {len(second)} examples")
    return Rows.of(first), Rows.of(second)


class _Prompts(NamedTuple):
    """How many prompts there are; the numbers of each subset's, and their sums.

    The sums are each run's credits and how many those are, shape (prompts, 4).
    """

    whole: int
    numbers: Mapping[str, Any]
    sums: Mapping[str, Any]


def _prompts(first: Rows, second: Rows) -> _Prompts:
    """Sum the rows of each prompt within each subset; subsets by name."""
    import numpy

    names = sorted(first.subsets)
    place = {name: number for number, name in enumerate(names)}
    part = numpy.array([place[each] for each in first.subsets])[first.subset_of]
    rows = numpy.argsort(part, kind="stable")
    number = stats.numbered(stats.numbered(first.clusters)[rows])
    columns = []
    for run in (first, second):
        worth = numpy.array(run.credits)[rows]
        columns += [numpy.nan_to_num(worth), worth == worth]
    numbers, sums = {}, {}
    ends = numpy.searchsorted(part[rows], range(len(names) + 1))
    for name, start, end in zip(names, ends, ends[1:], strict=False):
        numbers[name], local = numpy.unique(number[start:end], return_inverse=True)
        added = [numpy.bincount(local, each[start:end]) for each in columns]
        sums[name] = numpy.stack(added, axis=1)
    return _Prompts(int(number.max()) + 1, numbers, sums)


def _drawn(prompts: _Prompts) -> dict[str, Any]:
    """Each subset's sums as they are, and over draws of its prompts.

    The key of a subset's draws is its name alone: a pair has the same interval in any
    company. Where a prompt is in several subsets, it is drawn once for all of them.

    Returns:
        Arrays (1 + stats.RESAMPLES, 4).
    """
    import numpy

    if prompts.whole == sum(map(len, prompts.numbers.values())):
        return {subset: _redrawn(subset, sums) for subset, sums in prompts.sums.items()}
    table = numpy.zeros((prompts.whole, len(prompts.sums), 4))
    for place, (subset, sums) in enumerate(prompts.sums.items()):
        table[prompts.numbers[subset], place] = sums
    drawn = _redrawn("prompts of several subsets", table.reshape(prompts.whole, -1))
    parts = numpy.split(drawn, len(prompts.sums), axis=1)
    return dict(zip(prompts.sums, parts, strict=True))


def _redrawn(key: str, sums: Any) -> Any:
    """The total of all rows, and of draws of as many: (1 + RESAMPLES, columns)."""
    import numpy

    rng = stats.generator("paired bootstrap", key)
    return numpy.vstack([sums.sum(axis=0), stats.redrawn(sums, rng)])


def _headlines(rule: Rule, drawn: dict[str, Any], run: int) -> Any:
    """A run's headline as it is, and over all draws: an array (1 + RESAMPLES,)."""
    import numpy

    means, counts = {}, {}
    for subset, sums in drawn.items():
        worth, sizes = sums[:, 2 * run], sums[:, 2 * run + 1]
        if not sizes[0]:  # the rule left the whole subset out
            continue
        counts[subset] = int(sizes[0])
        # draws of nothing but prompts that were left out stay at the mean
        observed = numpy.full(len(sums), worth[0] / sizes[0])
        means[subset] = numpy.divide(worth, sizes, out=observed, where=sizes > 0)
    return rule.headline(means, counts)


def discordance(first: Sequence[Scored], second: Sequence[Scored]) -> Discordance:
    """Count where two runs part, and test whether one is right more often.

    Args:
        first: A run's rows.
        second: Another run's rows of the same examples in the same order.
    """
    import numpy

    ours, theirs = _columns(first, second)
    one, other = numpy.array(ours.credits), numpy.array(theirs.credits)
    scored = (one == one) & (other == other)
    whole = numpy.isin(one, (0, 1)) & numpy.isin(other, (0, 1))
    parted = numpy.where(whole, one - other, 0)
    number = stats.numbered(ours.clusters)
    prompts: list[Fraction | int] = [*map(int, numpy.bincount(number, parted))]
    parts = scored & ~whole  # of ones, which are added up exactly
    for place in numpy.flatnonzero(parts):
        apart = _exact(float(one[place])) - _exact(float(other[place]))
        prompts[number[place]] += apart
    first_only, second_only = int((parted > 0).sum()), int((parted < 0).sum())
    return Discordance(
        first_only,
        second_only,
        int(parts.sum()),
        int((~scored).sum()),
        float(sum(prompts)),
        mcnemar(first_only, second_only),
        swapped(prompts),
    )


def mcnemar(first_only: int, second_only: int) -> float:
    """Return the two-sided p of McNemar's exact test.

    Source: Q. McNemar, Psychometrika 12 (1947), 153-157; exact: the binomial's.
    """
    from statsmodels.stats.contingency_tables import mcnemar as test

    return float(test([[0, first_only], [second_only, 0]], exact=True).pvalue)


@lru_cache(1024)
def _exact(credit: float) -> Fraction | int:
    """A credit as the share of few that it is, such as a third; 0 and 1 at once."""
    whole = int(credit)
    return whole if whole == credit else Fraction(credit).limit_denominator(PARTS)


def swapped(apart: Collection[Fraction | int]) -> float:
    """Return the two-sided exact p of prompts' differences, were the judges alike.

    Then swapping the two judges on any prompt is as likely as not; the p is the share
    of all such swaps that part the judges at least as far. It is counted, not drawn;
    where that would take more than STEPS steps of the differences' common unit, it is
    the normal approximation. With one example to a prompt it is McNemar's exact test.

    Args:
        apart: Of each prompt, how many examples the first is ahead.

    Source: the randomization test by E. J. G. Pitman, JRSS Suppl. 4 (1937), 119-130.
    """
    import numpy
    from scipy.stats import binom, norm

    ahead = sum(apart)
    unit = lcm(*(Fraction(each).denominator for each in {*apart}))
    steps = [abs(int(each * unit)) for each in apart if each]
    kinds = sorted(Counter(steps).items())
    if len(kinds) > 1 and sum(steps) > STEPS:
        spread = sqrt(sum(float(each) ** 2 for each in apart))
        return float(2 * norm.sf(abs(float(ahead)) / spread))
    chances: Any = numpy.ones(1)  # of each sum of what the first wins
    for worth, count in kinds:
        wins = numpy.zeros(worth * count + 1)
        wins[::worth] = binom.pmf(numpy.arange(count + 1), count, 0.5)
        chances = numpy.convolve(chances, wins)
    total = len(chances) - 1
    far = abs(2 * numpy.arange(total + 1) - total) >= abs(int(ahead * unit))
    return min(1.0, float(chances[far].sum()))


def holm(chances: Sequence[float]) -> list[float]:
    """Correct p values so that the chance of any false finding is at most 5 %.

    Source: S. Holm, Scandinavian Journal of Statistics 6 (1979), 65-70.
    """
    from statsmodels.stats.multitest import multipletests

    return [float(each) for each in multipletests(chances, method="holm")[1]]
