"""Multi-step arithmetic: questions, worked solutions right and wrong, a verifier.

Every draw is a keyed hash, so a problem is the same on every machine. Questions are
split once and for all by their own hash: what is trained on is never asked in a test.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Literal, TypeVar

from rrm_harness import chance

Split = Literal["test", "train"]
Item = TypeVar("Item")

LIMIT = 100
"""Every number that occurs is at least 0 and below this."""
LEVELS = {"easy": (2, 10), "medium": (3, 10), "hard": (4, 20)}
"""Difficulty to the number of operations and the limit of an operand."""
STYLES = ("bare", "lines", "words")
"""How a solution is written: the result alone, a line a step, a sentence a step.
The first is twice as frequent as each other one."""
SLIPS = ("step", "copy", "last")
"""Where a wrong solution went wrong: a step's result, an operand, the last line."""
HELD_BACK = 0.125
"""The share of all questions that is kept for tests."""


class Draws:
    """Draws one after another, all from one key."""

    def __init__(self, *key: chance.Key) -> None:
        self._key = key
        self._drawn = 0

    def below(self, limit: int) -> int:
        """Draw from 0 … limit-1."""
        self._drawn += 1
        return int(chance.uniform(*self._key, self._drawn) * limit)

    def pick(self, items: Sequence[Item]) -> Item:
        """Draw one of the items."""
        return items[self.below(len(items))]


@dataclass(frozen=True, slots=True)
class Problem:
    """A number and what is done to it, step by step.

    Args:
        start: The first number.
        steps: A sign and an operand each.
    """

    start: int
    steps: tuple[tuple[str, int], ...]

    @property
    def question(self) -> str:
        """The question as it is asked, such as `47+25-8=?`."""
        operations = "".join(f"{sign}{operand}" for sign, operand in self.steps)
        return f"{self.start}{operations}=?"

    @property
    def totals(self) -> tuple[int, ...]:
        """The result of each step."""
        totals, total = [], self.start
        for sign, operand in self.steps:
            total = apply(total, sign, operand)
            totals.append(total)
        return tuple(totals)

    @property
    def answer(self) -> int:
        """The last step's result."""
        return self.totals[-1]

    @property
    def held_back(self) -> bool:
        """Whether it is kept for tests."""
        return chance.uniform("nano-arithmetic", self.question) < HELD_BACK


@dataclass(frozen=True, slots=True)
class Solution:
    """A worked solution.

    Args:
        steps: What was worked out, such as `47+25`, and what came out.
        said: The answer that it ends with.
        slip: Where it went wrong, if it did.
        style: How it is written.
    """

    steps: tuple[tuple[str, int], ...]
    said: int
    slip: str
    style: str

    @property
    def text(self) -> str:
        """The solution as it is written."""
        if self.style == "bare":
            return f"It is {self.said}"
        if self.style == "lines":
            lines = [f"{left}={total}" for left, total in self.steps]
            return "\n".join([*lines, f"It is {self.said}"])
        told = [f"{left} is {total}." for left, total in self.steps]
        return "\n".join([*told, f"So it is {self.said}"])


def apply(total: int, sign: str, operand: int) -> int:
    """Add or take away."""
    return total + operand if sign == "+" else total - operand


def problem(level: str, draws: Draws, split: Split) -> Problem:
    """Draw a problem of a level that belongs to the split."""
    while True:
        drawn = _drawn(level, draws)
        if drawn.held_back == (split == "test"):
            return drawn


def _drawn(level: str, draws: Draws) -> Problem:
    count, limit = LEVELS[level]
    start = total = 1 + draws.below(LIMIT - 1)
    steps: list[tuple[str, int]] = []
    while len(steps) < count:
        sign, operand = draws.pick("+-"), 1 + draws.below(limit - 1)
        if 0 <= apply(total, sign, operand) < LIMIT:
            total = apply(total, sign, operand)
            steps.append((sign, operand))
    return Problem(start, tuple(steps))


def solution(asked: Problem, right: bool, draws: Draws) -> Solution:
    """Work it out in a drawn style; a wrong one has one drawn slip in it."""
    style = draws.pick((STYLES[0], *STYLES))
    if right:
        before = (asked.start, *asked.totals)
        lefts = [f"{b}{s}{o}" for b, (s, o) in zip(before, asked.steps, strict=False)]
        steps = tuple(zip(lefts, asked.totals, strict=True))
        return Solution(steps, asked.answer, "", style)
    while True:
        slip = draws.pick(SLIPS)
        slipped = _slipped(asked, slip, draws)
        if slipped is not None:
            return Solution(*slipped, slip, style)


def _slipped(
    asked: Problem, slip: str, draws: Draws
) -> tuple[tuple[tuple[str, int], ...], int] | None:
    """Work it out with one slip; None if it leaves the range or does not matter."""
    at = draws.below(len(asked.steps))
    worked: list[tuple[str, int]] = []
    total = asked.start
    for number, (sign, operand) in enumerate(asked.steps):
        read = _off(operand, draws) if (slip, number) == ("copy", at) else operand
        before, total = total, apply(total, sign, read)
        if (slip, number) == ("step", at):
            total = _off(total, draws)
        if not (0 <= total < LIMIT and 0 < read < LIMIT):
            return None
        worked.append((f"{before}{sign}{read}", total))
    said = _off(total, draws) if slip == "last" else total
    fits = 0 <= said < LIMIT and said != asked.answer
    return (tuple(worked), said) if fits else None


def _off(number: int, draws: Draws) -> int:
    """A number that is a little wrong: by one, by two, by ten."""
    return number + draws.pick((-10, -2, -1, 1, 2, 10))


def solved(question: str) -> int:
    """Work a question out.

    Raises:
        ValueError: It is no question of this kind.
    """
    read = re.fullmatch(r"(\d+)((?:[+-]\d+)+)=\?", question.strip())
    if read is None:
        raise ValueError(f"'{question:.60}' is no question such as 47+25-8=?")
    total = int(read[1])
    for sign, operand in re.findall(r"([+-])(\d+)", read[2]):
        total = apply(total, sign, int(operand))
    return total


def answered(response: str) -> int | None:
    """The answer that a response ends with, None if it has none."""
    found = re.search(r"[Ii]t is (\d{1,3})\s*\Z", response)
    return int(found[1]) if found else None


def verify(question: str, response: str) -> bool:
    """Whether a response ends with the right answer; for measuring, never a reward."""
    return answered(response) == solved(question)


def problems(split: Split, seed: int) -> Iterator[tuple[int, str, Problem]]:
    """Yield numbers from 0, levels in turn, and problems, without end."""
    for number, level in enumerate(cycle(LEVELS)):
        draws = Draws("nano-arithmetic", split, seed, number)
        yield number, level, problem(level, draws, split)
