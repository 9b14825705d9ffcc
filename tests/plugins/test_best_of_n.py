"""The strategy `best-of-n`: each response alone."""

from rrm_harness import Comparison, Failure, Judgment, Strategy, host
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
