"""Bad input is told before any model loads."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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
    cache = str(tmp_path / "cache")
    for _ in range(2):
        check(tmp_path, use_cache=cache, model_args={"pretrained": "a"})

    with pytest.raises(HarnessError, match="another model's replies"):
        check(tmp_path, use_cache=cache, model_args={"pretrained": "b"})


def test_a_cache_of_nobody_knows_whom_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cache_rank0.db").touch()

    with pytest.raises(HarnessError, match="nobody knows whose"):
        check(tmp_path, use_cache=str(tmp_path / "cache"))
