from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from scoring import Loaded, asked

from rrm_harness import EngineError, host

STEPS = "Two and two.\n\nThat is four.\n \n\nSo: 4."


@pytest.fixture
def process(tiny: Callable[[str], Path]) -> Loaded:
    return Loaded.of("process", tiny("process"))


def test_a_marker_follows_each_step_in_the_place_of_the_blank_line(
    process: Loaded,
) -> None:
    text = process.tokenizer.decode(process.ids(asked(STEPS)))
    assert text.endswith(
        "<|im_start|>assistant\nTwo and two.<extra_0>That is four.<extra_0>"
        "So: 4.<extra_0><|im_end|>\n"
    )


def test_the_ids_are_those_of_the_cards_text(process: Loaded) -> None:
    joined = "Two and two.<extra_0>That is four.<extra_0>So: 4.<extra_0>"
    turns = [
        {"role": "user", "content": "What is 2 + 2?"},
        {"role": "assistant", "content": joined},
    ]
    expected = process.tokenizer.apply_chat_template(turns)["input_ids"]
    assert list(process.ids(asked(STEPS))) == expected


def test_a_step_has_a_value_between_0_and_1(process: Loaded) -> None:
    (found,) = process.score(process.ids(asked(STEPS)))
    assert len(found.values) == 3
    assert all(0 < each < 1 for each in found.values)


def test_a_response_that_names_the_marker_has_no_further_step(
    process: Loaded,
) -> None:
    ids = process.ids(asked(STEPS.replace("That", "<extra_0> That")))
    assert len(process.positions(ids)) == 3


def test_private_characters_in_a_response_are_no_markers(process: Loaded) -> None:
    ids = process.ids(asked(f"Four.\ue100{chr(0xE101)} Indeed."))
    assert len(process.positions(ids)) == 1


@pytest.mark.parametrize("response", ["", "\n\n", "Four.\n\n\n"])
def test_every_response_has_a_step(process: Loaded, response: str) -> None:
    assert len(process.score(process.ids(asked(response)))[0].values) == 1


def test_large_logits_do_not_overflow() -> None:
    score = host.default().build("heads", "process").score
    values = score([(-2000.0, 2000.0), (2000.0, -2000.0), (3.0, 3.0)]).values
    assert values == (1.0, 0.0, 0.5)


def test_a_tokenizer_without_the_marker_is_refused(
    process: Loaded, tiny: Callable[[str], Path]
) -> None:
    other = Loaded.of("athene", tiny("athene")).tokenizer
    with pytest.raises(EngineError, match="has no <extra_0>"):
        process.head.encode(other, None, asked("Four."))


def test_a_template_that_drops_steps_is_refused(
    process: Loaded, tiny: Callable[[str], Path]
) -> None:
    cut = Loaded.of("process", tiny("process")).tokenizer
    cut.chat_template = "{{ messages[-1]['content'][:15] }}"
    with pytest.raises(EngineError, match="drops part of the response"):
        process.head.encode(cut, None, asked(STEPS))
