"""The strategy `sampled`: a policy writes, a judge chooses, the choice is scored."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

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
    SpecError,
    Strategy,
    chance,
    host,
)
from rrm_harness.testing import FakeEngine, play

Answer = int | Failure
"""The choice of a sample, or why it has none."""
ANSWERS = st.integers(0, 3) | st.sampled_from([Failure.TRUNCATED, Failure.UNPARSABLE])
SAMPLES = st.lists(ANSWERS, min_size=1, max_size=9)
QUESTION = Example(
    "q", (Message("user", "Why?"),), ("w", "x", "y", "z"), (2,), "Physics", "cluster"
)
RULE = host.default().build("datasets", "gpqa").rule


@dataclass
class Both:
    """A policy with these answers, and a judge that decides by a function."""

    answers: Sequence[Answer]
    judge: Callable[[Comparison], Judgment]
    asked: list[Comparison] = field(default_factory=list)

    def __call__(self, comparison: Comparison) -> Judgment:
        self.asked.append(comparison)
        if comparison.role == "judge":
            return self.judge(comparison)
        answer = self.answers[comparison.sample]
        text = f"<think>hm</think>\n solution {comparison.sample}\n"
        if isinstance(answer, Failure):
            return Judgment.failed(answer, text)
        chosen = (float(index == answer) for index in comparison.order)
        return Judgment(tuple(chosen), None, text)

    @property
    def judged(self) -> list[Comparison]:
        return [each for each in self.asked if each.role == "judge"]


def build(spec: str) -> Strategy:
    strategy: Strategy = host.default().build("strategies", spec)
    return strategy


def perfect(comparison: Comparison) -> Judgment:
    """Prefer the solutions that chose the right answer."""
    right = comparison.example.correct
    return Judgment(tuple(float(index in right) for index in comparison.order))


def best(both: Both, inner: str = "knockout", **options: Any) -> Outcome:
    strategy = build(f"sampled,n={len(both.answers)} of {inner}")
    return play(strategy, QUESTION, both, **options)


def refused(_: Comparison) -> Judgment:
    return Judgment.failed(Failure.REFUSED)


def test_the_policy_is_asked_n_times_at_once_about_the_choices_as_shown() -> None:
    shown = Comparison.of(QUESTION, seed=5).reversed()

    asked = next(build("sampled,n=3").play(shown))

    assert [(each.role, each.sample, each.seed) for each in asked] == [
        ("policy", sample, 5) for sample in range(3)
    ]
    assert {each.order for each in asked} == {(3, 2, 1, 0)}


def test_the_judge_sees_the_question_with_its_choices_and_the_replies() -> None:
    both = Both([2, 0], perfect)

    best(both, "single")

    (seen,) = both.judged
    assert seen.example.prompt == (Message("user", "Why?\n\nA) w\nB) x\nC) y\nD) z"),)
    assert seen.responses == ("solution 0", "solution 1")
    assert (seen.example.id, seen.example.subset) == ("q", "Physics")
    assert seen.example.cluster == "cluster"
    assert seen.example.correct == (0,)


def test_replies_without_an_answer_are_left_out_and_counted() -> None:
    both = Both([Failure.TRUNCATED, 2, Failure.UNPARSABLE, 1], perfect)

    outcome = best(both, "single")

    assert both.judged[0].responses == ("solution 1", "solution 3")
    assert outcome.notes["samples_without_answer"] == 2
    assert outcome.uncertain


def test_a_lone_solution_is_the_best_without_a_question() -> None:
    both = Both([Failure.TRUNCATED, 2], refused)

    outcome = best(both)

    assert both.judged == []
    assert outcome.scores == {0: 0.0, 1: 0.0, 2: 1.0, 3: 0.0}


def test_solutions_that_agree_are_compared_all_the_same() -> None:
    both = Both([2] * 8, perfect)

    best(both)

    assert len(both.judged) == 7


def test_the_best_solutions_that_tie_share_the_score() -> None:
    both = Both([2, 2, 0], lambda shown: Judgment((0.5,) * len(shown.order)))

    outcome = best(both, "single")

    assert outcome.scores == pytest.approx({0: 1 / 3, 1: 0.0, 2: 2 / 3, 3: 0.0})


def test_without_any_solution_it_fails_as_the_first_did() -> None:
    both = Both([Failure.TRUNCATED, Failure.REFUSED], perfect)

    outcome = best(both)

    assert outcome.failure is Failure.TRUNCATED
    assert outcome.scores == {}
    assert outcome.notes == {"samples_without_answer": 2}


def test_it_fails_with_the_judge_and_keeps_the_samples() -> None:
    outcome = best(Both([2, 0], refused))

    assert outcome.failure is Failure.REFUSED
    assert [each.winners for each in outcome.parts] == [(2,), (0,)]


def test_it_is_uncertain_where_the_judges_choice_is() -> None:
    def at_first(shown: Comparison) -> Judgment:
        return refused(shown) if shown.sample == 0 else perfect(shown)

    outcome = best(Both([2, 0], at_first), "voting,k=2 of single")

    assert outcome.winners == (2,)
    assert outcome.uncertain


@given(answers=SAMPLES)
def test_with_a_perfect_judge_the_best_is_right_if_any_is(
    answers: list[Answer],
) -> None:
    row = RULE.row(QUESTION, best(Both(answers, perfect)))

    assert row.credit == row.values["oracle@k"] == float(2 in answers)


@given(answers=SAMPLES, key=st.integers(), inner=st.sampled_from(["knockout", "elo"]))
def test_no_judge_finds_what_no_sample_has(
    answers: list[Answer], key: int, inner: str
) -> None:
    def decide(shown: Comparison) -> Judgment:
        draws = [chance.uniform(key, *shown.order, place) for place in shown.order]
        if draws[0] < 0.1:
            return Judgment.failed(Failure.UNPARSABLE)
        return Judgment(tuple(map(float, (round(each) for each in draws))))

    row = RULE.row(QUESTION, best(Both(answers, decide), inner))

    assert row.credit <= row.values["oracle@k"]
    assert row.low <= row.credit <= row.high


@given(answers=SAMPLES)
def test_the_samples_are_reported_as_they_are_without_a_judge(
    answers: list[Answer],
) -> None:
    both = Both(answers, perfect)
    alone = play(
        build(f"repeated,k={len(answers)}"),
        QUESTION,
        lambda shown: Both(answers, perfect)(
            Comparison(shown.example, shown.order, shown.sample, role="policy")
        ),
    )

    values = RULE.values(QUESTION, best(both))

    assert values == RULE.values(QUESTION, alone)


def test_a_knockout_is_the_inner_strategy_and_eight_the_number() -> None:
    assert repr(build("sampled")) == repr(build("sampled,n=8 of knockout"))


@pytest.mark.parametrize(("spec", "cost"), [("sampled,n=8", 15), ("sampled,n=1", 1)])
def test_it_costs_n_samples_and_what_choosing_costs(spec: str, cost: int) -> None:
    assert build(spec).cost(4) == cost


def test_the_order_of_arrival_changes_nothing() -> None:
    answers: list[Answer] = [0, 1, 2, 3, Failure.TRUNCATED, 2, 0]

    arrived = [
        best(Both(answers, perfect), engine=FakeEngine(seed=seed)) for seed in range(5)
    ]

    assert all(each == best(Both(answers, perfect)) for each in arrived)


@pytest.mark.parametrize("n", [0, 10_001])
def test_a_number_of_solutions_that_nobody_means_is_refused(n: int) -> None:
    with pytest.raises(SpecError, match=f"sampled,n={n}: n must be from 1 to 10,000"):
        build(f"sampled,n={n}")
