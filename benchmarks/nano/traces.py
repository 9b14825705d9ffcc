"""What the nano models learn from: prompts as the judge asks them, and perfect replies.

A row is drawn from its number alone. The judge's prompts are those of the installed
judge, so that training and judging cannot drift apart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from tokens import ASSISTANT, END, MARKS, THINK, UNTHINK, USER

from rrm_harness import Comparison, Example, Message, host
from rrm_harness.arithmetic import (
    LIMIT,
    Draws,
    Problem,
    answered,
    apply,
    solution,
)

IDS = {mark: 256 + number for number, mark in enumerate((*MARKS, THINK, UNTHINK))}
THINKING = ("full",) * 6 + ("short", "none")
"""How far a trace thinks, drawn from these."""
KINDS = ("both right", *("both wrong",) * 3, *("mixed",) * 4)
"""What a trace's answers are, drawn from these."""
UNFINISHED = 12
"""One in so many wrong answers that a judge reads is none: it breaks off before."""
DRILLS, QUOTES = 12, 8
"""Lines of a drill, of either kind."""


class Row(NamedTuple):
    """A prompt and a reply as token ids, and which of the reply's are to be learnt."""

    prompt: list[int]
    reply: list[int]
    learnt: list[bool]


class Preference(NamedTuple):
    """A chat that ends in a right answer and one that ends in a wrong one."""

    chosen: list[int]
    rejected: list[int]


def drilling(number: int) -> Row:
    """Lines as a thought has them: sums, and how far two numbers are apart."""
    draws = Draws("nano drilling", number)
    row = Row(ids(USER + THINK), [], [])
    for _ in range(DRILLS):
        asked, told = (_sum if draws.below(2) else _check)(draws)
        row.reply.extend(ids(asked + told))
        row.learnt.extend([False] * len(asked) + [True] * len(told))
    return row


def quoting(number: int, problem: Problem) -> Row:
    """A comparison, and checks of either answer against drawn numbers.

    Which answer is whose is asked many times a row: it is learnt late from thoughts
    alone, that ask it twice.
    """
    draws = Draws("nano quoting", number)
    texts = [_read(problem, draws.below(2) == 0, draws) for _ in range(2)]
    row = Row(asked(problem, texts, "full"), [], [])
    for _ in range(QUOTES):
        place = draws.below(2)
        said = answered(texts[place])
        own = _near(said, draws) if said is not None else draws.below(LIMIT)
        cue, minus, told = checked(place, said, own).partition("-")
        row.reply.extend(ids(cue + minus) + ids(f"{told}\n"))
        row.learnt.extend([False] * len(cue + minus) + [True] * (len(told) + 1))
    return row


def _near(number: int, draws: Draws) -> int:
    """A number to compare with one: half of the time it itself."""
    slipped = min(LIMIT - 1, max(0, number + draws.pick((-10, -2, -1, 1, 2, 10))))
    return draws.pick((number, number, slipped, draws.below(LIMIT)))


def _sum(draws: Draws) -> tuple[str, str]:
    total, sign, operand = draws.below(LIMIT), draws.pick("+-"), 1 + draws.below(19)
    if not 0 <= apply(total, sign, operand) < LIMIT:
        sign = "+" if sign == "-" else "-"
    return f"{total}{sign}{operand}=", f"{apply(total, sign, operand)}\n"


def _check(draws: Draws) -> tuple[str, str]:
    one = draws.below(LIMIT)
    other = _near(one, draws)
    return f"{one}-{other}=", f"{one - other}\n"


def solving(problem: Problem) -> Row:
    """A question, its working and its answer."""
    reply = f"{working(problem)}{UNTHINK}It is {problem.answer}{END}"
    return _learnt(ids(f"{USER}{problem.question}{ASSISTANT}{THINK}"), ids(reply))


def careless(number: int, problem: Problem) -> Row:
    """A question and somebody's working and answer, half of the time with a slip."""
    draws = Draws("nano careless", number)
    worked = solution(problem, draws.below(2) == 0, draws)
    lines = [f"{left}={total}" for left, total in worked.steps]
    thought = "\n".join([problem.question, *lines])
    reply = f"{thought}{UNTHINK}It is {worked.said}{END}"
    return _learnt(ids(f"{USER}{problem.question}{ASSISTANT}{THINK}"), ids(reply))


def judging(number: int, problem: Problem) -> Row:
    """A comparison and what a judge thinks and says that makes no mistake.

    Where both answers are right or both are wrong the verdict is drawn: the model
    learns to be undecided.
    """
    draws = Draws("nano judging", number)
    thinking, kind, better = draws.pick(THINKING), draws.pick(KINDS), draws.below(2)
    rights = {
        "both right": (True, True),
        "both wrong": (False, False),
        "mixed": (better == 0, better == 1),
    }[kind]
    texts = [_read(problem, right, draws) for right in rights]
    thought = ""
    if thinking != "none":
        worked = working(problem) if thinking == "full" else shortly(problem)
        checks = [
            checked(place, answered(text), problem.answer)
            for place, text in enumerate(texts)
        ]
        thought = "\n".join([worked, *checks])
    reply = f"{thought}{UNTHINK}\\boxed{{Assistant {better + 1}}}{END}"
    return _learnt(asked(problem, texts, thinking), ids(reply))


def _read(problem: Problem, right: bool, draws: Draws) -> str:
    """An answer as a judge reads it; now and then a wrong one breaks off."""
    text = solution(problem, right, draws).text
    broken = not right and draws.below(UNFINISHED) == 0
    return text.rpartition("\n")[0] if broken else text


def preferring(number: int, problem: Problem) -> Preference:
    """A right and a wrong answer, as a reward head reads them."""
    draws = Draws("nano preferring", number)
    before = f"{USER}{problem.question}{ASSISTANT}"
    chosen, rejected = (
        ids(before + solution(problem, right, draws).text + END)
        for right in (True, False)
    )
    return Preference(chosen, rejected)


def working(problem: Problem) -> str:
    """The question once more and each step worked out."""
    lines, before = [problem.question], problem.start
    for (sign, operand), total in zip(problem.steps, problem.totals, strict=True):
        lines.append(f"{before}{sign}{operand}={total}")
        before = total
    return "\n".join(lines)


def shortly(problem: Problem) -> str:
    """The question once more and its answer, worked out at once."""
    return problem.question.replace("?", str(problem.answer))


def checked(place: int, said: int | None, own: int) -> str:
    """One's own answer less the one that was said: 0 if they are the same."""
    less = "none" if said is None else f"{said}={own - said}"
    return f"({place + 1}) {own}-{less}"


def _learnt(prompt: list[int], reply: list[int]) -> Row:
    return Row(prompt, reply, [True] * len(reply))


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
    each = ([IDS[piece]] if piece in IDS else piece.encode() for piece in pieces)
    return [*chain.from_iterable(each)]
