"""The one-output head: raw logits of the last token, and what it refuses."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from reference_llama import states, weights
from safetensors.torch import save_file
from scoring import Loaded, asked

from rrm_harness import EngineError, host

Tiny = Callable[[str], Path]
HEAD = "sequence-classifier"


def copied(source: Path, target: Path, **changed: object) -> Path:
    """A copy of a model's folder, with fields of its config changed."""
    shutil.copytree(source, target)
    config = json.loads((target / "config.json").read_text()) | changed
    (target / "config.json").write_text(json.dumps(config))
    return target


def loaded(folder: Path) -> Loaded:
    return Loaded.of(HEAD, folder)


def test_score_is_the_raw_logit_of_the_last_token(tiny: Tiny) -> None:
    folder = tiny("llama_classifier")
    model = loaded(folder)
    ids = model.ids(asked("Four, of course."))
    (score,) = model.score(ids)
    logit = weights(folder)["score.weight"] @ states(folder, ids)[-1]
    assert score.values == pytest.approx(logit.tolist(), abs=1e-5)
    assert score.attributes == {}


def test_a_bias_that_the_head_would_be_read_without_is_refused(
    tiny: Tiny, tmp_path: Path
) -> None:
    folder = copied(tiny("llama_classifier"), tmp_path / "biased")
    held = weights(folder) | {"score.bias": torch.tensor([3.0])}
    save_file(held, folder / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(EngineError, match=r"has the weights score\.bias, which"):
        loaded(folder)


def test_a_logit_above_one_is_not_squashed(tiny: Tiny) -> None:
    model = loaded(tiny("llama_classifier"))
    inputs = [model.ids(asked(f"answer {number}")) for number in range(6)]
    assert max(each.values[0] for each in model.score(*inputs)) > 1


def test_left_and_right_padding_score_alike(tiny: Tiny) -> None:
    model = loaded(tiny("llama_classifier"))
    inputs = [model.ids(asked("word " * count)) for count in (2, 30, 9)]
    alone = [model.score(ids)[0].values[0] for ids in inputs]
    for side in ("left", "right"):
        batch = [each.values[0] for each in model.score(*inputs, pad=side)]
        assert batch == pytest.approx(alone, abs=1e-5), side


def test_a_padding_token_that_is_the_end_token_moves_nothing(
    tiny: Tiny, tmp_path: Path
) -> None:
    folder = tiny("llama_classifier")
    end = json.loads((folder / "config.json").read_text())["eos_token_id"]
    same = copied(folder, tmp_path / "same", pad_token_id=end)
    ids = loaded(folder).ids(asked("Four."))
    assert ids[-1] == end, "the template must end the chat with the end token"
    assert loaded(same).score(ids) == loaded(folder).score(ids)


def test_no_padding_token_is_needed(tiny: Tiny, tmp_path: Path) -> None:
    folder = tiny("llama_classifier")
    bare = copied(folder, tmp_path / "bare", pad_token_id=None)
    model = loaded(bare)
    inputs = [model.ids(asked("word " * count)) for count in (2, 30)]
    assert model.score(*inputs)[0].values == pytest.approx(
        loaded(folder).score(inputs[0])[0].values, abs=1e-5
    )


def test_the_head_is_computed_in_float32_on_half_precision_states(tiny: Tiny) -> None:
    head = host.default().build("heads", HEAD)
    network = head.load(tiny("llama_classifier"), dtype=torch.bfloat16)
    hidden = torch.randn(1, 64, generator=torch.Generator().manual_seed(0)).bfloat16()
    (value,) = head.read(network, hidden).values
    exact = network.model.score.weight.double() @ hidden[0].double()
    assert value == pytest.approx(exact.item(), abs=1e-5)
    assert value != exact.bfloat16().item(), "half precision would have been seen"


def test_a_checkpoint_without_the_head_is_refused(tiny: Tiny) -> None:
    with pytest.raises(EngineError, match=r"lacks the weights score\.weight"):
        loaded(tiny("llama"))


def test_a_checkpoint_with_another_models_head_is_refused(tiny: Tiny) -> None:
    with pytest.raises(EngineError, match=r"lacks the weights score\.weight"):
        loaded(tiny("athene"))


def test_a_classifier_of_several_labels_is_refused(tmp_path: Path) -> None:
    import tiny_models

    folder = tiny_models.llama_classifier(tmp_path, num_labels=3)
    with pytest.raises(EngineError, match="3 labels"):
        loaded(folder)


def test_an_encoder_is_refused_by_its_name(tmp_path: Path) -> None:
    import tiny_models
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        vocab_size=64,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        num_labels=1,
    )
    BertForSequenceClassification(config).save_pretrained(tmp_path)
    tiny_models.tokenizer("llama").save_pretrained(tmp_path)
    with pytest.raises(EngineError, match="BertForSequenceClassification"):
        loaded(tmp_path)


@pytest.mark.parametrize(("scaled", "refused"), [(1, False), (-3, True)])
def test_code_of_the_models_own_may_score_in_no_other_way(
    tiny: Tiny, tmp_path: Path, scaled: int, refused: bool
) -> None:
    folder = copied(
        tiny("llama_classifier"),
        tmp_path / f"own{scaled}".replace("-", "_"),
        architectures=["Own"],
        auto_map={"AutoModelForSequenceClassification": "modeling_own.Own"},
    )
    (folder / "modeling_own.py").write_text(
        "from transformers import LlamaForSequenceClassification\n"
        "class Own(LlamaForSequenceClassification):\n"
        "    def forward(self, *inputs, **named):\n"
        "        told = super().forward(*inputs, **named)\n"
        f"        told.logits = {scaled} * told.logits\n"
        "        return told\n"
    )
    head = host.default().build("heads", HEAD)
    if refused:
        with pytest.raises(EngineError, match="makes its score another way"):
            head.load(folder, trust_remote_code=True)
    else:
        assert head.load(folder, trust_remote_code=True).config.num_labels == 1
