"""The tree of a knockout, found again in what was compared and who survived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Line = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Match:
    """Two responses that met, and the matches that they came from.

    Args:
        round: Counted from 1.
        players: Response numbers, the upper one first.
        winners: Who advanced; two in a tied final.
        votes: Comparisons that each player won, that were tied, that failed.
        before: The players' matches before this one; None for one that had none.
    """

    round: int
    players: tuple[int, int]
    winners: tuple[int, ...]
    votes: tuple[int, int, int, int]
    before: tuple[Match | None, Match | None] = field(default=(None, None))

    def table(self) -> dict[str, Any]:
        """The tree as nested objects, ready for JSON."""
        return {
            "round": self.round,
            "players": self.players,
            "winners": self.winners,
            "votes": self.votes,
            "before": [each and each.table() for each in self.before],
        }


def final(scores: Sequence[float | None] | None, compared: Sequence[Line]) -> Any:
    """Return the final of a knockout with all that led to it, or None.

    A knockout's score is the number of rounds survived, so two that met did so in the
    round after the lower one's last. None is for what is no single knockout: it has no
    outcome, or its matches do not make one tree.
    """
    met: dict[tuple[int, int], list[Line]] = {}
    for line in compared:
        if len(line["order"]) == 2:
            low, high = sorted(line["order"])
            met.setdefault((low, high), []).append(line)
    known = {i: score for i, score in enumerate(scores or ()) if score is not None}
    if not met or any(player not in known for pair in met for player in pair):
        return None
    last = max(known.values())
    rounds = {pair: min(min(known[i] for i in pair) + 1, last) for pair in met}
    tree = _grown(met, rounds, known)
    return tree if _size(tree) == len(met) == len(known) - 1 else None


def _grown(
    met: Mapping[tuple[int, int], Sequence[Line]],
    rounds: Mapping[tuple[int, int], float],
    scores: Mapping[int, float],
) -> Match:
    """Build the matches round by round, each on its players' latest ones."""
    latest: dict[int, Match] = {}
    for pair in sorted(met, key=lambda pair: (rounds[pair], pair)):
        players = tuple(met[pair][0]["order"])
        best = max(scores[i] for i in pair)
        match = Match(
            int(rounds[pair]),
            players,
            tuple(i for i in players if scores[i] == best),
            votes(players, met[pair]),
            (latest.get(players[0]), latest.get(players[1])),
        )
        latest.update(dict.fromkeys(players, match))
    return match


def votes(pair: Sequence[int], compared: Sequence[Line]) -> tuple[int, int, int, int]:
    """Count the comparisons that each of two won, that were tied, that failed."""
    counts = [0, 0, 0, 0]
    for line in compared:
        counts[3 if "scores" not in line else _won(pair, line)] += 1
    return counts[0], counts[1], counts[2], counts[3]


def _won(pair: Sequence[int], line: Line) -> int:
    first, second = line["scores"]
    if first == second:
        return 2
    return pair.index(line["order"][0 if first > second else 1])


def _size(match: Match | None) -> int:
    return 1 + sum(map(_size, match.before)) if match else 0
