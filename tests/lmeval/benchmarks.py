"""A small benchmark of each kind, in its published schema, with texts of our own."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Rows = Iterable[Mapping[str, Any]]


def lines(path: Path, rows: Rows) -> Path:
    """Write rows as JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def rewardbench(folder: Path) -> Path:
    subsets = ["alpacaeval-easy", "llmbar-natural", "donotanswer", "math-prm", "hep-go"]
    return lines(
        folder / "rewardbench.jsonl",
        (
            {
                "id": number,
                "prompt": f"question {number}",
                "chosen": f"good answer {'x' * (number % 3)}",
                "rejected": f"bad answer {'x' * (number % 4)}",
                "subset": subsets[number % 5],
            }
            for number in range(20)
        ),
    )


def rewardbench2(folder: Path) -> Path:
    rows: list[dict[str, Any]] = [
        {
            "id": str(number),
            "prompt": f"question {number}",
            "chosen": ["right"],
            "rejected": [f"wrong {each}" for each in "abc"],
            "num_correct": 1,
            "subset": subset,
        }
        for number, subset in enumerate(
            2 * ["Factuality", "Precise IF", "Math", "Safety", "Focus"]
        )
    ]
    rows += [
        {
            "id": f"{form}:{number}",
            "prompt": f"name a colour, {form} {number}",
            "chosen": ["red", "blue"][: 2 if form == "tied" else 1],
            "rejected": ["seven", "table"],
            "subset": "Ties",
        }
        for number in range(2)
        for form in ("ref", "tied")
    ]
    return lines(folder / "rewardbench2.jsonl", rows)


def ppe(folder: Path) -> Path:
    for subset in ("mmlu-pro", "math", "gpqa", "ifeval", "mbpp-plus"):
        lines(
            folder / "ppe" / f"{subset}.jsonl",
            (
                {
                    "question_id": f"{subset}-{number}",
                    "prompt": f"question {number}",
                    "model_name": "policy",
                    **{f"response_{k}": f"answer {k} of {number}" for k in range(1, 5)},
                    "scores": [True, False, number % 2 == 0, False],
                    "sampled_conflict_pairs": [[0, 1], [3, 0], [0, 1]],
                }
                for number in range(4)
            ),
        )
    lines(
        folder / "ppe" / "human.jsonl",
        (
            {
                "question_id": str(number),
                "prompt": f"question {number}",
                "response_1": "one",
                "response_2": "another",
                "winner": ["model_a", "model_b", "tie"][number % 3],
            }
            for number in range(9)
        ),
    )
    return folder / "ppe"


def pandalm(folder: Path) -> Path:
    return lines(
        folder / "pandalm.jsonl",
        (
            {
                "idx": number,
                "instruction": f"do {number}",
                "input": "",
                "response1": "one",
                "response2": "another",
                **{f"annotator{k}": number % 3 for k in (1, 2, 3)},
            }
            for number in range(9)
        ),
    )


def judgebench(folder: Path) -> Path:
    sources = ["mmlu-pro-law", "livebench-math", "livecodebench"]
    return lines(
        folder / "judgebench.jsonl",
        (
            {
                "pair_id": f"pair-{number}",
                "source": sources[number % 3],
                "question": f"question {number}",
                "response_A": "one",
                "response_B": "another",
                "label": ["A>B", "B>A"][number % 2],
            }
            for number in range(9)
        ),
    )


def rm_bench(folder: Path) -> Path:
    return lines(
        folder / "rm-bench.jsonl",
        (
            {
                "id": number,
                "prompt": f"question {number}",
                "chosen": [f"good {number} {style}" for style in "abc"],
                "rejected": [f"bad {number} {style}" for style in "abc"],
                "domain": domain,
            }
            for number, domain in enumerate(["chat", "math", "safety-refuse", "code"])
        ),
    )


def llmbar(folder: Path) -> Path:
    adversarial = [
        f"Adversarial_{each}" for each in ["Neighbor", "GPTInst", "GPTOut", "Manual"]
    ]
    for name in ["Natural", *adversarial]:
        place = folder / "llmbar" / name / "dataset.json"
        place.parent.mkdir(parents=True)
        rows = [
            {
                "input": f"do {number} as {name}",
                "output_1": "one",
                "output_2": "another",
                "label": 1 + number % 2,
            }
            for number in range(4)
        ]
        place.write_text(json.dumps(rows))
    return folder / "llmbar"


def gpqa(folder: Path) -> Path:
    rows = [
        {
            "Record ID": f"rec{number}",
            "Question": f"How many are {number} and one?",
            "Correct Answer": str(number + 1),
            **{f"Incorrect Answer {k}": str(number + 1 + k) for k in (1, 2, 3)},
            "High-level domain": ["Physics", "Chemistry"][number % 2],
        }
        for number in range(6)
    ]
    place = folder / "gpqa.csv"
    with place.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return place


MAKERS = {
    "rrm_rewardbench": rewardbench,
    "rrm_rewardbench2": rewardbench2,
    "rrm_pandalm": pandalm,
    "rrm_judgebench_gpt": judgebench,
    "rrm_judgebench_claude": judgebench,
    "rrm_rm_bench": rm_bench,
    "rrm_llmbar": llmbar,
    **{
        f"rrm_ppe_{each}": ppe
        for each in ("mmlu_pro", "math", "gpqa", "ifeval", "mbpp_plus", "human")
    },
    **{f"rrm_gpqa_{each}": gpqa for each in ("diamond", "main", "extended", "bon")},
}
"""Every task of ours, and what writes a small benchmark of its schema."""
