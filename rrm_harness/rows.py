"""Read rows from files and from the hub, and turn them into examples.

A converter turns one row into examples; what it raises as `DataError` becomes a
`BadRow` in the row's place, so one bad row never costs the others.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rrm_harness import chance, hub
from rrm_harness.errors import DataError
from rrm_harness.records import BadRow, Example, Message

Row = Mapping[str, Any]
Located = tuple[str, Row | DataError]
SUFFIXES = (".jsonl", ".json", ".csv", ".parquet")
ELSEWHERE = "download it elsewhere and give the copy with path=FILE"


@dataclass(frozen=True)
class Source:
    """Where a benchmark's rows are: a local file or folder, or else the hub.

    A `gated` set is one whose terms the hub asks consent to first.
    """

    repository: str
    split: str
    revision: str | None = None
    config: str | None = None
    path: Path | None = None
    pattern: str = "*"
    gated: bool = False

    def rows(self) -> Iterator[Located]:
        """Yield (place, row) of all rows."""
        if self.path is None:
            if self.gated:
                _refuse_without_token(self.repository)
            commit = _commit(self.repository, self.revision)
            hub = (self.repository, self.split, commit, self.config)
            yield from from_hub(*hub, gated=self.gated)
            return
        for file in files(self.path, self.pattern):
            yield from read(file)

    @property
    def identity(self) -> str:
        """A hash of the local files, or the hub's id, split and commit."""
        if self.path is not None:
            return fingerprint(files(self.path, self.pattern))
        config = f"/{self.config}" if self.config else ""
        commit = _commit(self.repository, self.revision) or "unresolved"
        return f"{self.repository}{config}:{self.split}@{commit}"


def convert(
    rows: Iterable[Located], to_examples: Callable[[Row], Iterable[Example]]
) -> Iterator[Example | BadRow]:
    """Yield each row's examples, or a BadRow saying where and what is wrong.

    A row whose id an earlier row has is a BadRow too.
    """
    seen: set[str] = set()
    for where, row in rows:
        try:
            if isinstance(row, DataError):
                raise row
            examples = list(to_examples(row))
            for example in examples:
                if example.id in seen:
                    raise DataError(
                        f"the id '{example.id}' is an earlier row's as well; give each"
                        " row its own"
                    )
        except DataError as error:
            yield BadRow(where, str(error))
            continue
        seen.update(example.id for example in examples)
        yield from examples


def told_apart(
    to_examples: Callable[[Row], list[Example]],
) -> Callable[[Row], list[Example]]:
    """Mark a number that a subset has used before with a hash of the texts.

    The card does not promise that numbers are unique; rows that are alike still clash.
    """
    seen: dict[str, set[str]] = {}

    def to_distinct(row: Row) -> list[Example]:
        (example,) = to_examples(row)
        texts = [turn.content for turn in example.prompt] + [*example.responses]
        mark, marks = (
            chance.digest(*texts).hex()[:8],
            seen.setdefault(example.id, set()),
        )
        if marks and mark not in marks:
            example = replace(example, id=f"{example.id}#{mark}")
        marks.add(mark)
        return [example]

    return to_distinct


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


def from_hub(
    repository: str,
    split: str,
    revision: str | None = None,
    config: str | None = None,
    *,
    gated: bool = False,
) -> Iterator[Located]:
    """Yield (place, row) of a data set on the Hugging Face hub.

    Raises:
        DataError: It cannot be loaded; the message says how to use a local copy.
    """
    import datasets

    try:
        loaded = datasets.load_dataset(
            repository, config, split=split, revision=revision
        )
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{repository} (split {split}) cannot be loaded from the hub: {reason};"
            f" {_way_in(repository) if gated else ELSEWHERE}"
        ) from error
    _refuse_another_commit(repository, revision, loaded)
    for number, row in enumerate(loaded, 1):
        yield f"{repository} (split {split}), row {number}", row


def _refuse_another_commit(repository: str, revision: str | None, loaded: Any) -> None:
    """Refuse another commit's rows, which the library takes if the hub is out of reach.

    Raises:
        DataError: They are.
    """
    commits = {Path(each["filename"]).parent.name for each in loaded.cache_files}
    others = [each for each in sorted(commits - {revision}) if _COMMIT.fullmatch(each)]
    if others and _COMMIT.fullmatch(revision or ""):
        raise DataError(
            f"{repository} is in the cache as of {others[0]} and not of {revision}, and"
            f" the hub is out of reach; connect once, or {ELSEWHERE}"
        )


