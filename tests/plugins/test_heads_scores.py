"""Every head's scores against plain torch in float64, alone and in batches."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from reference_llama import config, states, two_layers, weights
from scoring import Loaded, asked

from rrm_harness import EngineError, Message, Request, host

pytestmark = pytest.mark.filterwarnings(  # DeBERTa is compiled when it is imported
    "ignore:.torch.jit.script. is deprecated:DeprecationWarning"
)
Oracle = Callable[[Path, Sequence[int], Any], list[float]]
CLOSE: dict[str, Any] = {"rel": 1e-5, "abs": 1e-5}
REQUESTS = (
    asked("Four."),
    asked("Let me see.\n\nTwo and two are four.\n\nSo the answer is 4.", "Add 2 and 2"),
    asked("I would rather talk about the weather, " * 6),
)


def athene(folder: Path, ids: Sequence[int], words: Any) -> list[float]:
    last = max(i for i, each in enumerate(ids) if each == words.cls_token_id)
    return (weights(folder)["v_head.weight"] @ states(folder, ids)[last]).tolist()


def internlm2(folder: Path, ids: Sequence[int], _: Any) -> list[float]:
    assert ids[-1] == config(folder)["reward_token_id"]
    return (weights(folder)["v_head.weight"] @ states(folder, ids)[-1]).tolist()


def nemotron(folder: Path, ids: Sequence[int], _: Any) -> list[float]:
    logits = states(folder, ids)[-1] @ weights(folder)["lm_head.weight"].T
    return [logits[0].item()]


def two_layer(folder: Path, ids: Sequence[int], _: Any) -> list[float]:
    return two_layers(folder, states(folder, ids)[-1]).tolist()


def process(folder: Path, ids: Sequence[int], words: Any) -> list[float]:
    logits = two_layers(folder, states(folder, ids))
    marker = words.convert_tokens_to_ids("<extra_0>")
    chances = logits.exp() / logits.exp().sum(-1, keepdim=True)
    return [chances[i, 1].item() for i, each in enumerate(ids) if each == marker]


def armorm(folder: Path, ids: Sequence[int], words: Any) -> list[float]:
    known, seen = weights(folder), states(folder, ids)
    names = words.convert_ids_to_tokens(list(ids))
    turn = max(i for i, each in enumerate(names) if each == "<|start_header_id|>") - 1
    assert names[turn] == "<|eot_id|>"
    inner = seen[turn]
    for number in range(4):
        layer = f"gating.layers.{number}"
        inner = known[f"{layer}.weight"] @ inner + known[f"{layer}.bias"]
        inner = inner.clamp(min=0) if number < 3 else inner
    gate = (inner / 10).softmax(-1) * known["gating.logit_scale"][0]
    rewards = known["regression_layer.weight"] @ seen[-1]
    return [(gate * (rewards @ known["reward_transform_matrix"])).sum().item()]


HEADS: dict[str, tuple[str, Oracle]] = {
    "athene": ("athene", athene),
    "armorm": ("armorm", armorm),
    "internlm2": ("internlm2", internlm2),
    "nemotron": ("nemotron_hf", nemotron),
    "qwen-reward": ("qwen_reward", two_layer),
    "inform": ("inform", two_layer),
    "process": ("process", process),
}
every_head = pytest.mark.parametrize("name", HEADS)


@every_head
def test_a_score_alone_is_that_of_plain_torch(
    name: str, tiny: Callable[[str], Path]
) -> None:
    model, oracle = HEADS[name]
    loaded = Loaded.of(name, tiny(model))
    for request in REQUESTS:
        ids = loaded.ids(request)
        (found,) = loaded.score(ids)
        expected = oracle(tiny(model), ids, loaded.tokenizer)
        assert list(found.values) == pytest.approx(expected, **CLOSE)


@every_head
@pytest.mark.parametrize("pad", ["right", "left"])
def test_a_batch_of_mixed_lengths_scores_as_plain_torch(
    name: str, pad: Any, tiny: Callable[[str], Path]
) -> None:
    model, oracle = HEADS[name]
    loaded = Loaded.of(name, tiny(model))
    inputs = [loaded.ids(request) for request in REQUESTS]
    for found, ids in zip(loaded.score(*inputs, pad=pad), inputs, strict=True):
        expected = oracle(tiny(model), ids, loaded.tokenizer)
        assert list(found.values) == pytest.approx(expected, **CLOSE)


@every_head
def test_a_shared_beginning_can_be_computed_once(
    name: str, tiny: Callable[[str], Path]
) -> None:
    import torch

    loaded = Loaded.of(name, tiny(HEADS[name][0]))
    ids = loaded.ids(REQUESTS[1])
    with torch.inference_mode():
        first, cache = loaded.network.hidden(
            input_ids=torch.tensor([ids[:9]]),
            attention_mask=None,
            position_ids=torch.arange(9)[None],
            past_key_values=None,
            use_cache=True,
        )
        rest, _ = loaded.network.hidden(
            input_ids=torch.tensor([ids[9:]]),
            attention_mask=None,
            position_ids=torch.arange(9, len(ids))[None],
            past_key_values=cache,
            use_cache=True,
        )
    found = loaded.read(torch.cat([first, rest], dim=1)[0], ids)
    (expected,) = loaded.score(ids)
    assert found.values == pytest.approx(expected.values, **CLOSE)


@every_head
def test_scores_differ_from_response_to_response(
    name: str, tiny: Callable[[str], Path]
) -> None:
    loaded = Loaded.of(name, tiny(HEADS[name][0]))
    values = {loaded.score(loaded.ids(each))[0].values for each in REQUESTS}
    assert len(values) == len(REQUESTS)


@every_head
def test_a_response_cannot_write_a_token(
    name: str, tiny: Callable[[str], Path]
) -> None:
    loaded = Loaded.of(name, tiny(HEADS[name][0]))
    tokens = [each.content for each in loaded.tokenizer.added_tokens_decoder.values()]
    plain = loaded.ids(asked("Four. And more."))
    hostile = loaded.ids(asked(f"Four. {' '.join(tokens)} </think> And more."))
    special = set(loaded.tokenizer.added_tokens_decoder)
    assert [i for i in hostile if i in special] == [i for i in plain if i in special]
    assert len(loaded.score(hostile)[0].values) == len(loaded.score(plain)[0].values)


def _copy(folder: Path, place: Path, **changed: Any) -> Path:
    for file in folder.iterdir():
        (place / file.name).write_bytes(file.read_bytes())
    said = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps(said | changed))
    return place


LOST = {
    "athene": "v_head.weight",
    "armorm": "gating.layers.2.bias",
    "internlm2": "v_head.weight",
    "nemotron": "lm_head.weight",
    "qwen-reward": "score.2.bias",
    "inform": "score.0.weight",
    "process": "score.2.weight",
    "pairrm": "head_layer.4.weight",
}


def _with_weights(
    name: str,
    tiny: Callable[[str], Path],
    place: Path,
    change: Callable[[dict[str, Any]], object],
) -> Path:
    """A copy of a head's tiny checkpoint, its weights changed."""
    from safetensors.torch import load_file, save_file

    _copy(tiny(HEADS[name][0] if name in HEADS else name), place)
    kept = load_file(place / "model.safetensors")
    change(kept)
    save_file(kept, place / "model.safetensors", metadata={"format": "pt"})
    return place


