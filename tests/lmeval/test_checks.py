"""Bad input is told before any model loads."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lm_eval.tasks import TaskManager

from lmeval import benchmarks
from rrm_harness import HarnessError
from rrm_harness.lmeval.checks import before_model, has_chat_template


def check(tmp_path: Path, **changed: Any) -> None:
    """Ask `before_model` for a run that is fine but for what is changed."""
    task = changed.get("tasks", ["rrm_rewardbench"])[0]
    written = tmp_path / "data"
    written.mkdir(exist_ok=True)
    path = benchmarks.MAKERS[task](written) if task in benchmarks.MAKERS else ""
    asked: dict[str, Any] = {
        "model": "hf",
        "model_args": {"pretrained": "somewhere"},
        "tasks": ["rrm_rewardbench"],
        "metadata": {"path": str(path)} | changed.pop("metadata", {}),
        "apply_chat_template": True,
    }
    before_model(asked | changed)


OURS: dict[str, Any] = {"model": "rrm"}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (OURS | {"model_args": {}}, "needs a judge"),
        (OURS | {"model_args": {"judge": "longst"}}, "did you mean 'longest'"),
        (OURS | {"model_args": "judge=longest,strategy=knokout"}, "did you mean 'kno"),
        (OURS | {"model_args": {"judge": "longest"}, "gen_kwargs": "temperature=1"},
         "--gen_kwargs changes nothing"),
        (OURS | {"model_args": {"judge": "longest"}, "tasks": ["rrm_gpqa_bon"]},
         "needs a policy; add policy_model=ID"),
        (OURS | {"model_args": {"judge": "longest",
                                "strategy": "[sum-voting,k=2,meta=true]"}},
         "needs a meta; add meta_judge=SPEC"),
        ({"metadata": {"path": "nowhere"}}, "nowhere: no such file"),
        ({"metadata": {"judge": "longst"}}, "did you mean 'longest'"),
        ({"metadata": {"judge": "longest"}}, "asks no model; use --model rrm"),
        ({"metadata": {"judge": "athene"}}, "reward head.*use --model rrm"),
        ({"metadata": {"judge": "[llm,verdict=probabilities]"}}, "use --model rrm"),
        ({"metadata": {"judge": "[rrm,bos=double-as-published]"}}, "token ids"),
        ({"metadata": {"strategy": "votng"}}, "did you mean 'voting'"),
        ({"tasks": ["rrm_rewardbench2"], "metadata": {"strategy": "knockout"}},
         "chooses what to ask by the answers.*use --model rrm"),
        ({"tasks": ["rrm_gpqa_bon"]}, "asks a policy as well.*use --model rrm"),
        ({"tasks": ["rrm_rewardbench2"], "metadata": {"judge": "rrm"}},
         "the judge takes 2 to 2"),
        ({"metadata": {"think_end_token": "</think>"}}, "leave it out"),
        (OURS | {"model_args": {"judge": "rrm", "backend": "hf", "pretrained": "x",
                                "think_end_token": "</think>"}}, "leave it out"),
        (OURS | {"model_args": {"judge": "rrm"}}, "rrm runs a model; say how"),
        (OURS | {"model_args": {"judge": "rrm", "backend": "hff"}}, "mean 'hf'"),
        (OURS | {"model_args": {"judge": "rrm", "backend": "rrm"}}, "no model of that"),
        (OURS | {"model_args": {"judge": "rrm", "backend": "hf", "pretrained": "x",
                                "policy_model": "y"}}, "policy_engine=SPEC"),
        (OURS | {"model_args": {"judge": ["rrm"]}}, "write it as a text"),
        (OURS | {"model_args": {"judge": "longest", "seed": True}}, "whole number"),
        (OURS | {"model_args": {"judge": "longest"}, "metadata": {"judge": "first"}},
         "--metadata says judge=first"),
        (OURS | {"model_args": {"judge": "first", "strategy": "voting"},
                 "metadata": {"k": 7}}, "--metadata says k=7"),
        (OURS | {"model_args": {"judge": "first", "seed": 1}, "metadata": {"seed": 2}},
         "--metadata says seed=2"),
        (OURS | {"model_args": {"judge": "rrm", "backend": "hf", "pretrained": "x"},
                 "tasks": ["rrm_gpqa_main"]}, "the judge takes 2 to 2"),
        (OURS | {"model_args": {"judge": "longest"},
                 "tasks": ["rrm_rewardbench", "hellaswag"]}, "nothing to judge"),
        ({"tasks": ["rrm_ppe", "rrm_ppe_math"]}, "asked for twice"),
        ({"metadata": {"measures": "typo"}}, "its own are mean_over_examples"),
        ({"metadata": {"measures": "interval"}}, "has no such number"),
        ({"metadata": {"skip_bad_rows": "no"}}, "give true or false"),
        ({"gen_kwargs": "seed=1"}, "would make all samples one"),
        ({"system_instruction": "be kind"}, "--system_instruction cannot be used"),
        ({"model": "local-chat-completions", "apply_chat_template": False},
         "add --apply_chat_template"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence(
    changed: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(HarnessError, match=said) as told:
        check(tmp_path, **changed)

    assert "\n" not in str(told.value)


def test_gated_data_without_a_token_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))

    with pytest.raises(HarnessError, match=r"gated.*HF_TOKEN.*path=") as told:
        check(tmp_path, tasks=["rrm_gpqa_main"], metadata={"path": ""})

    assert "\n" not in str(told.value)


@pytest.mark.parametrize("tasks", [["hellaswag"], [object()]])
def test_tasks_of_others_are_left_alone(tasks: list[Any], tmp_path: Path) -> None:
    check(tmp_path, tasks=tasks, model="rrm", model_args={})


def test_a_lone_name_is_a_list_of_one(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="asks a policy"):
        check(tmp_path, tasks="rrm_gpqa_bon", metadata={"path": written(tmp_path)})


def written(folder: Path) -> str:
    return str(benchmarks.gpqa(folder))


def test_a_task_of_the_user_s_own_folder_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(MINE)
    manager = TaskManager(include_path=str(tmp_path), include_defaults=False)

    with pytest.raises(HarnessError, match="did you mean 'sample'"):
        check(tmp_path, tasks=["mine"], task_manager=manager)


MINE = """
task: mine
class: !function rrm_harness.lmeval.task.JudgeTask
rrm: {dataset: smple, judge: rrm}
"""


@pytest.mark.parametrize("name", ["rrm", "rrm_ppe"])
def test_tasks_of_a_tag_and_of_a_group_are_looked_at(name: str, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="nowhere"):
        check(tmp_path, tasks=[name], metadata={"path": "nowhere"})


def test_a_chat_model_without_its_template_is_refused(
    tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    model = {"pretrained": str(tiny("llama"))}

    with pytest.raises(HarnessError, match="add --apply_chat_template"):
        check(tmp_path, model_args=model, apply_chat_template=False)


def test_a_model_without_a_chat_template_is_asked_in_plain_text(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")

    check(tmp_path, model_args={"pretrained": str(tmp_path)}, apply_chat_template=False)


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("chat_template.jinja", "x", True),
        ("tokenizer_config.json", json.dumps({"chat_template": "x"}), True),
        ("tokenizer_config.json", "{}", False),
        ("tokenizer_config.json", "damaged", False),
    ],
)
def test_a_chat_template_is_found_where_tokenizers_keep_it(
    file: str, text: str, found: bool, tmp_path: Path
) -> None:
    (tmp_path / file).write_text(text)

    assert has_chat_template(str(tmp_path)) == found


def test_a_cache_of_replies_belongs_to_the_model_that_began_it(tmp_path: Path) -> None:
    cache, weights = str(tmp_path / "cache"), tmp_path / "a"
    weights.mkdir()
    (weights / "model.safetensors").write_text("one")
    model = {"pretrained": str(weights)}
    check(tmp_path, use_cache=cache, model_args={"pretrained": "mistyped"})
    check(tmp_path, use_cache=cache, model_args=model)
    (tmp_path / "cache_rank0.db").touch()  # as lm-eval does once the model is loaded

    check(tmp_path, use_cache=cache, model_args=model | {"batch_size": 4})
    for other in ({"pretrained": "b"}, model | {"dtype": "float16"}):
        with pytest.raises(HarnessError, match="another model's replies"):
            check(tmp_path, use_cache=cache, model_args=other)
    (weights / "model.safetensors").write_text("another")
    with pytest.raises(HarnessError, match="another model's replies"):
        check(tmp_path, use_cache=cache, model_args=model)


def test_a_cache_of_nobody_knows_whom_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cache_rank0.db").touch()

    with pytest.raises(HarnessError, match="nobody knows whose"):
        check(tmp_path, use_cache=str(tmp_path / "cache"))
