"""Inputs that the model cannot take whole: each policy, and what the audit counts."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import (
    Comparison,
    Completion,
    Dataset,
    Example,
    Failure,
    Judge,
    Judgment,
    Message,
    Request,
    Rule,
    evaluate,
)
from rrm_harness.answers import Answers, Bench
from rrm_harness.schedule import play_all
from rrm_harness.testing import FakeEngine

ROOM = 200


def counted(request: Request) -> Completion:
    """A model that reads a character as a token, and has room for so many."""
    (message,) = request.messages
    size = len(message.content)
    if size > ROOM:
        return Completion(failure=Failure.TOO_LONG, prompt_tokens=size, room=ROOM)
    return Completion(message.content, prompt_tokens=size)


def silent(request: Request) -> Completion:
    """A model that does not tell how much it can take."""
    answered = counted(request)
    return Completion(failure=answered.failure) if answered.failure else answered


@dataclass(frozen=True)
class Echo(Judge):
    """Shows prompt and responses to a model; the first response wins."""

    def render(self, comparison: Comparison) -> Sequence[Request]:
        prompt = "|".join(message.content for message in comparison.example.prompt)
        return [Request((Message("user", "|".join([prompt, *comparison.responses])),))]

    def parse(
        self, comparison: Comparison, completions: Sequence[Completion]
    ) -> Judgment:
        return Judgment((1.0, 0.0), text=completions[0].text)


@dataclass(frozen=True)
class Lengths(Dataset):
    """Pairs whose prompts have these lengths; the first response is correct."""

    lengths: tuple[int, ...]
    responses: tuple[str, str] = ("yes", "no")

    name = "lengths"
    revision = "1"
    rule = Rule()
    protocol = "single,order=given"

    def examples(self) -> Iterator[Example]:
        for number, length in enumerate(self.lengths):
            letter = "abcdef"[number]
            prompt = (Message("user", "<" + letter * (length - 2) + ">"),)
            yield Example(str(number), prompt, self.responses, correct=(0,))


def run(data: Dataset, policy: Any, reply: Any = counted, **how: Any) -> dict[str, Any]:
    result = evaluate(Echo(), data, engine=FakeEngine(reply), too_long=policy, **how)
    return dict(result.results)


def read(data: Dataset, policy: Any, reply: Any = counted) -> list[Judgment]:
    """The judgments of each example, in order."""
    from rrm_harness import host

    answers = Answers({"judge": Bench(Echo(), FakeEngine(reply))})
    strategy = host.default().build("strategies", "single,order=given")
    examples = [each for each in data.examples() if isinstance(each, Example)]
    played = play_all(examples, strategy, answers, truncate=policy == "truncate")
    return [judgment for done in played for _, judgment in done.judged]


def test_what_is_too_long_fails_unless_told_otherwise() -> None:
    results = run(Lengths((50, 500)), "fail")

    assert results["failures"] == {"too-long": 1}
    assert results["accuracy"] == 0.5
    assert results["audit"]["over-length"] == 1


def test_what_is_skipped_is_not_in_the_numbers_but_in_the_bounds() -> None:
    results = run(Lengths((50, 500)), "skip")

    assert (results["n"], results["accuracy"]) == (1, 1.0)
    assert results["bounds"] == [0.5, 1.0]
    assert results["audit"]["over-length"] == 1


def test_what_is_cut_is_judged_and_counted() -> None:
    results = run(Lengths((50, 500, 900)), "truncate")

    assert results["failures"] == {}
    assert results["accuracy"] == 1.0
    assert results["audit"]["over-length"] == 2
    assert results["audit"]["truncated-prompt"] == 2


@pytest.mark.parametrize("reply", [counted, silent])
@given(length=st.integers(2, 3000))
def test_a_cut_keeps_both_ends_of_the_prompt_and_all_of_the_responses(
    reply: Any, length: int
) -> None:
    (judgment,) = read(Lengths((length,)), "truncate", reply)

    assert judgment.text.startswith("<")
    assert judgment.text.endswith(">|yes|no")
    assert ("[...]" in judgment.text) == (length + len("|yes|no") > ROOM)


def test_no_more_is_cut_than_needs_be() -> None:
    (judgment,) = read(Lengths((2000,)), "truncate")

    assert ROOM * 0.8 < len(judgment.text) <= ROOM


def test_responses_that_alone_are_too_long_fail() -> None:
    data = Lengths((100,), ("y" * ROOM, "no"))

    (judgment,) = read(data, "truncate")

    assert judgment.failure is Failure.TOO_LONG


def test_a_cut_input_is_not_asked_again(tmp_path: Path) -> None:
    data = Lengths((50, 500))
    run(data, "truncate", output=tmp_path / "one")

    again = run(data, "truncate", output=tmp_path / "two")

    assert again["cached"] == again["judgments"] == 2
    assert again["audit"]["truncated-prompt"] == 1


def test_empty_responses_are_counted() -> None:
    results = run(Lengths((50,), ("yes", " \n")), "fail")

    assert results["audit"]["empty-responses"] == 1


@dataclass(frozen=True)
class Each(Echo):
    """As Echo, one response at a time; scores the length of what it was shown."""

    pointwise = True

    def parse(
        self, comparison: Comparison, completions: Sequence[Completion]
    ) -> Judgment:
        shown = completions[0].text.partition("|")[0]
        return Judgment((float(len(shown)),), text=completions[0].text)


def test_all_responses_of_a_pair_are_scored_under_the_same_prompt(
    tmp_path: Path,
) -> None:
    """One of them alone would fit with the whole of it."""
    data = Lengths((150,), ("y" * 100, "n"))

    result = evaluate(
        Each(),
        data,
        "single,order=given",
        engine=FakeEngine(counted),
        too_long="truncate",
        output=tmp_path / "run",
    )

    line = json.loads((tmp_path / "run" / "outcomes.jsonl").read_text())
    assert line["scores"][0] == line["scores"][1] < 100
    assert result.results["audit"]["truncated-prompt"] == 2
