"""PairRM: an encoder that reads two candidates side by side."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rrm_harness import (
    Comparison,
    Completion,
    Judgment,
    Message,
    Register,
    Request,
    RewardModel,
    hookimpl,
)


@dataclass(frozen=True)
class PairRM(RewardModel):
    """PairRM: an encoder that reads two candidates side by side and scores both.

    The prompt's turns are followed by the two candidates, as turns of the role
    "candidate", in one request.

    Source: arXiv 2306.02561; yuchenlin/LLM-Blender; the card of llm-blender/PairRM-hf.
    """

    pointwise = False
    fewest = 2
    most = 2

    model: str = field(default="llm-blender/PairRM-hf", repr=False)

    head = "pairrm"

    def render(self, comparison: Comparison) -> Sequence[Request]:
        self.refuse_other_roles(comparison)
        shown = [Message("candidate", text) for text in comparison.responses]
        return [Request((*comparison.example.prompt, *shown), kind="score")]

    def parse(
        self, comparison: Comparison, completions: Sequence[Completion]
    ) -> Judgment:
        (completion,) = completions
        return Judgment(completion.scores)


@hookimpl
def register_judges(register: Register) -> None:
    register("pairrm", PairRM)
