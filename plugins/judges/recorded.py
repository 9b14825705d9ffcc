"""Replay recorded replies or scores, so that old runs can be scored anew."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rrm_harness import (
    Comparison,
    Completion,
    DataError,
    Failure,
    Judge,
    Judgment,
    Register,
    SpecError,
    hookimpl,
)
from rrm_harness.parse import PARSERS, parser

_Key = tuple[str, str, tuple[int, ...], int]  # role, example, order, sample


@dataclass(frozen=True)
class Recorded(Judge):
    """Judgments from a file of JSON lines instead of from a model.

    A line holds `example` (its id), `order` (response numbers as shown), optionally
    `sample` (0 unless given), and one of `text` (read by `parser`), `scores` (one per
    response shown, or null) and `failure` (a kind of failure). With `role` "meta" it is
    a meta judge's one score of that sample's critique, with "policy" a policy's answer
    to a question whose choices are the responses. What is not in the file is a failure
    of kind not-recorded. With `any-order=true`, an entry also answers for the same
    responses in another order, its scores permuted to match.
    """

    path: Path
    parser: str = ""
    any_order: bool = False
    _entries: dict[_Key, dict[str, Any]] = field(init=False, repr=False, compare=False)
    _by_set: dict[_Key, dict[str, Any]] = field(init=False, repr=False, compare=False)
    _digest: str = field(default="", init=False)

    def __post_init__(self) -> None:
        if self.parser:
            parser(self.parser)  # an unknown name is refused before anything is asked
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise DataError(
                f"{self.path}: {error.strerror}; give a readable file of JSON lines"
            ) from error
        object.__setattr__(self, "_digest", hashlib.sha256(content).hexdigest())
        object.__setattr__(self, "_entries", dict(self._read(content)))
        by_set: dict[_Key, dict[str, Any]] = {}  # the first entry of a set counts
        for (role, example, order, sample), entry in self._entries.items():
            by_set.setdefault((role, example, tuple(sorted(order)), sample), entry)
        object.__setattr__(self, "_by_set", by_set)

    @property
    def identity(self) -> str:
        """The file's content and how it is read; where it lies does not matter."""
        return f"recorded({self._digest}, {self.parser!r}, {self.any_order})"

    def _read(self, content: bytes) -> Iterator[tuple[_Key, dict[str, Any]]]:
        seen: dict[_Key, int] = {}
        for number, line in enumerate(content.splitlines(), 1):
            if not line.strip():
                continue
            where = f"{self.path}, line {number}"
            entry = _entry(where, line)
            to_read = "scores" not in entry and entry.get("failure") is None
            if to_read and not self.parser:
                raise SpecError(
                    f"{where}: has a text; say how to read it with parser=NAME"
                    f" ({', '.join(PARSERS)})"
                )
            name, order = str(entry["example"]), tuple(entry["order"])
            key = (entry["role"], name, order, entry["sample"])
            if key in seen:
                raise DataError(
                    f"{where}: the same example, order and sample as line {seen[key]};"
                    " number repeated judgments with `sample`"
                )
            seen[key] = number
            yield key, entry

    def parse(
        self, comparison: Comparison, completions: Sequence[Completion]
    ) -> Judgment:
        asked = (comparison.role, comparison.example.id)
        entry = self._entries.get((*asked, comparison.order, comparison.sample))
        if entry is not None:
            return self._judgment(entry)
        if self.any_order:
            return self._from_another_order(comparison)
        return _not_recorded(comparison)

    def _from_another_order(self, comparison: Comparison) -> Judgment:
        entry = self._by_set.get(
            (
                comparison.role,
                comparison.example.id,
                tuple(sorted(comparison.order)),
                comparison.sample,
            )
        )
        if entry is None:
            return _not_recorded(comparison)
        recorded = self._judgment(entry)
        if recorded.failure is not None:
            return recorded
        if comparison.role == "meta":
            return recorded
        by_index = dict(zip(entry["order"], recorded.scores, strict=True))
        scores = tuple(by_index[index] for index in comparison.order)
        return Judgment(scores, None, recorded.text)

    def _judgment(self, entry: dict[str, Any]) -> Judgment:
        text = entry.get("text") or ""
        if entry.get("failure") is not None:
            return Judgment.failed(Failure(entry["failure"]), text)
        if "scores" in entry:
            scores = entry["scores"]
        else:
            scores = parser(self.parser)(text, _scored(entry))
        if scores is None:
            return Judgment.failed(Failure.UNPARSABLE, text)
        return Judgment(tuple(map(float, scores)), None, text)


def _not_recorded(comparison: Comparison) -> Judgment:
    order, sample = list(comparison.order), comparison.sample
    asked = f"order {order}, sample {sample} is not in the file"
    return Judgment.failed(Failure.NOT_RECORDED, asked)


def _entry(where: str, line: bytes) -> dict[str, Any]:
    """Read a line and check every field.

    Raises:
        DataError: Names file, line and field.
    """
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not JSON ({error}); mend the line") from error
    if not isinstance(entry, dict):
        raise DataError(f"{where}: not an object; write one JSON object a line")
    entry.setdefault("sample", 0)
    entry.setdefault("role", "judge")
    for problem in _problems(entry):
        raise DataError(f"{where}: {problem}")
    return entry


def _scored(entry: dict[str, Any]) -> int:
    """How many scores an entry holds: one per response shown, or one of a critique."""
    return 1 if entry["role"] == "meta" else len(entry["order"])


def _problems(entry: dict[str, Any]) -> Iterator[str]:
    order = entry.get("order")
    if not isinstance(entry.get("example"), str | int):
        yield "field 'example' must be the example's id"
    if not isinstance(order, list) or not all(type(i) is int for i in order):
        yield "field 'order' must list response numbers, as [0, 1]"
    elif not order or len(set(order)) != len(order):
        yield "field 'order' must name each response shown once"
    if entry["role"] not in ("judge", "meta", "policy"):
        yield "field 'role' must be judge, meta or policy"
    if type(entry["sample"]) is not int:
        yield "field 'sample' must be a whole number"
    if not {"text", "scores", "failure"} & entry.keys():
        yield "needs a field 'text', 'scores' or 'failure'"
    if not isinstance(entry.get("text", ""), str):
        yield "field 'text' must be a string"
    scores = entry.get("scores")
    if scores is not None and not (
        isinstance(scores, list)
        and isinstance(order, list)
        and len(scores) == _scored(entry)
        and all(type(score) in (int, float) for score in scores)
    ):
        wanted = "one number for each response in 'order'"
        wanted = "one number" if entry["role"] == "meta" else wanted
        yield f"field 'scores' must hold {wanted}"
    if entry.get("failure") is not None and entry["failure"] not in [*Failure]:
        yield f"field 'failure' must be one of {', '.join(Failure)}"


@hookimpl
def register_judges(register: Register) -> None:
    register("recorded", Recorded)
