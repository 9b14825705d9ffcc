"""A group's scores to its rewards; what was not judged is neither good nor bad."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import Literal

Scale = Literal["centered", "rank", "raw"]

Scores = Sequence[float | None]
"""One a completion; None if it was not judged."""


def scaled(scores: Scores, scale: Scale) -> list[float]:
    """Rewards of one group, in its order.

    `centered`: the strategy's score less the group's mean (Elo points under `elo`).
    `rank`: the share of the others that it beats less the share that beats it, -1 to
    1. `raw`: the strategy's score itself, for judges whose scores mean something
    beyond the group. What was not judged has the mean of what was: 0, but in `raw`,
    where it is NaN if nothing was.
    """
    judged = [score for score in scores if score is not None]
    mean = sum(judged) / len(judged) if judged else nan
    if scale == "rank":
        return [0.0 if each is None else _rank(each, judged) for each in scores]
    if scale == "raw":
        return [mean if each is None else each for each in scores]
    return [0.0 if each is None else each - mean for each in scores]


def _rank(score: float, judged: Sequence[float]) -> float:
    better = sum(score > other for other in judged)
    worse = sum(score < other for other in judged)
    return (better - worse) / max(1, len(judged) - 1)
