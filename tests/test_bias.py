"""Bias: position and length, by hand and in simulation."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rrm_harness import (
    Comparison,
    Example,
    Failure,
    Judgment,
    Message,
    Outcome,
    evaluate,
    stats,
)
from rrm_harness.bias import Bias, at_equal_length, fold, guessed_by_length
from rrm_harness.calibration import LEAST
from rrm_harness.outcomes import outcome_of
from rrm_harness.report.facts import facts
from rrm_harness.schedule import Finished

Found = dict[str, Any]
Says = Callable[[Comparison], float]
FIRST, SECOND, TIE = 1.0, 0.0, 0.5
RUNS = 100
MOST_REJECTED = 10
"""A test of level 5 % rejects more in 1 % of such simulations."""


def pair(name: object, lengths: Sequence[int] = (1, 1), correct: int = 0) -> Example:
    texts = tuple("x" * length for length in lengths)
    return Example(f"{name}", (Message("user", "q"),), texts, (correct,))


def judged(example: Example, *asked: tuple[Comparison, float | Failure]) -> Finished:
    """What was said of each: the share of the response shown first, or a failure."""
    said = [
        (
            shown,
            Judgment.failed(first)
            if isinstance(first, Failure)
            else Judgment((first, 1 - first)),
        )
        for shown, first in asked
    ]
    return Finished(example, outcome_of(*said[0]), said)


def asked_once(
    says: Says, count: int = 100, samples: int = 1, seed: int = 3
) -> list[Finished]:
    """Pairs in the orders that the seed draws."""
    finished = []
    for number in range(count):
        given = Comparison.of(pair(number), seed=seed)
        shown = [given.resampled(sample).shuffled() for sample in range(samples)]
        asked = [(each, says(each)) for each in shown]
        finished.append(judged(given.example, *asked))
    return finished


def asked_twice(*said: tuple[float, float], samples: int = 1) -> list[Finished]:
    """Pairs in the order given and reversed."""
    finished = []
    for number, (first, second) in enumerate(said):
        shown = Comparison.of(pair(number))
        finished.append(
            judged(
                shown.example,
                *[(shown.resampled(n), first) for n in range(samples)],
                *[(shown.reversed().resampled(n), second) for n in range(samples)],
            )
        )
    return finished


def always_first(_: Comparison) -> float:
    return FIRST


def bias(finished: Iterable[Finished]) -> Found:
    counted = Bias()
    for each in finished:
        counted.add(each)
    return counted.results()


def seeded(finished: Iterable[Finished]) -> Found | None:
    found: Found | None = bias(finished)["position"]["seeded_orders"]
    return found


def both(finished: Iterable[Finished]) -> Found:
    found: Found = bias(finished)["position"]["both_orders"]
    return found


def test_a_judge_of_the_first_is_exposed_in_seeded_orders() -> None:
    found = seeded(asked_once(always_first))

    assert found is not None
    assert (found["n"], found["first_rate"]) == (100, 1.0)
    assert found["p"] < 1e-20


def test_the_test_of_seeded_orders_is_scipys() -> None:
    from scipy.stats import binomtest

    found = seeded(
        asked_once(lambda shown: FIRST if int(shown.example.id) < 60 else SECOND)
    )

    assert found is not None
    assert found["first_rate"] == 0.6
    assert found["p"] == pytest.approx(binomtest(60, 100, 0.5).pvalue)
    assert found["first_rate_low"] < 0.6 < found["first_rate_high"]


def test_many_votes_on_a_pair_make_no_interval_of_places_narrower() -> None:
    says = {str(each): FIRST if each < 20 else SECOND for each in range(40)}
    once, often = (
        seeded(asked_once(lambda shown: says[shown.example.id], 40, samples=samples))
        for samples in (1, 16)
    )

    assert once is not None
    assert often is not None
    assert often["n"] == 16 * once["n"]
    widths = [
        each["first_rate_high"] - each["first_rate_low"] for each in (once, often)
    ]
    assert widths[1] > 0.9 * widths[0]


def test_ties_are_no_decisions() -> None:
    found = seeded(
        asked_once(lambda shown: TIE if int(shown.example.id) < 40 else FIRST)
    )

    assert found is not None
    assert (found["n"], found["first_rate"]) == (60, 1.0)


def test_orders_that_the_data_give_say_nothing_about_position() -> None:
    given = [
        judged(pair(number), (Comparison.of(pair(number)), FIRST))
        for number in range(100)
    ]

    assert seeded(given) is None


def test_few_decisions_say_nothing_about_position() -> None:
    assert seeded(asked_once(always_first, count=LEAST - 1)) is None


def test_a_pair_whose_reverse_failed_was_not_asked_in_one_order() -> None:
    finished = []
    for number in range(60):
        shown = Comparison.of(pair(number)).shuffled()
        reverse = (shown.reversed(), Failure.REFUSED)
        finished.append(judged(shown.example, (shown, FIRST), reverse))

    assert bias(finished)["position"] == {"seeded_orders": None, "both_orders": None}


def test_the_test_of_seeded_orders_holds_its_level_whatever_the_judge_prefers() -> None:
    """A judge that always prefers response 1 is asked of each pair twice."""
    rejected = 0
    for run in range(RUNS):
        finished = asked_once(
            lambda shown: float(shown.order[0] == 1), count=20, samples=2, seed=run
        )
        found = seeded(finished)
        assert found is not None
        assert found["n"] == 40
        rejected += found["p"] < 0.05

    assert rejected <= MOST_REJECTED


@pytest.mark.parametrize(
    ("first", "second", "flips", "to_first", "to_second"),
    [
        (FIRST, SECOND, 0, 0, 0),
        (FIRST, FIRST, 1, 1, 0),
        (SECOND, SECOND, 1, 0, 1),
        (TIE, TIE, 0, 0, 0),
        (TIE, FIRST, 1, 0, 0),
        (0.6, 0.7, 1, 1, 0),
    ],
)
def test_a_flip_goes_to_the_place_that_won_twice(
    first: float, second: float, flips: int, to_first: int, to_second: int
) -> None:
    found = both(asked_twice((first, second)))

    assert (found["n"], found["flips"]) == (1, flips)
    assert (found["to_first"], found["to_second"]) == (to_first, to_second)


def test_the_test_of_both_orders_is_a_sign_test_of_the_flips() -> None:
    from scipy.stats import binomtest

    said = [(FIRST, FIRST)] * 9 + [(SECOND, SECOND)] * 2 + [(FIRST, SECOND)] * 30

    found = both(asked_twice(*said))

    assert found["flip_rate"] == 11 / 41
    assert found["p"] == pytest.approx(binomtest(9, 11, 0.5).pvalue)


def test_an_example_has_one_voice_however_often_it_is_asked() -> None:
    found = both(asked_twice((FIRST, FIRST), (SECOND, SECOND), samples=5))

    assert (found["n"], found["flips"]) == (10, 10)
    assert (found["to_first"], found["to_second"], found["p"]) == (1, 1, 1.0)


def test_without_a_flip_there_is_nothing_to_test() -> None:
    found = both(asked_twice((FIRST, SECOND), (SECOND, FIRST)))

    assert (found["flip_rate"], found["p"]) == (0.0, None)


def with_lengths(*told: tuple[int, int, float]) -> list[Finished]:
    """Pairs by the lengths of the correct and of the other, and the correct's share."""
    return [
        judged(each, (Comparison.of(each), share))
        for number, (right, wrong, share) in enumerate(told)
        for each in [pair(number, (right, wrong))]
    ]


