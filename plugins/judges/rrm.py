"""RRM, Reward Reasoning Models: think about two responses, then box the better one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from rrm_harness import Comparison, Recipe, Register, Request, Shape, hookimpl


@dataclass(frozen=True)
class RRM(Recipe):
    r"""RRM-7B and RRM-32B: think about two responses, then box the better one.

    The published layout: the rules in the system turn, query and responses under
    headings in the user turn, and the request for `\boxed{Assistant 1|2}` at its end.
    The published runs very probably had a second beginning-of-sequence token, for a
    rendered text was tokenized again: `bos=double-as-published` repeats it. A
    conversation is shown as one query; the published code takes single turns alone.

    Source: arXiv 2505.14674; microsoft/LMOps@af6bc85, RRM-evaluation/rewardbench/
    generative.py and scripts/run_generative.py. The wording is ours.
    """

    size: Literal["7b", "32b"] = field(default="7b", repr=False)
    temperature: float = 0.6
    max_tokens: int = 8192
    bos: Literal["single", "double-as-published"] = "single"

    sizes: ClassVar[Mapping[str, str]] = {
        "7b": "Reward-Reasoning/RRM-7B",
        "32b": "Reward-Reasoning/RRM-32B",
    }

    shape = Shape("judges/rrm.jinja", "rrm")

    def render(self, comparison: Comparison) -> Sequence[Request]:
        bos = "double" if self.bos == "double-as-published" else "single"
        return [self.request(comparison, bos=bos)]


@hookimpl
def register_judges(register: Register) -> None:
    register("rrm", RRM)
