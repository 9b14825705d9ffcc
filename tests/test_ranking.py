"""A judge at hand: comparing and ranking without a dataset."""

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import (
    Comparison,
    Completion,
    DataError,
    Judgment,
    Message,
    OpenJudge,
    SpecError,
    rank,
)
from rrm_harness.testing import FakeEngine, FakeJudge, FakeModelJudge


def longer(comparison: Comparison) -> Judgment:
    """Prefer the longer response; equal lengths tie."""
    lengths = [len(text) for text in comparison.responses]
    best = max(lengths)
    winners = lengths.count(best)
    return Judgment(tuple((each == best) / winners for each in lengths))


def test_the_better_of_two_is_best() -> None:
    found = OpenJudge(FakeJudge(longer)).compare("q", "short", "a longer one")

    assert (found.best, found.scores) == (1, (0.0, 1.0))


def test_two_are_compared_once_in_the_order_given() -> None:
    judge = FakeJudge(longer)

    OpenJudge(judge).compare("q", "one", "three")

    assert [asked.order for asked in judge.asked] == [(0, 1)]


def test_a_tie_has_no_best() -> None:
    assert OpenJudge(FakeJudge(longer)).compare("q", "abc", "xyz").best is None


@pytest.mark.parametrize("texts", [*permutations(["a", "bb", "ccc", "dddd"])])
def test_many_are_ranked_whatever_order_they_come_in(texts: tuple[str, ...]) -> None:
    found = rank("q", texts, judge=FakeJudge(longer))

    assert [texts[place] for place in found.order] == ["dddd", "ccc", "bb", "a"]


@given(st.lists(st.text(max_size=5), min_size=1, max_size=6))
def test_a_judge_of_single_responses_is_asked_for_each_once(texts: list[str]) -> None:
    found = rank("q", texts, judge="longest")

    assert list(found.scores) == [len(text) for text in texts]
    assert len(found.judged) == 1


def test_a_failure_is_no_score() -> None:
    engine = FakeEngine(reply=lambda _: Completion(failure="refused"))  # type: ignore[arg-type]

    found = rank("q", ["a", "b"], judge=FakeModelJudge(longer), engine=engine)

    assert (found.scores, found.order, found.best) == ((), (), None)
    assert found.failure == "refused"


def test_the_judgments_come_along() -> None:
    found = rank("q", ["a", "bb", "ccc"], judge=FakeJudge(longer))

    shown = [comparison.order for comparison, _ in found.judged]
    assert {frozenset(order) for order in shown} == {
        frozenset(pair) for pair in ((0, 1), (0, 2), (1, 2))
    }


def test_a_prompt_may_be_a_chat() -> None:
    judge = FakeJudge(longer)
    system = {"role": "system", "content": "s"}

    rank([system, Message("user", "q")], ["a", "bb"], judge=judge, strategy="single")

    expected = (Message("system", "s"), Message("user", "q"))
    assert judge.asked[0].example.prompt == expected


@pytest.mark.parametrize(
    ("prompt", "responses", "said"),
    [
        ("q", [], "no response to judge"),
        ("q", "text", "list of strings"),
        ("q", ["a", 1], "list of strings"),
        ([{"text": "q"}], ["a", "b"], "role and content"),
    ],
)
def test_what_is_no_text_is_refused(
    prompt: str, responses: list[str], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        rank(prompt, responses, judge=FakeJudge(longer))


def test_a_judge_that_runs_a_model_asks_for_an_engine() -> None:
    with pytest.raises(SpecError, match="no engine was given"):
        rank("q", ["a", "b"], judge=FakeModelJudge(longer))


@pytest.mark.parametrize(
    "prompt",
    [
        None,
        [{"role": "user", "content": None}],
        [{"role": "user", "content": [{"type": "text", "text": "q"}]}],
        [{"role": 1, "content": "q"}],
    ],
)
def test_a_prompt_that_is_no_text_is_refused(prompt: Any) -> None:
    with pytest.raises(DataError, match="a prompt is a string or a list of messages"):
        rank(prompt, ["a", "b"], judge="longest")


def test_responses_that_are_no_list_are_refused() -> None:
    with pytest.raises(DataError, match="responses must be a list of strings"):
        rank("q", None, judge="longest")  # type: ignore[arg-type]
