"""Files of rows: JSON Lines, JSON, CSV and parquet, each row with its place."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from rrm_harness.errors import DataError
from rrm_harness.row_fields import Located, Row, got

SUFFIXES = (".jsonl", ".json", ".csv", ".parquet")


def files(path: Path, pattern: str = "*") -> list[Path]:
    """Return the file itself, or a folder's readable files that match, sorted.

    Raises:
        DataError: Nothing is there.
    """
    if path.is_dir():
        found = sorted(each for each in path.rglob(pattern) if each.suffix in SUFFIXES)
        if not found:
            raise DataError(
                f"{path}: holds no {pattern} of a kind that can be read"
                f" ({', '.join(SUFFIXES)}); give another path"
            )
        return found
    if not path.is_file():
        raise DataError(f"{path}: no such file or folder; give an existing path")
    if path.suffix not in SUFFIXES:
        raise DataError(f"{path}: cannot be read; known kinds: {', '.join(SUFFIXES)}")
    return [path]


def read(path: Path) -> Iterator[Located]:
    """Yield (place, row) of a file by its suffix: .jsonl, .json, .csv, .parquet."""
    try:
        yield from _READERS[path.suffix](path)
    except OSError as error:
        raise DataError(
            f"{path}: {error.strerror or error}; make it readable"
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 ({error}); convert the file") from error
    except csv.Error as error:
        raise DataError(f"{path}: not CSV ({error}); mend the file") from error


def fingerprint(paths: Iterable[Path]) -> str:
    """Return a hash of the files' content; of several also of their names.

    Where there are several, ids and subsets come from their names within the folder
    that they share; what that is called, and a file alone, counts for nothing.
    """
    listed = [*paths]
    hashed = hashlib.sha256()
    for path in listed:
        if len(listed) > 1:
            shared = os.path.commonpath([each.parent for each in listed])
            hashed.update(path.relative_to(shared).as_posix().encode() + b"\0")
        with path.open("rb") as file:
            hashed.update(hashlib.file_digest(file, "sha256").digest())
    return f"sha256:{hashed.hexdigest()[:16]}"


def _jsonl(path: Path) -> Iterator[Located]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield f"{path}, line {number}", _object(line)


def _object(line: bytes) -> Row | DataError:
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return DataError(f"not UTF-8 ({error.reason}); convert the line")
    except (ValueError, RecursionError) as error:
        return DataError(f"not JSON ({error}); mend the line")
    if not isinstance(row, dict):
        return DataError(f"must be an object; {got(row)}")
    return row


def _json(path: Path) -> Iterator[Located]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({error}); mend the file") from error
    if not isinstance(rows, list):
        raise DataError(f"{path}: must hold a list of objects; give such a file")
    for number, row in enumerate(rows, 1):
        wrong = DataError(f"must be an object; {got(row)}")
        yield f"{path}, row {number}", row if isinstance(row, dict) else wrong


def _csv(path: Path) -> Iterator[Located]:
    csv.field_size_limit(2**31 - 1)  # a response may be longer than csv's 131,072
    with path.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines)
        for row in reader:
            yield f"{path}, line {reader.line_num}", row


def _parquet(path: Path) -> Iterator[Located]:
    import pyarrow
    import pyarrow.parquet

    number = 0
    try:
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches():
            for row in batch.to_pylist():
                number += 1
                yield f"{path}, row {number}", row
    except (pyarrow.ArrowException, OverflowError, OSError) as error:
        if isinstance(error, OSError) and error.errno:  # Arrow's own have none
            raise
        where = f", after row {number}" if number else ""
        problem = str(error).partition("\n")[0]
        raise DataError(
            f"{path}: not a parquet file{where} ({problem}); give a whole copy"
        ) from error


_READERS: Mapping[str, Callable[[Path], Iterator[Located]]] = {
    ".jsonl": _jsonl,
    ".json": _json,
    ".csv": _csv,
    ".parquet": _parquet,
}
