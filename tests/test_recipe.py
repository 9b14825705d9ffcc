"""Recipes and reward models: what a judge's plugin inherits."""

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Literal

import pytest

from rrm_harness import (
    Comparison,
    Completion,
    Judge,
    Message,
    Recipe,
    RewardModel,
    SpecError,
    host,
)
from rrm_harness.recipe import Shape, transcript
from rrm_harness.testing import example

ASKED = Comparison.of(example())
PAIR = "{% block user %}{{ prompt }}: {{ responses | join(', ') }}\n{% endblock %}\n"


@dataclass(frozen=True)
class Sized(Recipe):
    size: Literal["s", "l"] = field(default="s", repr=False)

    sizes = {"s": "small", "l": "large"}  # noqa: RUF012


@pytest.mark.parametrize(
    ("options", "model"),
    [({}, "small"), ({"size": "l"}, "large"), ({"size": "l", "model": "m"}, "m")],
)
def test_a_size_names_the_model_unless_one_is_named(
    options: dict[str, str], model: str
) -> None:
    runs_on = Sized(**options).runs_on  # type: ignore[arg-type]

    assert runs_on
    assert runs_on.id == model


@pytest.mark.parametrize("judge", [Recipe(), RewardModel()])
def test_a_judge_without_a_model_says_how_to_name_one(
    judge: Recipe | RewardModel,
) -> None:
    with pytest.raises(SpecError, match="name one with model=ID or model=FOLDER"):
        _ = judge.runs_on


def test_a_shape_is_put_on() -> None:
    judge = Recipe()
    judge.take(Shape(PAIR, "verdict", fewest=1, most=1))

    assert (judge.template, judge.parser) == (PAIR, "verdict")
    assert (judge.fewest, judge.most, judge.pointwise) == (1, 1, True)


def test_what_the_spec_names_stays() -> None:
    judge = Recipe(template=PAIR, parser="rrm")
    judge.take(Shape("other", "verdict"))

    assert (judge.template, judge.parser) == (PAIR, "rrm")
    assert (judge.fewest, judge.most, judge.pointwise) == (2, 2, False)


def test_a_text_with_line_breaks_is_a_template_itself(tmp_path: Path) -> None:
    file = tmp_path / "it.jinja"
    file.write_text(PAIR)
    judges = [Recipe(template=each) for each in (PAIR, str(file))]

    requests = [judge.render(ASKED) for judge in judges]
    assert requests[0] == requests[1]
    assert judges[0].identity == judges[1].identity
    (request,) = requests[0]
    assert request.messages == (Message("user", "question: response 0, response 1"),)


def test_a_system_turn_begins_the_users_turn_where_there_is_none() -> None:
    template = "{% block system %}\nJudge.\n{% endblock %}\n" + PAIR
    (request,) = Recipe(template=template, no_system=True).render(ASKED)

    assert request.messages == (
        Message("user", "Judge.\n\nquestion: response 0, response 1"),
    )


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"max_tokens": 0}, "max-tokens=0"),
        ({"temperature": -0.1}, "temperature is 0 or more"),
        ({"top_p": 0.0}, "top-p is above 0"),
        ({"top_p": 1.1}, "at most 1"),
        ({"parser": "nope"}, "no parser is called 'nope'"),
    ],
)
def test_an_option_that_cannot_be_is_refused_at_once(
    options: dict[str, float], problem: str
) -> None:
    with pytest.raises(SpecError, match=problem):
        Recipe(**options)  # type: ignore[arg-type]


def test_a_head_that_is_asked_for_a_critique_says_which_judge_can() -> None:
    with pytest.raises(SpecError, match="use --meta-judge grm-meta"):
        RewardModel().render(replace(ASKED, role="meta", critique="well judged"))


def test_a_head_has_no_template() -> None:
    assert "template" not in {each.name for each in fields(RewardModel)}


def test_a_heads_first_value_is_the_score() -> None:
    said = Completion(scores=(1.5, 2.5), attributes={"style": 0.5})
    judgment = RewardModel().parse(ASKED, [said])

    assert judgment.scores == (1.5,)
    assert judgment.attributes == {"style": (0.5,)}


def test_a_lone_message_is_its_text_and_a_chat_has_its_turns_named() -> None:
    turns = [Message("user", "Hi"), Message("assistant", "Yes?")]

    assert transcript(turns[:1]) == "Hi"
    assert transcript(turns) == "User: Hi\n\nAssistant: Yes?"


def test_a_template_that_changes_meanwhile_changes_no_prompt_of_the_run(
    tmp_path: Path,
) -> None:
    file = tmp_path / "mine.jinja"
    file.write_text("{% block user %}old{% endblock %}")
    judge = Recipe(model="m", template=str(file), parser="verdict")
    identity = judge.identity

    file.write_text("{% block user %}new{% endblock %}")

    (request,) = judge.render(Comparison.of(example()))
    assert request.messages[0].content == "old"
    later = Recipe(model="m", template=str(file), parser="verdict")
    assert later.identity != identity


def test_how_many_a_judge_of_a_file_takes_is_in_its_identity(tmp_path: Path) -> None:
    def identity(**numbers: int) -> str:
        file = tmp_path / "judge.toml"
        told = "".join(f"{name} = {number}\n" for name, number in numbers.items())
        file.write_text(f'parser = "verdict"\nprompt = "which?"\n{told}')
        judge: Judge = host.default().build("judges", f"recipe,file={file},model=m")
        return judge.identity

    said = [identity(), identity(fewest=2, most=2), identity(most=1), identity(most=4)]

    assert said[0] == said[1]
    assert len({*said}) == 3
