"""The judge `solver`: a policy that answers questions, by itself or for a judge."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import (
    Comparison,
    Completion,
    Example,
    Failure,
    Judgment,
    Message,
    Recipe,
    Request,
    SpecError,
    evaluate,
    host,
)
from rrm_harness.testing import FakeEngine

CHOICES = ("a mass", "a charge", "a spin", "a flavor")
ASKED = Comparison.of(Example("q", (Message("user", "Which?"),), CHOICES, (2,)))


def solver(options: str = "") -> Recipe:
    made: Recipe = host.default().build("judges", f"solver{options}")
    return made


def shown(*choices: str) -> str:
    """The user turn about these choices; there is no other turn."""
    (request,) = solver().render(
        Comparison.of(Example("q", ASKED.example.prompt, choices, (0,)))
    )
    (turn,) = request.messages
    assert turn.role == "user"
    return turn.content


def read(reply: str) -> Judgment:
    return solver().parse(ASKED, [Completion(reply)])


@pytest.fixture
def questions(tmp_path: Path) -> str:
    """The spec of six questions whose right choice says so."""
    wrong = {f"Incorrect Answer {n}": f"false {n}" for n in (1, 2, 3)}
    rows = [
        {"Record ID": str(n), "Question": f"{n}?", "Correct Answer": "true", **wrong}
        for n in range(6)
    ]
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return f"gpqa,path={path}"


def test_the_question_is_shown_with_its_lettered_choices_and_the_box_asked_for() -> (
    None
):
    text = shown(*CHOICES)

    parts = [
        "Which?",
        "A) a mass",
        "B) a charge",
        "C) a spin",
        "D) a flavor",
        "\\boxed",
    ]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


@pytest.mark.parametrize("count", [2, 26])
def test_every_choice_has_a_letter_of_its_own(count: int) -> None:
    text = shown(*(f"choice {number}." for number in range(count)))

    lines = [f"{chr(ord('A') + n)}) choice {n}." for n in range(count)]
    assert [line for line in text.splitlines() if ") choice" in line] == lines


def test_it_is_sampled_as_the_r1_models_ask_to_be() -> None:
    (request,) = solver().render(ASKED)

    assert (request.temperature, request.top_p) == (0.6, 0.95)
    assert (request.max_tokens, request.sampled) == (32768, True)


@pytest.mark.parametrize("letter", range(4))
@given(thought=st.text())
def test_the_boxed_letter_is_the_choice_whatever_was_thought(
    letter: int, thought: str
) -> None:
    thought = thought.replace("</think>", "") + " \\boxed{A} or \\boxed{B}"

    judgment = read(f"<think>{thought}</think> So \\boxed{{{'ABCD'[letter]}}}.")

    assert judgment.scores == tuple(float(place == letter) for place in range(4))


def test_a_choice_counts_for_the_response_that_had_the_letter() -> None:
    reversed_ = ASKED.reversed()

    judgment = solver().parse(reversed_, [Completion("\\boxed{A}")])

    chosen = judgment.scores.index(1.0)
    assert reversed_.responses[chosen] == "a flavor"


@pytest.mark.parametrize("reply", ["C", "\\boxed{E}", "\\boxed{a spin}", ""])
def test_a_reply_without_a_letter_of_these_is_none(reply: str) -> None:
    assert read(reply).failure is Failure.UNPARSABLE


def right(request: Request) -> Completion:
    """Solve: the line of the right choice begins with its letter."""
    lines = request.messages[0].content.splitlines()
    letter = next(line[0] for line in lines if line.endswith(") true"))
    return Completion(f"<think>hm</think>It is \\boxed{{{letter}}}")


def test_a_policy_that_solves_is_right(questions: str) -> None:
    engine = FakeEngine(right)

    result = evaluate("solver", questions, engine=engine, baselines=False)

    assert result.accuracy == 1.0
    assert engine.answered == 6 * 4


def test_a_thought_that_never_ends_is_unfinished(questions: str) -> None:
    engine = FakeEngine(lambda _: Completion("<think>wait, \\boxed{A}? wait"))

    result = evaluate("solver", questions, engine=engine, baselines=False)

    assert result.results["failures"] == {Failure.TRUNCATED: 24}
    assert result.results["extra"]["unfinished"] == 1.0


def test_the_best_of_n_takes_the_samples_that_it_was_measured_by(
    questions: str, tmp_path: Path
) -> None:
    evaluate("solver", questions, output=tmp_path / "alone", engine=FakeEngine(right))
    engine = FakeEngine(right)

    result = evaluate(
        "first",
        questions,
        "sampled,n=4 of single",
        output=tmp_path / "best",
        policy="solver",
        policy_engine=engine,
    )

    assert engine.answered == 0
    assert result.results["cached"] == 6 * 4


def test_it_cannot_stand_in_for_a_reward_model_nor_the_other_way_round(
    questions: str,
) -> None:
    with pytest.raises(SpecError, match=r"cannot be the policy.*use --policy solver"):
        evaluate(
            "first",
            questions,
            "sampled,n=2",
            policy="sequence-classifier,model=x",
            policy_engine=FakeEngine(),
        )


def test_a_real_model_answers_through_its_engine(
    questions: str, tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    """Random weights choose nothing: each sample is cut, and told to be."""
    model = tiny("qwen2")

    result = evaluate(
        "longest",
        questions,
        "sampled,n=2 of knockout",
        policy=f"solver,model={model},max-tokens=8",
        policy_engine="transformers",
        limit=2,
        output=tmp_path / "run",
    )

    found = result.results
    assert found["failures"] == {Failure.TRUNCATED: 4}
    assert found["tokens"]["completion"] == 4 * 8
    assert found["extra"]["unfinished"] == 1.0
    assert found["bounds"] == [0.0, 1.0]
