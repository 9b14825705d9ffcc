"""Add up a run: each example's line on paper, and the results of all."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from rrm_harness.bias import Bias
from rrm_harness.calibration import Calibration
from rrm_harness.conduct import Conduct
from rrm_harness.metrics import Numbers, Rule
from rrm_harness.records import Failure
from rrm_harness.schedule import Finished
from rrm_harness.scored import Rows, Scored


class Tally:
    """Takes finished examples in order and knows the results at the end.

    Examples that failed by a kind in `skipped` are left out of the numbers. Of a judge
    whose scores are no `logits` there is no calibration, unless they are shares.
    """

    def __init__(
        self, rule: Rule, skipped: Collection[Failure] = (), *, logits: bool = True
    ) -> None:
        self._rule = rule
        self._skipped = skipped
        self._rows = Rows()
        self._conduct = Conduct()
        self._calibration = Calibration(logits)
        self._bias = Bias()

    @property
    def examples(self) -> int:
        """How many examples were added."""
        return len(self._rows)

    def add(self, finished: Finished) -> dict[str, Any]:
        """Count an example; return its line for outcomes.jsonl."""
        row = self._rule.row(finished.example, finished.outcome)
        if row.failure in self._skipped:
            row = row._replace(credit=None)
        self._rows.append(row)
        for each in (self._conduct, self._calibration, self._bias):
            each.add(finished)
        return _line(finished, row)

    def results(self) -> dict[str, Any]:
        """Return the benchmark's numbers and how the judge behaved, ready for JSON."""
        rows = self._rows
        return {
            "examples": len(rows),
            **self._numbers(),
            "tie_rate": rows.tied / len(rows),
            "failed_examples": rows.failed,
            **self._conduct.results(),
            "calibration": self._calibration.results(),
            "bias": self._bias.results(),
        }

    def _numbers(self) -> dict[str, Any]:
        if not self._rows.counted():
            return _NOTHING_SCORED
        numbers: Numbers = self._rule.numbers(self._rows)
        return {
            "n": numbers.n,
            "accuracy": numbers.accuracy,
            "accuracy_low": numbers.interval.low,
            "accuracy_high": numbers.interval.high,
            "interval": numbers.interval.method,
            "bounds": list(numbers.bounds),
            "subsets": numbers.subsets,
            "missing_subsets": self._rule.missing(numbers.subsets),
            "sections": numbers.sections,
            "extra": numbers.extra,
        }


_NOTHING_SCORED: dict[str, Any] = {
    "n": 0,
    "accuracy": None,
    "accuracy_low": None,
    "accuracy_high": None,
    "interval": "none",
    "bounds": [0.0, 1.0],
    "subsets": {},
    "missing_subsets": [],
    "sections": {},
    "extra": {},
}


def _line(finished: Finished, row: Scored) -> dict[str, Any]:
    example, outcome = finished.example, finished.outcome
    return {
        "id": example.id,
        "subset": example.subset,
        "cluster": row.cluster,
        "lengths": [*map(len, example.responses)],
        "correct": list(example.correct),
        "scores": [outcome.scores.get(i) for i in range(len(example.responses))]
        if outcome.scores
        else None,
        "winners": list(outcome.winners),
        "failure": outcome.failure,
        "credit": row.credit,
        "notes": dict(sorted(outcome.notes.items())),
        "comparisons": [
            {
                "order": list(comparison.order),
                "sample": comparison.sample,
                **({"role": comparison.role} if comparison.role != "judge" else {}),
                **(
                    {"failure": judgment.failure}
                    if judgment.failure is not None
                    else {"scores": list(judgment.scores)}
                ),
            }
            for comparison, judgment in finished.judged
        ],
    }
