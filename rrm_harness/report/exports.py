"""Runs for other programs: CSV, JSON, Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rrm_harness.files import replaced
from rrm_harness.report.leaderboard import Board, record, records
from rrm_harness.result import Result

if TYPE_CHECKING:
    import pyarrow

FORMAT = 1
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a text begins with that a spreadsheet may take for a formula (OWASP)."""
CHUNK = 10_000
"""How many examples are held in memory at a time."""

RUN: Mapping[str, type] = {
    "rank": int,
    "of": int,
    "dataset": str,
    "judge": str,
    "strategy": str,
    "n": int,
    "accuracy": float,
    "accuracy_low": float,
    "accuracy_high": float,
    "worst": float,
    "best": float,
    "failed_examples": int,
    "failed_comparisons": int,
    "comparisons": int,
    "judgments": int,
    "cached": int,
    "prompt_tokens": int,
    "completion_tokens": int,
    "seconds": float,
    "parameters": float,
    "revision": str,
    "seed": int,
}
"""The columns of a run's row."""


def as_csv(found: Sequence[Board]) -> str:
    """A row for each run; texts that a spreadsheet would run are made inert."""
    rows = records(found)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: inert(value) for name, value in row.items()})
    return text.getvalue()


def inert(value: Any) -> Any:
    """Put an apostrophe before a text that would be a formula; numbers are as told."""
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return value


def as_json(found: Sequence[Board]) -> str:
    """The boards with all digits, and how to read them."""
    content = {
        "format": FORMAT,
        "boards": [
            {
                "dataset": board.dataset,
                "notes": board.notes,
                "runs": [record(board, place) for place in board.places],
            }
            for board in found
        ],
    }
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def write_runs(file: Path, found: Sequence[Board]) -> None:
    """Write a Parquet file with a row for each run.

    Raises:
        OutputError: It cannot be written.
    """
    import pyarrow

    kinds = {
        str: pyarrow.string(),
        int: pyarrow.int64(),
        float: pyarrow.float64(),
    }
    schema = pyarrow.schema([(name, kinds[kind]) for name, kind in RUN.items()])
    _write(file, schema, iter([records(found)]))


def write_outcomes(file: Path, runs: Sequence[Result]) -> None:
    """Write a Parquet file with a row for each example of each run.

    Raises:
        OutputError: It cannot be written, or a run's outcomes cannot be read.
    """
    import pyarrow

    text, number = pyarrow.string(), pyarrow.float64()
    places = pyarrow.list_(pyarrow.int64())
    columns = {
        **dict.fromkeys(("dataset", "judge", "strategy", "id", "subset"), text),
        "cluster": text,
        "lengths": places,
        "correct": places,
        "scores": pyarrow.list_(number),
        "winners": places,
        "failure": text,
        "credit": number,
        "comparisons": pyarrow.int64(),
    }
    _write(file, pyarrow.schema([*columns.items()]), _chunks(runs, list(columns)))


def _chunks(
    runs: Sequence[Result], columns: Sequence[str]
) -> Iterator[list[dict[str, Any]]]:
    for run in runs:
        told = {name: run.results[name] for name in ("dataset", "judge", "strategy")}
        lines = (
            {name: {**told, **line}.get(name) for name in columns}
            | {"comparisons": len(line.get("comparisons", ()))}
            for line in run.outcomes()
        )
        while chunk := list(islice(lines, CHUNK)):
            yield chunk


def _write(
    file: Path, schema: pyarrow.Schema, chunks: Iterator[list[dict[str, Any]]]
) -> None:
    """Write rows so that the file is there whole or not at all."""
    import pyarrow
    from pyarrow import parquet

    with replaced(file) as part, parquet.ParquetWriter(part, schema) as writer:
        for chunk in chunks:
            rows = [_each_text(row, _plain) for row in chunk]
            writer.write_table(pyarrow.Table.from_pylist(rows, schema))


def _each_text(row: Mapping[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    return {
        name: change(value) if isinstance(value, str) else value
        for name, value in row.items()
    }


def _plain(text: str) -> str:
    """The text in UTF-8; half a character, as broken data has, is written out."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
