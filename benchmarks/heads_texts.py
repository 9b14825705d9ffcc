"""Pairs with RewardBench's lengths, for benchmarks/heads.py."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

RM_BENCH, LLMBAR = "rm-bench-partial", "llmbar"
SECTIONS = {  # RewardBench's, with its numbers of pairs, and what is like them here
    "chat": (358, [f"{RM_BENCH}/chat_filtered.json"]),
    "chat-hard": (456, [f"{LLMBAR}/*/dataset.json"]),
    "safety": (740, [f"{RM_BENCH}/safety-*_filtered.json"]),
}
STYLE = 1
"""Which of RM-Bench's styles: 0 is concise, 1 plain, 2 has markup."""
WORDS = ("the", "answer", "is", "that", "both", "say", "what", "was", "asked", "but")


class Pair(NamedTuple):
    """A prompt and two responses."""

    prompt: str
    chosen: str
    rejected: str


def pairs(count: int) -> tuple[list[Pair], str]:
    """So many pairs, section by section as RewardBench has them; what they are."""
    data = os.environ.get("RRM_HARNESS_DATA")
    if not data:
        return generated(count), "generated texts, log-normal (no RRM_HARNESS_DATA)"
    whole = sum(weight for weight, _ in SECTIONS.values())
    found: list[Pair] = []
    for weight, patterns in SECTIONS.values():
        known = [*read(Path(data), patterns)]
        random.Random(0).shuffle(known)  # all of a section's subsets, however few
        found += islice(cycle(known), round(count * weight / whole))
    return found, "LLMBar and RM-Bench, in RewardBench's proportions and order"


def read(data: Path, patterns: list[str]) -> Iterator[Pair]:
    """A section's pairs."""
    for pattern in patterns:
        for path in sorted(data.glob(pattern)):
            for row in json.loads(path.read_text()):
                yield pair(row)


def pair(row: dict[str, Any]) -> Pair:
    """A row of LLMBar, or one style of a row of RM-Bench."""
    if "output_1" in row:
        return Pair(row["input"], row["output_1"], row["output_2"])
    return Pair(row["prompt"], row["chosen"][STYLE], row["rejected"][STYLE])


def generated(count: int) -> list[Pair]:
    """Texts whose lengths are log-normal, fitted to the others'."""
    source = random.Random(0)

    def text(middle: float, spread: float) -> str:
        length = max(1, int(source.lognormvariate(middle, spread)))
        return " ".join(source.choices(WORDS, k=min(length, 1500)))

    return [Pair(text(4.2, 1.0), text(5.5, 0.9), text(5.5, 0.9)) for _ in range(count)]
