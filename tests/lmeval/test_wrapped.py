"""A model of lm-eval's as an engine: what tells it from others."""

from __future__ import annotations

from pathlib import Path

from rrm_harness.lmeval.wrapped import identity


def test_what_a_folder_holds_tells_models_apart_wherever_it_lies(
    tmp_path: Path,
) -> None:
    for name, text in (("a", "one"), ("b", "one"), ("c", "two")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "adapter.safetensors").write_text(text)

    a, b, c = (identity("hf", {"peft": str(tmp_path / name)}) for name in "abc")

    assert a == b != c


def test_what_changes_no_answer_changes_no_identity() -> None:
    plain = identity("local-completions", {"model": "m"})

    assert plain == identity("local-completions", {"model": "m", "num_concurrent": 9})
    assert plain != identity("local-completions", {"model": "n"})
    assert plain != identity("hf", {"model": "m"})
