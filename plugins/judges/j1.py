"""J1: think, then a verdict, scores, both, or one response's score."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rrm_harness import Comparison, Recipe, Register, Shape, hookimpl

SHAPES = {
    "verdict": Shape("judges/j1-pair.jinja", "j1"),
    "scores": Shape("judges/j1-pair.jinja", "j1-scores"),
    "verdict-scores": Shape("judges/j1-pair.jinja", "j1"),
    "pointwise": Shape("judges/j1-pointwise.jinja", "j1-score", fewest=1, most=1),
}


@dataclass(frozen=True)
class J1(Recipe):
    """J1 with weights of yours: think, then a verdict, scores, both, or one score.

    Its own weights are not published, so `model=` is needed. `verdict-scores` is
    decided by the verdict. Self-consistency, at `temperature=1`, is `--strategy
    voting,k=32` of verdicts and `sum-voting,k=32,order=given` of scores. A conversation
    is shown as one question.

    Source: arXiv 2505.10320 (layout, output, decoding). The wording is ours.
    """

    mode: Literal["verdict", "scores", "verdict-scores", "pointwise"] = "verdict"
    max_tokens: int = 4096

    thinks = True
    no_model = "the weights of J1 are not published"

    @property
    def shape(self) -> Shape:
        return SHAPES[self.mode]

    def values(self, comparison: Comparison) -> Mapping[str, Any]:
        return {"mode": self.mode}


@hookimpl
def register_judges(register: Register) -> None:
    register("j1", J1)
