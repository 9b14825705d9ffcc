"""What is asked when nothing is answered yet."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import Completion, host, plan
from rrm_harness.answers import Answers, Bench
from rrm_harness.records import Judge, Strategy
from rrm_harness.schedule import play_all
from rrm_harness.testing import FakeEngine, example

STATIC = ["single", "both-orders", "voting,k=5", "voting,k=5,stop=abort", "elo",
          "best-of-n", "both-orders of voting,k=3", "sum-voting,k=4"]  # fmt: skip


def strategy(spec: str) -> Strategy:
    built: Strategy = host.default().build("strategies", spec)
    return built


def judge() -> Judge:
    built: Judge = host.default().build("judges", "rrm")
    return built


@pytest.mark.parametrize("spec", STATIC)
@pytest.mark.parametrize("responses", [2, 4])
def test_a_strategy_that_asks_all_at_once_is_not_adaptive(
    spec: str, responses: int
) -> None:
    assert not plan.is_adaptive(strategy(spec), responses)


@pytest.mark.parametrize("spec", ["knockout", "knockout of voting,k=3"])
def test_a_tournament_of_more_than_two_is_adaptive(spec: str) -> None:
    assert plan.is_adaptive(strategy(spec), 4)
    assert not plan.is_adaptive(strategy(spec), 2)


def test_roles_are_those_of_all_judges_that_are_asked() -> None:
    assert plan.roles(strategy("single"), 2) == {"judge"}
    assert plan.roles(strategy("sum-voting,k=2,meta=true"), 2) == {"judge", "meta"}


@pytest.mark.parametrize(
    ("spec", "both"),
    [("single", False), ("best-of-n", False), ("both-orders", True),
     ("voting,k=2 of both-orders", True)],
)  # fmt: skip
def test_both_orders_are_noticed(spec: str, both: bool) -> None:
    assert plan.asks_both_orders(strategy(spec)) == both


def test_samples_are_told_apart_by_their_seeds() -> None:
    asked = plan.requests(example(2), strategy("voting,k=3"), judge(), 0)

    assert len({request.seed for request in asked}) == 3
    assert len({replace(request, seed=None) for request in asked}) == 1


@given(st.sampled_from(STATIC[:4]), st.integers(0, 3), st.integers(0, 99))
def test_a_replay_of_the_plan_is_the_run(spec: str, seed: int, draw: int) -> None:
    """Whatever is answered, planning, asking and replaying is the same as playing."""
    forms = ["</think>\\boxed{Assistant 1}", "</think>\\boxed{Assistant 2}", "none"]

    def reply(request: object) -> Completion:
        return Completion(forms[hash_of(request, draw) % 3])

    asked = example(2, id=f"example {draw}")
    bench = Bench(judge(), FakeEngine(reply))
    (played,) = play_all([asked], strategy(spec), Answers({"judge": bench}), seed)

    planned = plan.requests(asked, strategy(spec), judge(), seed)
    answers = {request: reply(request) for request in planned}
    replayed = plan.replayed(asked, strategy(spec), judge(), seed, answers)
    assert replayed.outcome.scores == played.outcome.scores
    assert replayed.outcome.failure == played.outcome.failure


def hash_of(request: object, draw: int) -> int:
    from rrm_harness import chance

    return chance.seed(repr(request), draw)


def test_what_was_not_answered_is_a_failure() -> None:
    replayed = plan.replayed(example(2), strategy("single"), judge(), 0, {})

    assert replayed.outcome.failure == "not-recorded"
