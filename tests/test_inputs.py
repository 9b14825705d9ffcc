"""What a model reads, and where its texts end."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny_models

from rrm_harness import EngineError, Head, Message, Model, Request, chat
from rrm_harness.inputs import LATEST, Reader

EMPTY: dict[str, Any] = {}


def reader(place: Path, said: dict[str, Any], generation: str) -> Reader:
    """A model of several parts, as far as its tokens go."""
    tiny_models.tokenizer("gemma").save_pretrained(place)
    (place / "config.json").write_text(json.dumps({"model_type": "gemma3", **said}))
    if generation:
        (place / "generation_config.json").write_text(generation)
    return Reader.of(Model(str(place)))


@pytest.mark.parametrize(
    ("said", "generation"),
    [
        ({"eos_token_id": [7, 9], "text_config": EMPTY}, ""),
        ({"text_config": {"eos_token_id": [7, 9]}}, ""),
        ({"eos_token_id": 7, "text_config": {"eos_token_id": 9}}, ""),
        ({"text_config": EMPTY}, '{"eos_token_id": [7, 9]}'),
    ],
)
def test_every_end_that_a_checkpoint_names_counts(
    tmp_path: Path, said: dict[str, Any], generation: str
) -> None:
    found = reader(tmp_path, said, generation)

    assert found.ends() == tuple(sorted({7, 9, found.tokenizer.eos_token_id}))


def test_a_damaged_generation_config_is_a_sentence(tmp_path: Path) -> None:
    found = reader(tmp_path, {"text_config": EMPTY}, "{bad")

    with pytest.raises(EngineError, match=r"generation_config.json cannot be read"):
        found.ends()


class Counting(Head):
    """A head whose tokens say how many requests were tokenized before."""

    def __init__(self) -> None:
        self.times = 0

    def encode(self, tokenizer: Any, config: Any, request: Request) -> chat.Encoded:
        self.times += 1
        return chat.Encoded((self.times,))


def asked(text: str = "Why?", **told: Any) -> Request:
    return Request((Message("user", text),), kind="score", **told)


@pytest.fixture
def counting() -> Reader:
    return Reader(Model("m"), Path(), None, None, Counting())


def test_votes_on_one_input_are_tokenized_once(counting: Reader) -> None:
    ids = [counting.encode(asked(seed=seed)).ids for seed in (None, 1, 2)]

    assert ids == [(1,)] * 3


@pytest.mark.parametrize(
    "other",
    [
        asked("Why not?"),
        asked(prefill="Since"),
        asked(bos="double"),
        asked(chat_options=(("enable_thinking", True),)),
    ],
)
def test_what_differs_in_more_than_the_seed_is_tokenized_anew(
    counting: Reader, other: Request
) -> None:
    known = counting.encode(asked())

    assert counting.encode(other) != known
    assert counting.encode(asked()) == known


def test_only_the_latest_inputs_are_kept(counting: Reader) -> None:
    for number in range(2 * LATEST):
        counting.encode(asked(f"question {number}"))
    oldest, latest = (asked(f"question {number}") for number in (0, 2 * LATEST - 1))
    again = [counting.encode(each).ids for each in (oldest, latest)]

    assert again == [(2 * LATEST + 1,), (2 * LATEST,)]


def test_inputs_at_once_are_as_alone(tiny: Callable[[str], Path]) -> None:
    reader = Reader.of(Model(str(tiny("qwen2"))))
    written = [replace(asked(text), kind="generate") for text in ("a b", "c", "a b")]

    assert reader.encode_all(written) == [*map(reader.encode, written)]
