"""LLMBar: which of two outputs follows the instruction, each pair judged twice."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
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
    SpecError,
    hookimpl,
    rows,
)

FOLDERS = {
    "Natural": "Natural",
    "Neighbor": "Adversarial_Neighbor",
    "GPTInst": "Adversarial_GPTInst",
    "GPTOut": "Adversarial_GPTOut",
    "Manual": "Adversarial_Manual",
}
SECTIONS = {"Natural": ["Natural"], "Adversarial": [*FOLDERS][1:]}
TIED, FAILED = -1, -2


@dataclass(frozen=True)
class BothShown(Rule):
    """The mean of the two orders; a tie and a failure are decided in each order.

    `equal=second`: a tie goes to the response shown second; `half` and `wrong` are
    its worth. `unread=first`: a failure goes to the response shown first. An outcome
    that is not of two orders is its own credit, where either position is a half.
    """

    equal: Literal["second", "half", "wrong"] = "second"
    unread: Literal["wrong", "first"] = "wrong"

    def credit(self, example: Example, outcome: Outcome) -> float | None:
        if not outcome.games:
            return super().credit(example, outcome)
        return sum(self._credits(example, outcome)) / 2

    def credit_bounds(self, example: Example, outcome: Outcome) -> tuple[float, float]:
        if not outcome.games:
            return super().credit_bounds(example, outcome)
        failed = [game.failure is not None or game.uncertain for game in outcome.games]
        played = zip(self._credits(example, outcome), failed, strict=True)
        sure = sum(credit for credit, unsure in played if not unsure)
        return sure / 2, (sure + sum(failed)) / 2

    def _winners(self, outcome: Outcome) -> list[int]:
        """Decide the game of each order."""
        return [self._winner(game) for game in outcome.games]

    def _winner(self, game: Outcome) -> int:
        if game.failure is not None:
            first = self.unread == "first" and game.order
            return game.order[0] if first else FAILED
        if len(game.winners) > 1:
            second = self.equal == "second" and game.order
            return game.order[1] if second else TIED
        return game.winners[0]

    def _credits(self, example: Example, outcome: Outcome) -> list[float]:
        worth = {TIED: 0.5 if self.equal == "half" else 0.0, FAILED: 0.0}
        return [
            worth.get(winner, float(winner in example.correct))
            for winner in self._winners(outcome)
        ]

    def values(self, example: Example, outcome: Outcome) -> Mapping[str, float]:
        if not outcome.games:
            return {}
        first, second = (credit == 1 for credit in self._credits(example, outcome))
        return {
            "correct_first_order": first,
            "correct_second_order": second,
            "correct_both": first and second,
            "equal": len(set(self._winners(outcome))) == 1,
        }

    def extra(self, rows: Sequence[Scored]) -> dict[str, Any]:
        ordered = sorted((row for row in rows if row.values), key=_subset)
        return {
            subset: _counts(list(group)) for subset, group in groupby(ordered, _subset)
        }


def _subset(row: Scored) -> str:
    return row.subset


def _counts(rows: Sequence[Scored]) -> dict[str, int]:
    totals = {
        name: int(sum(row.values[name] for row in rows)) for name in rows[0].values
    }
    return {"n": len(rows), **totals}


@dataclass(frozen=True)
class LLMBar(Dataset):
    """LLMBar: 419 pairs in five subsets, four of them adversarial.

    Each pair is judged in both orders and counts the mean of the two. As published, a
    tie of ratings goes to the response shown second, so it is right in one order;
    `tie=half` and `tie=wrong` change that. An unreadable verdict is wrong in its
    order; `failure=first` has it go to the response shown first, as published for
    ratings. The headline is the mean of the five subsets. `path` is the folder
    Dataset/LLMBar of the repository.

    Source: princeton-nlp/LLMBar@caa7bee, LLMEvaluator/evaluate.py.
    """

    path: Path | None = None
    tie: Literal["second", "half", "wrong"] = "second"
    failure: Literal["wrong", "first"] = "wrong"

    name = "llmbar"
    protocol = "both-orders"

    def __post_init__(self) -> None:
        if self.path is None:
            raise SpecError(
                "llmbar needs path=FOLDER: the folder Dataset/LLMBar of a clone of"
                " https://github.com/princeton-nlp/LLMBar"
            )

    @property
    def revision(self) -> str:
        return rows.fingerprint(self._files().values())

    @property
    def rule(self) -> Rule:
        return BothShown(
            tie="wrong" if self.tie == "wrong" else "half",
            failure="wrong" if self.failure == "wrong" else "half",
            sections=SECTIONS,
            weights=dict.fromkeys(FOLDERS, 1.0),
            average="subsets",
            equal=self.tie,
            unread=self.failure,
        )

    def _files(self) -> dict[str, Path]:
        """The five files by subset.

        Raises:
            DataError: One is missing; the headline needs all.
        """
        path = self.path or Path()  # never none: refused at construction
        found = {
            subset: path / folder / "dataset.json" for subset, folder in FOLDERS.items()
        }
        for file in found.values():
            if not file.is_file():
                raise DataError(
                    f"{file}: no such file; give the whole folder Dataset/LLMBar"
                )
        return found

    def examples(self) -> Iterator[Example | BadRow]:
        for subset, file in self._files().items():
            yield from rows.convert(_numbered(subset, file), _to_examples)


def _numbered(subset: str, file: Path) -> Iterator[rows.Located]:
    """Give each row its subset, and its number in the file as the authors count."""
    for number, (where, row) in enumerate(rows.read(file)):
        if isinstance(row, DataError):
            yield where, row
        else:
            yield where, {**row, "subset": subset, "id": f"{subset}/{number}"}


def _to_examples(row: rows.Row) -> list[Example]:
    return [
        Example(
            id=row["id"],
            prompt=rows.messages(row, "input"),
            responses=(rows.text(row, "output_1"), rows.text(row, "output_2")),
            correct=(rows.choice(row, "label", (1, 2)) - 1,),
            subset=row["subset"],
        )
    ]


@hookimpl
def register_datasets(register: Register) -> None:
    register("llmbar", LLMBar)
