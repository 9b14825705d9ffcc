"""Process reward models: a score for each step, made one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import ClassVar, Literal

from rrm_harness import (
    Comparison,
    Completion,
    Failure,
    Judgment,
    Register,
    RewardModel,
    hookimpl,
)

AGGREGATES: Mapping[str, Callable[[Sequence[float]], float]] = {
    "last": lambda steps: steps[-1],
    "min": min,
    "product": prod,
}


@dataclass(frozen=True)
class PRM(RewardModel):
    """Process reward models: the last, the least or the product of the steps' scores.

    A step's score is the probability that it is right; the head `process` says what
    the steps are.

    Source: arXiv 2501.07301; the card of Qwen/Qwen2.5-Math-PRM-7B.
    """

    size: Literal["7b", "72b"] = field(default="7b", repr=False)
    aggregate: Literal["last", "min", "product"] = "last"

    logits = False
    head = "process"
    sizes: ClassVar[Mapping[str, str]] = {
        "7b": "Qwen/Qwen2.5-Math-PRM-7B",
        "72b": "Qwen/Qwen2.5-Math-PRM-72B",
    }

    def parse(
        self, comparison: Comparison, completions: Sequence[Completion]
    ) -> Judgment:
        (completion,) = completions
        if not completion.scores:
            return Judgment.failed(Failure.INVALID_SCORE, "no step was scored")
        return Judgment((AGGREGATES[self.aggregate](completion.scores),))


@hookimpl
def register_judges(register: Register) -> None:
    register("prm", PRM)
