"""A small transformer in plain torch and float64: the oracle of Llama-like models.

It reads a checkpoint's safetensors by the checkpoint's own names, and shares no code
with transformers or with the plugins.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Tensor = Any
Weights = dict[str, Tensor]


def weights(folder: Path) -> Weights:
    """All weights of a folder, in float64."""
    from safetensors import safe_open

    found = {}
    for file in folder.glob("*.safetensors"):
        with safe_open(file, "pt") as opened:
            found |= {name: opened.get_tensor(name).double() for name in opened.keys()}  # noqa: SIM118
    return found


def config(folder: Path) -> dict[str, Any]:
    """The folder's config as it is on disk."""
    return dict(json.loads((folder / "config.json").read_text()))


def states(folder: Path, ids: Sequence[int]) -> Tensor:
    """The hidden states (length, width) of a sequence after the final norm."""
    known, said = weights(folder), config(folder)
    fused = "model.tok_embeddings.weight" in known
    embeddings = "model.tok_embeddings.weight" if fused else "model.embed_tokens.weight"
    values = known[embeddings][list(ids)]
    before, after = (
        ("attention_norm", "ffn_norm")
        if fused
        else ("input_layernorm", "post_attention_layernorm")
    )
    for number in range(said["num_hidden_layers"]):
        layer = f"model.layers.{number}."
        normed = _norm(values, known[f"{layer}{before}.weight"], said)
        values = values + _attention(known, said, layer, normed)
        normed = _norm(values, known[f"{layer}{after}.weight"], said)
        values = values + _feed_forward(known, layer, normed)
    return _norm(values, known["model.norm.weight"], said)


def _norm(values: Tensor, weight: Tensor, said: Any) -> Tensor:
    mean = values.pow(2).mean(-1, keepdim=True)
    return values / (mean + said["rms_norm_eps"]).sqrt() * weight


def _attention(known: Weights, said: Any, layer: str, values: Tensor) -> Tensor:
    import torch

    heads, groups = said["num_attention_heads"], said["num_key_value_heads"]
    if f"{layer}attention.wqkv.weight" in known:
        joint = values @ known[f"{layer}attention.wqkv.weight"].T
        joint = joint.view(len(values), groups, heads // groups + 2, -1)
        query = joint[:, :, :-2].reshape(len(values), heads, -1)
        key, value = joint[:, :, -2], joint[:, :, -1]
        out = known[f"{layer}attention.wo.weight"]
    else:
        query, key, value = (
            _projected(known, f"{layer}self_attn.{part}_proj", values, count)
            for part, count in (("q", heads), ("k", groups), ("v", groups))
        )
        out = known[f"{layer}self_attn.o_proj.weight"]
    query, key = _turned(query, said), _turned(key, said)
    key = key.repeat_interleave(heads // groups, dim=1)
    value = value.repeat_interleave(heads // groups, dim=1)
    scores = torch.einsum("qhd,khd->hqk", query, key) / query.shape[-1] ** 0.5
    future = torch.ones(len(values), len(values)).triu(1).bool()
    weighed = scores.masked_fill(future, float("-inf")).softmax(-1)
    return torch.einsum("hqk,khd->qhd", weighed, value).flatten(1) @ out.T


def _projected(known: Weights, name: str, values: Tensor, heads: int) -> Tensor:
    turned = values @ known[f"{name}.weight"].T
    if f"{name}.bias" in known:
        turned = turned + known[f"{name}.bias"]
    return turned.view(len(values), heads, -1)


def _turned(values: Tensor, said: Any) -> Tensor:
    """Rotary positions: the two halves of each head are turned by the position."""
    import torch

    size = values.shape[-1]
    theta = said.get("rope_theta") or said["rope_parameters"]["rope_theta"]
    steps = theta ** (-torch.arange(0, size, 2).double() / size)
    angles = torch.arange(len(values)).double()[:, None] * steps
    cos, sin = angles.cos()[:, None], angles.sin()[:, None]
    left, right = values.chunk(2, dim=-1)
    return torch.cat([left * cos - right * sin, right * cos + left * sin], dim=-1)


def _feed_forward(known: Weights, layer: str, values: Tensor) -> Tensor:
    fused = f"{layer}feed_forward.w1.weight" in known
    names = (
        ("feed_forward.w1", "feed_forward.w3", "feed_forward.w2")
        if fused
        else ("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")
    )
    gate, up, down = (known[f"{layer}{name}.weight"] for name in names)
    inner = values @ gate.T
    return (inner * inner.sigmoid() * (values @ up.T)) @ down.T


def two_layers(folder: Path, values: Tensor) -> Tensor:
    """A Linear-ReLU-Linear head called `score`, on states (..., width)."""
    known = weights(folder)
    inner = values @ known["score.0.weight"].T + known["score.0.bias"]
    return inner.clamp(min=0) @ known["score.2.weight"].T + known["score.2.bias"]
