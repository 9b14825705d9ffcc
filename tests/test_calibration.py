"""Calibration: against numbers by hand, against scikit-learn, and in simulation."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
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
from rrm_harness.calibration import COVERAGE, LEAST, Calibration, redraws
from rrm_harness.outcomes import outcome_of
from rrm_harness.report.facts import facts
from rrm_harness.schedule import Finished

Scores = tuple[float, float]
Found = dict[str, Any]


def pair(name: str, correct: tuple[int, ...] = (0,), cluster: str = "") -> Example:
    return Example(name, (Message("user", "q"),), ("a", "b"), correct, cluster=cluster)


def judged(example: Example, *scores: Scores, winners: Sequence[int] = ()) -> Finished:
    """A pair with a judgment for each of the scores; the first one's winner wins."""
    shown = Comparison.of(example)
    said = [(shown.resampled(n), Judgment(each)) for n, each in enumerate(scores)]
    outcome = outcome_of(*said[0])
    if winners:
        outcome = Outcome({i: float(i in winners) for i in range(2)})
    return Finished(example, outcome, said)


def calibration(finished: Iterable[Finished]) -> Found | None:
    counted = Calibration()
    for each in finished:
        counted.add(each)
    return counted.results()


def found(finished: Iterable[Finished]) -> Found:
    results = calibration(finished)
    assert results is not None
    return results


def of_shares(*shares: float, times: int = 1) -> list[Finished]:
    """Pairs whose correct response gets these shares."""
    return [
        judged(pair(f"{n}"), (share, 1 - share))
        for n, share in enumerate(shares * times)
    ]


def of_rewards(*margins: float, times: int = 1) -> list[Finished]:
    """Pairs whose correct response is ahead by these margins."""
    return [
        judged(pair(f"{n}"), (margin + 7, 7.0))
        for n, margin in enumerate(margins * times)
    ]


def test_error_and_brier_score_are_as_counted_by_hand() -> None:
    results = found(of_shares(0.9, 0.9, 0.9, 0.1, 0.6, 0.4, times=10))

    assert results["n"] == 60
    # 40 at 0.9, of which 30 are right; 20 at 0.6, of which 10 are right
    assert results["ece"] == pytest.approx((40 * 0.15 + 20 * 0.1) / 60)
    assert results["brier"] == pytest.approx(
        (30 * 0.1**2 + 10 * 0.9**2 + 10 * 0.4**2 + 10 * 0.6**2) / 60
    )


def test_the_bins_hold_what_a_reliability_diagram_draws() -> None:
    bins = found(of_shares(0.9, 0.9, 0.9, 0.1, 0.6, 0.4, times=10))["bins"]

    filled = [each for each in bins if each["n"]]
    assert [(each["low"], each["high"]) for each in bins[:2]] == [
        (0.5, 0.55),
        (0.55, 0.6),
    ]
    assert [each["n"] for each in filled] == [20, 40]
    assert [each["confidence"] for each in filled] == pytest.approx([0.6, 0.9])
    assert [each["accuracy"] for each in filled] == pytest.approx([0.5, 0.75])
    assert filled[0] is bins[1]
    assert bins[0] == {**bins[0], "n": 0, "confidence": None, "accuracy": None}


@pytest.mark.parametrize("votes", range(3, 6))
def test_votes_on_the_edge_of_a_bin_are_in_the_bin_below(votes: int) -> None:
    """3 of 5 is 0.6, which floats may have a little higher or lower."""
    verdicts = [(1.0, 0.0)] * votes + [(0.0, 1.0)] * (5 - votes)
    asked = [judged(pair(f"{n}"), *verdicts, winners=[0]) for n in range(LEAST)]
    uneven = [judged(pair("x"), (0.0, 1.0), (0.0, 1.0), (1.0, 0.0))]

    bins = found([*asked, *uneven])["bins"]

    assert bins[(votes - 3) * 4 + 1]["n"] == LEAST


