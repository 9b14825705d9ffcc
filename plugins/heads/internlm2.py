"""InternLM2-Reward, without the code that comes with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    checkpoints,
    hookimpl,
    networks,
)

ARCHITECTURE = "InternLM2ForRewardModel"
RENAMED = {
    "model.tok_embeddings.": "model.embed_tokens.",
    ".attention_norm.": ".input_layernorm.",
    ".ffn_norm.": ".post_attention_layernorm.",
    ".attention.wo.": ".self_attn.o_proj.",
    ".feed_forward.w1.": ".mlp.gate_proj.",
    ".feed_forward.w3.": ".mlp.up_proj.",
    ".feed_forward.w2.": ".mlp.down_proj.",
}
"""Names in the checkpoint, and what transformers' Llama calls the same weights."""


class InternLM2(Head):
    """InternLM2-{1.8B,7B,20B}-Reward: `v_head` on the reward token that ends the chat.

    An InternLM2 is a Llama whose query, key and value weights are one matrix: for each
    key-value head its queries' rows, then the key's, then the value's. It is loaded as
    one, since the code that comes with it gives wrong scores under transformers 5.
    `reward_token_id` of the config (92527) is appended unless the chat ends in it.
    Sources: config.json of https://huggingface.co/internlm/internlm2-20b-reward, how
    https://github.com/allenai/reward-bench (rewardbench/models/internlm.py) calls it,
    and vLLM's internlm2.py.
    """

    def encode(self, tokenizer: Any, config: Any, request: Request) -> chat.Encoded:
        found = chat.encode(tokenizer, request)
        ending = (config.reward_token_id,)
        if found.ids[-1:] == ending:
            return found
        return chat.Encoded(found.ids + ending, found.notes)

    def load(self, place: Path, **options: Any) -> Any:
        said = networks.config(place, ARCHITECTURE)
        config = _as_llama(place, said)
        weights = dict(_converted(place, config))
        told = options | {"config": config, "state_dict": weights}
        return networks.load(place, "Llama", networks.one_layer, **told)

    def read(self, network: Any, hidden: Any) -> Score:
        return self.score(networks.apply([network.v_head], hidden).tolist())

    def vllm(self, place: Path) -> Route | None:
        _refuse_unpublished(place, networks.config(place, ARCHITECTURE))
        # A Llama's config has all that vLLM's class asks for, and needs no code of the
        # checkpoint's. Dynamic scaling begins beyond the context; vLLM's would always.
        return Route("token_classify", {"model_type": "llama", "rope_scaling": None})


def _as_llama(place: Path, said: Mapping[str, Any]) -> Any:
    """The same network as a Llama's config.

    Dynamic scaling is left out: it changes nothing within max_position_embeddings. So
    is the attention that the published config names, which is the slowest there is.
    """
    from transformers import LlamaConfig

    _refuse_unpublished(place, said)
    foreign = {"auto_map", "rope_scaling", "bias", "architectures", "model_type"}
    foreign |= {"attn_implementation", "_attn_implementation"}
    kept = {name: value for name, value in said.items() if name not in foreign}
    return LlamaConfig(**kept)


def _refuse_unpublished(place: Path, said: Mapping[str, Any]) -> None:
    scaling = said.get("rope_scaling") or {}
    if said.get("bias") or scaling.get("type", "dynamic") != "dynamic":
        raise EngineError(
            f"{place} has biases or scaled positions, which no published InternLM2"
            " reward model has and this head does not read; name a published one"
        )


def _converted(place: Path, config: Any) -> Iterator[tuple[str, Any]]:
    """The checkpoint's weights under the names of a Llama's."""
    from safetensors.torch import load_file

    for file in checkpoints.files(place):
        for name, weights in load_file(file).items():
            if name.endswith(".attention.wqkv.weight"):
                layer = name.removesuffix("attention.wqkv.weight")
                for part, each in zip("qkv", _split(weights, config), strict=True):
                    yield f"{layer}self_attn.{part}_proj.weight", each
            else:
                yield _renamed(name), weights


def _split(weights: Any, config: Any) -> Iterator[Any]:
    """Queries', keys' and values' rows of a joint (rows, width) matrix."""
    heads = config.num_key_value_heads
    queries = config.num_attention_heads // heads
    groups = weights.unflatten(0, (heads, queries + 2, -1))
    for part in groups.split([queries, 1, 1], dim=1):
        yield part.flatten(0, 2).contiguous()


def _renamed(name: str) -> str:
    for theirs, ours in RENAMED.items():
        name = name.replace(theirs, ours)
    return name


@hookimpl
def register_heads(register: Register) -> None:
    register("internlm2", InternLM2)
