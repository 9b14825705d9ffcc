"""ArmoRM: nineteen objectives, weighed by what the prompt asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rrm_harness import (
    EngineError,
    Head,
    Register,
    Score,
    hookimpl,
    networks,
)

TURN = "<|eot_id|><|start_header_id|>assistant<|end_header_id|>"
"""Where the prompt ends. The published code also matches the blank line that follows,
which no template leaves out and a tokenizer may join with a response's first line."""

OBJECTIVES = (
    "helpsteer-helpfulness",
    "helpsteer-correctness",
    "helpsteer-coherence",
    "helpsteer-complexity",
    "helpsteer-verbosity",
    "ultrafeedback-overall_score",
    "ultrafeedback-instruction_following",
    "ultrafeedback-truthfulness",
    "ultrafeedback-honesty",
    "ultrafeedback-helpfulness",
    "beavertails-is_safe",
    "prometheus-score",
    "argilla-overall_quality",
    "argilla-judge_lm",
    "code-complexity",
    "code-style",
    "code-explanation",
    "code-instruction-following",
    "code-readability",
)


class ArmoRM(Head):
    """ArmoRM-Llama3-8B-v0.1: a gated sum of nineteen rewards; they are kept too.

    Rewards r are `regression_layer` of the last token's state. A gate g is the softmax,
    at `gating_temperature`, of a ReLU network (`gating.layers`) of the state where the
    prompt ends, times `gating.logit_scale`. The score is the sum of
    g * (r @ `reward_transform_matrix`); the attributes are r; HelpSteer's ratings are
    5 r - 0.5. Source: modeling_custom.py of
    https://huggingface.co/RLHFlow/ArmoRM-Llama3-8B-v0.1, which transformers 5 cannot
    import.
    """

    def load(self, place: Path, **options: Any) -> Any:
        said = networks.config(place, "LlamaForRewardModelWithGating")
        if said.get("num_objectives", len(OBJECTIVES)) != len(OBJECTIVES):
            raise EngineError(
                f"{place} has {said['num_objectives']} objectives, and ArmoRM"
                f" {len(OBJECTIVES)}; write a head that knows what they are called"
            )
        return networks.load(place, "Llama", _parts, **options)

    def positions(self, tokenizer: Any, config: Any, ids: Sequence[int]) -> list[int]:
        turn = tokenizer(TURN, add_special_tokens=False)["input_ids"]
        for start in range(len(ids) - len(turn), -1, -1):
            if list(ids[start : start + len(turn)]) == turn:
                return [start, len(ids) - 1]
        raise EngineError(
            "ArmoRM's gate reads where the assistant's turn begins, and this chat has"
            " none; use the chat template that comes with the model"
        )

    def read(self, network: Any, hidden: Any) -> Score:
        rewards = networks.apply([network.regression_layer], hidden[-1])
        gate = _gate(network, hidden[0])
        weighed = rewards @ network.reward_transform_matrix.to(rewards)
        return Score(
            (float((gate * weighed).sum()),),
            dict(zip(OBJECTIVES, rewards.tolist(), strict=True)),
        )


def _gate(network: Any, prompt: Any) -> Any:
    """How much each objective counts, from the prompt's hidden state (width)."""
    gating = network.gating
    temperature = getattr(network.config, "gating_temperature", 10)
    logits = networks.apply(gating.layers, prompt)
    return (logits / temperature).softmax(-1) * gating.logit_scale[0].float()


def _parts(config: Any) -> dict[str, Any]:
    import torch
    from torch import nn

    count, inner = len(OBJECTIVES), getattr(config, "gating_hidden_dim", 1024)
    depth = getattr(config, "gating_n_hidden", 3)
    widths = [config.hidden_size, *[inner] * depth, count]
    gating = nn.ModuleDict(
        {"layers": nn.ModuleList(map(nn.Linear, widths[:-1], widths[1:]))}
    )
    gating.register_parameter("logit_scale", nn.Parameter(torch.ones(1)))
    return {
        "regression_layer": nn.Linear(config.hidden_size, count, bias=False),
        "reward_transform_matrix": nn.Parameter(torch.zeros(count, count)),
        "gating": gating,
    }


@hookimpl
def register_heads(register: Register) -> None:
    register("armorm", ArmoRM)
