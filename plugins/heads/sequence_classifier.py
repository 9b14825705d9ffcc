"""The common reward head: a linear layer with one output on the last token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rrm_harness import (
    EngineError,
    Head,
    Register,
    Route,
    Score,
    checkpoints,
    hookimpl,
    networks,
)
from rrm_harness.heads import refuse_random, refuse_unread


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
        refuse_unread(place, told, "score")
        _refuse_labels(place, model.config)
        if not hasattr(model, "score"):
            raise EngineError(
                f"{place} is a {type(model).__name__}, whose head reads more than the"
                " last token; sequence-classifier reads decoders with a linear `score`"
            )
        network = _network(model)
        if type(model).__module__.startswith("transformers_modules"):
            _refuse_another_score(place, network)
        return network

    def read(self, network: Any, hidden: Any) -> Score:
        return self.score(networks.apply([network.model.score], hidden).tolist())

    def vllm(self, place: Path) -> Route | None:
        from transformers import PretrainedConfig

        said = checkpoints.config(place)
        _refuse_labels(place, PretrainedConfig.from_dict(said))
        (named, *_) = said.get("architectures") or ["model of no architecture"]
        if not named.endswith("ForSequenceClassification"):
            raise EngineError(
                f"{place} is a {named}, and this head reads a sequence classifier; use"
                " the judge made for it (rrm-harness list models)"
            )
        return Route()


def _refuse_labels(place: Path, config: Any) -> None:
    if config.num_labels != 1:
        raise EngineError(
            f"{place} is a classifier with {config.num_labels} labels, and a reward"
            " model has one; name a checkpoint with num_labels=1"
        )


def _refuse_another_score(place: Path, network: Any) -> None:
    """Refuse code that came with the weights and scores in a way of its own.

    A short text is scored by that code, and as it is here. In half precision its logit
    is rounded, and ours is not.
    """
    import torch

    model = network.model
    special = {model.config.pad_token_id, model.config.eos_token_id}
    ids = [each for each in range(3, 15) if each not in special]
    inputs = torch.tensor([ids], device=next(model.parameters()).device)
    with torch.inference_mode():
        theirs = model(input_ids=inputs).logits.flatten().float().cpu()
        hidden, _ = network.hidden(input_ids=inputs)
        ours = networks.apply([model.score], hidden[0, -1:]).flatten().cpu()
    near = 1e-3 if model.dtype == torch.float32 else 5e-2
    if theirs.shape != ours.shape or not torch.allclose(
        theirs, ours, rtol=near, atol=near
    ):
        raise EngineError(
            f"the code that comes with {place} makes its score another way than"
            " sequence-classifier does; use the judge made for it"
            " (rrm-harness list models), or write a head for it"
        )


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
