"""The strategy `single`: one question, one answer."""

from collections import Counter

import pytest

from rrm_harness import Comparison, Failure, Judgment, SpecError, Strategy, host
from rrm_harness.testing import example, play


def build(spec: str) -> Strategy:
    return host.default().build("strategies", spec)


def asked(spec: str, comparison: Comparison) -> Comparison:
    """The one comparison that the strategy asks."""
    (only,) = next(build(spec).play(comparison))
    return only


def test_a_single_asks_one_comparison_and_returns_its_scores() -> None:
    running = build("single").play(Comparison.of(example(2)))

    (comparison,) = next(running)
    with pytest.raises(StopIteration) as stop:
        running.send([Judgment((0.25, 0.75))])

    assert comparison.order == (0, 1)
    assert stop.value.value.scores == {0: 0.25, 1: 0.75}


def test_the_order_given_is_kept() -> None:
    comparison = Comparison.of(example(4)).only(2, 0, 3)

    shown = asked("single,order=given", comparison)

    assert shown.order == (2, 0, 3)


def test_the_order_can_be_reversed() -> None:
    comparison = Comparison.of(example(4)).only(2, 0, 3)

    shown = asked("single,order=reversed", comparison)

    assert shown.order == (3, 0, 2)


def test_scores_are_returned_by_response_not_by_place() -> None:
    outcome = play(
        build("single,order=reversed"), example(3), lambda _: Judgment((3.0, 2.0, 1.0))
    )

    assert outcome.scores == {2: 3.0, 1: 2.0, 0: 1.0}


def test_a_seeded_order_shows_every_response_once() -> None:
    shown = asked("single,order=seeded", Comparison.of(example(20)))

    assert shown.order != tuple(range(20))
    assert sorted(shown.order) == list(range(20))


def test_a_seeded_order_is_reversed_when_the_order_given_is() -> None:
    comparison = Comparison.of(example(5), seed=4)

    shown = asked("single,order=seeded", comparison)

    assert asked("single,order=seeded", comparison.reversed()) == shown.reversed()


@pytest.mark.parametrize("drawn_from", ["seed", "example", "sample"])
def test_a_seeded_order_is_fair_over(drawn_from: str) -> None:
    draws = {
        "seed": lambda i: Comparison.of(example(), seed=i),
        "example": lambda i: Comparison.of(example(id=str(i))),
        "sample": lambda i: Comparison.of(example()).resampled(i),
    }[drawn_from]

    orders = Counter(asked("single,order=seeded", draws(i)).order for i in range(1000))

    assert orders.keys() == {(0, 1), (1, 0)}
    assert 440 <= orders[0, 1] <= 560


def test_a_tie_stays_a_tie() -> None:
    outcome = play(build("single"), example(3), lambda _: Judgment((0.5, 0.1, 0.5)))

    assert outcome.winners == (0, 2)


def test_a_failure_is_the_failure_of_the_outcome() -> None:
    outcome = play(
        build("single"), example(), lambda _: Judgment.failed(Failure.TRUNCATED)
    )

    assert outcome.failure is Failure.TRUNCATED
    assert outcome.scores == {}


def test_another_order_is_refused() -> None:
    with pytest.raises(SpecError, match="given, reversed, seeded"):
        build("single,order=backwards")
