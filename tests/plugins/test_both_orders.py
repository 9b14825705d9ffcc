"""The strategy `both-orders`: what position decided is a tie."""

from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import Comparison, Failure, Judgment, Strategy, host
from rrm_harness.testing import Decide, example, play

FIRST, SECOND = Judgment((1.0, 0.0)), Judgment((0.0, 1.0))
FAILED = Judgment.failed(Failure.UNPARSABLE)


def build(spec: str = "both-orders") -> Strategy:
    return host.default().build("strategies", spec)


def in_order(given_order: Judgment, reversed_order: Judgment) -> Decide:
    """A judge with one answer for each of the two orders."""
    return lambda shown: given_order if shown.order[0] == 0 else reversed_order


def test_both_orders_are_asked_at_once() -> None:
    plays = next(build().play(Comparison.of(example(3))))

    asked = [comparison.order for running in plays for comparison in next(running)]
    assert asked == [(0, 1, 2), (2, 1, 0)]


def test_verdicts_that_agree_have_a_winner() -> None:
    outcome = play(build(), example(), in_order(SECOND, FIRST))

    assert outcome.scores == {0: 0.0, 1: 1.0}


def test_verdicts_that_contradict_each_other_are_a_tie() -> None:
    outcome = play(build(), example(), lambda _: FIRST)

    assert outcome.winners == (0, 1)


@given(score=st.floats(-1e6, 1e6), other=st.floats(-1e6, 1e6))
def test_a_judge_that_scores_places_always_ties(score: float, other: float) -> None:
    outcome = play(build(), example(), lambda _: Judgment((score, other)))

    assert outcome.winners == (0, 1)


def test_scores_are_the_mean_of_the_two_orders() -> None:
    outcome = play(
        build(), example(), in_order(Judgment((3.0, 2.0)), Judgment((8.0, 7.0)))
    )

    assert outcome.scores == {0: 5.0, 1: 5.0}


def test_one_failed_order_fails_the_outcome() -> None:
    outcomes = [
        play(build(), example(), in_order(*judgments))
        for judgments in ((FIRST, FAILED), (FAILED, FIRST), (FAILED, FAILED))
    ]

    assert {outcome.failure for outcome in outcomes} == {Failure.UNPARSABLE}


def test_the_first_failure_is_the_failure_of_the_outcome() -> None:
    refused = Judgment.failed(Failure.REFUSED)

    outcome = play(build(), example(), in_order(refused, FAILED))

    assert outcome.failure is Failure.REFUSED


def test_the_two_orders_are_the_parts_of_the_outcome() -> None:
    outcome = play(build(), example(), in_order(FIRST, FAILED))

    assert [part.winners for part in outcome.parts] == [(0,), ()]
    assert [part.failure for part in outcome.parts] == [None, Failure.UNPARSABLE]


def test_notes_are_those_of_both_orders() -> None:
    outcome = play(build("both-orders of voting,k=3"), example(), lambda _: FIRST)

    assert outcome.notes == {"votes": 4, "votes_saved": 2}


def test_an_inner_strategy_is_asked_in_both_orders() -> None:
    seen = []

    def decide(shown: Comparison) -> Judgment:
        seen.append((shown.order, shown.sample))
        return FIRST

    play(build("both-orders of voting,k=2"), example(), decide)

    assert sorted(seen) == [((0, 1), 0), ((0, 1), 1), ((1, 0), 0), ((1, 0), 1)]
