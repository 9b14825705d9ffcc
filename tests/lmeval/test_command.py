"""The bare commands, as a user types them, from an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lmeval import benchmarks

COMMAND = str(Path(sys.executable).with_name("lm_eval"))


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """An empty folder to be in."""
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def lm_eval(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "home")}
    return subprocess.run(
        [COMMAND, *words], cwd=folder, env=environment, capture_output=True, text=True
    )


def shown(output: str) -> dict[str, str]:
    """The metrics of lm-eval's table."""
    rows = re.findall(
        r"\|(?:rrm_\w+|\s*)\|[^|]*\|none *\|[^|]*\|([^|]+)\|[^|]*\|([^|]+)\|", output
    )
    return {name.strip(): value.strip() for name, value in rows}


def test_a_judge_of_ours_under_a_tournament(empty: Path, tmp_path: Path) -> None:
    path = benchmarks.rewardbench2(tmp_path)

    done = lm_eval(
        empty,
        *("--tasks", "rrm_rewardbench2", "--metadata", f"path={path}"),
        *("--model", "rrm", "--model_args", "judge=longest,strategy=knockout"),
    )

    assert done.returncode == 0, done.stderr
    assert {"accuracy", "accuracy_ties", "failure_rate"} <= set(shown(done.stdout))
    assert "judgments are kept in rrm-judgments" in done.stderr
    assert [each.name for each in empty.glob("rrm-judgments/*.sqlite")]


def test_a_model_of_lm_eval_s(
    empty: Path, tmp_path: Path, tiny: Callable[[str], Path]
) -> None:
    path = benchmarks.rm_bench(tmp_path)

    done = lm_eval(
        empty,
        *("--tasks", "rrm_rm_bench", "--metadata", f"path={path}"),
        *("judge=[llm,max-tokens=4]", "--apply_chat_template", "--limit", "4"),
        *("--model", "hf", "--model_args", f"pretrained={tiny('llama')}"),
    )

    assert done.returncode == 0, done.stderr
    assert {"accuracy", "failure_rate", "over_length"} <= set(shown(done.stdout))


def test_the_best_of_n_of_one_model_by_another(
    empty: Path, tmp_path: Path, tiny: Callable[[str], Path]
) -> None:
    path = benchmarks.gpqa(tmp_path)
    judge = f"judge=[llm,verdict=probabilities,model={tiny('lettered')}]"
    policy = f"policy=[solver,max-tokens=16,model={tiny('llama')}]"
    engine = "engine=[transformers,device=cpu]"

    done = lm_eval(
        empty,
        *("--tasks", "rrm_gpqa_bon", "--metadata", f"path={path}", "--limit", "2"),
        *("--model", "rrm", "--model_args", f"{judge},{policy},{engine}"),
    )

    assert done.returncode == 0, done.stderr
    assert {"best_of_n", "pass@1", "maj@k", "oracle@k"} <= set(shown(done.stdout))


def test_a_mistake_is_a_sentence_and_no_traceback(empty: Path, tmp_path: Path) -> None:
    path = benchmarks.rewardbench(tmp_path)

    done = lm_eval(
        empty,
        *("--tasks", "rrm_rewardbench", "--metadata", f"path={path}"),
        *("--model", "rrm", "--model_args", "judge=longst"),
    )

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (told,) = [each for each in done.stderr.splitlines() if each.startswith("rrm-harn")]
    assert "did you mean 'longest'" in told
