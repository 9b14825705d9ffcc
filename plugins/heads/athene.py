"""Athene-RM: a linear head on the CLS token that ends the chat."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rrm_harness import (
    EngineError,
    Head,
    Register,
    Request,
    Route,
    Score,
    chat,
    hookimpl,
    networks,
)

ARCHITECTURE = "CustomAutoModelForSequenceClassification"


class Athene(Head):
    """Athene-RM-8B and -70B: `v_head` at the last CLS token (128003).

    The checkpoint is a LlamaModel with `v_head.weight`, and has no code of its own:
    AutoModelForSequenceClassification loads it with a random head. The published
    pipeline (https://github.com/allenai/reward-bench, Athene's fork) writes the chat
    and the CLS token, and reads the last CLS token there is. Here its id is appended to
    the ids, so nothing follows it and no truncation of a text can lose it.
    """

    def encode(self, tokenizer: Any, config: Any, request: Request) -> chat.Encoded:
        if tokenizer.cls_token_id is None:
            raise EngineError(
                f"the tokenizer in {tokenizer.name_or_path} has no CLS token, where"
                " Athene's score is read; use the tokenizer that comes with the model"
            )
        found = chat.encode(tokenizer, request)
        return chat.Encoded((*found.ids, tokenizer.cls_token_id), found.notes)

    def load(self, place: Path, **options: Any) -> Any:
        networks.config(place, ARCHITECTURE)
        return networks.load(place, "Llama", networks.one_layer, **options)

    def read(self, network: Any, hidden: Any) -> Score:
        return self.score(networks.apply([network.v_head], hidden).tolist())

    def vllm(self, place: Path) -> Route | None:
        networks.config(place, ARCHITECTURE)
        return Route(
            overrides={
                "architectures": ["LlamaForSequenceClassification"],
                "num_labels": 1,
            },
            renamed={"v_head.weight": "score.weight"},
        )


@hookimpl
def register_heads(register: Register) -> None:
    register("athene", Athene)
