"""The page about training is true."""

import re
from pathlib import Path

import pytest

from rrm_harness import rewards
from rrm_harness.cli_serve import serve

PAGE = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S)


def test_the_first_program_runs(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(PROGRAMS[0], "docs/training.md", "exec"), {})  # noqa: S102

    short, long, same = map(float, re.findall(r"-?[\d.]+", capsys.readouterr().out))
    assert short == same < long


def test_every_program_compiles() -> None:
    for program in PROGRAMS:
        compile(program, "docs/training.md", "exec")


def test_the_page_names_every_module() -> None:
    (package,) = rewards.__path__
    modules = {each.name for each in Path(package).glob("[a-z]*.py")}

    assert set(re.findall(r"rewards/(\w+\.py)", PAGE)) == modules


def test_every_option_of_the_server_that_is_shown_exists() -> None:
    known = {name for each in serve.commands["reward"].params for name in each.opts}

    shown = set(re.findall(r"`(--[a-z-]+)", PAGE))
    assert shown - {"--eval", "--margin"} <= known  # of other programs, of `export`
