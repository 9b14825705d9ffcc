"""What engines answer to the same requests, and how far two answers are apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from math import inf, isfinite

from rrm_harness.inputs import completions
from rrm_harness.records import Completion, Engine, Request

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


def ask(make: Make, rows: Sequence[Asked]) -> Answered:
    """Ask an engine everything: together, one by one, and after loading anew."""
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


def apart(first: Completion, second: Completion) -> float:
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
