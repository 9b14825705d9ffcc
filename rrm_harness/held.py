"""Questions that wait for an engine: those of the longest examples go first."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from typing import Generic, TypeVar

Question = TypeVar("Question")


class Held(Generic[Question]):
    """Questions in the order of what their examples may still lead to.

    That is the most comparisons that an example can take: a bracket's rounds follow one
    another whatever runs, so what begins them must not wait behind a thousand pairs,
    which fill the engine while the last rounds are played. Equal ones go as they came:
    then all examples advance alike, and none is left alone at the end.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Question]] = []
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, question: Question, most: int) -> None:
        """Take in a question of an example that takes at most so many."""
        heappush(self._heap, (-most, next(self._numbers), question))

    def take(self) -> Question:
        """Hand out the next one."""
        return heappop(self._heap)[2]
