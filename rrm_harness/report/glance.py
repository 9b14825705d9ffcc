"""An outcome at a glance: what became of an example, and by how much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FAILED, WRONG, TIE, PART, RIGHT, LEFT_OUT = (
    "failed",
    "wrong",
    "tie",
    "part",
    "right",
    "left-out",
)
KINDS = (FAILED, WRONG, TIE, PART, RIGHT, LEFT_OUT)
"""What a reader looks at first is first. `part` has some credit without a tie."""


@dataclass(frozen=True, slots=True)
class Glance:
    """What is known of an example without its texts.

    Args:
        kind: One of KINDS.
        credit: What the benchmark's rule pays, 0–1; None if it leaves the example out.
        margin: The best correct response's score less the best wrong one's, in the
            strategy's units; None where there is no such pair or no outcome.
        cluster: Its prompt's.
    """

    kind: str
    credit: float | None
    margin: float | None
    cluster: str

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> Glance:
        """Look at a line of outcomes.jsonl."""
        return cls(_kind(line), line["credit"], _margin(line), line["cluster"])


def _kind(line: Mapping[str, Any]) -> str:
    credit = line["credit"]
    if line["failure"] is not None:
        return FAILED
    if credit is None:
        return LEFT_OUT
    if credit >= 1:
        return RIGHT
    if len(line["winners"]) > 1:
        return TIE
    return PART if credit > 0 else WRONG


def _margin(line: Mapping[str, Any]) -> float | None:
    scored = enumerate(line["scores"] or ())
    known = [(i in line["correct"], score) for i, score in scored if score is not None]
    right = [score for correct, score in known if correct]
    wrong = [score for correct, score in known if not correct]
    return max(right) - max(wrong) if right and wrong else None
