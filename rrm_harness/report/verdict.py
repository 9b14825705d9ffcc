"""Where in a judge's text its verdict stands, as its parser read it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rrm_harness import parse
from rrm_harness.parse import Parser, Scores

Span = tuple[int, int]

_CLOSED = "</think>"
_FORMS = re.compile(
    r"""\\f?box(?:ed)?\{[^\n]{0,200}?\}+
    | <answer>.{0,200}?</answer>
    | <(score(?:_[A-Z])?)>.{0,40}?</\1>
    | \[\[[^\]\n]{1,20}\]\]
    | \[RESULT\][^\n]{0,40}
    | "Choice"\s*:\s*"[^"\n]{0,40}"
    | Output\ \([ab]\)(?:\ is\ better.)?""",
    re.VERBOSE | re.DOTALL,
)
"""The forms in which the built-in parsers look for a verdict."""


def thought_end(text: str) -> int:
    """Where the thought ends and the answer begins; 0 for a text without a thought."""
    place = text.find(_CLOSED)
    if place >= 0:
        return place + len(_CLOSED)
    return len(text) if "<think>" in text else 0


def spans(text: str, parser: str, shown: int) -> Sequence[Span]:
    """Where a text says what its parser reads out of it; nothing if that is unclear.

    The places marked are enough: the parser reads the same from them alone. It is the
    last place that says it all, or else all places together.
    """
    read = parse.PARSERS.get(parser)
    scores = read(text, shown) if read else None
    if read is None or scores is None:
        return []
    found = list(_places(text, thought_end(text)))
    for chosen in (found[-1:], found, _first_line(text)):
        if chosen and _says(text, chosen, read, shown) == scores:
            return chosen
    return []


def _places(text: str, begin: int) -> Iterator[Span]:
    for match in _FORMS.finditer(text, begin):
        yield match.span()


def _first_line(text: str) -> list[Span]:
    """The first line of the answer, for parsers that read all of it."""
    match = re.compile(r"[^\n\S]*\S[^\n]*").search(text, thought_end(text))
    return [match.span()] if match else []


def _says(text: str, chosen: Sequence[Span], read: Parser, shown: int) -> Scores | None:
    told = "\n".join(text[begin:end] for begin, end in chosen)
    return read(told, shown) or read(_CLOSED + told, shown)
