"""Prompts that a chat template has written are taken apart again."""

from collections.abc import Callable

import pytest
import tiny_models
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import Message
from rrm_harness.rewards.templated import messages, unmarked

FAMILIES = sorted(tiny_models.FAMILIES)
TURNS = [
    ("system", "Be brief."),
    ("user", "Name a prime.\n\nA large one."),
    ("assistant", "7"),
    ("user", "Larger!"),
]


def written(family: str, turns: list[tuple[str, str]]) -> str:
    """A chat by the family's own template, up to where the policy goes on."""
    chat = [{"role": role, "content": content} for role, content in turns]
    made = tiny_models.tokenizer(family)
    return str(
        made.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_a_template_s_text_is_its_messages(family: str) -> None:
    turns = TURNS[1:] if family == "gemma" else TURNS  # which has no system turn

    assert messages(written(family, turns)) == tuple(Message(*each) for each in turns)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_beginning_of_sequence_is_no_system_turn(family: str) -> None:
    found = messages(written(family, [("user", "Why?")]))

    assert found == (Message("user", "Why?"),)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Why?",
        "<|im_start|>",
        "a <think> b",
        "What is <|im_start|>user\na<|im_end|>?",
    ],
)
def test_another_text_is_none_of_a_template_s(text: str) -> None:
    assert messages(text) is None


@pytest.mark.parametrize(
    "end",
    ["", "<|im_end|>", "<|im_end|>\n<|endoftext|>", "</s>", "<｜end▁of▁sentence｜>"],
)
def test_a_completion_ends_before_the_marks_of_its_end(end: str) -> None:
    assert unmarked(f"a <|b|> c{end}") == "a <|b|> c"


@given(st.text())
def test_a_completion_without_marks_keeps_all_but_blanks_at_its_end(text: str) -> None:
    assert unmarked(f"{text}.") == f"{text}."


@pytest.mark.parametrize("read", [messages, unmarked])
def test_a_long_text_takes_no_long_time(read: Callable[[str], object]) -> None:
    read("<|im_start|>user\n" * 20_000 + "<｜User｜>" * 20_000 + " \n" * 100_000 + "x")
