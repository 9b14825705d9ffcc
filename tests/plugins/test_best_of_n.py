"""The strategy `best-of-n`: each response alone."""

import pytest

from rrm_harness import Comparison, Failure, Judgment, SpecError, Strategy, host
from rrm_harness.testing import example, play


def build(spec: str = "best-of-n") -> Strategy:
    return host.default().build("strategies", spec)


def test_each_response_is_shown_alone() -> None:
    plays = next(build().play(Comparison.of(example(3))))

    asked = [comparison.order for running in plays for comparison in next(running)]

    assert asked == [(0,), (1,), (2,)]


def test_the_highest_score_wins() -> None:
    scores = {0: -3.0, 1: 12.5, 2: 7.0}

    outcome = play(
        build(), example(3), lambda shown: Judgment((scores[shown.order[0]],))
    )

    assert outcome.scores == scores
    assert outcome.winners == (1,)


def test_equal_scores_stay_tied() -> None:
    outcome = play(build(), example(4), lambda _: Judgment((1.0,)))

    assert outcome.winners == (0, 1, 2, 3)


def test_one_response_without_a_score_fails_the_outcome() -> None:
    def decide(shown: Comparison) -> Judgment:
        if shown.order == (2,):
            return Judgment.failed(Failure.TOO_LONG)
        return Judgment((1.0,))

    outcome = play(build(), example(3), decide)

    assert outcome.failure is Failure.TOO_LONG
    assert outcome.scores == {}


def test_an_inner_strategy_scores_each_response() -> None:
    def decide(shown: Comparison) -> Judgment:
        return Judgment((float(shown.order[0] + shown.sample),))

    outcome = play(build("best-of-n of sum-voting,k=3"), example(2), decide)

    assert outcome.scores == {0: 3.0, 1: 6.0}


def test_cost_is_one_question_for_each_response() -> None:
    assert build().cost(7) == 7
    assert build("best-of-n of sum-voting,k=3").cost(7) == 21


def test_the_order_is_that_of_the_comparison() -> None:
    outcome = play(
        build("both-orders of best-of-n"), example(3), lambda _: Judgment((1.0,))
    )

    assert [game.order for game in outcome.parts] == [(0, 1, 2), (2, 1, 0)]


def test_a_response_with_an_uncertain_score_makes_the_outcome_so() -> None:
    def decide(shown: Comparison) -> Judgment:
        if (shown.order, shown.sample) == ((1,), 0):
            return Judgment.failed(Failure.TOO_LONG)
        return Judgment((1.0,))

    outcome = play(build("best-of-n of sum-voting,k=2"), example(3), decide)

    assert outcome.scores == {0: 2.0, 1: 1.0, 2: 2.0}
    assert outcome.uncertain


@pytest.mark.parametrize(
    "inner",
    ["voting,k=3", "knockout", "elo", "both-orders of voting,k=3", "voting of elo"],
)
def test_what_needs_rivals_is_not_asked_about_one_response(inner: str) -> None:
    with pytest.raises(SpecError, match="one response at a time"):
        build(f"best-of-n of {inner}")


@pytest.mark.parametrize("inner", ["single", "both-orders", "sum-voting", "best-of-n"])
def test_what_scores_a_response_alone_can_be_nested(inner: str) -> None:
    outcome = play(
        build(f"best-of-n of {inner}"), example(2), lambda _: Judgment((1.0,))
    )

    assert outcome.winners == (0, 1)