def length(finished: Iterable[Finished]) -> Found:
    found: Found | None = bias(finished)["length"]
    assert found is not None
    return found


def test_length_is_as_counted_by_hand() -> None:
    told = [(9, 5, FIRST)] * 12 + [(9, 5, SECOND)] * 4 + [(5, 9, FIRST)] * 6
    told += [(5, 9, SECOND)] * 13 + [(5, 9, TIE)] * 1 + [(5, 5, FIRST)] * 4

    found = length(with_lengths(*told))

    assert found["n"] == 36
    assert found["longer_correct"] == 16 / 36
    assert found["longer_chosen"] == (12 + 13 + 0.5) / 36
    assert found["correct_longer"]["accuracy"] == 12 / 16
    assert found["correct_shorter"]["accuracy"] == (6 + 0.5) / 20
    wilson = stats.wilson(12, 16)
    assert found["correct_longer"]["accuracy_low"] == wilson.low
    assert found["correct_longer"]["accuracy_high"] == wilson.high


def test_the_place_of_the_correct_response_changes_nothing_about_length() -> None:
    told = [(9, 5, FIRST)] * 12 + [(9, 6, SECOND)] * 9 + [(5, 9, FIRST)] * 12
    given = with_lengths(*told)
    turned = []
    for number, (right, wrong, share) in enumerate(told):
        example = pair(number, (wrong, right), correct=1)
        turned.append(judged(example, (Comparison.of(example), 1 - share)))

    assert length(turned) == length(given)


