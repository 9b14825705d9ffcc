"""Qwen's outcome reward models: two layers on the last token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rrm_harness import Head, Register, Route, Score, hookimpl, networks

ARCHITECTURE = "Qwen2ForRewardModel"


class QwenReward(Head):
    """Qwen2.5-Math-RM-72B: Qwen2ForRewardModel, Linear-ReLU-Linear on the last token.

    The head's weights are `score.0.*` and `score.2.*`. The card renders the chat
    without a generation prompt and reads the last token, the newline after
    `<|im_end|>`. Sources: https://huggingface.co/Qwen/Qwen2.5-Math-RM-72B and vLLM's
    qwen2_rm.py.
    """

    def load(self, place: Path, **options: Any) -> Any:
        networks.config(place, ARCHITECTURE)
        return networks.load(place, "Qwen2", networks.two_layers, **options)

    def read(self, network: Any, hidden: Any) -> Score:
        return self.score(networks.apply(network.score, hidden).tolist())

    def vllm(self, place: Path) -> Route | None:
        networks.config(place, ARCHITECTURE)
        return Route("token_classify")


@hookimpl
def register_heads(register: Register) -> None:
    register("qwen-reward", QwenReward)