def test_the_confidence_of_votes_is_the_share_of_those_cast() -> None:
    verdicts = [(1.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 0.0)]

    results = found(judged(pair(f"{n}"), *verdicts) for n in range(40))

    assert results["confidence"] == "winner's share"
    assert [each["confidence"] for each in results["coverage"]] == [0.75] * 4


def test_where_votes_were_saved_the_confidence_says_so() -> None:
    asked = [
        judged(pair(f"{n}"), (1.0, 0.0), (0.0, 1.0), (1.0, 0.0)) for n in range(40)
    ]
    outcome = replace(asked[7].outcome, notes={"votes_saved": 2})
    asked[7] = replace(asked[7], outcome=outcome)

    assert found(asked)["confidence"] == "winner's share of the votes cast"


def test_the_confidence_of_rewards_is_the_sigmoid_of_the_margin() -> None:
    results = found(of_rewards(2.0, -1.0, times=20))

    assert results["confidence"] == "sigmoid of the margin"
    sure, unsure = 1 / (1 + np.exp(-2)), 1 / (1 + np.exp(-1))
    assert results["brier"] == pytest.approx(((1 - sure) ** 2 + unsure**2) / 2)
    assert [each["margin"] for each in results["coverage"]] == [2, 2, 1, 1]


def test_one_judgment_that_does_not_sum_to_1_makes_all_scores_rewards() -> None:
    shares = of_shares(0.9, 0.2, times=20)

    results = found([*shares, *of_rewards(1.0)])

    assert results["confidence"] == "sigmoid of the margin"


def test_responses_that_are_scored_alone_have_rewards() -> None:
    example = pair("x")
    asked = [Comparison.of(example).only(each) for each in range(2)]
    said = [(asked[0], Judgment((1.0,))), (asked[1], Judgment((0.0,)))]
    alone = Finished(example, Outcome({0: 1.0, 1: 0.0}), said)

    results = found([alone, *of_shares(0.9, 0.2, times=20)])

    assert results["confidence"] == "sigmoid of the margin"


def test_the_order_shown_changes_nothing() -> None:
    shown = of_shares(0.9, 0.3, times=20)
    turned = [
        Finished(
            each.example,
            each.outcome,
            [
                (comparison.reversed(), Judgment(judgment.scores[::-1]))
                for comparison, judgment in each.judged
            ],
        )
        for each in shown
    ]

    assert found(turned) == found(shown)


def test_a_tie_is_an_even_chance() -> None:
    results = found(of_shares(0.5, 0.5, 0.8, 0.2, times=20))

    assert results["coverage"][-1]["accuracy"] == 0.5
    assert results["brier"] == pytest.approx((2 * 0.25 + 0.04 + 0.64) / 4)
    assert results["ece"] == pytest.approx(0.5 * 0.3)


def test_a_winner_against_the_mean_has_an_even_chance() -> None:
    """Two votes of three may be won by a hair, and the third lost by far."""
    votes = [(0.6, 0.4), (0.6, 0.4), (0.0, 1.0)]
    asked = [judged(pair(f"{n}"), *votes, winners=[0]) for n in range(LEAST)]

    results = found([*asked, *of_shares(0.8)])

    assert results["coverage"][-1]["confidence"] == 0.5
    assert results["coverage"][-1]["accuracy"] == 1.0


def test_a_judge_of_single_verdicts_has_no_calibration() -> None:
    assert calibration(of_shares(1.0, 0.0, 0.5, times=20)) is None


def test_few_prompts_have_no_calibration() -> None:
    many = [judged(pair(f"{n}", cluster="one"), (0.7, 0.3)) for n in range(100)]

    assert calibration(of_shares(0.7, times=LEAST - 1)) is None
    assert calibration(of_shares(0.7, times=LEAST)) is not None
    assert calibration(many) is None
    assert calibration([]) is None


