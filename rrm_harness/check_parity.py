"""Compare engines on the same rows: raw scores, preferences, and why they differ.

The first engine is the reference. Where another one disagrees, what is known to go
wrong is computed with the reference and compared: the explanation that gives the
other's scores is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import combinations
from math import exp, inf, isfinite
from typing import Any

from rrm_harness.errors import EngineError
from rrm_harness.inputs import comparisons, completions, requests
from rrm_harness.records import (
    Comparison,
    Completion,
    Dataset,
    Engine,
    Judge,
    Note,
    Request,
)

TOLERANCE = 1e-3
ALONE = 6
"""How many inputs are also asked one by one, and after loading anew."""
Make = Callable[[], Engine]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and the comparison and the response that it is about; -1 for all."""

    comparison: int
    place: int
    request: Request


@dataclass(frozen=True, slots=True)
class Answered:
    """What one engine answered: all at once, one by one, and after loading anew."""

    together: list[Completion]
    alone: list[Completion]
    again: list[Completion]
    ids: list[tuple[int, ...]]


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
    answers = {name: _answers(make, rows) for name, make in engines.items()}
    (reference, make), *_ = engines.items()
    expected, found = answers[reference], []
    for name, answered in answers.items():
        row = Parity(name, len(rows))
        row.reasons.extend(_wrong_by_itself(answered, rows, tolerance))
        if name != reference:
            _compare(row, expected, answered, tolerance)
            _count_flips(row, judge, shown, rows, (expected, answered))
            row.reasons.extend(_nothing(expected, answered))
            if row.differ and not row.reasons:
                both = (expected, answered)
                row.reasons.extend(_explain(make, rows, both, tolerance))
        found.append(row)
    return found


def _answers(make: Make, rows: Sequence[Asked]) -> Answered:
    asked = [row.request for row in rows]
    with closing(make()) as engine:
        together = completions(engine, asked)
        alone = _one_by_one(engine, asked[:ALONE])
        tokens = getattr(engine, "tokens", None)
        ids = [tuple(tokens(each)) for each in asked] if tokens else []
    if asked[0].kind == "generate":  # no head that a load could leave random
        return Answered(together, alone, alone, ids)
    with closing(make()) as engine:
        again = _one_by_one(engine, asked[:ALONE])
    return Answered(together, alone, again, ids)


def _one_by_one(engine: Engine, asked: Sequence[Request]) -> list[Completion]:
    return [completions(engine, [each])[0] for each in asked]


def _compare(
    row: Parity, expected: Answered, answered: Answered, tolerance: float
) -> None:
    pairs = list(zip(expected.together, answered.together, strict=True))
    apart = [_apart(first, second) for first, second in pairs]
    row.differ = sum(distance > tolerance for distance in apart)
    if any(first.scores for first, _ in pairs):
        row.largest = max(apart)
    row.reasons.extend(_failed(answered.together, expected.together))


def _nothing(expected: Answered, answered: Answered) -> list[str]:
    """Say so when no request was answered by both: agreement of failures is none."""
    pairs = zip(expected.together, answered.together, strict=True)
    if any(not (first.failure or second.failure) for first, second in pairs):
        return []
    first = expected.together[0]
    return [f"nothing compared: every request failed ({first.failure}: {first.text})"]


def _apart(first: Completion, second: Completion) -> float:
    """The largest difference of raw scores; of texts none, or infinity."""
    if first.failure or second.failure:
        return 0.0 if first.failure == second.failure else inf
    if first.logprobs or second.logprobs:
        return _logprobs_apart(first.logprobs, second.logprobs)
    if not first.scores and not second.scores:
        return 0.0 if first.text == second.text else inf
    if len(first.scores) != len(second.scores):
        return inf
    together = zip(first.scores, second.scores, strict=True)
    distance = max(abs(one - other) for one, other in together)
    return distance if isfinite(distance) else inf


LIKELY = 5
"""How many of the likeliest first tokens are compared."""


def _logprobs_apart(first: Mapping[str, float], second: Mapping[str, float]) -> float:
    """The largest difference over the reference's likeliest tokens."""
    likely = sorted(first, key=lambda token: -first[token])[:LIKELY]
    if not likely or not set(likely) <= set(second):
        return inf
    return max(abs(first[token] - second[token]) for token in likely)


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


