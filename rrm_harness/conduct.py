"""How a judge behaved over a run: ties, order, position, length, cost."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from rrm_harness import stats
from rrm_harness.records import Comparison, Example, Judgment, Note
from rrm_harness.schedule import Finished

Verdicts = dict[tuple[tuple[int, ...], int], float]
"""By order and sample: 1 if the response shown first of two won, 0.5 for a tie."""
AUDITED = ("over-length", "empty-responses", *Note)
"""What the input audit counts: examples' empty responses, and judgments' inputs."""


@dataclass(slots=True)
class Share:
    """A share that is counted as it comes; None while nothing was counted."""

    part: float = 0.0
    whole: int = 0

    def add(self, part: float) -> None:
        """Count one more."""
        self.part += part
        self.whole += 1

    @property
    def value(self) -> float | None:
        """The share, 0–1."""
        return self.part / self.whole if self.whole else None


@dataclass(slots=True)
class Conduct:
    """Counts over all judged comparisons of a run, in the order of its examples."""

    comparisons: int = 0
    judgments: int = 0
    cached: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    first_failure: dict[str, str] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)
    audit: Counter[str] = field(default_factory=Counter)
    ties: Share = field(default_factory=Share)
    consistent: Share = field(default_factory=Share)
    first_position: Share = field(default_factory=Share)
    prefer_longer: Share = field(default_factory=Share)
    attributes: Attributes = field(default_factory=lambda: Attributes())

    def add(self, finished: Finished) -> None:
        """Count an example."""
        self.comparisons += len(finished.judged)
        self.judgments += finished.judgments
        self.cached += finished.stored
        self.prompt_tokens += finished.prompt_tokens
        self.completion_tokens += finished.completion_tokens
        for note, count in finished.outcome.notes.items():
            self.notes[note] += count
        self._audit(finished)
        self.attributes.add(finished)
        for comparison, judgment in finished.judged:
            if judgment.failure is not None:
                self._count_failure(comparison.example, judgment)
            elif len(comparison.order) == 2 and comparison.role == "judge":
                won = _first_won(judgment)
                self.ties.add(won == 0.5)
                self._count_length(comparison, won)
        if len(finished.judged) > 1:
            self._count_orders(verdicts(finished))

    def _audit(self, finished: Finished) -> None:
        for note, count in finished.notes.items():
            self.audit[note] += count
        cut = finished.notes.get(Note.TRUNCATED_PROMPT, 0)
        if finished.too_long or cut:
            self.audit["over-length"] += finished.too_long + cut
        for response in finished.example.responses:
            if not response or response.isspace():
                self.audit["empty-responses"] += 1

    def _count_failure(self, example: Example, judgment: Judgment) -> None:
        kind = str(judgment.failure)
        self.failures[kind] += 1
        text = " ".join(judgment.text.split())[-200:]
        self.first_failure.setdefault(kind, f"{example.id}: {text}")

    def _count_length(self, comparison: Comparison, won: float) -> None:
        """Count whether the longer response won; a tie counts half."""
        texts = comparison.example.responses
        first, second = (len(texts[index]) for index in comparison.order)
        if first != second:
            self.prefer_longer.add(won if first > second else 1 - won)

    def _count_orders(self, pairs: Verdicts) -> None:
        """Compare the pairs that were asked in both orders."""
        for (order, sample), won in pairs.items():
            swapped = pairs.get((order[::-1], sample))
            if swapped is None:
                continue
            self.first_position.add(won)
            if order[0] < order[1]:
                self.consistent.add(won == 1 - swapped)

    def results(self) -> dict[str, Any]:
        """The counts under the names that results.json has for them."""
        return {
            "failures": dict(sorted(self.failures.items())),
            "first_failures": dict(sorted(self.first_failure.items())),
            "comparisons": self.comparisons,
            "judgments": self.judgments,
            "cached": self.cached,
            "votes_saved": self.notes.get("votes_saved", 0),
            "notes": dict(sorted(self.notes.items())),
            "audit": {name: self.audit[name] for name in AUDITED},
            "comparison_tie_rate": self.ties.value,
            "order_consistency": self.consistent.value,
            "first_position_rate": self.first_position.value,
            "prefer_longer_rate": self.prefer_longer.value,
            "tokens": {
                "prompt": self.prompt_tokens,
                "completion": self.completion_tokens,
            },
            "attributes": self.attributes.results(),
        }


@dataclass(slots=True)
class Credits:
    """Credits of examples, and the hashes of their prompts."""

    values: array[float] = field(default_factory=lambda: array("d"))
    clusters: array[int] = field(default_factory=lambda: array("q"))

    def add(self, value: float, cluster: str) -> None:
        """Take in one more."""
        self.values.append(value)
        self.clusters.append(hash(cluster))

    def results(self, name: str) -> dict[str, Any]:
        """Their mean and its interval; the name is the key of draws."""
        low, high, _ = stats.mean_interval(self.values, self.clusters, name)
        return {
            "n": len(self.values),
            "accuracy": sum(self.values) / len(self.values),
            "accuracy_low": low,
            "accuracy_high": high,
        }


@dataclass(slots=True)
class Attributes:
    """How right one would be by each attribute of a multi-attribute judge alone.

    A response's attribute is the mean over the judgments that say it. Responses that
    share the highest one share the credit; where all or none are correct there is
    nothing to get right, and where a response lacks it, it says nothing.
    """

    right: dict[str, Credits] = field(default_factory=dict)

    def add(self, finished: Finished) -> None:
        """Count an example."""
        if not any(judgment.attributes for _, judgment in finished.judged):
            return
        said = _attributes(finished)
        example = finished.example
        responses, correct = len(example.responses), set(example.correct)
        if not said or not 0 < len(correct) < responses:
            return
        for name, values in said.items():
            if len(values) == responses:
                means = {i: sum(said) / len(said) for i, said in values.items()}
                best = [i for i in means if means[i] == max(means.values())]
                share = len(correct.intersection(best)) / len(best)
                cluster = example.cluster or example.id
                self.right.setdefault(name, Credits()).add(share, cluster)

    def results(self) -> dict[str, Any]:
        """Name to n, accuracy and its interval."""
        return {name: each.results(name) for name, each in sorted(self.right.items())}


def _attributes(finished: Finished) -> dict[str, dict[int, list[float]]]:
    """What was said of each attribute, by response; what is no number is left out."""
    said: dict[str, dict[int, list[float]]] = {}
    for comparison, judgment in own_judgments(finished):
        for name, values in judgment.attributes.items():
            named = said.setdefault(str(name), {})
            for index, value in zip(comparison.order, values, strict=False):
                if isfinite(value):
                    named.setdefault(index, []).append(value)
    return said


def own_judgments(finished: Finished) -> list[tuple[Comparison, Judgment]]:
    """The judge's, failures left out, of the example's responses.

    A strategy may ask about other texts, as one does that has a policy write some.
    """
    responses = finished.example.responses
    return [
        each
        for each in finished.judged
        if each[0].role == "judge"
        and each[1].failure is None
        and each[0].example.responses == responses
    ]


def verdicts(finished: Finished) -> Verdicts:
    """What the judge said where it was shown two responses."""
    return {
        (comparison.order, comparison.sample): _first_won(judgment)
        for comparison, judgment in finished.judged
        if judgment.failure is None
        and len(comparison.order) == 2
        and comparison.role == "judge"
    }


def _first_won(judgment: Judgment) -> float:
    """1 if the response shown first won, 0 if the second, 0.5 for a tie."""
    first, second = judgment.scores
    return 0.5 if first == second else float(first > second)
