"""Read verdicts and scores out of what a judge wrote, by each judge's own rule.

A parser takes the judge's text alone (never the responses') and the number of
responses shown. It returns one score per response, in the order shown, or None when
the text does not say: something off the menu, or two different verdicts, is None.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from math import isfinite

from rrm_harness.errors import SpecError
from rrm_harness.specs import nearest

Scores = tuple[float, ...]
Parser = Callable[[str, int], Scores | None]

FIRST: Scores = (1.0, 0.0)
SECOND: Scores = (0.0, 1.0)
TIE: Scores = (0.5, 0.5)


def rrm(text: str, shown: int) -> Scores | None:
    r"""RRM: the last `\boxed{Assistant 1|2}` after the first `</think>`.

    Source: microsoft/LMOps@af6bc85, RRM-evaluation/rewardbench/generative.py.
    """
    _, closed, answer = text.partition("</think>")
    boxed = _last_boxed(answer) if closed else None
    return _menu(boxed, {"Assistant 1": FIRST, "Assistant 2": SECOND}, shown)


def assistant(text: str, shown: int) -> Scores | None:
    """A bare `Assistant 1` or `Assistant 2`, as RRM's recorded votes have it."""
    return _menu(text.strip(), {"Assistant 1": FIRST, "Assistant 2": SECOND}, shown)


def mt_bench(text: str, shown: int) -> Scores | None:
    """MT-Bench and RewardBench prompts: `[[A]]`, `[[B]]`, or `[[C]]` for a tie.

    Source: lm-sys/FastChat, fastchat/llm_judge.
    """
    return _one(re.findall(r"\[\[([A-Z])\]\]", text), _letters(shown, tie="C"), shown)


def rm_r1(text: str, shown: int) -> Scores | None:
    """RM-R1: the last `<answer>[[A]]</answer>`.

    Source: RM-R1-UIUC/RM-R1, eval.
    """
    found = re.findall(r"<answer>\s*\[\[([A-Z])\]\]\s*</answer>", text)
    return _menu(found[-1] if found else None, _letters(shown), shown)


def arena_hard(text: str, shown: int) -> Scores | None:
    """Arena-Hard: the single distinct `[[A>>B]]` … `[[B>>A]]`; `>>` counts as `>`.

    Source: lmarena/arena-hard-auto; ScalerLab/JudgeBench, utils/judges.py.
    """
    found = re.findall(r"\[\[([AB<>=]+)\]\]", text)
    menu = {"A>>B": FIRST, "A>B": FIRST, "A=B": TIE, "B>A": SECOND, "B>>A": SECOND}
    return _one(found, menu, shown)


def llmbar(text: str, shown: int) -> Scores | None:
    """LLMBar: `Output (a) is better.`, or nothing but `Output (a)`; not both.

    The published full stop is a regular expression's: any character.

    Source: princeton-nlp/LLMBar@caa7bee, LLMEvaluator (`parsing` of the evaluators).
    """
    found = re.findall(r"Output \(([ab])\) is better.", text)
    bare = re.findall(r"\A\s*Output \(([ab])\)\.?\s*\Z", text)
    return _one(found or bare, {"a": FIRST, "b": SECOND}, shown)


def llmbar_line(text: str, shown: int) -> Scores | None:
    """LLMBar without reasoning, and with PaLM 2: a line that begins `Output (a)`.

    As published, (a) is looked for first: it wins over a line that begins with (b).

    Source: princeton-nlp/LLMBar@caa7bee, LLMEvaluator (`parsing` of the evaluators).
    """
    lines = re.findall(r"(?:^|\n) ?Output \(([ab])\)", text.strip())
    return _menu(min(lines, default=None), {"a": FIRST, "b": SECOND}, shown)


def rating(text: str, shown: int) -> Scores | None:
    """One response's rating: the whole text is a number."""
    number = re.fullmatch(r"\s*(-?\d+(?:\.\d+)?)\s*", text)
    return _all_of([number[1]], shown) if number else None


def judgelrm(text: str, shown: int) -> Scores | None:
    """JudgeLRM: an `<answer>` of a number 1–10 for each response; equal is a tie.

    Source: NuoJohnChen/JudgeLRM.
    """
    answers = re.findall(r"<answer>\s*(\d+(?:\.\d+)?)\s*</answer>", text)
    return _all_of(answers, shown)


def deepseek_grm(text: str, shown: int) -> Scores | None:
    r"""DeepSeek-GRM: the last `\boxed{x, y, ...}`, clipped to 1–10.

    Source: arXiv 2504.02495 and the card of BBQGOD/DeepSeek-GRM-27B.
    """
    boxed = _last_boxed(text)
    numbers = re.findall(r"-?\d+(?:\.\d+)?", boxed or "")
    scores = _all_of(numbers, shown)
    return scores and tuple(min(10.0, max(1.0, score)) for score in scores)


PARSERS: Mapping[str, Parser] = {
    "rrm": rrm,
    "assistant": assistant,
    "mt-bench": mt_bench,
    "rm-r1": rm_r1,
    "arena-hard": arena_hard,
    "llmbar": llmbar,
    "llmbar-line": llmbar_line,
    "rating": rating,
    "judgelrm": judgelrm,
    "deepseek-grm": deepseek_grm,
}


def parser(name: str) -> Parser:
    """Return a parser by name.

    Raises:
        SpecError: No parser has that name.
    """
    if name not in PARSERS:
        raise SpecError(f"no parser is called '{name}'; {nearest(name, list(PARSERS))}")
    return PARSERS[name]


def _menu(choice: str | None, menu: Mapping[str, Scores], shown: int) -> Scores | None:
    """The verdict if it is on the menu; a menu for two says nothing about three."""
    scores = menu.get(choice, ()) if choice is not None else ()
    return scores if len(scores) == shown else None


def _one(found: Sequence[str], menu: Mapping[str, Scores], shown: int) -> Scores | None:
    """The verdict if exactly one distinct one was given and it is on the menu."""
    distinct = set(found)
    return _menu(distinct.pop(), menu, shown) if len(distinct) == 1 else None


def _letters(shown: int, tie: str = "") -> dict[str, Scores]:
    letters = {
        chr(ord("A") + place): tuple(float(place == i) for i in range(shown))
        for place in range(min(shown, 26))
    }
    return {tie: TIE} | letters if tie and shown == 2 else letters


def _all_of(numbers: Sequence[str], shown: int) -> Scores | None:
    """The numbers, one for each response; one too large to represent is none."""
    scores = tuple(map(float, numbers))
    return scores if len(scores) == shown and all(map(isfinite, scores)) else None


def _last_boxed(text: str) -> str | None:
    r"""The content of the last `\boxed{...}`, else `\fbox{...}`, braces balanced."""
    start = text.rfind("\\boxed{")
    start = start if start >= 0 else text.rfind("\\fbox{")
    if start < 0:
        return None
    opened = text.index("{", start)
    depth = 0
    for place in range(opened, len(text)):
        depth += (text[place] == "{") - (text[place] == "}")
        if depth == 0:
            return text[opened + 1 : place]
    return None
