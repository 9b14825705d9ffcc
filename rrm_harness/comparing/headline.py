"""A benchmark's headline, made again of the examples that finished runs wrote down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rrm_harness import host
from rrm_harness.errors import DataError, HarnessError
from rrm_harness.metrics import Rule
from rrm_harness.scored import Scored

EXACT = 1e-9
"""How near a headline made again must be to the one that the run wrote."""


@dataclass(frozen=True, slots=True)
class Headline:
    """How examples' credits become the headline.

    Args:
        rule: The weights of subsets and sections; nothing else of it is used.
        official: Whether it gives what the runs' results say. If not, the benchmark
            has a formula that needs more than credits, and `rule` is the mean over
            examples.
    """

    rule: Rule
    official: bool

    @classmethod
    def of(cls, runs: Sequence[tuple[Mapping[str, Any], Sequence[Scored]]]) -> Headline:
        """Find the weights that give the accuracy that every run's results say.

        Args:
            runs: The results of each, with its rows: all of one dataset and rule.
        """
        for rule in _candidates(str(runs[0][0]["dataset"])):
            if all(_gives(rule, results["accuracy"], rows) for results, rows in runs):
                return cls(rule, official=True)
        return cls(Rule(), official=False)

    @property
    def means(self) -> str:
        """What the headline is, in words."""
        if not self.official:
            return (
                "the mean over examples: the benchmark's own headline needs more than"
                " each example's credit"
            )
        return f"the benchmark's headline, the mean over {self.rule.average}"


def _candidates(dataset: str) -> Iterator[Rule]:
    """The weights that the dataset's rule names, and those that need no names."""
    try:
        rule: Rule = host.default().build("datasets", dataset).rule
    except HarnessError:  # made in Python, or its plugin or its file is gone
        pass
    else:
        yield Rule(sections=rule.sections, weights=rule.weights, average=rule.average)
    yield Rule()
    yield Rule(average="subsets")


def _gives(rule: Rule, accuracy: float | None, rows: Sequence[Scored]) -> bool:
    try:
        found = rule.accuracy(rows)
    except DataError:  # the rule has sections, and the rows none of their subsets
        return False
    if found is None or accuracy is None:
        return found is accuracy
    return abs(found - accuracy) < EXACT
