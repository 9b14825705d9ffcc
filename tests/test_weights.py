"""What identifies weights: every byte of a folder, or the hub's commit."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rrm_harness import EngineError, Model, models

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def folder(place: Path, weights: bytes = b"w" * 100_000) -> Model:
    place.mkdir()
    (place / "config.json").write_text("{}")
    (place / "model.safetensors").write_bytes(weights)
    return Model(str(place))


def test_where_a_folder_lies_is_not_part_of_what_it_is(tmp_path: Path) -> None:
    first, second = folder(tmp_path / "a"), folder(tmp_path / "b")

    assert models.fingerprint(first) == models.fingerprint(second)


@pytest.mark.parametrize("place", [0, 50_000, 99_999])
def test_one_byte_makes_other_weights(tmp_path: Path, place: int) -> None:
    changed = bytearray(b"w" * 100_000)
    changed[place] = 0

    first, second = folder(tmp_path / "a"), folder(tmp_path / "b", bytes(changed))

    assert models.fingerprint(first) != models.fingerprint(second)


def test_what_a_run_writes_inside_the_folder_changes_nothing(tmp_path: Path) -> None:
    model = folder(tmp_path / "a")
    before = [models.fingerprint(model, weights=each) for each in (True, False)]

    (tmp_path / "a" / "runs").mkdir()
    (tmp_path / "a" / "runs" / "results.json").write_text("{}")
    (tmp_path / "a" / "README.md").write_text("Read me.")
    (tmp_path / "a" / "._model.safetensors").write_text("left by an unpacker")

    now = [models.fingerprint(model, weights=each) for each in (True, False)]
    assert now == before


def test_weights_in_folders_count_where_an_index_lists_them(tmp_path: Path) -> None:
    models_ = [folder(tmp_path / name) for name in "ab"]
    for model, weights in zip(models_, (b"one", b"two"), strict=True):
        place = Path(model.id)
        (place / "shards").mkdir()
        (place / "shards" / "x.safetensors").write_bytes(weights)
        index = '{"weight_map": {"w": "shards/x.safetensors"}}'
        (place / "model.safetensors.index.json").write_text(index)

    one, two = map(models.fingerprint, models_)
    assert one != two


def test_without_weights_only_the_other_files_count(tmp_path: Path) -> None:
    first = folder(tmp_path / "a")
    second = folder(tmp_path / "b", b"other")
    third = folder(tmp_path / "c")
    (tmp_path / "c" / "tokenizer.json").write_text("{}")

    one, two, three = (
        models.fingerprint(each, weights=False) for each in (first, second, third)
    )
    assert one == two != three


def test_a_file_that_changes_in_place_is_hashed_anew(tmp_path: Path) -> None:
    model = folder(tmp_path / "a")
    before = models.fingerprint(model)

    (tmp_path / "a" / "model.safetensors").write_bytes(b"v" * 100_001)

    assert models.fingerprint(model) != before


def test_a_name_is_part_of_what_a_folder_is(tmp_path: Path) -> None:
    model = folder(tmp_path / "a")
    before = models.fingerprint(model)

    (tmp_path / "a" / "config.json").rename(tmp_path / "a" / "other.json")

    assert models.fingerprint(model) != before


def test_without_a_network_the_cached_commit_is_identified_and_loaded(
    tmp_path: Path,
) -> None:
    """In a process of its own: the hub's library reads its settings when imported."""
    cache = tmp_path / "hub" / "models--org--judge"
    (cache / "snapshots" / COMMIT).mkdir(parents=True)
    (cache / "snapshots" / COMMIT / "config.json").write_text("{}")
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text(COMMIT)
    script = (
        "from rrm_harness import Model, models;"
        "model = Model('org/judge');"
        "print(models.fingerprint(model), models.folder(model).name)"
    )

    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        env={
            **os.environ,
            "HF_HUB_CACHE": str(tmp_path / "hub"),
            "HF_HUB_OFFLINE": "1",
        },
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split() == [f"org/judge@{COMMIT}", COMMIT]


def test_a_model_that_nobody_has_is_a_sentence() -> None:
    with pytest.raises(EngineError, match="'no/such-model' is no folder here"):
        models.folder(Model("no/such-model"))
