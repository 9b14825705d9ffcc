"""Texts for a page that is one file: each once, in blocks that are read when needed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

BLOCK = 500_000
"""Characters of text after which a block is full."""


def block(content: Any) -> str:
    r"""JSON that is inert inside an HTML script element.

    It is ASCII without `<`, `>` and `&`, so neither `</script>` nor `<!--` nor a
    line separator can be in it; a lone surrogate is `\ud800`, as JSON has it.
    """
    told = json.dumps(content, allow_nan=False, separators=(",", ":"))
    for sign in "<>&":
        told = told.replace(sign, f"\\u{ord(sign):04x}")
    return told


def places(text: str, *at: int) -> list[int]:
    """Places in a text as JavaScript counts them: in UTF-16 units."""
    return [len(text[:place].encode("utf-16-le", "surrogatepass")) // 2 for place in at]


@dataclass(slots=True)
class Blocks:
    """Gathers items and their texts into blocks.

    A text's number counts through all blocks; an item may use texts of earlier blocks.
    """

    done: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=lambda: [0])
    _numbers: dict[str, int] = field(default_factory=dict)
    _texts: list[str] = field(default_factory=list)
    _items: list[Any] = field(default_factory=list)
    _size: int = 0

    def number(self, text: str) -> int:
        """A text's number; the text is kept if it is new."""
        if text not in self._numbers:
            self._numbers[text] = len(self._numbers)
            self._texts.append(text)
            self._size += len(text)
        return self._numbers[text]

    def add(self, item: Any) -> tuple[int, int]:
        """Keep an item; return its block and its place there."""
        where = (len(self.done), len(self._items))
        self._items.append(item)
        self._size += 200
        if self._size >= BLOCK:
            self.close()
        return where

    def close(self) -> None:
        """End the current block."""
        if self._items:
            self.done.append(block({"items": self._items, "texts": self._texts}))
            self.starts.append(len(self._numbers))
            self._items, self._texts, self._size = [], [], 0
