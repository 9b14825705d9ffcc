"""Small sums over outcomes, for strategies that combine others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from sys import float_info
from typing import Protocol

from rrm_harness.records import Comparison, Failure, Judgment, Outcome

LARGEST = float_info.max
COINS = "coins_for_failed_matches"
"""The note of a strategy that went on by chance where the judge failed."""


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


def outcome_of(shown: Comparison, judgment: Judgment) -> Outcome:
    """What one judgment says about the responses that were shown."""
    if judgment.failure is not None:
        return Outcome(failure=judgment.failure, order=shown.order)
    scores = dict(zip(shown.order, judgment.scores, strict=True))
    return Outcome(scores, order=shown.order)


def tally(votes: Iterable[Outcome]) -> dict[int, Fraction | int]:
    """Votes per response that got any, a split vote in exact equal parts."""
    counted: dict[int, Fraction | int] = {}
    for vote in votes:
        won = vote.winners
        part = 1 if len(won) == 1 else Fraction(1, max(1, len(won)))
        for index in won:
            counted[index] = counted.get(index, 0) + part
    return counted


def common_order(outcomes: Iterable[Outcome]) -> tuple[int, ...]:
    """The order shown, if it was the same in all."""
    orders = {outcome.order for outcome in outcomes}
    return orders.pop() if len(orders) == 1 else ()


def first_failure(outcomes: Iterable[Outcome]) -> Failure | None:
    """The failure of the first outcome that has one."""
    return next((each.failure for each in outcomes if each.failure is not None), None)


def any_uncertain(outcomes: Iterable[Uncertain]) -> bool:
    """Whether failures could have changed any of them."""
    return any(outcome.uncertain for outcome in outcomes)


def sum_scores(outcomes: Iterable[Outcome], weight: float = 1.0) -> dict[int, float]:
    """Add the scores of each response; a sum stays within the finite numbers."""
    total: dict[int, float] = {}
    for outcome in outcomes:
        for index, score in outcome.scores.items():
            added = total.get(index, 0.0) + weight * score
            total[index] = max(-LARGEST, min(LARGEST, added))
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
