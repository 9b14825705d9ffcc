"""Process reward models: a probability for each step of a response."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from rrm_harness import (
    EngineError,
    Head,
    Message,
    Register,
    Request,
    Route,
    Score,
    chat,
    hookimpl,
    networks,
)

ARCHITECTURE = "Qwen2ForProcessRewardModel"
MARKER = "<extra_0>"
_PRIVATE = range(0xE100, 0xF8FF)
"""Characters without a meaning; one of them stands for the marker in a text."""


class Process(Head):
    """Qwen2.5-Math-PRM-7B and -72B: whether each step is right, 0-1 each.

    Steps are separated by blank lines. As on the card
    (https://huggingface.co/Qwen/Qwen2.5-Math-PRM-7B), the marker `<extra_0>` follows
    each step in the place of the blank line, and a step's value is the softmax of the
    two labels at its marker, the second one. The head is `score.0.*` and `score.2.*` on
    a Qwen2Model. The marker's id is put between the steps: a response that contains its
    name has no further marker.
    """

    def encode(self, tokenizer: Any, config: Any, request: Request) -> chat.Encoded:
        marker = _id(tokenizer)
        *prompt, response = request.messages
        steps = _steps(response.content)
        sign = _unused(each.content for each in request.messages)
        marked = Message(response.role, "".join(step + sign for step in steps))
        asked = replace(request, messages=(*prompt, marked))
        found = chat.encode(tokenizer, asked, {sign: marker})
        if found.ids.count(marker) != len(steps):
            raise EngineError(
                "the model's chat template drops part of the response, so that some of"
                " its steps would have no score; use the template of the model's card"
            )
        return found

    def load(self, place: Path, **options: Any) -> Any:
        networks.config(place, ARCHITECTURE)
        head = partial(networks.two_layers, outputs=2)
        return networks.load(place, "Qwen2", head, **options)

    def positions(self, tokenizer: Any, config: Any, ids: Sequence[int]) -> list[int]:
        marker = _id(tokenizer)
        return [index for index, each in enumerate(ids) if each == marker]

    def read(self, network: Any, hidden: Any) -> Score:
        return self.score(networks.apply(network.score, hidden).tolist())

    def score(self, rows: Sequence[Sequence[float]]) -> Score:
        return Score(tuple(_right(*row) for row in rows))

    def vllm(self, place: Path) -> Route | None:
        networks.config(place, ARCHITECTURE)
        return Route("token_classify")


def _right(wrong: float, right: float) -> float:
    """The softmax of two logits, the second."""
    from math import exp

    difference = exp(-abs(right - wrong))
    return (1 if right >= wrong else difference) / (1 + difference)


def _id(tokenizer: Any) -> int:
    marker = tokenizer.convert_tokens_to_ids(MARKER)
    if marker is None or tokenizer.convert_ids_to_tokens(marker) != MARKER:
        raise EngineError(
            f"the tokenizer in {tokenizer.name_or_path} has no {MARKER}, where steps"
            " are read; use the tokenizer that comes with the model"
        )
    return int(marker)


def _steps(response: str) -> list[str]:
    """The response's steps; an empty response is one empty step."""
    return re.split(r"\n\s*\n", response.strip())


def _unused(texts: Iterable[str]) -> str:
    used = set("".join(texts))
    return next(chr(code) for code in _PRIVATE if chr(code) not in used)


@hookimpl
def register_heads(register: Register) -> None:
    register("process", Process)
