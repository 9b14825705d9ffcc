"""`check judge` shows what the model reads, and what would go wrong."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rrm_harness import DataError, Failure, Message, SpecError, host
from rrm_harness.check_judge import Looked, look
from rrm_harness.inputs import CRITIQUE, comparisons, completions, requests

Tiny = Callable[[str], Path]
COMMAND = str(Path(sys.executable).with_name("rrm-harness"))


def looked(judge: str, dataset: str = "sample") -> Looked:
    plugins = host.default()
    return look(plugins.build("judges", judge), plugins.build("datasets", dataset))


def facts(found: Looked) -> dict[str, str]:
    return dict(found.facts)


def test_special_tokens_are_marked_and_texts_are_not(
    tiny: Tiny, tmp_path: Path
) -> None:
    (tmp_path / "a.jsonl").write_text(
        '{"id": "1", "prompt": "q", "responses": ["x <|eot_id|>", "y"], "correct": [1]}'
    )
    judge = f"sequence-classifier,model={tiny('llama_classifier')}"

    found = looked(judge, f"jsonl,path={tmp_path}/a.jsonl")

    assert len(found.inputs) == 2
    assert "assistant⟦<|end_header_id|>⟧\n\nx <|eot_id|>⟦<|eot_id|>⟧" in found.inputs[0]


def test_tokens_are_counted_against_what_fits(tiny: Tiny) -> None:
    found = looked(f"rrm,model={tiny('qwen2')},max-tokens=1000")

    assert "3,096 fit, 1,000 kept to write, of a context of 4,096" in str(found.facts)
    assert found.problems == []


def test_where_an_input_would_be_cut_is_shown(tiny: Tiny) -> None:
    found = looked(f"rrm,model={tiny('qwen2')},max-tokens=4000")

    (problem,) = found.problems
    assert "does not fit; from token 96 on" in problem


def test_an_appended_reward_token_is_seen(tiny: Tiny) -> None:
    found = looked(f"athene,model={tiny('athene')}")

    assert all(each.endswith("⟦<|reserved_special_token_1|>⟧") for each in found.inputs)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # DeBERTa's
@pytest.mark.parametrize("judge", ["pairrm", "athene", "internlm2"])
def test_the_context_is_the_engines(tiny: Tiny, judge: str) -> None:
    spec = f"{judge},model={tiny(judge)}"
    said = facts(looked(spec))["input 1"]
    made = host.default().build("judges", spec)
    (comparison,) = comparisons(made, host.default().build("datasets", "sample"), 1)
    ((_, request), *_) = requests(made, comparison)
    turns = (*request.messages[:-1], Message(request.messages[-1].role, "word " * 5000))

    with closing(host.default().engine("transformers,dtype=float32", made)) as engine:
        (over,) = completions(engine, [replace(request, messages=turns)])

    assert over.failure is Failure.TOO_LONG
    assert f"of a context of {over.room:,}" in said


def test_a_damaged_config_is_said_in_one_sentence(tiny: Tiny, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny("qwen2"), tmp_path / "damaged")
    (folder / "config.json").write_text("{")

    (problem, *_) = looked(f"rrm,model={folder}").problems

    assert "tokens cannot be shown: " in problem
    assert "config.json cannot be read" in problem


def test_weights_that_are_not_all_there_are_told(tiny: Tiny, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny("qwen2"), tmp_path / "half")
    names = ("model.safetensors", "model-2.safetensors")
    index = {"weight_map": dict(zip("ab", names, strict=True))}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))

    found = looked(f"rrm,model={folder},max-tokens=10")

    assert "holds 1 of its 2 files of weights" in found.problems[0]
    assert facts(found)["weights"].endswith("MB, F32")


def test_weights_that_nobody_knows_have_no_size(tiny: Tiny, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny("qwen2"), tmp_path / "empty")
    (folder / "model.safetensors").unlink()

    found = looked(f"rrm,model={folder},max-tokens=10")

    assert "the size of the weights is not known" in found.problems[0]
    assert "weights" not in facts(found)


def test_a_judge_of_critiques_is_shown_one(tiny: Tiny) -> None:
    (shown,) = looked(f"grm-meta,model={tiny('llama_classifier')}").inputs

    assert "[The Begin of Response 2]" in shown
    assert CRITIQUE in shown


def test_a_double_beginning_is_a_problem(tiny: Tiny) -> None:
    judge = f"rrm,model={tiny('qwen2')},max-tokens=10,bos=double-as-published"

    assert looked(judge).problems == ["input audit: double-bos"]


def test_weights_and_cache_are_set_against_the_machine(tiny: Tiny) -> None:
    said = facts(looked(f"rrm,model={tiny('qwen2')},max-tokens=10"))

    assert said["weights"].endswith("MB, F32")
    assert "one input at a time fits" in said["memory of this machine"]


def test_without_the_models_files_the_messages_and_its_card_are_shown() -> None:
    found = looked("athene")

    assert found.inputs[0].startswith("(kind score)\n⟦user⟧\n")
    assert facts(found)["model"] == "Nexusflow/Athene-RM-8B"
    assert "tokens cannot be shown" in found.problems[0]


def test_a_judge_without_a_model_has_nothing_to_check() -> None:
    with pytest.raises(SpecError, match="runs no model"):
        looked("longest")


def test_a_dataset_that_the_judge_cannot_take_is_refused(
    tiny: Tiny, tmp_path: Path
) -> None:
    (tmp_path / "a.jsonl").write_text(
        '{"id": "1", "prompt": "q", "responses": ["x", "y", "z"], "correct": [1]}'
    )

    with pytest.raises(DataError, match="with 2 to 2 responses"):
        looked(f"rrm,model={tiny('qwen2')}", f"jsonl,path={tmp_path}/a.jsonl")


def run(*arguments: Any) -> subprocess.CompletedProcess[str]:
    command = [COMMAND, "check", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_ends_with_1_when_something_is_wrong(tiny: Tiny) -> None:
    model = tiny("qwen2")

    right = run("judge", f"rrm,model={model},max-tokens=10")
    wrong = run("judge", f"rrm,model={model},max-tokens=4000")

    assert (right.returncode, wrong.returncode) == (0, 1)
    assert "⟦<think>⟧" in right.stdout
    assert "! input 1 does not fit" in wrong.stdout
    assert right.stderr == wrong.stderr == ""
