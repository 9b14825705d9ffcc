"""What the nano models learn from: prompts as the judge asks them, and perfect replies.

A row is drawn from its number alone. The judge's prompts are those of the installed
judge, so that training and judging cannot drift apart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from rrm_harness import Comparison, Example, Message, host
from rrm_harness.plugins.datasets.arithmetic import (
    Draws,
    Problem,
    answered,
    apply,
    solution,
)

from tokens import ASSISTANT, END, MARKS, THINK, UNTHINK, USER

IDS = {mark: 256 + number for number, mark in enumerate((*MARKS, THINK, UNTHINK))}
THINKING = ("full",) * 7 + ("units",) * 2 + ("none",)
"""How far a trace thinks, drawn from these."""
ALIKE = 8
"""One trace in so many has two right answers, and one in so many two wrong ones."""


class Row(NamedTuple):
    """A prompt and the reply to learn, as token ids."""

    prompt: list[int]
    reply: list[int]


class Preference(NamedTuple):
    """A chat that ends in a right answer and one that ends in a wrong one."""

    chosen: list[int]
    rejected: list[int]


def solving(number: int, problem: Problem) -> Row:
    """A question, its working and its answer."""
    reply = f"{working(problem)}{UNTHINK}It is {problem.answer}{END}"
    return Row(ids(f"{USER}{problem.question}{ASSISTANT}{THINK}"), ids(reply))


def judging(number: int, problem: Problem) -> Row:
    """A comparison and what a judge thinks and says that makes no mistake.

    Where both answers are right, both are wrong, or the thinking cannot tell them
    apart, the verdict is drawn: the model learns to be undecided.
    """
    draws = Draws("nano judging", number)
    thinking, kind = draws.pick(THINKING), draws.below(ALIKE)
    mixed = (True, False) if draws.below(2) else (False, True)
    rights = {0: (True, True), 1: (False, False)}.get(kind, mixed)
    texts = tuple(solution(problem, right, draws).text for right in rights)
    said = [answered(text) or 0 for text in texts]
    modulus = 10 if thinking == "units" else 100
    agrees = [each % modulus == problem.answer % modulus for each in said]
    better = agrees.index(True) if agrees[0] != agrees[1] else draws.below(2)
    if thinking == "none":
        thought, better = "", rights.index(True) if kind > 1 else better
    else:
        checks = [
            f"{place}: {each % modulus} {'yes' if right else 'no'}"
            for place, (each, right) in enumerate(zip(said, agrees, strict=True), 1)
        ]
        thought = "\n".join([working(problem, modulus), *checks])
    reply = f"{thought}{UNTHINK}\\boxed{{Assistant {better + 1}}}{END}"
    return Row(asked(problem, texts, thinking), ids(reply))


def preferring(number: int, problem: Problem) -> Preference:
    """A right and a wrong answer, as a reward head reads them."""
    draws = Draws("nano preferring", number)
    chosen, rejected = (
        ids(f"{USER}{problem.question}{ASSISTANT}{solution(problem, right, draws).text}{END}")
        for right in (True, False)
    )
    return Preference(chosen, rejected)


def working(problem: Problem, modulus: int = 100) -> str:
    """The question once more and each step worked out, or its last digits alone."""
    lines, total = [problem.question], problem.start
    for sign, operand in problem.steps:
        result = apply(total, sign, operand)
        parts = (each % modulus for each in (total, operand, result))
        lines.append("{}{}{}={}".format(next(parts), sign, next(parts), next(parts)))
        total = result
    return "\n".join(lines)


def asked(problem: Problem, texts: Sequence[str], thinking: str) -> list[int]:
    """The judge's prompt: its recipe filled in, then the chat's marks."""
    if thinking not in _JUDGES:
        _JUDGES[thinking] = host.default().build(
            "judges", f"rrm-nano,thinking={thinking}"
        )
    prompt = (Message("user", problem.question),)
    comparison = Comparison.of(Example("trace", prompt, tuple(texts), ()))
    (request,) = _JUDGES[thinking].render(comparison)
    turns = (f"<|{each.role}|>{each.content}" for each in request.messages)
    return ids("".join(turns) + ASSISTANT + THINK)


_JUDGES: dict[str, object] = {}
_MARK = re.compile("(" + "|".join(map(re.escape, IDS)) + ")")


def ids(text: str) -> list[int]:
    """A text's token ids: a mark's own, and each byte's value."""
    pieces = _MARK.split(text)
    return list(chain.from_iterable([IDS[p]] if p in IDS else p.encode() for p in pieces))
