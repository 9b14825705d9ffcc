"""Comparisons that are asked in parts: each response alone, or cut until it fits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rrm_harness.records import Comparison, Failure, Judgment, Note, Play
from rrm_harness.too_long import shortened


@dataclass(frozen=True, slots=True)
class Part:
    """A comparison that is asked as it is."""

    comparison: Comparison


class Counts(Protocol):
    """What is counted of an example's comparisons."""

    notes: defaultdict[str, int]
    too_long: int


def in_parts(
    comparison: Comparison, pointwise: bool, truncate: bool, counts: Counts
) -> Play:
    """Ask for each response alone, or until it fits, and join what comes back."""
    orders = [(each,) for each in comparison.order] if pointwise else [comparison.order]
    shown: Comparison | None = comparison
    while shown is not None:
        asked = shown
        judgments = yield [Part(asked.only(*order)) for order in orders]
        shown = shortened(asked, judgments) if truncate else None
    if asked is not comparison:
        counts.notes[Note.TRUNCATED_PROMPT] += len(orders)
    elif truncate:
        failures = [judgment.failure for judgment in judgments]
        counts.too_long += failures.count(Failure.TOO_LONG)
    return _joined(judgments) if pointwise else judgments[0]


def _joined(judgments: Sequence[Judgment]) -> Judgment:
    """The judgments of single responses as one; a failure if any failed."""
    for judgment in judgments:
        if judgment.failure is not None:
            return judgment
    names = dict.fromkeys(name for each in judgments for name in each.attributes)
    return Judgment(
        tuple(judgment.scores[0] for judgment in judgments),
        attributes={
            name: tuple(each.attributes[name][0] for each in judgments)
            for name in names
            if all(name in each.attributes for each in judgments)
        },
    )