def _wrong_by_itself(
    answered: Answered, rows: Sequence[Asked], tolerance: float
) -> Iterator[str]:
    """What shows without a reference: loads, batches and inputs that differ."""
    some = list(zip(answered.alone, answered.again, strict=True))
    if any(_apart(first, second) > tolerance for first, second in some):
        yield (
            "random head: the same inputs score differently after loading anew, so part"
            " of the weights is random (the checkpoint lacks them)"
        )
        return
    batched = list(zip(answered.alone, answered.together, strict=False))
    if any(_apart(first, second) > tolerance for first, second in batched):
        yield (
            "padding: an input scores differently alone and beside longer ones; the"
            " padding's side, its mask or the position that is read is wrong"
        )
    twice = any(Note.DOUBLE_BOS in each.notes for each in answered.together)
    meant = any(row.request.bos == "double" for row in rows)
    if (twice or any(_begins_twice(ids) for ids in answered.ids)) and not meant:
        yield "double BOS: inputs begin with the same special token twice"


def _begins_twice(ids: Sequence[int]) -> bool:
    return len(ids) > 1 and ids[0] == ids[1]


def _explain(
    make: Make,
    rows: Sequence[Asked],
    pair: tuple[Answered, Answered],
    tolerance: float,
) -> Iterator[str]:
    """Name what gives the other engine's answers."""
    expected, answered = pair
    lengths = [
        mine.prompt_tokens - its.prompt_tokens
        for its, mine in zip(expected.together, answered.together, strict=True)
        if mine.prompt_tokens and its.prompt_tokens
    ]
    if rows[0].request.kind == "score":
        told = list(_explained_scores(make, rows, pair, tolerance))
        if told:
            yield from told
            return
    if lengths and min(lengths) < 0 <= max(lengths):
        yield (
            "truncation: the longer inputs are shorter than the reference's; the end of"
            " what was asked is lost"
        )
    elif lengths and set(lengths) != {0}:
        yield (
            f"tokens: inputs differ by {min(lengths)} to {max(lengths)} tokens; another"
            " chat template or tokenizer"
        )
    elif expected.ids and answered.ids and expected.ids != answered.ids:
        yield "tokens: the same number of tokens, but not the same ones"
    else:
        yield (
            "unknown: the inputs are the same; the precision, the weights or the model"
            " code differ"
        )


@dataclass(frozen=True, slots=True)
class _Fault:
    """A known mistake: its name, and the scores that it gives."""

    name: str
    scores: Callable[[Any, Request], Sequence[float]]


def _read(engine: Any, ids: Sequence[int], **how: Any) -> Sequence[float]:
    values: Sequence[float] = engine.score_ids(ids, **how).values
    return values


def _sigmoid(engine: Any, request: Request) -> list[float]:
    raw = _read(engine, engine.tokens(request))
    return [1 / (1 + exp(-max(-700.0, each))) for each in raw]


def _doubled(engine: Any, request: Request) -> Sequence[float]:
    ids = engine.tokens(request)
    return _read(engine, (ids[0], *ids))


FAULTS = (
    _Fault("activation: a sigmoid was put on the raw scores", _sigmoid),
    _Fault("double BOS: inputs begin with the same special token twice", _doubled),
    _Fault(
        "no BOS: inputs lack their first special token",
        lambda engine, request: _read(engine, engine.tokens(request)[1:]),
    ),
    _Fault(
        "cut reward token: the last token of the inputs is lost, and the score is read"
        " before it",
        lambda engine, request: _read(
            engine, ids := engine.tokens(request)[:-1], positions=[len(ids) - 1]
        ),
    ),
    _Fault(
        "pooling: the score is read one token before the last",
        lambda engine, request: _read(
            engine, ids := engine.tokens(request), positions=[len(ids) - 2]
        ),
    ),
    _Fault(
        "pooling: the score is read at the first token",
        lambda engine, request: _read(engine, engine.tokens(request), positions=[0]),
    ),
)


def _explained_scores(
    make: Make,
    rows: Sequence[Asked],
    pair: tuple[Answered, Answered],
    tolerance: float,
) -> Iterator[str]:
    """The faults that, put on the reference, give the other engine's scores."""
    reference: Any = make()
    its, mine = (each.together for each in pair)
    told = [at for at in range(len(rows)) if _apart(its[at], mine[at]) > tolerance]
    try:
        for fault in FAULTS if hasattr(reference, "score_ids") else ():
            if all(
                _same(fault, reference, rows[at].request, mine[at], tolerance)
                for at in told[:ALONE]
            ):
                yield fault.name
                return
    finally:
        reference.close()


def _same(
    fault: _Fault,
    reference: Any,
    request: Request,
    answered: Completion,
    tolerance: float,
) -> bool:
    try:
        scores = tuple(fault.scores(reference, request))
    except (EngineError, IndexError, ValueError, RuntimeError):
        return False  # this head cannot be read that way
    return _apart(Completion(scores=scores), answered) <= tolerance
