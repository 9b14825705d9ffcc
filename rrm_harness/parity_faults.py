"""The known faults of engines: what shows by itself, and what gives wrong scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import exp
from typing import Any

from rrm_harness.errors import EngineError
from rrm_harness.parity_answers import ALONE, Answered, Asked, Make, apart
from rrm_harness.records import Completion, Note, Request


def wrong_by_itself(
    answered: Answered, rows: Sequence[Asked], tolerance: float
) -> Iterator[str]:
    """What shows without a reference: loads, batches and inputs that differ."""
    some = list(zip(answered.alone, answered.again, strict=True))
    if any(apart(first, second) > tolerance for first, second in some):
        yield (
            "random head: the same inputs score differently after loading anew, so part"
            " of the weights is random (the checkpoint lacks them)"
        )
        return
    batched = list(zip(answered.alone, answered.together, strict=False))
    if any(apart(first, second) > tolerance for first, second in batched):
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


def explain(
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
    told = [at for at in range(len(rows)) if apart(its[at], mine[at]) > tolerance]
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
    return apart(Completion(scores=scores), answered) <= tolerance
