"""Judgments and failures as rows of a store, each with a checksum of all it says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from operator import attrgetter
from typing import Any
from zlib import crc32

from rrm_harness.records import Comparison, Completion, Judgment

SCHEMA = (
    """CREATE TABLE judgments (
        key BLOB PRIMARY KEY, example TEXT, shown TEXT, sample INTEGER,
        scores TEXT NOT NULL, text TEXT, completions TEXT NOT NULL,
        checksum INTEGER NOT NULL
    )""",
    """CREATE TABLE failures (
        key BLOB PRIMARY KEY, example TEXT, shown TEXT, sample INTEGER,
        kind TEXT NOT NULL, text TEXT NOT NULL, checksum INTEGER NOT NULL,
        times INTEGER NOT NULL
    )""",
)
"""A judgment's text is NULL where it is its only completion's. Checksums are of what
stands before them; how often something failed is told to nobody."""
JUDGMENT = "key, example, shown, sample, scores, text, completions"
FAILURE = "key, example, shown, sample, kind, text"
"""The columns as they are read here, the checksum behind them."""

Row = Sequence[Any]
"""A row to write, texts as SQLite takes them; or one that was read, texts as bytes."""
UNREADABLE = (AttributeError, IndexError, TypeError, ValueError, RecursionError)
"""What is raised by a row that is no judgment."""
_UTF8 = ("utf-8", "surrogatepass")


def of_judgment(key: bytes, comparison: Comparison, judgment: Judgment) -> Row:
    """The row of a judgment of a comparison."""
    shown = _listed(comparison.order)
    return judged(key, comparison.example.id, shown, comparison.sample, judgment)


def of_failure(key: bytes, comparison: Comparison, failed: Judgment) -> Row:
    """The row of a failure, without how often it came."""
    shown = _listed(comparison.order)
    where = (key, comparison.example.id, shown, comparison.sample)
    return packed(*where, str(failed.failure), failed.text)


def judged(
    key: bytes, example: str, shown: str, sample: int, judgment: Judgment
) -> Row:
    """The row of a judgment: what was asked, scores, text, completions, checksum."""
    said = judgment.completions
    text = None if len(said) == 1 and said[0].text == judgment.text else judgment.text
    told = (_scores(judgment.scores), text, _dumped(said))
    return packed(key, example, shown, sample, *told)


def packed(key: bytes, example: str, shown: str, sample: int, *told: str | None) -> Row:
    """A row with its checksum; a lone surrogate keeps a text from being SQLite's."""
    texts = [example, shown, str(sample), *[each for each in told if each is not None]]
    joined = "\0".join(texts)
    try:
        content = joined.encode()
    except UnicodeEncodeError:
        content = joined.encode(*_UTF8)
        example, *told = map(_storable, (example, *told))  # type: ignore[assignment]
    return (key, example, shown, sample, *told, crc32(content, crc32(key)))


def fits(row: Row) -> bool:
    """Whether a row that was read has the checksum of what it says."""
    key, example, shown, sample, *told, checksum = row
    texts = [each for each in told if each is not None]
    try:
        content = b"\0".join([example, shown, str(sample).encode(), *texts])
        return bool(crc32(content, crc32(key)) == checksum)
    except TypeError:  # another kind of value, to which a bit can turn one
        return False


def judgment(row: Row) -> Judgment:
    """The judgment of a row that was read.

    Raises:
        ValueError, TypeError, ...: `UNREADABLE`: it is none.
    """
    scores, text, completions = row[4:7]
    said = tuple([_completion(each) for each in _decode(_text(completions))])
    told = said[0].text if text is None else _text(text)
    return Judgment(tuple(_decode(scores.decode())), None, told, said)


def asked(row: Row) -> tuple[str, str, int]:
    """What a row that was read is about: an example, what was shown, which sample."""
    return _text(row[1]), _text(row[2]), row[3]


def scores(row: Row) -> tuple[float, ...]:
    """The scores of a judgment's row that was read."""
    return tuple(_decode(row[4].decode()))


def text(row: Row) -> str:
    """The text of a row that was read, a judgment's or a failure's."""
    if row[5] is not None:
        return _text(row[5])
    (said,) = _decode(_text(row[6]))
    told: str = said.get("text", "")
    return told


def kind(row: Row) -> str:
    """The kind of a failure's row that was read."""
    return _text(row[4])


_NAMES = [each.name for each in fields(Completion)]
_values = attrgetter(*_NAMES)
_DEFAULTS = _values(Completion())
_KNOWN = {*_NAMES}
_TUPLES = {"scores", "notes"}
_AS_STORED = _KNOWN - _TUPLES
_COMMON = ("text", "prompt_tokens", "completion_tokens")
_others = attrgetter(*[name for name in _NAMES if name not in _COMMON])
_OTHERS = _others(Completion())
_encode = json.JSONEncoder(ensure_ascii=False).encode
_decode = json.JSONDecoder().decode


def _dumped(completions: Sequence[Completion]) -> str:
    """The completions as JSON, without what is at its default."""
    if len(completions) == 1 and _others(completions[0]) == _OTHERS:
        said = completions[0]
        read, written = said.prompt_tokens, said.completion_tokens
        if said.text and read and written and type(read) is type(written) is int:
            return (  # the usual one, as JSON would have it, in half the time
                f'[{{"text": {_encode(said.text)}, "prompt_tokens": {read},'
                f' "completion_tokens": {written}}}]'
            )
    return _encode([_told(completion) for completion in completions])


def _told(completion: Completion) -> dict[str, Any]:
    values = zip(_NAMES, _values(completion), _DEFAULTS, strict=True)
    return {name: value for name, value, default in values if value != default}


def _completion(stored: Mapping[str, Any]) -> Completion:
    """A completion; a field that this version does not know is left out."""
    if stored.keys() <= _AS_STORED:
        return Completion(**stored)
    values = {name: stored[name] for name in stored.keys() & _KNOWN}
    for name in _TUPLES & values.keys():
        values[name] = tuple(values[name])
    return Completion(**values)


def _scores(scores: Sequence[float]) -> str:
    """The scores as JSON; of finite floats it is how Python writes them."""
    try:
        told = ", ".join(map(float.__repr__, scores))
    except TypeError:
        return _encode(scores)
    return _encode(scores) if "n" in told else f"[{told}]"


@lru_cache(4096)
def _listed(order: tuple[int, ...]) -> str:
    return ",".join(map(str, order))


def _storable(text: str | None) -> str | bytes | None:
    """The text, or its bytes if it has a lone surrogate."""
    if text is None:
        return None
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(*_UTF8)
    return text


def _text(stored: bytes) -> str:
    return stored.decode(*_UTF8)
