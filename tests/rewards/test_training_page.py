"""The page about training is true."""

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rrm_harness import rewards
from rrm_harness.cli_serve import serve

PAGE = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S)


def test_the_first_program_runs(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(PROGRAMS[0], "docs/training.md", "exec"), {})  # noqa: S102

    short, long, same = map(float, re.findall(r"-?[\d.]+", capsys.readouterr().out))
    assert short == same < long


def test_trl_s_program_trains(
    tiny: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a policy, a judge and a length that a processor can do in seconds."""
    pytest.importorskip("trl")
    smaller = {
        '"Qwen/Qwen3-0.6B"': repr(str(tiny("qwen2"))),
        '"rrm,model=RRM-7B,temperature=0"': '"longest"',
        '    engine="openai,url=http://localhost:8000/v1",\n': "",
        'output_dir="runs/policy",': 'output_dir="runs/policy", max_steps=1,'
        " max_completion_length=8, use_cpu=True, bf16=False, report_to=[],",
    }
    program = PROGRAMS[1]
    for shown, here in smaller.items():
        assert program.count(shown) == 1
        program = program.replace(shown, here)
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's and TRL's own
        done: dict[str, Any] = {}
        exec(compile(program, "docs/training.md", "exec"), done)  # noqa: S102

    (logged, *_) = done["trainer"].state.log_history
    assert logged["rewards/longest/mean"] == pytest.approx(0, abs=1e-4)
    assert (tmp_path / "runs" / "reward" / "judgments.sqlite").is_file()


def test_no_program_is_left_out() -> None:
    assert len(PROGRAMS) == 2


def test_the_page_names_every_module() -> None:
    (package,) = rewards.__path__
    modules = {each.name for each in Path(package).glob("[a-z]*.py")}

    assert set(re.findall(r"rewards/(\w+\.py)", PAGE)) == modules


def test_every_option_of_the_server_that_is_shown_exists() -> None:
    known = {name for each in serve.commands["reward"].params for name in each.opts}

    shown = set(re.findall(r"`(--[a-z-]+)", PAGE))
    others = {"--algo", "--eval", "--margin"}  # of other programs, of `export`
    assert shown - others <= known


def test_the_releases_that_are_named_are_those_that_make_trainers_runs() -> None:
    script = Path(__file__).parents[1] / "install" / "trainers.py"
    pinned = re.findall(r'"(verl|openrlhf)==([\d.]+)"', script.read_text("utf-8"))
    named = re.findall(r"\b(verl|openrlhf) (\d+\.\d+\.\d+)", PAGE.lower())

    assert set(named) == set(pinned)
    assert len(pinned) == 2
