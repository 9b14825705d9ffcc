"""Which of very many keys were seen before, in some sixteen bytes each."""

from __future__ import annotations

from array import array
from bisect import bisect_left

RECENT = 1 << 16
SHARE = 8
"""The set of the latest is merged when it has this part of all the older ones."""


class Seen:
    """A set of 64-bit numbers, such as hashes.

    The latest are in a set, which takes a hundred bytes for each; all older ones are in
    a sorted array. Of a million hashes, two are the same by chance once in some forty
    million runs.
    """

    def __init__(self, recent: int = RECENT) -> None:
        self._least = recent
        self._recent: set[int] = set()
        self._older = array("Q")

    def __contains__(self, number: int) -> bool:
        if number in self._recent:
            return True
        place = bisect_left(self._older, number)
        return place < len(self._older) and self._older[place] == number

    def __len__(self) -> int:
        return len(self._recent) + len(self._older)

    def add(self, number: int) -> bool:
        """Add a number; return whether it is new."""
        if number in self:
            return False
        self._recent.add(number)
        if len(self._recent) >= max(self._least, len(self._older) // SHARE):
            self._merge()
        return True

    def _merge(self) -> None:
        import numpy  # not before there are many

        recent = numpy.fromiter(self._recent, numpy.uint64, len(self._recent))
        merged = numpy.concatenate([numpy.array(self._older), recent])
        merged.sort()
        self._older = array("Q", merged.tobytes())
        self._recent.clear()
