"""The trivial judges: they look at length, place or chance and at nothing else."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import Comparison, Example, Judge, Judgment, host
from rrm_harness.testing import play

TEXTS = st.lists(st.text(max_size=20), min_size=1, max_size=6)


def judge(name: str) -> Judge:
    built: Judge = host.default().build("judges", name)
    return built


def comparison(*responses: str) -> Comparison:
    return Comparison.of(Example("x", (), responses, (0,)))


def scores(name: str, *responses: str) -> tuple[float, ...]:
    return judge(name).parse(comparison(*responses), ()).scores


@given(TEXTS)
def test_longest_ranks_by_characters(texts: list[str]) -> None:
    assert scores("longest", *texts) == tuple(float(len(text)) for text in texts)


@given(TEXTS)
def test_shortest_is_the_opposite_of_longest(texts: list[str]) -> None:
    longest, shortest = scores("longest", *texts), scores("shortest", *texts)

    assert shortest == tuple(-score for score in longest)


@given(TEXTS)
def test_first_prefers_what_is_shown_first(texts: list[str]) -> None:
    first, *others = scores("first", *texts)

    assert first == 1.0
    assert set(others) <= {0.0}


def test_first_does_not_look_at_who_is_shown_first() -> None:
    shown = comparison("a", "b").reversed()

    assert judge("first").parse(shown, ()).scores == (1.0, 0.0)


@given(TEXTS)
def test_random_does_not_read_the_responses(texts: list[str]) -> None:
    blank = [""] * len(texts)

    assert scores("random", *texts) == scores("random", *blank)


@given(st.permutations(range(5)))
def test_random_gives_a_response_its_score_wherever_it_is_shown(
    order: list[int],
) -> None:
    asked = comparison(*"abcde")
    straight = judge("random").parse(asked, ()).scores

    shown = judge("random").parse(asked.only(*order), ()).scores

    assert shown == tuple(straight[index] for index in order)


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"sample": 1}, {"example": Example("y", (), ("a", "b"), ())}],
)
def test_random_draws_anew_for_seed_sample_and_example(
    change: dict[str, object],
) -> None:
    asked = comparison("a", "b")
    other = replace(asked, **change)  # type: ignore[arg-type]

    assert judge("random").parse(asked, ()) != judge("random").parse(other, ())


def test_random_is_right_half_of_the_time() -> None:
    pairs = [Example(str(number), (), ("a", "b"), (0,)) for number in range(2000)]
    drawn = [judge("random").parse(Comparison.of(pair), ()).scores for pair in pairs]

    won = sum(first > second for first, second in drawn)

    assert 900 < won < 1100


@pytest.mark.parametrize("name", ["longest", "shortest", "first", "random"])
def test_a_trivial_judge_takes_any_number_of_responses_without_an_engine(
    name: str,
) -> None:
    trivial = judge(name)

    assert trivial.render(comparison("a")) == ()
    for count in (1, 2, 8):
        assert len(trivial.parse(comparison(*"x" * count), ()).scores) == count


@pytest.mark.parametrize("strategy", ["single", "both-orders", "knockout", "elo"])
def test_every_strategy_lets_longest_find_the_longest(strategy: str) -> None:
    asked = Example("x", (), ("a", "bbb", "cc", "d"), (1,))

    def decide(shown: Comparison) -> Judgment:
        return judge("longest").parse(shown, ())

    outcome = play(host.default().build("strategies", strategy), asked, decide)

    assert outcome.winners == (1,)
