"""The common reward head: a linear layer with one output on the last token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rrm_harness import EngineError, Head, Register, Route, Score, hookimpl, networks
from rrm_harness.heads import refuse_random


class SequenceClassifier(Head):
    """AutoModelForSequenceClassification with one label, such as Skywork-Reward.

    The raw logit of the last token, computed in float32 whatever the network's dtype:
    half-precision logits make ties (https://github.com/allenai/reward-bench reads them
    so). It is read at the position of the last token and never found by looking for
    padding, so a checkpoint whose padding and end token are one scores alike.
    """

    def load(self, place: Path, **options: Any) -> Any:
        from transformers import AutoModelForSequenceClassification

        model, told = AutoModelForSequenceClassification.from_pretrained(
            place, output_loading_info=True, **options
        )
        refuse_random(place, told)
        if model.config.num_labels != 1:
            raise EngineError(
                f"{place} is a classifier with {model.config.num_labels} labels, and a"
                " reward model has one; name a checkpoint with num_labels=1"
            )
        if not hasattr(model, "score"):
            raise EngineError(
                f"{place} is a {type(model).__name__}, whose head reads more than the"
                " last token; sequence-classifier reads decoders with a linear `score`"
            )
        return _network(model)

    def read(self, network: Any, hidden: Any) -> Score:
        return self.score(networks.apply([network.model.score], hidden).tolist())

    def vllm(self, place: Path) -> Route | None:
        return Route()


def _network(model: Any) -> Any:
    """The classifier as the engine runs it: hidden states out, its head aside."""
    import torch

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model
            self.config = model.config

        def hidden(self, **inputs: Any) -> tuple[Any, Any]:
            told = self.model.base_model(**inputs)
            return told.last_hidden_state, told.get("past_key_values")

    return Network()


@hookimpl
def register_heads(register: Register) -> None:
    register("sequence-classifier", SequenceClassifier)
