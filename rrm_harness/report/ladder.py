"""The standings of a round robin: each response's rating and its games."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rrm_harness.report.bracket import votes

Line = Mapping[str, Any]


def ladder(
    scores: Sequence[float | None] | None, compared: Sequence[Line]
) -> list[dict[str, Any]] | None:
    """Return the responses, best rating first, with games won, lost and tied.

    Games are comparisons, votes each for itself. None if there was no outcome.
    """
    if not scores:
        return None
    games = [line for line in compared if len(line["order"]) == 2]
    rated = [(score, i) for i, score in enumerate(scores) if score is not None]
    standings = []
    for rating, response in sorted(rated, key=lambda pair: (-pair[0], pair[1])):
        won = lost = tied = 0
        for line in games:
            if response in line["order"]:
                first, second = line["order"]
                pair = (response, second if first == response else first)
                one, other, even, _ = votes(pair, [line])
                won, lost, tied = won + one, lost + other, tied + even
        standings.append(
            {
                "response": response,
                "rating": rating,
                "won": won,
                "lost": lost,
                "tied": tied,
            }
        )
    return standings