_COMMIT = re.compile("[0-9a-f]{40}")


def _refuse_without_token(repository: str) -> None:
    """Refuse a gated set that is not here and that nobody may ask the hub for.

    Raises:
        DataError: There is no token and nothing of the set in the caches.
    """
    from datasets import config
    from huggingface_hub import constants, get_token

    kept = (
        Path(constants.HF_HUB_CACHE, f"datasets--{repository.replace('/', '--')}"),
        Path(config.HF_DATASETS_CACHE, repository.replace("/", "___")),
    )
    if get_token() is None and not any(folder.is_dir() for folder in kept):
        raise DataError(
            f"{repository} cannot be loaded without a token: {_way_in(repository)}"
        )


def _way_in(repository: str) -> str:
    return (
        "it is gated, so accept its terms at"
        f" https://huggingface.co/datasets/{repository} and set HF_TOKEN, or give a"
        " copy with path=FILE"
    )


def _commit(repository: str, revision: str | None) -> str | None:
    """The commit that a revision is: as the hub says, or offline as it last said."""
    return hub.commit("dataset", repository, revision or "") or revision


def fingerprint(paths: Iterable[Path]) -> str:
    """Return a hash of the files' content, whatever they are called."""
    hashed = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            hashed.update(hashlib.file_digest(file, "sha256").digest())
    return f"sha256:{hashed.hexdigest()[:16]}"


def text(row: Row, field: str, *, empty: bool = True) -> str:
    """Return a string field.

    Raises:
        DataError: It is missing, not a string, or empty where that is not allowed.
    """
    value = row.get(field)
    if not isinstance(value, str):
        raise DataError(f"field '{field}' must be a string; {_got(value)}")
    if not empty and not value.strip():
        raise DataError(f"field '{field}' is empty; give it a text or drop the row")
    return value


def identifier(row: Row, field: str) -> str:
    """Return an id field, a string or a whole number, as a string.

    Raises:
        DataError: It is missing or of another type.
    """
    value = row.get(field)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise DataError(f"field '{field}' must be a string or a number; {_got(value)}")
    return str(value)


def texts(row: Row, field: str, *, empty: bool = True) -> tuple[str, ...]:
    """Return a field that is a list of strings.

    Raises:
        DataError: It is missing, no list, or holds something else.
    """
    values = row.get(field)
    if not isinstance(values, Sequence) or isinstance(values, str) or not values:
        raise DataError(f"field '{field}' must be a list of strings; {_got(values)}")
    return tuple(
        text({f"{field}[{place}]": value}, f"{field}[{place}]", empty=empty)
        for place, value in enumerate(values)
    )


def messages(row: Row, field: str) -> tuple[Message, ...]:
    """Return a field that is a string (one user turn) or a list of chat messages.

    Raises:
        DataError: It is neither.
    """
    value = row.get(field)
    if isinstance(value, str):
        return (Message("user", value),)
    if not isinstance(value, Sequence) or not value:
        raise DataError(
            f"field '{field}' must be a string or a list of messages; {_got(value)}"
        )
    return tuple(
        _message(turn, f"{field}[{place}]") for place, turn in enumerate(value)
    )


def choice(row: Row, field: str, known: Iterable[Any]) -> Any:
    """Return a field that is one of a known set.

    Raises:
        DataError: It is not.
    """
    value, known = row.get(field), list(known)
    if isinstance(value, bool) or value not in known:
        names = ", ".join(map(repr, known))
        raise DataError(f"field '{field}' must be one of {names}; {_got(value)}")
    return value


def _message(turn: Any, place: str) -> Message:
    if not isinstance(turn, Mapping):
        raise DataError(f"field '{place}' must have role and content; {_got(turn)}")
    role, content = turn.get("role"), turn.get("content")
    if not isinstance(role, str) or not isinstance(content, str):
        raise DataError(
            f"field '{place}' must have a string role and content; {_got(turn)}"
        )
    return Message(role, content)


def _got(value: Any) -> str:
    return "it is missing" if value is None else f"it is {value!r:.60}"


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
        return DataError(f"must be an object; {_got(row)}")
    return row


def _json(path: Path) -> Iterator[Located]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({error}); mend the file") from error
    if not isinstance(rows, list):
        raise DataError(f"{path}: must hold a list of objects; give such a file")
    for number, row in enumerate(rows, 1):
        wrong = DataError(f"must be an object; {_got(row)}")
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
