"""Llama-3.1-Nemotron-70B-Reward-HF: a reward hidden in a language model's logits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rrm_harness import Head, Register, Score, hookimpl, networks


class Nemotron(Head):
    """Llama-3.1-Nemotron-70B-Reward-HF: the logit of token 0 after the chat.

    The checkpoint is a LlamaForCausalLM whose first `lm_head` row is the reward. Its
    card writes the chat without a generation prompt, generates one token and takes
    `scores[0][0][0]`: the first token's logit at the last position. Source: public code
    that follows the card of
    https://huggingface.co/nvidia/Llama-3.1-Nemotron-70B-Reward-HF.
    """

    def load(self, place: Path, **options: Any) -> Any:
        networks.config(place, "LlamaForCausalLM")
        return networks.load(place, "Llama", _parts, **options)

    def read(self, network: Any, hidden: Any) -> Score:
        reward = network.lm_head.weight[0].float()
        value = hidden[-1].to(reward.device).float() @ reward
        return self.score([[float(value)]])


def _parts(config: Any) -> dict[str, Any]:
    from torch.nn import Linear

    return {"lm_head": Linear(config.hidden_size, config.vocab_size, bias=False)}


@hookimpl
def register_heads(register: Register) -> None:
    register("nemotron", Nemotron)