def test_only_pairs_with_one_correct_response_and_an_outcome_count() -> None:
    three = Example("three", (), ("a", "b", "c"), (0,))
    best = Finished(
        three,
        Outcome({0: 1.0, 1: 0.5, 2: 0.2}),
        [(Comparison.of(three), Judgment((1.0, 0.5, 0.2)))],
    )
    failed = judged(pair("failed"), (0.9, 0.1))
    failed.outcome = Outcome(failure=Failure.UNPARSABLE)
    others = [
        best,
        failed,
        *(judged(pair("x", each), (3.0, 1.0)) for each in [(), (0, 1)]),
    ]

    assert found([*others, *of_shares(0.7, 0.4, times=20)])["n"] == 40
    assert calibration(others * 50) is None


def test_what_was_asked_of_others_than_the_judge_does_not_count() -> None:
    asked = of_shares(0.9, 0.2, times=20)
    with_meta = [
        Finished(
            each.example,
            each.outcome,
            [*each.judged, (replace(each.judged[0][0], role="meta"), Judgment((9.0,)))],
        )
        for each in asked
    ]

    assert found(with_meta) == found(asked)


def test_accuracy_by_coverage_is_as_counted_by_hand() -> None:
    margins = [4.0] * 10 + [3.0] * 5 + [-3.0] * 5 + [2.0] * 5 + [-2.0] * 5 + [-1.0] * 10

    parts = found(of_rewards(*margins))["coverage"]

    assert [each["n"] for each in parts] == [10, 20, 30, 40]
    assert [each["margin"] for each in parts] == [4, 3, 2, 1]
    assert [each["accuracy"] for each in parts] == [1.0, 0.75, 20 / 30, 0.5]


def test_examples_that_are_equally_sure_count_as_their_mean_at_a_cut() -> None:
    results = found(of_rewards(*[1.0] * 30, *[-1.0] * 10))

    assert [each["accuracy"] for each in results["coverage"]] == [0.75] * 4
    assert results["aurc"] == pytest.approx(0.25)


def test_the_area_under_the_risk_curve_is_the_mean_risk() -> None:
    margins = [float(40 - n) * (1 if n < 30 else -1) for n in range(40)]
    risks = [max(0, k - 30) / k for k in range(1, 41)]

    results = found(of_rewards(*(margin / 10 for margin in margins)))

    assert results["aurc"] == pytest.approx(sum(risks) / 40)


@given(st.lists(st.floats(-30, 30), min_size=LEAST, max_size=60))
def test_brier_score_and_bins_are_scikit_learns(margins: list[float]) -> None:
    from sklearn.calibration import calibration_curve
    from sklearn.metrics import brier_score_loss

    results = calibration(of_rewards(*margins))

    if results is None:
        return
    chance = 1 / (1 + np.exp(-np.abs(margins)))
    right = np.sign((np.array(margins) + 7) - 7)
    if not right.all():
        return  # scikit-learn has no half
    assert results["brier"] == pytest.approx(
        brier_score_loss(right > 0, chance, pos_label=True), abs=1e-9
    )
    accuracy, confidence = calibration_curve(
        right > 0, (chance - 0.5) * 2 * (1 - 1e-12), n_bins=10, pos_label=True
    )
    filled = [each for each in results["bins"] if each["n"]]
    assert [each["accuracy"] for each in filled] == pytest.approx(list(accuracy))
    assert [2 * each["confidence"] - 1 for each in filled] == pytest.approx(
        list(confidence), abs=1e-9
    )


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=LEAST, max_size=50))
def test_every_number_is_a_share_and_within_its_interval(
    drawn: list[tuple[float, bool]],
) -> None:
    asked = [
        judged(pair(f"{n}", (int(flipped),), cluster=f"{n % 31}"), (share, 1 - share))
        for n, (share, flipped) in enumerate(drawn)
    ]

    results = calibration(asked)

    if results is None:
        return
    assert 0 <= results["ece_low"] <= results["ece"] <= results["ece_high"] <= 1
    assert 0 <= results["brier_low"] <= results["brier_high"] <= 1
    assert 0 <= results["aurc"] <= 1
    assert [each["coverage"] for each in results["coverage"]] == list(COVERAGE)
    assert sum(each["n"] for each in results["bins"]) == results["n"]
    json.dumps(results, allow_nan=False)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=LEAST))
