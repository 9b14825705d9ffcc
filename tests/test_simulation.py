"""What the statistics promise, kept: in simulation with keyed seeds, or exactly.

A coverage over 1,000 repetitions is known to 0.7 points (one standard error), so a
margin of two points is three of those.
"""

import gc
from collections.abc import Iterator, Sequence
from itertools import combinations
from math import sqrt
from statistics import NormalDist
from typing import Any

import numpy
import pytest
from scipy.stats import binom

from rrm_harness import stats
from rrm_harness.comparing.paired import (
    Difference,
    difference,
    discordance,
    holm,
    mcnemar,
)
from rrm_harness.metrics import Rule, Scored

REPETITIONS = 1000
MARGIN = 0.02
SUBSETS = {"easy": (60, 0.8), "hard": (40, 0.4)}
"""Prompts and accuracy of each."""
MEAN = sum(accuracy for _, accuracy in SUBSETS.values()) / len(SUBSETS)
HEADLINE = Rule(average="subsets")


def scored(subset: str, right: Any) -> Iterator[Scored]:
    """Rows of a matrix of rights: a prompt to a line, its examples in columns."""
    for (prompt, example), credit in numpy.ndenumerate(right.astype(float)):
        name = f"{subset}-{prompt}"
        yield Scored(f"{name}-{example}", subset, name, float(credit), 0.0, 1.0)


def luck(
    rng: numpy.random.Generator, prompts: int, accuracy: float, spread: float
) -> Any:
    """Each prompt's chance to be judged right; examples of a prompt share it."""
    rest = (1 - spread) / spread
    return rng.beta(accuracy * rest, (1 - accuracy) * rest, size=(prompts, 1))


def runs(
    rng: numpy.random.Generator, judges: int, examples: int, spread: float = 0.3
) -> list[list[Scored]]:
    """Equally good judges, on the same prompts, each with luck of its own."""
    rows: list[list[Scored]] = [[] for _ in range(judges)]
    for subset, (prompts, accuracy) in SUBSETS.items():
        shared = luck(rng, prompts, accuracy, spread)
        for judge in rows:
            own = luck(rng, prompts, accuracy, spread)
            chances = numpy.where(rng.random((prompts, 1)) < 0.5, shared, own)
            judge += scored(subset, rng.random((prompts, examples)) < chances)
    return rows


def parted(
    rng: numpy.random.Generator, examples: int, apart: float, shift: float
) -> tuple[list[Scored], list[Scored]]:
    """Two judges that part on a share of examples, the first `shift` better."""
    drawn, right = rng.random((examples, 1)), rng.random((examples, 1)) < 0.6
    first_only = drawn < (apart + shift) / 2
    second_only = (drawn >= 1 - (apart - shift) / 2) & ~first_only
    first = numpy.where(first_only, True, numpy.where(second_only, False, right))
    second = numpy.where(first_only, False, numpy.where(second_only, True, right))
    return [*scored("all", first)], [*scored("all", second)]


def level(repetitions: int) -> float:
    """5 %, and three standard errors of a share over so many repetitions."""
    return 0.05 + 3 * sqrt(0.05 * 0.95 / repetitions)


def is_noise(found: Difference) -> bool:
    """Whether the interval includes no difference at all."""
    return found.low <= 0 <= found.high


def share(found: Sequence[bool]) -> float:
    return sum(found) / len(found)


def wilson_covers(trials: int, accuracy: float) -> float:
    """How often Wilson's interval holds the truth: exactly, over all outcomes."""
    inside = [
        successes
        for successes in range(trials + 1)
        if (found := stats.wilson(successes, trials)).low <= accuracy <= found.high
    ]
    return float(binom.pmf(inside, trials, accuracy).sum())


@pytest.mark.parametrize("trials", [50, 200, 1000])
def test_wilsons_interval_covers_95_percent_on_average(trials: int) -> None:
    covered = [wilson_covers(trials, step / 100) for step in range(5, 96, 3)]

    assert sum(covered) / len(covered) == pytest.approx(0.95, abs=0.01)
    assert min(covered) > 0.95 - 2 * MARGIN


@pytest.mark.parametrize("examples", [1, 3])
def test_the_headlines_interval_covers_95_percent(examples: int) -> None:
    rng = stats.generator("headline", examples)

    covered = []
    for _ in range(REPETITIONS):
        (rows,) = runs(rng, 1, examples)
        low, high, _ = HEADLINE.numbers(rows).interval
        covered.append(low <= MEAN <= high)

    assert share(covered) == pytest.approx(0.95, abs=MARGIN)


