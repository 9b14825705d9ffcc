"""A finished run is handed out as it is while nothing that it came from changes."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pluggy
import pytest

import rrm_harness
from rrm_harness import Judgment, Result, evaluate, host
from rrm_harness.output import RunDirectory
from rrm_harness.receipt import Receipt
from rrm_harness.testing import FakeDataset, FakeJudge, example

MAIN = "from rrm_harness.cli import main; main()"
ROW = {"prompt": "Why?", "chosen": "Because of it.", "rejected": "No."}


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps({**ROW, "id": str(i)}) + "\n" for i in range(5)))
    return file


def judged(rows: Path, place: Path, judge: Any = "longest", **options: Any) -> Result:
    return evaluate(judge, f"jsonl,path={rows}", output=place, **options)


def contents(place: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in place.iterdir()}


def test_a_finished_run_is_handed_out_as_it_is(rows: Path, tmp_path: Path) -> None:
    first = judged(rows, tmp_path / "run")
    before = contents(tmp_path / "run")

    second = judged(rows, tmp_path / "run")

    assert not first.finished_before
    assert second.finished_before
    assert second.results == first.results
    assert contents(tmp_path / "run") == before


def change_outcomes(place: Path) -> None:
    file = place / "outcomes.jsonl"
    file.write_text(file.read_text().replace("1.0", "0.0", 1))


def change_results(place: Path) -> None:
    file = place / "results.json"
    file.write_text(file.read_text().replace('"n": 5', '"n": 6'))


def lose_a_judgment(place: Path) -> None:
    with closing(sqlite3.connect(place / "judgments.sqlite")) as database, database:
        database.execute(
            "DELETE FROM judgments WHERE key = (SELECT max(key) FROM judgments)"
        )


def change_a_judgment(place: Path) -> None:
    with closing(sqlite3.connect(place / "judgments.sqlite")) as database, database:
        database.execute("UPDATE judgments SET scores = '[0.0, 1.0]'")


@pytest.mark.parametrize(
    "change",
    [
        change_outcomes,
        change_results,
        lose_a_judgment,
        change_a_judgment,
        lambda place: (place / "judgments.sqlite").unlink(),
        lambda place: (place / "outcomes.jsonl").unlink(),
        lambda place: (place / "results.json").unlink(),
        lambda place: (place / "receipt.json").unlink(),
        lambda place: (place / "receipt.json").write_text("[]"),
        lambda place: (place / "receipt.json").write_text('{"source": ""}'),
    ],
)
def test_a_run_whose_files_have_changed_is_played_again(
    rows: Path, tmp_path: Path, change: Callable[[Path], object]
) -> None:
    first = judged(rows, tmp_path / "run")
    change(tmp_path / "run")

    second = judged(rows, tmp_path / "run")

    assert not second.finished_before
    assert (second.accuracy, second.interval) == (first.accuracy, first.interval)
    assert judged(rows, tmp_path / "run").finished_before


def test_a_run_that_is_asked_for_in_other_words_is_played_again(
    rows: Path, tmp_path: Path
) -> None:
    judged(rows, tmp_path / "run", baselines=False)

    assert not judged(rows, tmp_path / "run").finished_before
    assert not judged(rows, tmp_path / "run", skip_bad_rows=True).finished_before


def test_what_failed_is_asked_again(rows: Path, tmp_path: Path) -> None:
    verdicts = tmp_path / "verdicts.jsonl"
    told = [  # one is missing
        {"example": str(i), "order": [0, 1], "scores": [1, 0]} for i in range(4)
    ]
    verdicts.write_text("".join(json.dumps(each) + "\n" for each in told))
    recorded = f"recorded,path={verdicts}"
    first = judged(rows, tmp_path / "run", recorded, strategy="single")

    assert first.results["failures"] == {"not-recorded": 1}
    second = judged(rows, tmp_path / "run", recorded, strategy="single")
    assert not second.finished_before


def test_a_judge_that_is_an_object_is_played_again(rows: Path, tmp_path: Path) -> None:
    judge = FakeJudge(lambda _: Judgment((1.0, 0.0)))
    judged(rows, tmp_path / "run", judge)

    assert not judged(rows, tmp_path / "run", judge).finished_before


def test_a_dataset_that_is_an_object_is_played_again(tmp_path: Path) -> None:
    data = FakeDataset([example(2, (0,))])
    evaluate("longest", data, output=tmp_path / "run")

    assert not evaluate("longest", data, output=tmp_path / "run").finished_before


def test_a_change_of_the_code_is_noticed(rows: Path, tmp_path: Path) -> None:
    code = tmp_path / "code" / "rrm_harness"
    ours = Path(rrm_harness.__file__).parent
    plugins = Path(sys.modules["rrm_harness.plugins"].__path__[0])
    shutil.copytree(ours, code)
    shutil.copytree(plugins, code / "plugins", dirs_exist_ok=True)
    (code / ".#evaluate.py").symlink_to("an editor's mark of a buffer")

    def said() -> str:
        asked = ["run", "--judge", "longest", "--dataset", f"jsonl,path={rows}"]
        done = subprocess.run(
            [sys.executable, "-c", MAIN, *asked, "--output", tmp_path / "run"],
            env={**os.environ, "PYTHONPATH": str(code.parent)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stderr

    assert "finished before" not in said()
    assert "1 of 1 finished before" in said()
    with (code / "plugins" / "judges" / "baselines.py").open("a") as file:
        file.write("\n# another thought\n")
    assert "finished before" not in said()
    assert "1 of 1 finished before" in said()


class Here:
    """A plugin of a module that is not installed."""


def test_a_plugin_whose_code_is_not_installed_has_no_receipt(tmp_path: Path) -> None:
    with RunDirectory(tmp_path / "run", {}) as run:
        installed, not_installed = (
            Receipt.of(run, {"run": {}, "asked": {}}, [plugin], ["spec"], []).source
            for plugin in (pluggy.HookspecMarker("x"), Here())
        )

    assert installed
    assert not not_installed


def test_a_plugin_within_a_plugin_counts(tmp_path: Path) -> None:
    voting = host.default().build("strategies", "voting")
    with RunDirectory(tmp_path / "run", {}) as run:
        installed, not_installed = (
            Receipt.of(run, {"run": {}, "asked": {}}, [plugin], ["spec"], []).source
            for plugin in (voting, replace(voting, inner=Here()))
        )

    assert installed
    assert not not_installed
