"""Judges that read nothing: what every real judge has to beat."""

from collections.abc import Sequence
from dataclasses import dataclass

from rrm_harness import (
    Comparison,
    Completion,
    Judge,
    Judgment,
    Register,
    chance,
    hookimpl,
)


@dataclass(frozen=True)
class Longest(Judge):
    """Prefer the response with the most characters; equal lengths tie."""

    pointwise = True
    logits = False

    def parse(
        self, comparison: Comparison, completions: Sequence[Completion]
    ) -> Judgment:
        return Judgment(tuple(float(len(text)) for text in comparison.responses))


@dataclass(frozen=True)
class Shortest(Judge):
    """Prefer the response with the fewest characters; equal lengths tie."""

    pointwise = True
    logits = False

    def parse(
        self, comparison: Comparison, completions: Sequence[Completion]
    ) -> Judgment:
        return Judgment(tuple(-float(len(text)) for text in comparison.responses))


@dataclass(frozen=True)
class First(Judge):
    """Prefer the response that is shown first."""

    def parse(
        self, comparison: Comparison, completions: Sequence[Completion]
    ) -> Judgment:
        return Judgment(
            tuple(float(not place) for place in range(len(comparison.order)))
        )


@dataclass(frozen=True)
class Random(Judge):
    """Score each response by a draw from seed, example, response and sample."""

    pointwise = True

    def parse(
        self, comparison: Comparison, completions: Sequence[Completion]
    ) -> Judgment:
        key = (comparison.seed, comparison.example.id, "random", comparison.sample)
        return Judgment(
            tuple(chance.uniform(*key, index) for index in comparison.order)
        )


@hookimpl
def register_judges(register: Register) -> None:
    register("longest", Longest)
    register("shortest", Shortest)
    register("first", First)
    register("random", Random)
