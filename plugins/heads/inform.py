"""INF-ORM: two layers on a Llama's last token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rrm_harness import Head, Register, Score, hookimpl, networks


class Inform(Head):
    """INF-ORM-Llama3.1-70B: INFORMForSequenceClassification, Linear-ReLU-Linear.

    The checkpoint has no code of its own; its class is on its card and in
    https://github.com/allenai/reward-bench (rewardbench/models/inform.py): a LlamaModel
    and a head with the weights `score.0.*` and `score.2.*`, read at the last token.
    """

    def load(self, place: Path, **options: Any) -> Any:
        networks.config(place, "INFORMForSequenceClassification")
        return networks.load(place, "Llama", networks.two_layers, **options)

    def read(self, network: Any, hidden: Any) -> Score:
        return self.score(networks.apply(network.score, hidden).tolist())


@hookimpl
def register_heads(register: Register) -> None:
    register("inform", Inform)
