"""Prometheus 2: judge by a rubric, two responses or one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from rrm_harness import (
    Comparison,
    Recipe,
    Register,
    Shape,
    SpecError,
    hookimpl,
    prompts,
)

SHAPES = {
    "relative": Shape("judges/prometheus-relative.jinja", "prometheus"),
    "absolute": Shape(
        "judges/prometheus-absolute.jinja", "prometheus-score", fewest=1, most=1
    ),
}
RUBRIC = "judges/prometheus-rubric.jinja"


@dataclass(frozen=True)
class Prometheus(Recipe):
    """Prometheus 2: by a rubric, the better of two responses or a 1-5 score of one.

    `rubric` is a text or the file of one; helpfulness, harmlessness and honesty unless
    given. No reference answer is shown. What the published prompt has as its system
    turn begins the user turn, for Mistral's chat template has none. Greedy, as in
    RewardBench.

    Source: arXiv 2405.01535; prometheus-eval/prometheus-eval, docs/prompts.md;
    allenai/reward-bench, rewardbench/generative.py. The wording is ours.
    """

    mode: Literal["relative", "absolute"] = "relative"
    size: Literal["7b", "8x7b"] = field(default="7b", repr=False)
    rubric: str = field(default="", repr=False)
    max_tokens: int = 1024
    _rubric: str = field(default="", init=False)

    sizes: ClassVar[Mapping[str, str]] = {
        "7b": "prometheus-eval/prometheus-7b-v2.0",
        "8x7b": "prometheus-eval/prometheus-8x7b-v2.0",
    }

    def __post_init__(self) -> None:
        object.__setattr__(self, "_rubric", read(self.rubric) or prompts.render(RUBRIC))
        super().__post_init__()

    @property
    def shape(self) -> Shape:
        return SHAPES[self.mode]

    def values(self, comparison: Comparison) -> Mapping[str, Any]:
        return {"rubric": self._rubric.strip()}


def read(rubric: str) -> str:
    """The text of a rubric's file; what names no file is the text itself.

    Raises:
        SpecError: It is meant as a file, by its suffix, and there is none.
    """
    try:
        return Path(rubric).read_text(encoding="utf-8") if rubric else ""
    except (OSError, ValueError) as error:
        if Path(rubric).suffix in (".txt", ".md"):
            raise SpecError(
                f"prometheus,rubric={rubric}: no such text can be read; name a file of"
                " UTF-8 text, or give the rubric itself"
            ) from error
    return rubric


@hookimpl
def register_judges(register: Register) -> None:
    register("prometheus", Prometheus)
