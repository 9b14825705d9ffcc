"""A new plugin is whole: it installs, is found, judges, and passes its own test."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from rrm_harness.cli import commands
from rrm_harness.errors import HarnessError, OutputError, SpecError
from rrm_harness.scaffold import PLURALS, Scaffold

COMMAND = str(Path(sys.executable).with_name("rrm-harness"))
MADE = [(kind, False) for kind in PLURALS] + [("judge", True)]
TRIED = {
    "judge": "--judge my-judge --dataset sample",
    "strategy": "--judge longest --dataset sample --strategy my-strategy",
    "dataset": "--judge longest --dataset my-dataset",
    "engine": "--judge llm --engine my-engine --dataset sample --strategy knockout",
}


def written(folder: Path, kind: str, prompted: bool = False) -> Path:
    place = folder / f"{kind}{prompted}"
    Scaffold(kind, f"my-{kind}", prompted).write(place)
    return place


@pytest.mark.parametrize(("kind", "prompted"), MADE)
def test_a_module_is_under_twenty_lines(
    tmp_path: Path, kind: str, prompted: bool
) -> None:
    module = written(tmp_path, kind, prompted) / f"my_{kind}.py"

    assert len(module.read_text().splitlines()) < 20


@pytest.mark.parametrize(("kind", "prompted"), MADE)
def test_a_distribution_names_its_entry_point(
    tmp_path: Path, kind: str, prompted: bool
) -> None:
    place = written(tmp_path, kind, prompted)

    project = tomllib.loads((place / "pyproject.toml").read_text())["project"]

    assert project["name"] == f"rrm-harness-my-{kind}"
    assert project["entry-points"]["rrm_harness"] == {f"my_{kind}": f"my_{kind}"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed one new plugin of each kind."""
    folder = tmp_path_factory.mktemp("new")
    places = [str(written(folder, kind)) for kind in PLURALS]
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    options = ["--disable-pip-version-check", "--target", str(folder / "site")]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *offline, *options, *places],
        check=True,
    )
    return folder / "site"


def ran(installed: Path, *command: str) -> str:
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", PLURALS)
def test_a_new_plugin_takes_part_in_a_first_run(
    installed: Path, tmp_path: Path, kind: str
) -> None:
    told = ran(
        installed, COMMAND, "run", *TRIED[kind].split(), f"--output={tmp_path}/run"
    )

    assert f"my-{kind}" in told or kind == "engine"


@pytest.mark.parametrize("kind", PLURALS)
def test_a_new_plugin_passes_its_own_test(
    installed: Path, tmp_path: Path, kind: str
) -> None:
    place = written(tmp_path, kind)
    quiet = ["-q", "-p", "no:cacheprovider", "-o", "addopts="]

    told = ran(installed, sys.executable, "-m", "pytest", *quiet, str(place))

    assert " passed" in told


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("My_judge", "no name for a plugin"),
        ("-a", "no name for a plugin"),
        ("a--b", "no name for a plugin"),
        ("../up", "no name for a plugin"),
        ("longest", "there already, from rrm-harness:baselines"),
        ("json", "would hide Python's own"),
        ("class", "would hide Python's own"),
    ],
)
def test_a_name_that_cannot_be_is_refused(name: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        Scaffold("judge", name)


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    place = written(tmp_path, "judge")

    with pytest.raises(OutputError, match="there already"):
        Scaffold("judge", "other").write(place)


def test_the_command_says_what_comes_next(tmp_path: Path) -> None:
    folder = str(tmp_path / "own")

    asked = ["new", "judge", "my-own", "--output", folder]
    told = CliRunner().invoke(commands, asked).output

    assert Path(folder, "my_own.py").is_file()
    assert f"pip install -e '{folder}[test]'" in told
    assert "rrm-harness run --judge my-own --dataset sample" in told


def test_only_judges_are_prompted() -> None:
    told = CliRunner().invoke(commands, ["new", "engine", "x", "--prompted"])

    assert told.exit_code == 2
    assert "for judges" in told.output
    assert not isinstance(told.exception, HarnessError)
