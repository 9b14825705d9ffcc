"""What a model reads, and where its texts end."""

import json
from pathlib import Path
from typing import Any

import pytest
import tiny_models

from rrm_harness import EngineError, Model
from rrm_harness.inputs import Reader

EMPTY: dict[str, Any] = {}


def reader(place: Path, said: dict[str, Any], generation: str) -> Reader:
    """A model of several parts, as far as its tokens go."""
    tiny_models.tokenizer("gemma").save_pretrained(place)
    (place / "config.json").write_text(json.dumps({"model_type": "gemma3", **said}))
    if generation:
        (place / "generation_config.json").write_text(generation)
    return Reader.of(Model(str(place)))


@pytest.mark.parametrize(
    ("said", "generation"),
    [
        ({"eos_token_id": [7, 9], "text_config": EMPTY}, ""),
        ({"text_config": {"eos_token_id": [7, 9]}}, ""),
        ({"eos_token_id": 7, "text_config": {"eos_token_id": 9}}, ""),
        ({"text_config": EMPTY}, '{"eos_token_id": [7, 9]}'),
    ],
)
def test_every_end_that_a_checkpoint_names_counts(
    tmp_path: Path, said: dict[str, Any], generation: str
) -> None:
    found = reader(tmp_path, said, generation)

    assert found.ends() == tuple(sorted({7, 9, found.tokenizer.eos_token_id}))


def test_a_damaged_generation_config_is_a_sentence(tmp_path: Path) -> None:
    found = reader(tmp_path, {"text_config": EMPTY}, "{bad")

    with pytest.raises(EngineError, match=r"generation_config.json cannot be read"):
        found.ends()