@pytest.mark.parametrize(
    "told",
    [
        [(9, 5, FIRST), (5, 9, SECOND)] * 14,  # few
        [(5, 5, FIRST)] * 40,  # equally long
    ],
)
def test_some_data_say_nothing_about_length(told: list[tuple[int, int, float]]) -> None:
    assert bias(with_lengths(*told))["length"] is None


def test_what_was_not_asked_says_nothing_about_length() -> None:
    decided = Outcome({0: 1.0, 1: 0.0})
    unasked = [Finished(pair(n, (9, 5)), decided) for n in range(40)]

    assert bias(unasked)["length"] is None


@pytest.mark.parametrize(
    "told",
    [
        [(9, 5, FIRST), (5, 9, FIRST)],  # all right
        [(9, 5, FIRST), (5, 9, SECOND)],  # parted
        [(9, 5, SECOND), (5, 9, FIRST)],
        [(9, 5, FIRST), (9, 6, SECOND)],  # one sign
        [(9, 5, TIE), (5, 5, FIRST)],
        [(9, 5, TIE), (5, 9, TIE), (7, 4, TIE)],  # nothing varies
    ],
)
def test_where_there_is_no_fit_there_is_no_accuracy_at_equal_length(
    told: list[tuple[int, int, float]],
) -> None:
    found = length(with_lengths(*told * 20))

    assert found["controlled"] is None


def drawn(run: int, count: int, share: Callable[[Any], Any]) -> tuple[Any, Any]:
    """Which of so many simulated pairs are right, and their length differences."""
    rng = stats.generator("length", run)
    difference = rng.normal(50, 100, count).round()
    return (rng.random(count) < share(difference)).astype(float), difference


def blind(_: Any) -> float:
    return 0.7


def names(count: int) -> list[str]:
    return [f"{number}" for number in range(count)]


def folds(count: int) -> list[int]:
    return [*map(fold, names(count))]


def test_a_judge_blind_to_length_is_as_right_at_equal_length() -> None:
    right, difference = drawn(0, 3000, blind)

    found = at_equal_length(right, difference, names(3000))

    assert found is not None
    assert found["accuracy"] == pytest.approx(right.mean(), abs=0.01)
    assert found["accuracy_low"] < 0.7 < found["accuracy_high"]
    assert found["slope_low"] < 0 < found["slope_high"]


def test_a_judge_that_likes_length_is_exposed() -> None:
    right, difference = drawn(
        0, 3000, lambda difference: np.where(difference > 0, 0.9, 0.1)
    )

    found = at_equal_length(right, difference, names(3000))

    assert found is not None
    assert right.mean() > 0.6
    assert found["accuracy"] == pytest.approx(0.5, abs=0.05)
    assert found["slope_low"] > 1
    assert found["p"] < 1e-9


def test_the_fit_is_statsmodels_logit() -> None:
    from statsmodels.discrete.discrete_model import Logit

    right, difference = drawn(1, 400, lambda difference: 0.6 + difference / 2000)
    asked = np.stack([np.ones(400), np.tanh(difference / difference.std())], axis=1)

    found = at_equal_length(right, difference, names(400))

    fit = Logit(right, asked).fit(
        disp=0, cov_type="cluster", cov_kwds={"groups": np.arange(400)}
    )
    assert found is not None
    assert found["slope"] == pytest.approx(fit.params[1], rel=1e-6)
    assert found["p"] == pytest.approx(fit.pvalues[1], rel=1e-5)
    assert found["accuracy"] == pytest.approx(1 / (1 + np.exp(-fit.params[0])))


@pytest.mark.parametrize("pairs_of_a_prompt", [1, 5])
def test_the_test_of_length_holds_its_level(pairs_of_a_prompt: int) -> None:
    """Also where a prompt's pairs share their lengths and their being right."""
    rejected = 0
    for run in range(RUNS):
        right, difference = drawn(run, 120, blind)
        clusters = names(120) * pairs_of_a_prompt
        found = at_equal_length(
            np.tile(right, pairs_of_a_prompt),
            np.tile(difference, pairs_of_a_prompt),
            clusters,
        )
        assert found is not None
        rejected += found["p"] < 0.05

    assert rejected <= MOST_REJECTED