def test_rewards_of_any_size_have_numbers(rewards: list[float]) -> None:
    asked = [judged(pair(f"{n}"), (each, -each)) for n, each in enumerate(rewards)]

    results = calibration([*asked, *of_rewards(1.0)])

    json.dumps(results, allow_nan=False)
    assert results is not None


def test_the_same_run_has_the_same_numbers() -> None:
    asked = of_rewards(2.0, -1.0, 0.3, times=20)

    assert found(asked) == found(asked)


def test_whole_prompts_are_drawn() -> None:
    clusters = ["a", "b", "a", "c", "b", "a"]

    draws = list(redraws(clusters, "test"))

    assert len(draws) == stats.RESAMPLES
    assert all(each[0] == each[2] == each[5] and each[1] == each[4] for each in draws)
    assert all(each[0] + each[1] + each[3] == 3 for each in draws)


def simulated(place: int, sharpness: float, count: int = 150) -> list[Finished]:
    """Rewards whose margins mean `sharpness` times what they say."""
    rng = stats.generator("simulation", place)
    margins = rng.normal(0, 2, count)
    right = rng.random(count) < 1 / (1 + np.exp(-sharpness * margins))
    return [
        judged(pair(f"{n}", (0,) if yes else (1,)), (float(margin), 0.0))
        for n, (margin, yes) in enumerate(zip(margins, right, strict=True))
    ]


def test_a_calibrated_judge_has_an_error_near_0() -> None:
    results = found(simulated(0, 1.0, count=20_000))

    assert results["ece"] < 0.02
    assert results["ece_low"] == 0


def population_error(sharpness: float) -> float:
    """The binned error of endless examples, by a grid over the margins."""
    margins = np.linspace(0, 12, 240_001)[1:]
    weight = np.exp(-((margins / 2) ** 2) / 2)
    sure = 1 / (1 + np.exp(-margins))
    gap = 1 / (1 + np.exp(-sharpness * margins)) - sure
    bins = np.clip(np.ceil((sure - 0.5) * 20) - 1, 0, 9).astype(int)
    return float(np.abs(np.bincount(bins, weight * gap)).sum() / weight.sum())


@pytest.mark.parametrize("sharpness", [1.0, 0.4])
def test_the_intervals_hold_the_truth_as_often_as_they_say(
    sharpness: float,
) -> None:
    truth = population_error(sharpness)

    runs = [found(simulated(place, sharpness)) for place in range(60)]

    held = [each["ece_low"] <= truth <= each["ece_high"] for each in runs]
    assert sum(held) >= 0.9 * len(runs)  # 95 % less two standard errors of 60 runs


def test_calibration_is_shown_in_two_lines() -> None:
    run = evaluate("first", "sample", limit=1).results
    measured = found(of_shares(0.9, 0.9, 0.9, 0.1, times=10))

    shown = dict(facts({**run, "calibration": measured}))

    assert shown["calibration"].startswith("ECE 15.00 (")
    assert ", Brier 0.210 (0." in shown["calibration"]
    assert shown["calibration"].endswith("confidence is the winner's share")
    surest = "75.00, 75.00, 75.00, 75.00"
    assert shown["accuracy of the surest 25, 50, 75, 100 %"] == surest


def test_a_run_of_a_judge_of_scores_has_a_calibration() -> None:
    results = evaluate("random", "sample,part=pairs", "single,order=seeded").results

    assert results["calibration"]["n"] == results["bias"]["length"]["n"] == 48
    assert results["bias"]["position"]["seeded_orders"]["n"] == 48
    assert results["attributes"] == {}


@pytest.mark.parametrize("judge", ["longest", "shortest"])
def test_counts_of_characters_say_nothing_of_confidence(judge: str) -> None:
    results = evaluate(judge, "sample,part=pairs", "both-orders").results

    assert results["calibration"] is None


def test_a_run_of_too_little_says_that_there_is_none() -> None:
    results = evaluate("random", "sample", limit=3).results

    nowhere = {"seeded_orders": None, "both_orders": None}
    assert results["calibration"] is None
    assert results["bias"] == {"position": nowhere, "length": None}
