"""RM-R1: reason by a rubric or a solution of one's own, then choose."""

from dataclasses import dataclass, field
from typing import Literal

from rrm_harness import Recipe, Register, Shape, hookimpl

SHAPES = {
    "distilled": Shape("judges/rm-r1-distilled.jinja", "rm-r1"),
    "instruct": Shape("judges/rm-r1-instruct.jinja", "rm-r1"),
}
MODELS = {
    "distilled": "gaotang/RM-R1-DeepSeek-Distilled-Qwen-",
    "instruct": "gaotang/RM-R1-Qwen2.5-Instruct-",
}


@dataclass(frozen=True)
class RMR1(Recipe):
    """RM-R1: reason by a rubric or a solution of one's own, then choose of two.

    `distilled` are the models from DeepSeek-R1-Distill-Qwen: one user turn. `instruct`
    are those from Qwen2.5-Instruct: a system turn that has them say the task's type
    first, then a rubric or a solution. The last `<answer>[[A]]</answer>`
    after the thought counts.

    Source: arXiv 2505.02387; RM-R1-UIUC/RM-R1 (layout, greedy, up to 8,192 tokens). The
    wording is ours.
    """

    variant: Literal["distilled", "instruct"] = "distilled"
    size: Literal["7b", "14b", "32b"] = field(default="7b", repr=False)
    max_tokens: int = 8192

    @property
    def published(self) -> str:
        return MODELS[self.variant] + self.size.upper()

    @property
    def thinks(self) -> bool:
        return self.variant == "distilled"

    @property
    def shape(self) -> Shape:
        return SHAPES[self.variant]


@hookimpl
def register_judges(register: Register) -> None:
    register("rm-r1", RMR1)
