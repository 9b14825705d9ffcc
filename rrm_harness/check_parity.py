"""Compare engines on the same rows: raw scores, preferences, and why they differ.

The first engine is the reference. Where another one disagrees, what is known to go
wrong is computed with the reference and compared: the explanation that gives the
other's scores is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from rrm_harness.inputs import comparisons, requests
from rrm_harness.parity_answers import ALONE as ALONE
from rrm_harness.parity_answers import LIKELY as LIKELY
from rrm_harness.parity_answers import Answered as Answered
from rrm_harness.parity_answers import Asked as Asked
from rrm_harness.parity_answers import Make as Make
from rrm_harness.parity_answers import apart, ask
from rrm_harness.parity_faults import FAULTS as FAULTS
from rrm_harness.parity_faults import explain, wrong_by_itself
from rrm_harness.records import Comparison, Completion, Dataset, Judge

TOLERANCE = 1e-3


@dataclass(slots=True)
class Parity:
    """An engine beside the reference.

    Args:
        engine: Its name.
        rows: How many requests were compared.
        differ: How many of them are further apart than the tolerance, or, of texts,
            not the same.
        largest: The largest difference of two raw scores; None for texts.
        flips: Of judged comparisons, how many have another winner, or were judged by
            one of the two alone.
        judged: How many comparisons were judged by either.
        reasons: Why, as far as it is known; empty when they agree.
    """

    engine: str
    rows: int
    differ: int = 0
    largest: float | None = None
    flips: int = 0
    judged: int = 0
    reasons: list[str] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Whether every score, or text, is the reference's."""
        return not (self.differ or self.flips or self.reasons)


def parity(
    judge: Judge,
    engines: Mapping[str, Make],
    dataset: Dataset,
    *,
    limit: int = 16,
    tolerance: float = TOLERANCE,
) -> list[Parity]:
    """Ask every engine the same, and set each beside the first one.

    Text is asked for greedily, whatever the judge's temperature. Engines run one after
    another; the reference is opened again to explain what differs.

    Raises:
        HarnessError: The judge makes no requests, or an engine cannot run.
    """
    shown = comparisons(judge, dataset, limit)
    rows = [
        Asked(number, place, replace(request, temperature=0.0, seed=None))
        for number, comparison in enumerate(shown)
        for place, request in requests(judge, comparison)
    ]
    answers = {name: ask(make, rows) for name, make in engines.items()}
    (reference, make), *_ = engines.items()
    expected, found = answers[reference], []
    for name, answered in answers.items():
        row = Parity(name, len(rows))
        row.reasons.extend(wrong_by_itself(answered, rows, tolerance))
        if name != reference:
            _compare(row, expected, answered, tolerance)
            _count_flips(row, judge, shown, rows, (expected, answered))
            row.reasons.extend(_nothing(expected, answered))
            if row.differ and not row.reasons:
                both = (expected, answered)
                row.reasons.extend(explain(make, rows, both, tolerance))
        found.append(row)
    return found


def _compare(
    row: Parity, expected: Answered, answered: Answered, tolerance: float
) -> None:
    pairs = list(zip(expected.together, answered.together, strict=True))
    distances = [apart(first, second) for first, second in pairs]
    row.differ = sum(distance > tolerance for distance in distances)
    if any(first.scores for first, _ in pairs):
        row.largest = max(distances)
    row.reasons.extend(_failed(answered.together, expected.together))


def _nothing(expected: Answered, answered: Answered) -> list[str]:
    """Say so when no request was answered by both: agreement of failures is none."""
    pairs = zip(expected.together, answered.together, strict=True)
    if any(not (first.failure or second.failure) for first, second in pairs):
        return []
    first = expected.together[0]
    return [f"nothing compared: every request failed ({first.failure}: {first.text})"]


def _count_flips(
    row: Parity,
    judge: Judge,
    shown: Sequence[Comparison],
    rows: Sequence[Asked],
    pair: tuple[Answered, Answered],
) -> None:
    """Judge every comparison by both engines' completions; count other winners."""
    for number, comparison in enumerate(shown):
        first, second = (
            _scores(judge, comparison, number, rows, each.together) for each in pair
        )
        if first or second:
            row.judged += 1
            row.flips += len(first) != len(second) or any(
                _sign(first[a] - first[b]) != _sign(second[a] - second[b])
                for a, b in combinations(range(len(first)), 2)
            )


def _scores(
    judge: Judge,
    comparison: Comparison,
    number: int,
    rows: Sequence[Asked],
    completions: Sequence[Completion],
) -> list[float]:
    """The comparison's scores by these completions; none if any part failed."""
    mine: dict[int, list[Completion]] = {}
    for row, completion in zip(rows, completions, strict=True):
        if row.comparison == number:
            mine.setdefault(row.place, []).append(completion)
    scores: list[float] = []
    for place, parts in mine.items():
        if any(part.failure for part in parts):
            return []
        part = comparison if place < 0 else comparison.only(comparison.order[place])
        scores.extend(judge.parse(part, parts).scores)
    return scores if len(scores) == len(comparison.order) else []


def _sign(number: float) -> int:
    return (number > 0) - (number < 0)


def _failed(
    answered: Sequence[Completion], expected: Sequence[Completion]
) -> list[str]:
    pairs = zip(answered, expected, strict=True)
    told = [mine for mine, its in pairs if mine.failure and mine.failure != its.failure]
    if not told:
        return []
    return [
        f"failures: {len(told)} requests, the first {told[0].failure}: {told[0].text}"
    ]
