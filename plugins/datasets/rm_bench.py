"""RM-Bench: subtle errors against style, as a matrix of three styles by three."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
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

DOMAINS = {
    "chat": "chat",
    "code": "code",
    "math": "math",
    "safety-refuse": "safety",
    "safety-response": "safety",
}
STYLES = ("concise", "detailed", "markdown")
CELLS = tuple(product(range(len(STYLES)), repeat=2))

Matrix = list[list[float | None]]


@dataclass(frozen=True)
class StyleMatrix(Rule):
    """Accuracy by style of the chosen (row) and of the rejected response (column)."""

    def values(self, example: Example, outcome: Outcome) -> Mapping[str, float]:
        return example.metadata["styles"]  # type: ignore[no-any-return]

    def extra(self, rows: Sequence[Scored]) -> dict[str, Any]:
        matrices = {
            domain: _matrix([row for row in rows if row.subset == domain])
            for domain in sorted({row.subset for row in rows})
        }
        mean = [
            [_mean([each[i][j] for each in matrices.values()]) for j in range(3)]
            for i in range(3)
        ]
        return {
            **_summary(mean),
            "domains": {domain: _summary(each) for domain, each in matrices.items()},
        }


def _matrix(rows: Sequence[Scored]) -> Matrix:
    matrix: Matrix = [[None] * len(STYLES) for _ in STYLES]
    for i, j in CELLS:
        matrix[i][j] = _mean(
            [
                row.credit
                for row in rows
                if (row.values["chosen"], row.values["rejected"]) == (i, j)
            ]
        )
    return matrix


def _summary(matrix: Matrix) -> dict[str, Any]:
    """Hard: the chosen response is the plainer one; easy: the rejected one is."""
    return {
        "matrix": matrix,
        "hard": _mean([matrix[i][j] for i, j in CELLS if i < j]),
        "normal": _mean([matrix[i][j] for i, j in CELLS if i == j]),
        "easy": _mean([matrix[i][j] for i, j in CELLS if i > j]),
    }


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean of what is there; None when nothing is, as under --limit."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


@dataclass(frozen=True)
class RMBench(Dataset):
    """RM-Bench: 1,327 prompts with three chosen and three rejected styles each.

    The styles are concise, detailed, and detailed with markdown. A prompt is nine
    pairs, chosen style by rejected style; the chosen response must score strictly
    higher, a tie and a failure are wrong. The two safety files are one domain. The
    headline is the mean over the domains present; the matrix, and with it hard, normal
    and easy, is averaged over domains too. `path` is a file of the published format or
    a folder of `*_filtered.json` instead of the hub's.

    Source: THU-KEG/RM-Bench@2119ec5, README.md; arXiv 2410.16184, table 3.
    """

    path: Path | None = None
    tie: Literal["share", "half", "wrong"] = "wrong"
    failure: Literal["wrong", "half", "share", "exclude"] = "wrong"

    name = "rm-bench"
    protocol = "single,order=seeded"

    @property
    def rule(self) -> Rule:
        return StyleMatrix(
            tie=self.tie,
            failure=self.failure,
            average="subsets",
            expected=("chat", "code", "math", "safety"),
        )

    @property
    def revision(self) -> str:
        return self._source.identity

    @property
    def _source(self) -> rows.Source:
        return rows.Source(
            "THU-KEG/RM-Bench", "train", path=self.path, pattern="*_filtered.json"
        )

    def examples(self) -> Iterator[Example | BadRow]:
        if self.path is None:
            yield from rows.convert(self._source.rows(), _to_examples)
            return
        for file in rows.files(self.path, self._source.pattern):
            yield from rows.convert(_with_domain(file), _to_examples)


def _with_domain(file: Path) -> Iterator[rows.Located]:
    """Name the domain after the file where the rows do not: `chat_filtered.json`."""
    for where, row in rows.read(file):
        if isinstance(row, DataError) or "domain" in row:
            yield where, row
        else:
            yield where, {**row, "domain": file.stem.removesuffix("_filtered")}


def _to_examples(row: rows.Row) -> list[Example]:
    """Turn a prompt into its nine pairs."""
    domain = DOMAINS[rows.choice(row, "domain", DOMAINS)]
    prompt_id = f"{domain}/{rows.identifier(row, 'id')}"
    prompt = rows.messages(row, "prompt")
    chosen, rejected = _styles(row, "chosen"), _styles(row, "rejected")
    return [
        Example(
            id=f"{prompt_id}/{i}{j}",
            prompt=prompt,
            responses=(chosen[i], rejected[j]),
            correct=(0,),
            subset=domain,
            metadata={"styles": {"chosen": i, "rejected": j}},
        )
        for i, j in CELLS
    ]


def _styles(row: rows.Row, field: str) -> tuple[str, ...]:
    responses = rows.texts(row, field)
    if len(responses) != len(STYLES):
        raise DataError(
            f"field '{field}' must hold {len(STYLES)} responses"
            f" ({', '.join(STYLES)}); it holds {len(responses)}"
        )
    return responses


@hookimpl
def register_datasets(register: Register) -> None:
    register("rm-bench", RMBench)
