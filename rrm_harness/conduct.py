"""How a judge behaved over a run: ties, order, position, length, cost."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from rrm_harness.records import Comparison, Example, Judgment, Note
from rrm_harness.schedule import Finished

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

    def add(self, finished: Finished) -> None:
        """Count an example."""
        self.comparisons += len(finished.judged)
        self.judgments += finished.judgments
        self.cached += finished.stored
        self.prompt_tokens += finished.prompt_tokens
        self.completion_tokens += finished.completion_tokens
        self.notes.update(finished.outcome.notes)
        self.audit.update(finished.notes)
        self.audit["over-length"] += finished.too_long
        self.audit["over-length"] += finished.notes[Note.TRUNCATED_PROMPT]
        self.audit["empty-responses"] += sum(
            not response.strip() for response in finished.example.responses
        )
        pairs: dict[tuple[tuple[int, ...], int], float] = {}
        for comparison, judgment in finished.judged:
            if judgment.failure is not None:
                self._count_failure(comparison.example, judgment)
            elif len(comparison.order) == 2 and comparison.role == "judge":
                won = _first_won(judgment)
                self.ties.add(won == 0.5)
                self._count_length(comparison, won)
                pairs[comparison.order, comparison.sample] = won
        self._count_orders(pairs)

    def _count_failure(self, example: Example, judgment: Judgment) -> None:
        kind = str(judgment.failure)
        self.failures[kind] += 1
        text = " ".join(judgment.text.split())[-200:]
        self.first_failure.setdefault(kind, f"{example.id}: {text}")

    def _count_length(self, comparison: Comparison, won: float) -> None:
        """Count whether the longer response won; a tie counts half."""
        first, second = map(len, comparison.responses)
        if first != second:
            self.prefer_longer.add(won if first > second else 1 - won)

    def _count_orders(self, pairs: dict[tuple[tuple[int, ...], int], float]) -> None:
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
        }


def _first_won(judgment: Judgment) -> float:
    """1 if the response shown first won, 0 if the second, 0.5 for a tie."""
    first, second = judgment.scores
    return 0.5 if first == second else float(first > second)
