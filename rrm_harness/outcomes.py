"""Small sums over outcomes, for strategies that combine others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from rrm_harness.records import Failure, Outcome


class Uncertain(Protocol):
    """Anything that failures could have changed."""

    @property
    def uncertain(self) -> bool:
        """Whether they could."""
        ...


class Noted(Protocol):
    """Anything with notes."""

    @property
    def notes(self) -> Mapping[str, int]:
        """Counts by name."""
        ...


def first_failure(outcomes: Iterable[Outcome]) -> Failure | None:
    """The failure of the first outcome that has one."""
    return next((each.failure for each in outcomes if each.failure is not None), None)


def any_uncertain(outcomes: Iterable[Uncertain]) -> bool:
    """Whether failures could have changed any of them."""
    return any(outcome.uncertain for outcome in outcomes)


def sum_scores(outcomes: Iterable[Outcome], weight: float = 1.0) -> dict[int, float]:
    """Add the scores of each response."""
    total: dict[int, float] = {}
    for outcome in outcomes:
        for index, score in outcome.scores.items():
            total[index] = total.get(index, 0.0) + weight * score
    return total


def sum_notes(*groups: Sequence[Noted]) -> dict[str, int]:
    """Add the notes of all."""
    return add_notes(*(each.notes for group in groups for each in group))


def add_notes(*notes: Mapping[str, int]) -> dict[str, int]:
    """Add counts by name."""
    total: Counter[str] = Counter()
    for each in notes:
        total.update(each)
    return dict(total)
