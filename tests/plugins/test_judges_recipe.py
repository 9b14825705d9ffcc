"""A judge of one's own: a template and a few lines of TOML."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rrm_harness import (
    Comparison,
    Completion,
    Message,
    Recipe,
    SpecError,
    TemplateError,
    host,
)
from rrm_harness.testing import example

Make = Callable[..., Recipe]
ASKED = Comparison.of(example())
LEAST = 'parser = "verdict"\nprompt = "{{ prompt }} {{ responses | join }}"\n'


def judge(file: Path, options: str = "") -> Recipe:
    made: Recipe = host.default().build("judges", f"recipe,file={file}{options}")
    return made


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Build the judge of a file with this text."""

    def made(text: str, options: str = "", folder: str = "here") -> Recipe:
        file = tmp_path / folder / "mine.toml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return judge(file, options)

    return made


def test_a_prompt_and_a_parser_are_a_judge(make: Make) -> None:
    made = make(LEAST)
    (request,) = made.render(ASKED)

    assert request.messages == (Message("user", "question response 0response 1"),)
    assert made.parse(ASKED, [Completion("[[B]]")]).scores == (0, 1)


def test_all_turns_can_be_written_in_the_file(make: Make) -> None:
    made = make(
        'parser = "rrm"\nsystem = "Judge."\nprompt = """\n{{ prompt }}\n"""\n'
        'prefill = "<think>"\n'
    )
    (request,) = made.render(ASKED)

    system, user = Message("system", "Judge."), Message("user", "question")
    assert request.messages == (system, user)
    assert request.prefill == "<think>"


def test_a_template_lies_beside_the_file(make: Make, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "it.jinja").write_text(
        "{% block user %}Mine: {{ responses[1] }}{% endblock %}"
    )
    (request,) = make('parser = "verdict"\ntemplate = "it.jinja"').render(ASKED)

    assert request.messages[0].content == "Mine: response 1"


def test_a_template_may_be_an_installed_one(make: Make) -> None:
    mine = make('parser = "rrm"\ntemplate = "judges/rrm.jinja"')
    rrm = host.default().build("judges", "rrm")

    (asked,), (known,) = mine.render(ASKED), rrm.render(ASKED)
    assert asked.messages == known.messages


def test_the_file_says_how_to_decode_and_on_what(make: Make) -> None:
    made = make(
        LEAST + 'model = "mine"\nrevision = "2"\ntemperature = 1\ntop-p = 0.5\n'
        "max-tokens = 7\ntrust-remote-code = true\n"
    )
    (request,) = made.render(ASKED)

    assert (request.temperature, request.top_p, request.max_tokens) == (1, 0.5, 7)
    assert made.runs_on
    assert (made.runs_on.id, made.runs_on.revision) == ("mine", "2")
    assert made.runs_on.trust_remote_code


def test_the_spec_names_another_model(make: Make) -> None:
    made = make(LEAST + 'model = "mine"', ",model=other")

    assert made.runs_on
    assert made.runs_on.id == "other"


@pytest.mark.parametrize(
    ("keys", "takes"),
    [
        ("", (2, 2, False)),
        ("most = 1", (1, 1, True)),
        ("fewest = 1\nmost = 1", (1, 1, True)),
        ("most = 9", (2, 9, False)),
        ("fewest = 4", (4, 4, False)),
    ],
)
def test_the_file_says_how_many_responses_are_shown(
    make: Make, keys: str, takes: tuple[int, int, bool]
) -> None:
    made = make(LEAST + keys)

    assert (made.fewest, made.most, made.pointwise) == takes


def test_the_text_counts_and_not_where_it_lies(make: Make) -> None:
    known = make(LEAST).identity

    assert make(LEAST + "# a remark", folder="there").identity == known
    assert make(LEAST + 'model = "mine"').identity == known
    assert make(LEAST.replace("join", "first")).identity != known
    assert make(LEAST + "max-tokens = 7").identity != known
    assert make(LEAST.replace("verdict", "mt-bench")).identity != known


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (LEAST + "tempreature = 1", "did you mean 'temperature'"),
        (LEAST + "max_tokens = 1", "did you mean 'max-tokens'"),
        (LEAST + 'max-tokens = "many"', "max-tokens = 'many' is not of the kind"),
        (LEAST + "max-tokens = true", "max-tokens = True is not of the kind"),
        (LEAST + "temperature = -1", "temperature is 0 or more"),
        (LEAST.replace("verdict", "verdit"), "did you mean 'verdict'"),
        (LEAST + 'template = "judges/rrm.jinja"', "either template = FILE or prompt"),
        ('parser = "rrm"', "either template = FILE or prompt"),
        ('prompt = "x"', "needs parser = NAME"),
        ("prompt = ", "give a TOML file"),
    ],
)
def test_a_mistake_in_the_file_is_told(make: Make, text: str, problem: str) -> None:
    with pytest.raises(SpecError) as raised:
        make(text)

    assert problem in str(raised.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"nowhere\.toml.*give a TOML file"):
        judge(tmp_path / "nowhere.toml")


def test_the_spec_needs_a_file() -> None:
    with pytest.raises(SpecError, match="recipe needs file="):
        host.default().build("judges", "recipe")


def test_a_mistake_in_the_prompt_is_told_with_its_line(make: Make) -> None:
    made = make('parser = "rrm"\nprompt = "{% if %}"')

    with pytest.raises(TemplateError) as raised:
        made.render(ASKED)

    assert "template '{% block user %} ...' does not render: line 2" in str(
        raised.value
    )


def test_a_response_is_inert(make: Make) -> None:
    hostile = "{{ 7*7 }} {% endblock %}"
    asked = Comparison.of(replace(example(), responses=("x", hostile)))
    (request,) = make(LEAST).render(asked)

    assert request.messages[0].content == f"question x{hostile}"


def test_the_readmes_judge_works(make: Make) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## A judge of your own")[2]
    made = make(section.partition("```toml\n")[2].partition("```")[0])
    (request,) = made.render(ASKED)

    (message,) = request.messages
    assert message.content.startswith('Which answer to "question" is shorter')
    assert "Answer A: response 0\nAnswer B: response 1\n" in message.content
    assert made.parse(ASKED, [Completion("[[B]]")]).scores == (0, 1)
    assert made.runs_on
    assert made.runs_on.id == "Qwen/Qwen3-8B"
