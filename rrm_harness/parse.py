"""Read verdicts and scores out of what a judge wrote, by each judge's own rule.

A parser takes the judge's text alone (never the responses') and the number of
responses shown. It returns one score per response, in the order shown, or None when
the text does not say: something off the menu, or two different verdicts, is None.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite

from rrm_harness.errors import SpecError
from rrm_harness.specs import nearest

Scores = tuple[float, ...]
Parser = Callable[[str, int], Scores | None]

FIRST: Scores = (1.0, 0.0)
SECOND: Scores = (0.0, 1.0)
TIE: Scores = (0.5, 0.5)

_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"


def answer(text: str) -> str:
    """What follows the thought: all after the first `</think>`.

    A thought that is still open is no answer; a text without one is all answer.
    """
    _, closed, rest = text.partition("</think>")
    return rest if closed else text.partition("<think>")[0]


def still_thinking(text: str) -> bool:
    """Whether a thought was begun and not ended: the reply was cut short."""
    return "<think>" in text and "</think>" not in text


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
    found = re.findall(r"\[\[([A-Z])\]\]", answer(text))
    return _one(found, _letters(shown, tie="C"), shown)


def verdict(text: str, shown: int) -> Scores | None:
    """`[[A]]` or `[[B]]` after the thought, no tie; two different ones are none.

    The published readers take what they look for first of two different ones.

    Source: allenai/reward-bench, rewardbench/generative.py; Skywork-Critic's card.
    """
    return _one(re.findall(r"\[\[([A-Z])\]\]", answer(text)), _letters(shown), shown)


def mt_bench_rating(text: str, shown: int) -> Scores | None:
    """MT-Bench's grade of one response: `[[7]]` or `[[7.5]]`, 1–10.

    Source: lm-sys/FastChat, fastchat/llm_judge.
    """
    found = set(re.findall(rf"\[\[({_NUMBER})\]\]", answer(text)))
    return _graded(found, shown, 1, 10) if len(found) == 1 else None


def j1(text: str, shown: int) -> Scores | None:
    """J1: `<answer> [[A]] </answer>` after the thought, whatever scores stand by it.

    Source: arXiv 2505.10320.
    """
    found = re.findall(r"<answer>\s*\[\[([A-Z])\]\]\s*</answer>", answer(text))
    return _one(found, _letters(shown), shown)


def j1_scores(text: str, shown: int) -> Scores | None:
    """J1: `<score_A>` and `<score_B>` after the thought, 0–10, one of each.

    Source: arXiv 2505.10320.
    """
    said = answer(text)
    each = [
        set(re.findall(rf"<score_{name}>\s*({_NUMBER})\s*</score_{name}>", said))
        for name in _letters(shown)
    ]
    if any(len(numbers) != 1 for numbers in each):
        return None
    return _graded([numbers.pop() for numbers in each], shown, 0, 10)


def j1_score(text: str, shown: int) -> Scores | None:
    """J1 on one response: `<score>` after the thought, 0–10.

    Source: arXiv 2505.10320.
    """
    found = set(re.findall(rf"<score>\s*({_NUMBER})\s*</score>", answer(text)))
    return _graded(found, shown, 0, 10) if len(found) == 1 else None


def rm_r1(text: str, shown: int) -> Scores | None:
    """RM-R1: the last `<answer>[[A]]</answer>` after the thought.

    The published reader looks into the thought as well.

    Source: RM-R1-UIUC/RM-R1, eval.
    """
    found = re.findall(r"<answer>\s*\[\[([A-Z])\]\]\s*</answer>", answer(text))
    return _menu(found[-1] if found else None, _letters(shown), shown)


def arena_hard(text: str, shown: int) -> Scores | None:
    """Arena-Hard: the single distinct `[[A>>B]]` … `[[B>>A]]`; `>>` counts as `>`.

    Source: lmarena/arena-hard-auto; ScalerLab/JudgeBench, utils/judges.py.
    """
    found = re.findall(r"\[\[([AB<>=]+)\]\]", answer(text))
    menu = {"A>>B": FIRST, "A>B": FIRST, "A=B": TIE, "B>A": SECOND, "B>>A": SECOND}
    return _one(found, menu, shown)


def llmbar(text: str, shown: int) -> Scores | None:
    """LLMBar: `Output (a) is better.`, or nothing but `Output (a)`; not both.

    The published full stop is a regular expression's: any character.

    Source: princeton-nlp/LLMBar@caa7bee, LLMEvaluator (`parsing` of the evaluators).
    """
    said = answer(text)
    found = re.findall(r"Output \(([ab])\) is better.", said)
    bare = re.findall(r"\A\s*Output \(([ab])\)\.?\s*\Z", said)
    return _one(found or bare, {"a": FIRST, "b": SECOND}, shown)


def llmbar_line(text: str, shown: int) -> Scores | None:
    """LLMBar without reasoning, and with PaLM 2: a line that begins `Output (a)`.

    As published, (a) is looked for first: it wins over a line that begins with (b).

    Source: princeton-nlp/LLMBar@caa7bee, LLMEvaluator (`parsing` of the evaluators).
    """
    lines = re.findall(r"(?:^|\n) ?Output \(([ab])\)", answer(text).strip())
    return _menu(min(lines, default=None), {"a": FIRST, "b": SECOND}, shown)


def rating(text: str, shown: int) -> Scores | None:
    """One response's rating: the whole answer is a number."""
    number = re.fullmatch(rf"\s*({_NUMBER})\s*", answer(text))
    return _all_of([number[1]], shown) if number else None


