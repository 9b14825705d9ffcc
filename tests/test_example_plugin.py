"""The README's plugin, installed as anyone's distribution and used."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

COMMAND = str(Path(sys.executable).with_name("rrm-harness"))
SOURCE = Path(__file__).parent / "example_plugin"
NAME = tomllib.loads((SOURCE / "pyproject.toml").read_text())["project"]["name"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the example."""
    folder = tmp_path_factory.mktemp("example")
    shutil.copytree(SOURCE, folder / "source")
    offline = ["--no-deps", "--no-build-isolation", "--no-index"]
    options = ["--quiet", "--disable-pip-version-check", "--target", folder / "site"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *offline, *options, "."],
        cwd=folder / "source",
        check=True,
    )
    return folder / "site"


def rrm(installed: Path, *arguments: object) -> str:
    done = subprocess.run(
        [COMMAND, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def brought(installed: Path, kind: str) -> list[str]:
    """The names that the example adds to a kind."""
    lines = rrm(installed, "list", kind).splitlines()
    return [line.split()[0] for line in lines if line.endswith(f"[{NAME}:example]")]


@pytest.fixture(scope="module")
def results(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The results of a run of the example's judge, strategy and dataset."""
    output = tmp_path_factory.mktemp("run") / "first"
    judge, strategy, dataset = (
        brought(installed, kind)[0] for kind in ("judges", "strategies", "datasets")
    )
    command = ["--judge", judge, "--strategy", strategy, "--dataset", dataset]
    rrm(installed, "run", *command, "--output", output, "--quiet")
    return json.loads((output / "results.json").read_text())


@pytest.mark.parametrize("kind", ["judges", "strategies", "datasets"])
def test_the_example_is_listed_with_its_distribution(
    installed: Path, kind: str
) -> None:
    assert len(brought(installed, kind)) == 1


def test_the_example_judges_its_own_dataset_by_its_own_strategy(results: Any) -> None:
    assert results["n"] == 2
    assert results["accuracy"] == 1.0
    assert results["failures"] == {}


def test_the_examples_strategy_asks_what_it_says(results: Any) -> None:
    assert results["comparisons"] == 1 + 2


def test_the_trivial_judges_play_the_examples_strategy(results: Any) -> None:
    assert set(results["baselines"]) == {"longest", "shortest", "first", "random"}


def test_the_example_mixes_with_the_built_in_plugins(
    installed: Path, tmp_path: Path
) -> None:
    judge, strategy = (brought(installed, kind)[0] for kind in ("judges", "strategies"))
    command = ["--judge", judge, "--dataset", "sample", "--limit", 9]
    nested = "both-orders of voting,k=3"

    rrm(installed, "run", *command, "--strategy", nested, "--output", tmp_path / "a")
    rrm(installed, "run", *command, "--strategy", strategy, "--output", tmp_path / "b")

    runs = [json.loads((tmp_path / each / "results.json").read_text()) for each in "ab"]
    assert [run["n"] for run in runs] == [9, 9]