@pytest.mark.parametrize(
    ("prompts", "examples", "accuracy"),
    [(20, 3, 0.8), (20, 9, 0.8), (50, 3, 0.99), (100, 9, 0.95)],
)
def test_few_prompts_of_several_examples_are_covered_as_well(
    prompts: int, examples: int, accuracy: float
) -> None:
    rng = stats.generator("few prompts", prompts, examples, str(accuracy))

    covered = []
    for _ in range(REPETITIONS):
        chances = luck(rng, prompts, accuracy, spread=0.3)
        right = rng.random((prompts, examples)) < chances
        low, high, _ = Rule().numbers([*scored("all", right)]).interval
        covered.append(low <= accuracy <= high)

    assert share(covered) == pytest.approx(0.95, abs=MARGIN)


def test_the_paired_differences_interval_covers_95_percent() -> None:
    rng = stats.generator("difference")

    found = [difference(HEADLINE, *runs(rng, 2, 3)) for _ in range(REPETITIONS)]

    assert share([*map(is_noise, found)]) == pytest.approx(0.95, abs=MARGIN)


def test_a_true_difference_is_covered_as_often() -> None:
    rng = stats.generator("true difference")
    pairs = [parted(rng, 300, apart=0.25, shift=0.1) for _ in range(REPETITIONS)]

    found = [difference(Rule(), *pair) for pair in pairs]

    covered = [each.low <= 0.1 <= each.high for each in found]
    assert share(covered) == pytest.approx(0.95, abs=MARGIN)


def test_the_standard_error_is_the_spread_of_the_differences() -> None:
    rng = stats.generator("standard error")

    found = [difference(HEADLINE, *runs(rng, 2, 3)) for _ in range(400)]

    spread = numpy.std([each.value for each in found])
    errors = [each.error or 0.0 for each in found]
    assert numpy.mean(errors) == pytest.approx(spread, rel=0.1)


def test_mcnemars_test_holds_its_level_whatever_the_discordance() -> None:
    for count in range(1, 120):
        rejected = [
            wins for wins in range(count + 1) if mcnemar(wins, count - wins) <= 0.05
        ]

        assert binom.pmf(rejected, count, 0.5).sum() <= 0.05


def test_the_test_by_prompt_holds_its_level_where_mcnemars_does_not() -> None:
    rng = stats.generator("level by prompt")

    found = [discordance(*runs(rng, 2, 6, spread=0.6)) for _ in range(REPETITIONS)]

    by_prompt = share([each.by_prompt <= 0.05 for each in found])
    by_example = share([each.by_example <= 0.05 for each in found])
    assert 0.02 < by_prompt <= level(REPETITIONS)
    assert by_example > 0.1


@pytest.fixture
def little_garbage() -> Iterator[None]:
    """Keep what is there out of the collections that statsmodels asks for."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("little_garbage")
def test_holms_family_finds_a_difference_between_equals_in_5_percent_at_most() -> None:
    rng, repetitions = stats.generator("family"), 500

    least = []
    for _ in range(repetitions):
        judges = [*combinations(runs(rng, 4, 1), 2)]
        least.append([discordance(*pair).by_prompt for pair in judges])

    suspects = [each for each in least if min(each) <= 0.05]  # Holm lowers no p
    false = [each for each in suspects if min(holm(each)) <= 0.05]
    assert len(false) / repetitions <= level(repetitions)
    assert len(suspects) / repetitions > 0.1


@pytest.fixture(scope="module")
def at_the_smallest() -> tuple[float, list[Difference], list[float]]:
    """Pairs that are truly as far apart as the smallest difference that is found.

    Where d is that and a share a of n examples parts two judges, the variance of the
    difference is (a − d²) / n.
    """
    examples, apart = 1000, 0.2
    reach = NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(0.8)
    smallest = reach * sqrt(apart / (examples + reach**2))
    rng = stats.generator("power")
    pairs = [parted(rng, examples, apart, smallest) for _ in range(300)]
    tests = [discordance(*pair).by_prompt for pair in pairs]
    return smallest, [difference(Rule(), *pair) for pair in pairs], tests


def test_the_smallest_difference_is_the_one_of_the_formula(
    at_the_smallest: tuple[float, list[Difference], list[float]],
) -> None:
    smallest, found, _ = at_the_smallest

    told = [each.smallest or 0.0 for each in found]

    assert numpy.mean(told) == pytest.approx(smallest, rel=0.02)


def test_the_smallest_difference_is_found_in_80_percent(
    at_the_smallest: tuple[float, list[Difference], list[float]],
) -> None:
    _, found, tests = at_the_smallest

    by_interval = share([not is_noise(each) for each in found])
    by_test = share([each <= 0.05 for each in tests])
    assert by_interval == pytest.approx(0.8, abs=0.05)
    assert by_test == pytest.approx(0.8, abs=0.05)
