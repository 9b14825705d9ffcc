"""Calibration and bias of real judges, from recorded scores and replies."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from rrm_harness import evaluate
from rrm_harness.report.facts import facts

pytestmark = pytest.mark.acceptance

Recorded = Callable[[str], Path]
SKYWORK = "reward_model__Skywork_Skywork-Reward-Llama-3.1-8B"
INTERNLM = "reward_model__internlm_internlm2-20b-reward"
O1_MINI = "arena_hard__o1-mini-2024-09-12"


def judge(data: Path, name: str, folder: Path) -> Mapping[str, Any]:
    """Replay a judge of JudgeBench's GPT-4o pairs in both orders; print what it is."""
    field = "scores" if name.startswith("reward") else "response"
    place = folder / "recorded.jsonl"
    with (data / "judgments" / f"gpt-pairs__{name}.jsonl").open() as lines:
        entries = [
            {
                "example": row["pair_id"],
                "order": order,
                "scores" if field == "scores" else "text": game["judgment"][field],
            }
            for row in map(json.loads, lines)
            for order, game in zip(([0, 1], [1, 0]), row["judgments"], strict=True)
        ]
    place.write_text("".join(f"{json.dumps(entry)}\n" for entry in entries))
    results = evaluate(
        f"recorded,path={place},parser=arena-hard",
        f"judgebench,path={data / 'data' / 'gpt-4o-pairs.jsonl'}",
        "both-orders",
        output=folder / "run",
    ).results
    print(name, *(f"  {fact}: {value}" for fact, value in facts(results)), sep="\n")
    return results


def test_two_reward_models_of_equal_accuracy_differ_in_calibration(
    recorded_data: Recorded, tmp_path: Path
) -> None:
    data = recorded_data("judgebench")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    skywork = judge(data, SKYWORK, tmp_path / "a")["calibration"]
    internlm = judge(data, INTERNLM, tmp_path / "b")["calibration"]

    assert skywork["confidence"] == internlm["confidence"] == "sigmoid of the margin"
    assert skywork["n"] == internlm["n"] == 350
    assert skywork["ece"] == pytest.approx(0.3259, abs=1e-4)
    assert internlm["ece"] == pytest.approx(0.0534, abs=1e-4)
    assert internlm["ece_low"] == 0 < skywork["ece_low"]
    for found in (skywork, internlm):
        accuracies = [part["accuracy"] for part in found["coverage"]]
        assert accuracies == sorted(accuracies, reverse=True)


def test_the_reply_that_changes_with_the_order_goes_to_the_first(
    recorded_data: Recorded, tmp_path: Path
) -> None:
    found = judge(recorded_data("judgebench"), O1_MINI, tmp_path)

    both = found["bias"]["position"]["both_orders"]
    assert (both["flips"], both["to_first"], both["to_second"]) == (110, 58, 18)
    assert both["p"] < 1e-5
    assert found["calibration"]["confidence"] == "winner's share"
