"""Very many texts in little memory, such as the ids of a run's examples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

BLOCK = 4096
BETWEEN = "\x1f"
"""Between the texts of a block; a block in which one has it stays a tuple."""

_Block = str | tuple[str, ...]


class Texts:
    """Texts in their order; more can be added at the end.

    They are held in blocks of one text each: a million small ones take fifty bytes each
    beside what they say, and every full collection of garbage looks at each of them.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._blocks: list[_Block] = []
        self._last: list[str] = []
        self._read: tuple[int, list[str]] = (-1, [])
        for each in texts:
            self.append(each)

    def append(self, text: str) -> None:
        """Add a text."""
        self._last.append(text)
        if len(self._last) == BLOCK:
            self._blocks.append(_packed(self._last))
            self._last = []

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Texts):
            return NotImplemented
        return self._blocks == other._blocks and self._last == other._last

    __hash__ = None  # type: ignore[assignment]

    def __contains__(self, text: object) -> bool:
        return any(text == each for each in self)

    def __len__(self) -> int:
        return len(self._blocks) * BLOCK + len(self._last)

    def __iter__(self) -> Iterator[str]:
        for block in self._blocks:
            yield from _texts(block)
        yield from self._last

    def __getitem__(self, place: int) -> str:
        block, offset = divmod(range(len(self))[place], BLOCK)
        if block == len(self._blocks):
            return self._last[offset]
        if self._read[0] != block:
            self._read = (block, _texts(self._blocks[block]))
        return self._read[1][offset]


def _packed(texts: list[str]) -> _Block:
    joined = BETWEEN.join(texts)
    return joined if joined.count(BETWEEN) == len(texts) - 1 else tuple(texts)


def _texts(block: _Block) -> list[str]:
    return block.split(BETWEEN) if isinstance(block, str) else [*block]
