"""JudgeBench: hard pairs with an objectively correct side, each judged twice."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rrm_harness import (
    BadRow,
    DataError,
    Dataset,
    Example,
    Outcome,
    Register,
    Rule,
    Scored,
    hookimpl,
    rows,
)

Games = Literal["official", "strict", "single"]

SUBSETS = {
    "mmlu-pro": "Knowledge",
    "livebench-reasoning": "Reasoning",
    "livebench-math": "Math",
    "livecodebench": "Coding",
}
RIGHT, DRAWN, WRONG = 1, 0, -1


@dataclass(frozen=True)
class TwoGames(Rule):
    """What the two games of `both-orders` are worth together: one or nothing.

    `official`: a game won is +1, lost -1, tied or failed 0, and the sum must be
    positive. `strict`: both games must be won. `single`: only the first one counts.
    Without two games, as of a reward model under `single`, the one outcome must win.
    """

    games: Games = "official"

    def credit(self, example: Example, outcome: Outcome) -> float | None:
        return self._decide(_points(example, outcome, failed=DRAWN))

    def credit_bounds(self, example: Example, outcome: Outcome) -> tuple[float, float]:
        if not outcome.games:
            return super().credit_bounds(example, outcome)
        low, high = (_points(example, outcome, failed) for failed in (WRONG, RIGHT))
        return self._decide(low), self._decide(high)

    def _decide(self, points: Sequence[int]) -> float:
        won = {
            "official": sum(points) > 0,
            "strict": all(point == RIGHT for point in points),
            "single": points[0] == RIGHT,
        }
        return float(won[self.games])

    def values(self, example: Example, outcome: Outcome) -> Mapping[str, float]:
        if not outcome.games:
            return {}
        first, second = _points(example, outcome, failed=DRAWN)
        decisions = {game.winners for game in outcome.games}  # none for a failure
        return {
            "order_1": float(first == RIGHT),
            "order_2": float(second == RIGHT),
            "both_orders": float(first == second == RIGHT),
            "inconsistent": float(len(decisions) > 1),
        }

    def extra(self, rows: Sequence[Scored]) -> dict[str, Any]:
        played = [row.values for row in rows if row.values]
        if not played:
            return {}
        totals = {name: sum(each[name] for each in played) for name in played[0]}
        return {
            "both_orders_accuracy": totals["both_orders"] / len(played),
            "order_1_accuracy": totals["order_1"] / len(played),
            "order_2_accuracy": totals["order_2"] / len(played),
            "inconsistent_pairs": int(totals["inconsistent"]),
        }


def _points(example: Example, outcome: Outcome, failed: int) -> list[int]:
    """Count each game as won, lost or neither; a single outcome is one game."""
    games = outcome.games or (outcome,)
    return [_point(example, game, failed) for game in games]


def _point(example: Example, game: Outcome, failed: int) -> int:
    if game.failure is not None or (failed != DRAWN and game.uncertain):
        return failed
    if len(game.winners) != 1:
        return DRAWN
    return RIGHT if game.winners[0] in example.correct else WRONG


@dataclass(frozen=True)
class JudgeBench(Dataset):
    """JudgeBench: 350 pairs of GPT-4o's responses, or 270 of Claude 3.5 Sonnet's.

    Each pair is judged in both orders. Officially a game won counts +1, lost -1, tied
    or failed 0, and the pair is right if the sum is positive: a win and a tie will do.
    `games=strict` asks for two wins, `games=single` reads the first order alone, as
    the published figures of reward models do. The headline is the mean over all pairs.
    `path` is a file of the published format instead of the hub's.

    Source: ScalerLab/JudgeBench@e2c52c2, utils/metrics.py and run_judge.py.
    """

    split: Literal["gpt", "claude"] = "gpt"
    path: Path | None = None
    games: Games = "official"

    protocol = "both-orders"

    @property
    def name(self) -> str:
        return f"judgebench:{self.path.name if self.path else self.split}"

    @property
    def revision(self) -> str:
        return self._source.identity

    @property
    def rule(self) -> Rule:
        return TwoGames(tie="wrong", games=self.games)

    @property
    def _source(self) -> rows.Source:
        return rows.Source("ScalerLab/JudgeBench", self.split, path=self.path)

    def examples(self) -> Iterator[Example | BadRow]:
        return rows.convert(self._source.rows(), _to_examples)


def _to_examples(row: rows.Row) -> list[Example]:
    correct = {"A>B": 0, "B>A": 1}
    return [
        Example(
            id=rows.identifier(row, "pair_id"),
            prompt=rows.messages(row, "question"),
            responses=(rows.text(row, "response_A"), rows.text(row, "response_B")),
            correct=(correct[rows.choice(row, "label", correct)],),
            subset=_subset(row),
            metadata={"source": row["source"]},
        )
    ]


def _subset(row: rows.Row) -> str:
    source = rows.text(row, "source")
    for prefix, subset in SUBSETS.items():
        if source.startswith(prefix):
            return subset
    raise DataError(
        f"field 'source' must begin with {' or '.join(SUBSETS)}; it is {source!r:.60}"
    )


@hookimpl
def register_datasets(register: Register) -> None:
    register("judgebench", JudgeBench)