def judgelrm(text: str, shown: int) -> Scores | None:
    """JudgeLRM: an `<answer>` of a number 1–10 for each response; equal is a tie.

    As published, 0 counts too: the published outputs have it, and their figures count
    it. A number off that scale is none; the published reader takes any.

    Source: NuoJohnChen/JudgeLRM.
    """
    answers = re.findall(rf"<answer>\s*({_NUMBER})\s*</answer>", answer(text))
    return _graded(answers, shown, 0, 10)


def judgelrm_thinking(text: str, shown: int) -> Scores | None:
    """JudgeLRM's whole reply: as `judgelrm`, after the end of the thought.

    The published reader gives a reply without `</think>` two zeros; here it is none.

    Source: NuoJohnChen/JudgeLRM, pandalm/utils/judgelrm_inference.py.
    """
    return judgelrm(text, shown) if "</think>" in text else None


def judgelm(text: str, shown: int) -> Scores | None:
    """JudgeLM: the first line holds the scores alone, `8 7` or `8, 7`.

    The prompt asks for 1–10; as published, 0 counts too.

    Source: baaivision/JudgeLM@0da7c22, judgelm/llm_judge/common.py (`parse_score`).
    """
    line = answer(text).strip().partition("\n")[0].replace(",", " ").split()
    numbers = [each for each in line if re.fullmatch(_NUMBER, each)]
    return _graded(numbers, shown, 0, 10) if len(numbers) == len(line) else None


def prometheus(text: str, shown: int) -> Scores | None:
    """Prometheus 2 on a pair: `[RESULT] A` or `[RESULT] B`.

    Source: prometheus-eval/prometheus-eval, docs/prompts.md.
    """
    return _one(_results(text), _letters(2), shown)


def prometheus_score(text: str, shown: int) -> Scores | None:
    """Prometheus 2 on one response: `[RESULT] 4`, a whole number 1–5.

    Source: prometheus-eval/prometheus-eval, docs/prompts.md.
    """
    menu = {str(score): (float(score),) for score in range(1, 6)}
    return _one(_results(text), menu, shown)


def compass(text: str, shown: int) -> Scores | None:
    """CompassJudger-2: `{"Choice": "Model A"}` somewhere in the reply.

    Source: its card; open-compass/opencompass, JudgeEvaluator.
    """
    found = re.findall(r'"Choice"\s*:\s*"([^"]*)"', answer(text))
    return _one(found, {"Model A": FIRST, "Model B": SECOND}, shown)


def deepseek_grm(text: str, shown: int) -> Scores | None:
    r"""DeepSeek-GRM: the last `\boxed{x, y, ...}`, clipped to 1–10; else none.

    Nothing but numbers and commas may stand in the box.

    Source: arXiv 2504.02495 and the card of BBQGOD/DeepSeek-GRM-27B.
    """
    numbers = [each.strip() for each in (_last_boxed(answer(text)) or "").split(",")]
    if not all(re.fullmatch(_NUMBER, each) for each in numbers):
        return None
    scores = _all_of(numbers, shown)
    return scores and tuple(min(10.0, max(1.0, score)) for score in scores)


def boxed_letter(text: str, shown: int) -> Scores | None:
    r"""A policy's choice: the last `\boxed{B}` after the thought, a letter shown.

    `(B)`, `B)` and each of these within `\text{}` are the same.
    """
    menu = {
        spelling: scores
        for letter, scores in _letters(shown).items()
        for plain in (letter, f"({letter})", f"{letter})")
        for spelling in (plain, rf"\text{{{plain}}}")
    }
    return _menu((_last_boxed(answer(text)) or "").strip(), menu, shown)


PARSERS: Mapping[str, Parser] = {
    "rrm": rrm,
    "assistant": assistant,
    "mt-bench": mt_bench,
    "mt-bench-rating": mt_bench_rating,
    "verdict": verdict,
    "j1": j1,
    "j1-scores": j1_scores,
    "j1-score": j1_score,
    "rm-r1": rm_r1,
    "arena-hard": arena_hard,
    "llmbar": llmbar,
    "llmbar-line": llmbar_line,
    "rating": rating,
    "judgelrm": judgelrm,
    "judgelrm-thinking": judgelrm_thinking,
    "judgelm": judgelm,
    "prometheus": prometheus,
    "prometheus-score": prometheus_score,
    "compass": compass,
    "deepseek-grm": deepseek_grm,
    "boxed-letter": boxed_letter,
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


def _graded(
    numbers: Iterable[str], shown: int, least: float, most: float
) -> Scores | None:
    """The numbers, one for each response, if all are on the scale."""
    scores = _all_of(tuple(numbers), shown)
    on_scale = scores is not None and all(least <= each <= most for each in scores)
    return scores if on_scale else None


def _results(text: str) -> list[str]:
    """What stands on the lines after each `[RESULT]`."""
    found = re.findall(r"\[RESULT\]\s*(.*)", answer(text))
    return [each.strip(" .()") for each in found]


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
