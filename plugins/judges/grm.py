"""DeepSeek-GRM, a score for each of n responses in one prompt, and its meta judge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Literal

from rrm_harness import (
    Comparison,
    Message,
    Recipe,
    Register,
    Request,
    RewardModel,
    Shape,
    hookimpl,
)
from rrm_harness.recipe import templated


@dataclass(frozen=True)
class GRM(Recipe):
    r"""DeepSeek-GRM: criteria, analysis and a 1-10 score for each of n responses.

    All responses are in one user turn (Gemma 2 has no system turn), and the scores in
    one `\boxed{x, y, ...}`. Samples are drawn at temperature 0.5, for
    `--strategy sum-voting`, which shows each a new order; the published figures of a
    single judgment are greedy: `temperature=0`. How many tokens a reply was given is
    not published where we looked.

    Source: arXiv 2504.02495 v3 and the card of BBQGOD/DeepSeek-GRM-27B. The wording is
    ours.
    """

    size: Literal["27b", "16b"] = field(default="27b", repr=False)
    temperature: float = 0.5
    max_tokens: int = 4096

    sizes: ClassVar[Mapping[str, str]] = {
        "27b": "BBQGOD/DeepSeek-GRM-27B",
        "16b": "BBQGOD/DeepSeek-GRM-16B",
    }

    shape = Shape("judges/grm.jinja", "deepseek-grm", fewest=1, most=None)


@dataclass(frozen=True)
class MetaGRM(RewardModel):
    """DeepSeek-GRM's meta judge: how good a critique is; for `--meta-judge`.

    The user turn shows the responses and asks to score them, the critique is the
    assistant's turn, a sequence classifier scores it. For `sum-voting,meta=true`. The
    id of its weights comes from a secondary source.

    Source: arXiv 2504.02495 v3, section 4 (meta RM). The wording is ours.
    """

    model: str = field(default="BBQGOD/DeepSeek-GRM-27B-MetaRM", repr=False)
    template: str = field(default="judges/grm-meta.jinja", repr=False)

    head = "sequence-classifier"
    role = "meta"

    @cached_property
    def identity(self) -> str:
        return templated(self, self._recipe.template_text)

    @cached_property
    def _recipe(self) -> Recipe:
        return Recipe(template=self.template)

    def render(self, comparison: Comparison) -> Sequence[Request]:
        if comparison.role != "meta":
            return super().render(comparison)
        asked = self._recipe.request(comparison).messages
        critique = Message("assistant", comparison.critique)
        return [Request((*asked, critique), kind="score")]


@hookimpl
def register_judges(register: Register) -> None:
    register("grm", GRM)
    register("grm-meta", MetaGRM)
