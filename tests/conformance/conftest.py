"""Plugins that are laid out as distributions, without pip."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

LaidOut = Callable[[Path, str], Path]


@pytest.fixture(scope="session")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> LaidOut:
    """Make a folder of a folder's modules and their metadata, for PYTHONPATH."""

    def made(source: Path, name: str) -> Path:
        folder = tmp_path_factory.mktemp(name) / "site"
        shutil.copytree(source, folder, ignore=shutil.ignore_patterns("__pycache__"))
        metadata = folder / f"{name}-1.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Name: {name}\nVersion: 1\n")
        modules = sorted(each.stem for each in source.glob("*.py"))
        lines = ["[rrm_harness]", *(f"{each} = {each}" for each in modules)]
        (metadata / "entry_points.txt").write_text("\n".join(lines))
        return folder

    return made
