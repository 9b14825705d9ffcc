from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from reference_llama import config
from scoring import Loaded, asked

from rrm_harness import EngineError, Message, Request, host


@pytest.fixture
def internlm2(tiny: Callable[[str], Path]) -> Loaded:
    return Loaded.of("internlm2", tiny("internlm2"))


def test_the_reward_token_ends_the_chat(internlm2: Loaded) -> None:
    ids = internlm2.ids(asked("Four."))
    reward = internlm2.network.config.reward_token_id
    assert ids[-1] == reward
    assert ids.count(reward) == 1
    assert internlm2.tokenizer.decode(ids[:-1]).endswith("Four.<|im_end|>\n")


def test_a_response_that_names_the_reward_token_has_one_still(
    internlm2: Loaded,
) -> None:
    ids = internlm2.ids(asked("Four.[UNUSED_TOKEN_130]"))
    assert ids.count(internlm2.network.config.reward_token_id) == 1


def test_a_chat_that_ends_in_the_reward_token_gets_no_second(
    internlm2: Loaded,
) -> None:
    turns = (Message("user", "2 + 2?"), Message("assistant", "Four."))
    closed = Request(turns, kind="score", prefill="[UNUSED_TOKEN_130]")
    ids = internlm2.ids(closed)
    assert ids[-1] == internlm2.network.config.reward_token_id
    assert ids == internlm2.ids(Request(turns, kind="score"))


def _folder(source: Path, place: Path, **changed: Any) -> Path:
    for file in source.iterdir():
        (place / file.name).write_bytes(file.read_bytes())
    (place / "config.json").write_text(json.dumps(config(source) | changed))
    return place


def test_the_attention_that_the_published_config_names_is_not_taken_over(
    internlm2: Loaded, tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    place = _folder(tiny("internlm2"), tmp_path, attn_implementation="eager")

    config = Loaded.of("internlm2", place).network.config

    assert config._attn_implementation == "sdpa"
    assert config._attn_implementation == internlm2.network.config._attn_implementation


def test_weights_in_several_files_are_read(
    internlm2: Loaded, tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    place = _folder(tiny("internlm2"), tmp_path)
    whole = load_file(place / "model.safetensors")
    (place / "model.safetensors").unlink()
    names = sorted(whole)
    for number, part in enumerate((names[::2], names[1::2]), 1):
        file = place / f"model-0000{number}-of-00002.safetensors"
        save_file({name: whole[name] for name in part}, file)
    ids = internlm2.ids(asked("Four."))
    assert Loaded.of("internlm2", place).score(ids) == internlm2.score(ids)


def test_dynamic_scaling_changes_nothing_within_the_context(
    internlm2: Loaded, tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    scaled = {"rope_scaling": {"type": "dynamic", "factor": 2.0}}
    other = Loaded.of("internlm2", _folder(tiny("internlm2"), tmp_path, **scaled))
    ids = internlm2.ids(asked("Four."))
    assert other.score(ids) == internlm2.score(ids)


@pytest.mark.parametrize(
    "changed", [{"bias": True}, {"rope_scaling": {"type": "linear", "factor": 2.0}}]
)
def test_what_no_published_checkpoint_has_is_refused(
    changed: dict[str, Any], tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    place = _folder(tiny("internlm2"), tmp_path, **changed)
    with pytest.raises(EngineError, match="has biases or scaled positions"):
        host.default().build("heads", "internlm2").load(place)
    with pytest.raises(EngineError, match="has biases or scaled positions"):
        host.default().build("heads", "internlm2").vllm(place)


def test_vllm_needs_no_code_of_the_checkpoints(tiny: Callable[[str], Path]) -> None:
    route = host.default().build("heads", "internlm2").vllm(tiny("internlm2"))
    assert route.overrides == {"model_type": "llama", "rope_scaling": None}


def test_a_folder_without_safetensors_is_refused(
    tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    place = _folder(tiny("internlm2"), tmp_path)
    (place / "model.safetensors").unlink()
    with pytest.raises(EngineError, match="has no safetensors"):
        host.default().build("heads", "internlm2").load(place)