def test_length_alone_finds_out_whether_correct_responses_are_short_or_long() -> None:
    short = np.array([10.0 + n % 7 for n in range(100)])
    long = np.array([20.0 + n % 5 for n in range(100)])

    assert guessed_by_length(short, long, folds(100)).tolist() == [1.0] * 100
    assert guessed_by_length(long, short, folds(100)).tolist() == [1.0] * 100


def test_length_alone_is_tested_on_prompts_that_it_was_not_fitted_to() -> None:
    """Lengths that tell nothing, each prompt's pairs alike: a fit to all would win."""
    rng = stats.generator("alone")
    correct, wrong = rng.integers(10, 1000, (2, 2000)).astype(float)

    guessed = guessed_by_length(correct, wrong, folds(2000))

    assert guessed.mean() == pytest.approx(0.5, abs=0.03)


def test_length_alone_knows_nothing_of_equal_lengths() -> None:
    correct = np.array([10.0, 20.0] * 20)
    wrong = np.array([5.0, 20.0] * 20)

    assert guessed_by_length(correct, wrong, folds(40)).tolist() == [1.0, 0.5] * 20


@settings(max_examples=15)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from([0, 0.5, 1])
        ),
        min_size=LEAST,
        max_size=50,
    )
)
def test_any_lengths_have_finite_numbers(told: list[tuple[int, int, float]]) -> None:
    right, correct, wrong = (
        np.array(column, dtype=float)
        for column in zip(*[(r, c, w) for c, w, r in told], strict=True)
    )

    found = at_equal_length(right, correct - wrong, names(len(told)))
    guessed = guessed_by_length(correct, wrong, folds(len(told)))

    json.dumps(found, allow_nan=False)
    assert set(guessed.tolist()) <= {0.0, 0.5, 1.0}
    assert found is None or 0 <= found["accuracy_low"] <= found["accuracy_high"] <= 1


def test_pairs_of_one_prompt_are_drawn_together_for_an_interval() -> None:
    told = [(9, 5, FIRST)] * 2 + [(9, 5, SECOND)] * 2
    asked = with_lengths(*told * 20)
    for number, each in enumerate(asked):
        each.example = replace(each.example, cluster=f"{number // 2}")

    alone = length(with_lengths(*told * 20))["correct_longer"]
    together = length(asked)["correct_longer"]

    assert together["accuracy"] == alone["accuracy"] == 0.5
    assert together["accuracy_low"] < alone["accuracy_low"]
    assert together["accuracy_high"] > alone["accuracy_high"]


def test_the_names_of_a_prompts_pairs_change_nothing_about_length() -> None:
    found = []
    for letter in "ab":
        rng = np.random.default_rng(5)
        told = [(*rng.integers(1, 40, 2), float(rng.integers(2))) for _ in range(80)]
        finished = with_lengths(*told)
        for number, each in enumerate(finished):
            each.example = replace(
                each.example, id=f"{letter}{number}", cluster=f"{number // 2}"
            )
        found.append(length(finished))

    assert found[0] == found[1]


def test_bias_is_shown_in_a_few_lines() -> None:
    told = [(9, 5, FIRST)] * 12 + [(9, 5, SECOND)] * 4 + [(5, 9, FIRST)] * 6
    found = bias([*with_lengths(*told, *[(5, 9, SECOND)] * 13), *asked_twice((1, 1))])
    run = evaluate("first", "sample", limit=1).results

    shown = dict(facts({**run, "bias": found}))

    assert shown["the longer one is chosen, is right"] == "71.43 %, 45.71 % of 35 pairs"
    assert shown["accuracy where the right one is longer"] == "75.00 (50.50–89.82)"
    changed = "100.00 % of 1 pairs; both for the first shown 1, for the second 0"
    assert shown["verdict changes with the order"] == f"{changed} (p = 1.000)"
    assert "accuracy at equal length (regression)" in shown
    assert "calibration" not in shown


def test_a_run_from_before_bias_was_measured_is_shown_without() -> None:
    run = {**evaluate("first", "sample", limit=1).results}
    for name in ("bias", "calibration", "attributes"):
        del run[name]

    shown = dict(facts(run))

    assert "seconds" in shown
    assert not [name for name in shown if "right one" in name or "calib" in name]
