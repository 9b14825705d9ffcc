"""What does not fit: how much too long it is, and a prompt with its middle left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil
from typing import Literal

from rrm_harness.records import Comparison, Completion, Failure, Judgment, Message

TooLong = Literal["fail", "skip", "truncate"]
"""What becomes of an input that the model cannot take whole: the judgment fails, the
example is left out of the numbers, or the middle of its prompt is left out."""
GAP = "\n[...]\n"
"""Stands for what was left out of a prompt."""
LEAST_CUT, SLACK = 16, 1.02
"""Characters; and how much more is cut than a mean token's length asks for."""


def shortened(
    comparison: Comparison, judgments: Sequence[Judgment]
) -> Comparison | None:
    """The comparison with so much left out of its prompt that all of it should fit.

    None if these judgments say that it fits, or if the prompt's longest message has not
    that much to give. Responses are never cut.
    """
    over = max((_excess(c) for each in judgments for c in each.completions), default=0)
    if not over:
        return None
    prompt = comparison.example.prompt
    texts = [message.content for message in prompt]
    place = max(range(len(texts)), key=lambda index: len(texts[index]))
    whole = sum(map(len, texts)) + sum(map(len, comparison.responses))
    cut = max(LEAST_CUT, ceil(over * whole * SLACK)) + len(GAP)
    kept = len(texts[place]) - cut
    if kept < 0:
        return None
    start, end = (kept + 1) // 2, len(texts[place]) - kept // 2
    shorter = texts[place][:start] + GAP + texts[place][end:]
    messages = [*prompt]
    messages[place] = Message(prompt[place].role, shorter)
    example = replace(comparison.example, prompt=tuple(messages))
    return replace(comparison, example=example)


def _excess(completion: Completion) -> float:
    """The share of a request's tokens that do not fit; a half if nobody knows."""
    if completion.failure is not Failure.TOO_LONG:
        return 0.0
    if not completion.room or not completion.prompt_tokens:
        return 0.5
    return max(0.0, 1 - completion.room / completion.prompt_tokens)
