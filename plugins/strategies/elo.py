"""A round robin, rated."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Literal

from rrm_harness import (
    Comparison,
    Outcome,
    Play,
    Register,
    SpecError,
    Strategy,
    chance,
    hookimpl,
)
from rrm_harness.outcomes import any_uncertain, first_failure, sum_notes

from .single import Single
from .voting import Voting, refuse_votes

_Pair = tuple[int, int]
_Match = tuple[_Pair, tuple[int, ...]]  # the pair and who won
_Ratings = dict[int, float]

INITIAL, BASE, SCALE, K_FACTOR = 1000.0, 10.0, 400.0, 4.0
CROWD = 2000
"""The most responses whose strengths are fitted: two million pairs have a prior."""
PRIOR = 0.1
"""The weight of one drawn game for every pair, played or not: without it an unbeaten
response's Bradley-Terry strength is infinite, and one without matches has none."""


@dataclass(frozen=True)
class Elo(Strategy):
    """Every pair once, or some of them; scores are ratings, the highest wins.

    `rating=elo` rates the matches one after the other in an order drawn from the
    seed and the example, with the published parameters (initial 1000, base 10, scale
    400, K 4). `rating=bradley-terry` does not depend on any order. Each pair is shown
    in a seeded order unless an inner strategy says otherwise; `k` votes settle it. A
    tied match is half a win to each; a failed one is left out; the outcome fails when
    no match has a result.

    With `opponents=m` each response meets m of the others, as many for each: they
    stand in a circle in an order drawn from the seed and the example, and meet their
    neighbors. Where that cannot come out even, one of them meets m + 1.

    Source: microsoft/LMOps@af6bc85, RRM-evaluation, elo_rival_results.py.
    """

    relative = True

    k: int = 1
    rating: Literal["elo", "bradley-terry"] = "elo"
    opponents: int | None = None
    inner: Strategy = field(default_factory=lambda: Single("seeded"))

    def __post_init__(self) -> None:
        refuse_votes("elo", self.k)
        if self.opponents is not None and self.opponents < 1:
            raise SpecError(
                f"elo,opponents={self.opponents}: a response meets at least one; leave"
                " the option out for all"
            )

    @property
    def _match(self) -> Strategy:
        return Voting(self.k, inner=self.inner) if self.k > 1 else self.inner

    def play(self, comparison: Comparison) -> Play:
        self._refuse_crowd(len(comparison.order))
        pairs = self._drawn(comparison)
        if not pairs:
            return Outcome(dict.fromkeys(comparison.order, INITIAL))
        games = yield [self._match.play(comparison.only(*pair)) for pair in pairs]
        played = [
            (pair, game.winners)
            for pair, game in zip(pairs, games, strict=True)
            if game.failure is None
        ]
        notes = sum_notes(games)
        if len(played) < len(games):
            notes["matches_left_out"] = len(games) - len(played)
        if not played:
            return Outcome(failure=first_failure(games), notes=notes)
        key = (comparison.seed, comparison.example.id, "matches", comparison.sample)
        shuffled = [played[i] for i in chance.permutation(len(played), *key)]
        ratings = self._rate(shuffled, comparison.order)
        scores = {index: ratings.get(index, INITIAL) for index in comparison.order}
        uncertain = any_uncertain(games) or len(played) < len(games)
        return Outcome(scores, uncertain=uncertain, notes=notes)

    def _refuse_crowd(self, players: int) -> None:
        """Refuse to fit strengths to more pairs than memory holds.

        Raises:
            SpecError: They are too many.
        """
        if self.rating == "bradley-terry" and players > CROWD:
            raise SpecError(
                f"elo,rating=bradley-terry takes at most {CROWD:,} responses, and there"
                f" are {players:,}, of which every pair has a prior; use rating=elo"
            )

    def _drawn(self, comparison: Comparison) -> list[_Pair]:
        """The pairs that meet, in the order of all; of which there may be millions."""
        order, met = comparison.order, self.opponents
        if met is None or met >= len(order) - 1:
            return list(combinations(order, 2))
        key = (comparison.seed, comparison.example.id, "opponents", comparison.sample)
        circle = chance.permutation(len(order), *key)
        drawn = {
            (min(circle[a], circle[b]), max(circle[a], circle[b]))
            for a, b in _neighbors(len(order), met)
        }
        return [(order[a], order[b]) for a, b in sorted(drawn)]

    def _rate(self, matches: Sequence[_Match], players: Sequence[int]) -> _Ratings:
        import evalica

        if self.rating == "elo":
            elo = evalica.elo(
                *_columns(matches), initial=INITIAL, base=BASE, scale=SCALE, k=K_FACTOR
            )
            return {int(i): float(score) for i, score in elo.scores.items()}
        ordered = sorted(matches)
        pairs = sorted(combinations(players, 2))
        draws = [(pair, pair) for pair in pairs]
        fit = evalica.bradley_terry(
            *_columns([*ordered, *draws]),
            weights=[1.0] * len(ordered) + [PRIOR] * len(draws),
            tolerance=1e-12,
            limit=100_000,
        )
        return {int(i): float(f"{score:.9g}") for i, score in fit.scores.items()}

    def cost(self, responses: int) -> int:
        rivals = min(self.opponents or responses, responses - 1)
        return (responses * rivals + 1) // 2 * self._match.cost(2)


def _neighbors(responses: int, met: int) -> Iterator[_Pair]:
    """Places on a circle that meet: neighbors, and across it if `met` is odd."""
    for place in range(responses):
        for step in range(1, met // 2 + 1):
            yield place, (place + step) % responses
    across = responses // 2
    for place in range(responses - across if met % 2 else 0):
        yield place, place + across


def _columns(matches: Sequence[_Match]) -> tuple[list[int], list[int], list[Any]]:
    """First players, second players and results, as evalica takes them."""
    from evalica import Winner

    results = [
        Winner.Draw if len(won) > 1 else Winner.X if won[0] == first else Winner.Y
        for (first, _), won in matches
    ]
    return [pair[0] for pair, _ in matches], [pair[1] for pair, _ in matches], results


@hookimpl
def register_strategies(register: Register) -> None:
    register("elo", Elo)