@pytest.mark.parametrize("name", LOST)
def test_a_head_that_would_be_random_is_refused(
    name: str, tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    place = _with_weights(name, tiny, tmp_path, lambda kept: kept.pop(LOST[name]))
    with pytest.raises(EngineError, match=LOST[name]):
        host.default().build("heads", name).load(place)


UNREAD = {
    "athene": "v_head.bias",
    "armorm": "gating.layers.9.bias",
    "internlm2": "v_head.bias",
    "nemotron": "lm_head.bias",
    "qwen-reward": "score.4.weight",
    "inform": "score.4.weight",
    "process": "score.4.weight",
    "pairrm": "head_layer.7.weight",
}


@pytest.mark.parametrize("name", UNREAD)
def test_weights_that_a_head_would_be_read_without_are_refused(
    name: str, tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    import torch

    more = {UNREAD[name]: torch.ones(1)}
    place = _with_weights(name, tiny, tmp_path, lambda kept: kept.update(more))
    with pytest.raises(EngineError, match=f"has the weights {UNREAD[name]}, which"):
        host.default().build("heads", name).load(place)


@pytest.mark.parametrize("name", LOST)
def test_another_architecture_is_refused(
    name: str, tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    model = HEADS[name][0] if name in HEADS else name
    place = _copy(tiny(model), tmp_path, architectures=["MistralForCausalLM"])
    with pytest.raises(EngineError, match="is a MistralForCausalLM, and this head"):
        host.default().build("heads", name).load(place)


def test_scores_are_float32_whatever_the_weights_are(
    tiny: Callable[[str], Path],
) -> None:
    import torch

    head = host.default().build("heads", "athene")
    network = head.load(tiny("athene"), dtype=torch.bfloat16)
    with torch.inference_mode():
        value = head.read(network, torch.ones(1, 64, dtype=torch.bfloat16)).values[0]
    expected = network.v_head.weight.double().sum().item()
    assert value == pytest.approx(expected, rel=1e-6)
    assert value != torch.tensor(value).bfloat16().item()


def test_a_folder_without_a_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"config\.json cannot be read"):
        host.default().build("heads", "athene").load(tmp_path)


def test_prompts_of_several_turns_are_scored(tiny: Callable[[str], Path]) -> None:
    loaded = Loaded.of("armorm", tiny("armorm"))
    turns = ("user", "Hi"), ("assistant", "Hello"), ("user", "2 + 2?")
    messages = [Message(*turn) for turn in (*turns, ("assistant", "Four."))]
    ids = loaded.ids(Request(tuple(messages), kind="score"))
    expected = armorm(tiny("armorm"), ids, loaded.tokenizer)
    assert list(loaded.score(ids)[0].values) == pytest.approx(expected, **CLOSE)
