"""RRM-nano: a reasoning judge, a reward head and a policy that come along with us."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from rrm_harness import (
    Comparison,
    Completion,
    Judgment,
    Recipe,
    Register,
    RewardModel,
    Shape,
    hookimpl,
)
from rrm_harness.arithmetic import LIMIT, answered
from rrm_harness.parse import answer
from rrm_harness.recipe import judged

Size = Literal["0.03m", "0.06m", "0.09m", "0.2m"]


@dataclass(frozen=True)
class RRMNano(Recipe):
    r"""RRM-nano: a tiny reasoning judge of nano-arithmetic; its weights are here.

    It works the question out, holds both answers beside its own and boxes the better
    one. How far it thinks is `thinking`: `full` works every step out, `short` works the
    question out at once, `none` boxes at once. How it was trained: docs/nano.md.
    """

    size: Size = field(default="0.2m", repr=False)
    temperature: float = 1.0
    max_tokens: int = 160
    thinking: Literal["full", "short", "none"] = "full"

    sizes: ClassVar[Mapping[str, str]] = {
        "0.03m": "rrm-nano-0.03m",
        "0.06m": "rrm-nano-0.06m",
        "0.09m": "rrm-nano-0.09m",
        "0.2m": "rrm-nano-0.2m",
    }

    shape = Shape("judges/rrm-nano.jinja", "rrm")

    def values(self, comparison: Comparison) -> Mapping[str, Any]:
        return {"thinking": self.thinking}


@dataclass(frozen=True)
class NanoHead(RewardModel):
    """A scalar head on the same tiny models, trained on the same pairs: the baseline.

    It scores a solution in one pass, without a thought. See docs/nano.md.
    """

    size: Size = field(default="0.2m", repr=False)

    head = "sequence-classifier"
    sizes: ClassVar[Mapping[str, str]] = {
        "0.03m": "nano-head-0.03m",
        "0.06m": "nano-head-0.06m",
        "0.09m": "nano-head-0.09m",
        "0.2m": "nano-head-0.2m",
    }


@dataclass(frozen=True)
class NanoSolver(Recipe):
    """A tiny policy that works nano-arithmetic out; what RRM-nano can train.

    The responses of `nano-arithmetic,shape=answers` are all answers there are; the one
    that its reply ends with scores 1, and a reply without any is unparsable.
    """

    model: str = field(default="nano-solver", repr=False)
    temperature: float = 1.0
    max_tokens: int = 96

    shape = Shape("judges/nano-solver.jinja", "", fewest=LIMIT, most=LIMIT)

    def parse(
        self, comparison: Comparison, completions: Sequence[Completion]
    ) -> Judgment:
        text = completions[0].text
        said = str(answered(answer(text)))
        scores = tuple(float(each == said) for each in comparison.responses)
        return judged(scores if any(scores) else None, text)


@hookimpl
def register_judges(register: Register) -> None:
    register("rrm-nano", RRMNano)
    register("nano-head", NanoHead)
    register("nano-solver", NanoSolver)
