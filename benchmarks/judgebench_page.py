"""Runs of what a real judge said: o1-mini's recorded replies on JudgeBench.

Of the benchmark's repository it takes the pairs and the judge's output file, which are
named in DATA/judgebench. The replies are read as they are, in both orders; the trivial
judge `longest` stands beside.
"""

from __future__ import annotations

import json
from pathlib import Path

from rrm_harness import evaluate
from rrm_harness.result import Result

PAIRS = "judgebench/data/gpt-4o-pairs.jsonl"
REPLIES = "judgebench/judgments/gpt-pairs__arena_hard__o1-mini-2024-09-12.jsonl"


def recorded_run(data: Path, output: Path) -> list[Result]:
    """Judge the pairs by the recorded replies, and by their length.

    Args:
        data: The folder of recorded data.
        output: Where the replies are put in our format, and the runs.
    """
    output.mkdir(parents=True, exist_ok=True)
    replies = output / "replies.jsonl"
    replies.write_text("".join(_lines(data / REPLIES)))
    judges = {
        "o1-mini": f"recorded,path={replies},parser=arena-hard",
        "longest": "longest",
    }
    return [
        evaluate(
            judge,
            f"judgebench,path={data / PAIRS}",
            "both-orders",
            output=output / name,
        )
        for name, judge in judges.items()
    ]


def _lines(file: Path) -> list[str]:
    found = []
    for line in file.read_text().splitlines():
        row = json.loads(line)
        for order, game in zip(([0, 1], [1, 0]), row["judgments"], strict=True):
            said = {"order": order, "text": game["judgment"]["response"]}
            found.append(json.dumps({"example": row["pair_id"], **said}) + "\n")
    return found
