"""What a task is asked for, out of its YAML and the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lmeval import benchmarks
from rrm_harness import HarnessError, SpecError
from rrm_harness.lmeval.setting import FOLDER, Setting
from rrm_harness.lmeval.tasks_asked import known_tasks


def setting(task: str = "rrm_rewardbench", **metadata: Any) -> Setting:
    return Setting(task, known_tasks()[task]["rrm"], metadata)


def test_every_task_of_the_table_is_there() -> None:
    tasks = {name for name, each in known_tasks().items() if "rrm" in each}

    assert tasks == set(benchmarks.MAKERS)


def test_the_tag_holds_every_task() -> None:
    assert set(known_tasks()["rrm"]["task"]) == set(benchmarks.MAKERS)


@pytest.mark.parametrize("task", benchmarks.MAKERS)
def test_a_task_builds_with_what_its_yaml_names(task: str, tmp_path: Path) -> None:
    asked = setting(task, path=str(benchmarks.MAKERS[task](tmp_path)))

    assert asked.examples
    assert asked.judge
    assert asked.strategy.cost(len(asked.examples[0].responses)) > 0


@pytest.mark.parametrize("task", benchmarks.MAKERS)
def test_a_copy_is_found_in_the_folder_of_copies(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = benchmarks.MAKERS[task](tmp_path)
    monkeypatch.setenv(FOLDER, str(tmp_path))

    assert setting(task).dataset.path == path


def test_a_copy_named_as_the_task_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = benchmarks.judgebench(tmp_path).rename(tmp_path / "judgebench_claude.jsonl")
    benchmarks.judgebench(tmp_path)
    monkeypatch.setenv(FOLDER, str(tmp_path))

    assert setting("rrm_judgebench_claude").dataset.path == path
    assert setting("rrm_judgebench_gpt").dataset.path == tmp_path / "judgebench.jsonl"


def test_options_of_the_dataset_can_be_set(tmp_path: Path) -> None:
    path = str(benchmarks.judgebench(tmp_path))
    asked = setting("rrm_judgebench_gpt", path=path, options="[games=strict,split=gpt]")

    assert asked.dataset.games == "strict"


def test_k_is_an_option_of_the_strategy(tmp_path: Path) -> None:
    path = str(benchmarks.gpqa(tmp_path))

    assert setting("rrm_gpqa_main", path=path, k=8).strategy_spec == "repeated,k=8"


def test_a_known_model_brings_its_judge() -> None:
    asked = setting(pretrained="nuojohnchen/JudgeLRM-7B")

    assert asked.judge_spec == "judgelrm"


@pytest.mark.parametrize(
    ("task", "model", "judge"),
    [
        ("rrm_gpqa_main", "Reward-Reasoning/RRM-7B", "solver"),
        ("rrm_llmbar", "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", "rrm"),
        ("rrm_rewardbench2", "meta-llama/Llama-3.1-8B-Instruct", "llm,mode=rating"),
    ],
)
def test_a_card_does_not_make_a_policy_a_judge_nor_change_its_mode(
    task: str, model: str, judge: str
) -> None:
    assert setting(task, pretrained=model).judge_spec == judge


def test_a_judge_that_is_asked_for_wins() -> None:
    asked = setting(pretrained="nuojohnchen/JudgeLRM-7B", judge="llm")

    assert asked.judge_spec == "llm"


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"seed": "x"}, "seed=x: give a whole number"),
        ({"path": "nowhere"}, "nowhere.*with lm_eval, that is --metadata path"),
        ({"options": "tie=no"}, "tie must be"),
        ({"judge": "rm"}, "no judges plugin"),
        ({"strategy": "votng"}, "did you mean 'voting'"),
    ],
)
def test_a_mistake_is_told(metadata: dict[str, Any], said: str, tmp_path: Path) -> None:
    given = {"path": str(benchmarks.rewardbench(tmp_path))} | metadata

    asked = setting(**given)

    with pytest.raises(HarnessError, match=said):
        _ = (asked.seed, asked.examples, asked.judge, asked.strategy)


def test_a_folder_of_copies_that_is_not_there_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(FOLDER, "nowhere")

    with pytest.raises(SpecError, match="nowhere: no such folder"):
        _ = setting().dataset


def test_a_key_that_no_task_has_is_told() -> None:
    with pytest.raises(SpecError, match="did you mean 'dataset'"):
        Setting("theirs", {"datset": "sample"}, {})


def test_a_task_without_a_dataset_is_told() -> None:
    with pytest.raises(SpecError, match="needs a dataset"):
        Setting("theirs", {"judge": "rrm"}, {})
