"""The user's own rows, and preference rows as the hub's data sets have them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rrm_harness import (
    BadRow,
    DataError,
    Dataset,
    Example,
    Message,
    Register,
    Rule,
    hookimpl,
)
from rrm_harness.rows import (
    Row,
    convert,
    files,
    fingerprint,
    identifier,
    messages,
    read,
    texts,
)


@dataclass(frozen=True)
class Jsonl(Dataset):
    """Rows of a file (.jsonl, .json, .csv, .parquet) or of a folder of such files.

    Own format: `id`, `prompt` (a string or chat messages), `responses`, `correct`
    (response numbers from 0; empty when none is right), optional `subset`. Or
    preference rows: `chosen` and `rejected` as strings with a `prompt`, or as chats
    that share their beginning; `id` is then optional. Without a published rule, a tie
    shares the credit and a failure is wrong; the options change that.
    """

    path: Path
    tie: Literal["share", "half", "wrong"] = "share"
    failure: Literal["wrong", "half", "share", "exclude"] = "wrong"

    protocol = "single,order=seeded"

    @property
    def name(self) -> str:
        return f"jsonl:{self.path.name}"

    @property
    def revision(self) -> str:
        return fingerprint(files(self.path))

    @property
    def rule(self) -> Rule:
        return Rule(tie=self.tie, failure=self.failure)

    def examples(self) -> Iterator[Example | BadRow]:
        rows = (
            (where, _numbered(self._row_prefix(file), where, row))
            for file in files(self.path)
            for where, row in read(file)
        )
        yield from convert(rows, to_examples)

    def _row_prefix(self, file: Path) -> str:
        """Tell the rows of a folder's files apart; one file's need nothing."""
        if file == self.path:
            return ""
        return f"{file.relative_to(self.path).as_posix()}-"


def _numbered(prefix: str, where: str, row: Row | DataError) -> Row | DataError:
    """Give a preference row without an id the number of its line."""
    if isinstance(row, DataError) or "id" in row or "chosen" not in row:
        return row
    return {**row, "id": f"{prefix}row-{where.rsplit(' ', 1)[1]}"}


def to_examples(row: Row) -> list[Example]:
    """Read one row of either format.

    Raises:
        DataError: Names the field that is wrong.
    """
    if "chosen" in row or "rejected" in row:
        return [_preference(row)]
    responses = texts(row, "responses", empty=False)
    return [
        Example(
            id=identifier(row, "id"),
            prompt=messages(row, "prompt"),
            responses=responses,
            correct=_correct(row, len(responses)),
            subset=_subset(row),
        )
    ]


def _correct(row: Row, responses: int) -> tuple[int, ...]:
    correct = row.get("correct")
    if not isinstance(correct, list) or not all(type(i) is int for i in correct):
        raise DataError(
            f"field 'correct' must list response numbers, as [0]; it is {correct!r:.60}"
        )
    for index in correct:
        if not 0 <= index < responses:
            raise DataError(
                f"field 'correct' names response {index}, but 'responses' has"
                f" {responses}, numbered from 0"
            )
    return tuple(sorted(set(correct)))


def _subset(row: Row) -> str:
    subset = row.get("subset")
    if subset is None:
        return "all"
    if not isinstance(subset, str) or not subset:
        raise DataError(f"field 'subset' must be a string; it is {subset!r:.60}")
    return subset


def _preference(row: Row) -> Example:
    chosen, rejected = _side(row, "chosen"), _side(row, "rejected")
    shared = chosen[:-1]
    if rejected[:-1] != shared:
        raise DataError(
            "fields 'chosen' and 'rejected' must share all turns but the last"
        )
    prompt = messages(row, "prompt") if row.get("prompt") else ()
    if shared[: len(prompt)] != prompt:
        shared = prompt + shared
    if not shared:
        raise DataError("field 'prompt' is missing; give it as a string or messages")
    return Example(
        id=identifier(row, "id"),
        prompt=shared,
        responses=(chosen[-1].content, rejected[-1].content),
        correct=(0,),
        subset=_subset(row),
    )


def _side(row: Row, field: str) -> tuple[Message, ...]:
    value: Any = row.get(field)
    if isinstance(value, str):
        turns: tuple[Message, ...] = (Message("assistant", value),)
    else:
        turns = messages(row, field)
    if turns[-1].role != "assistant":
        raise DataError(f"field '{field}' must end with an assistant's turn")
    if not turns[-1].content.strip():
        raise DataError(f"field '{field}' is an empty response; drop the row")
    return turns


@hookimpl
def register_datasets(register: Register) -> None:
    register("jsonl", Jsonl)
