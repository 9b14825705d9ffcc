"""Networks: a decoder with a reward head on it, under its checkpoint's own names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

from rrm_harness import checkpoints
from rrm_harness.errors import EngineError
from rrm_harness.heads import refuse_random, refuse_unread

Parts = Callable[[Any], Mapping[str, Any]]
"""From a config to the head's modules and parameters, by their names."""


def config(place: Path, architecture: str) -> dict[str, Any]:
    """Read a folder's config, which must be of this architecture.

    Raises:
        EngineError: There is no config, or it is of another architecture.
    """
    found = checkpoints.config(place)
    said = found.get("architectures") or ["model of no architecture"]
    if architecture not in said:
        raise EngineError(
            f"{place} is a {said[0]}, and this head reads a {architecture}; use the"
            " judge made for it (rrm-harness list models)"
        )
    return found


def load(
    place: Path, kind: Literal["Llama", "Qwen2"], parts: Parts, **options: Any
) -> Any:
    """Load a decoder and the parts of the head.

    The checkpoint has the decoder's weights under `model.` and each part's under its
    name. What comes back has `config`, the parts, and `hidden`, as heads' networks do.

    Raises:
        EngineError: Weights are missing, so that part of it would be random, or a part
            of the head has weights that nothing would read.
    """
    source = None if "state_dict" in options else place
    network, told = _kind(kind).from_pretrained(
        source, parts, output_loading_info=True, **options
    )
    refuse_random(place, told)
    for part, _ in network.named_children():
        if part != "model":
            refuse_unread(place, told, part)
    return network


@cache
def _kind(kind: str) -> Any:
    import transformers

    parent = getattr(transformers, f"{kind}PreTrainedModel")
    decoder = getattr(transformers, f"{kind}Model")

    class Network(parent):  # type: ignore[misc, valid-type]
        def __init__(self, config: Any, parts: Parts) -> None:
            super().__init__(config)
            self.model = decoder(config)
            for name, part in parts(config).items():
                setattr(self, name, part)
            self.post_init()

        def hidden(self, **inputs: Any) -> tuple[Any, Any]:
            told = self.model(**inputs)
            return told.last_hidden_state, told.past_key_values

    return Network


def one_layer(config: Any) -> dict[str, Any]:
    """A head with one output, `v_head.weight`."""
    from torch.nn import Linear

    return {"v_head": Linear(config.hidden_size, 1, bias=False)}


def two_layers(config: Any, outputs: int = 1) -> dict[str, Any]:
    """A Linear-ReLU-Linear head, whose weights are `score.0.*` and `score.2.*`."""
    from torch.nn import Linear, ReLU, Sequential

    width = config.hidden_size
    head = Sequential(Linear(width, width), ReLU(), Linear(width, outputs))
    return {"score": head}


def apply(layers: Iterable[Any], values: Any) -> Any:
    """Linear layers with ReLU between them, in float32 whatever the network's dtype.

    Rewards in half precision make ties.
    """
    from torch.nn.functional import relu

    inner = [each for each in layers if hasattr(each, "weight")]
    for each in inner[:-1]:
        values = relu(_linear(each, values))
    return _linear(inner[-1], values)


def _linear(layer: Any, values: Any) -> Any:
    from torch.nn.functional import linear

    weight = layer.weight.float()
    bias = None if layer.bias is None else layer.bias.float()
    return linear(values.to(weight.device).float(), weight, bias)
