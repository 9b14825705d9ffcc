"""A row, and what its fields hold: texts, ids, messages, one of a known set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rrm_harness.errors import DataError
from rrm_harness.records import Message

Row = Mapping[str, Any]
Located = tuple[str, Row | DataError]
"""A row, or what is wrong with it, behind the place where it stands."""


def text(row: Row, field: str, *, empty: bool = True) -> str:
    """Return a string field.

    Raises:
        DataError: It is missing, not a string, or empty where that is not allowed.
    """
    value = row.get(field)
    if not isinstance(value, str):
        raise DataError(f"field '{field}' must be a string; {got(value)}")
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
        raise DataError(f"field '{field}' must be a string or a number; {got(value)}")
    return str(value)


def texts(row: Row, field: str, *, empty: bool = True) -> tuple[str, ...]:
    """Return a field that is a list of strings.

    Raises:
        DataError: It is missing, no list, or holds something else.
    """
    values = row.get(field)
    if not isinstance(values, Sequence) or isinstance(values, str) or not values:
        raise DataError(f"field '{field}' must be a list of strings; {got(values)}")
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
            f"field '{field}' must be a string or a list of messages; {got(value)}"
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
        raise DataError(f"field '{field}' must be one of {names}; {got(value)}")
    return value


def _message(turn: Any, place: str) -> Message:
    if not isinstance(turn, Mapping):
        raise DataError(f"field '{place}' must have role and content; {got(turn)}")
    role, content = turn.get("role"), turn.get("content")
    if not isinstance(role, str) or not isinstance(content, str):
        raise DataError(
            f"field '{place}' must have a string role and content; {got(turn)}"
        )
    return Message(role, content)


def got(value: Any) -> str:
    """Say what is there instead, cut to what a message can hold."""
    return "it is missing" if value is None else f"it is {value!r:.60}"
