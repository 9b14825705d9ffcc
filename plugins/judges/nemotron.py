"""Nemotron-4-340B-Reward behind its service: five attributes, weighed as published."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from rrm_harness import (
    Comparison,
    Completion,
    Failure,
    Judgment,
    Register,
    RewardModel,
    hookimpl,
)

WEIGHTS = {
    "nemotron-4-340b": {
        "helpfulness": 0.3,
        "correctness": 0.74,
        "coherence": 0.46,
        "complexity": 0.47,
        "verbosity": -0.33,
    },
    "llama3-70b-steerlm": {
        "helpfulness": 0.65,
        "correctness": 0.8,
        "coherence": 0.45,
        "complexity": 0.55,
        "verbosity": -0.4,
    },
}


@dataclass(frozen=True)
class Nemotron(RewardModel):
    """Nemotron-4-340B-Reward through its API: five attributes, weighed as published.

    The score is the sum of the raw attributes, not of rounded ones, by the weights that
    were used on RewardBench; `weights=` picks the model's. It runs with
    `--engine openai,route=nemotron`; whether a service still offers it is uncertain.

    Source: the card of nvidia/Nemotron-4-340B-Reward; the README of
    allenai/reward-bench.
    """

    model: str = field(default="nvidia/nemotron-4-340b-reward", repr=False)
    weights: Literal["nemotron-4-340b", "llama3-70b-steerlm"] = "nemotron-4-340b"

    def parse(
        self, comparison: Comparison, completions: Sequence[Completion]
    ) -> Judgment:
        (completion,) = completions
        said, weights = completion.attributes, WEIGHTS[self.weights]
        missing = [name for name in weights if name not in said]
        if missing:
            problem = f"the model did not say {', '.join(missing)}, only {dict(said)}"
            return Judgment.failed(Failure.INVALID_SCORE, problem)
        score = sum(weight * said[name] for name, weight in weights.items())
        attributes = {name: (said[name],) for name in weights}
        return Judgment((score,), attributes=attributes)


@hookimpl
def register_judges(register: Register) -> None:
    register("nemotron", Nemotron)
