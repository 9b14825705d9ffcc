"""Kills and power cuts: what is continued ends as if nothing had happened.

`torture.py` has many more of the kills; `tests/test_resume.py` has the resumed runs.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from resilience import cases
from resilience.damage import DAMAGES, damage, torn_pages
from resilience.marked import Marked, MarkedEngine
from resilience.runs import FINISHED, STORE, Look, contents, left, look, write_rows

from rrm_harness import Completion, Result, StoreError, evaluate
from rrm_harness.errors import HarnessError, OutputError
from rrm_harness.metrics import Numbers, Rule, Scored
from rrm_harness.testing import FakeDataset

SHORT = 0.25
"""Of the kills that `make torture` has."""
DRAWS = 4
JSON = ("manifest.json", "results.json", "outcomes.jsonl")
SECOND, SLACK = 1.0, 1.0


@pytest.mark.parametrize(
    "name", ["process, both-orders", "http, knockout", "report --html --csv"]
)
def test_what_is_killed_and_continued_ends_as_if_undisturbed(
    tmp_path: Path, name: str
) -> None:
    for case, kills in cases.all_of(tmp_path, name, SHORT):
        case.live(kills)

        assert case.problems == []
        assert len(case.killed) >= kills
        assert {each.integrity for each in case.killed} <= {"ok", "no store yet"}
        assert all(each.age <= SECOND + SLACK for each in case.killed)


@dataclass
class Interrupted(MarkedEngine):
    """Keeps what is on disk in mid-run: what a kill would leave."""

    run: Path = Path()
    after: int = 40
    kept: Path = Path()
    asked: int = 0

    def collect(self) -> Iterable[tuple[int, Completion]]:
        if self.asked >= self.after and not self.kept.exists():
            shutil.copytree(self.run, self.kept)
        done = super().collect()
        self.asked += len([*done])
        return done


@dataclass
class Runs:
    """A run as it was killed, and as it ends."""

    folder: Path
    data: Path = field(init=False)

    def __post_init__(self) -> None:
        self.data = write_rows(self.folder / "rows.jsonl", 24, 4)
        engine = Interrupted(run=self.finished, kept=self.killed)
        self.judge(self.finished, engine)
        self.said = left(self.finished)
        self.stored = contents(self.finished / STORE)

    @property
    def finished(self) -> Path:
        return self.folder / "finished"

    @property
    def killed(self) -> Path:
        return self.folder / "killed"

    def judge(self, output: Path, engine: MarkedEngine | None = None) -> Result:
        """Run, or run on."""
        return evaluate(
            Marked(),
            f"jsonl,path={self.data}",
            "knockout",
            engine=engine or MarkedEngine(),
            output=output,
            reuse=[],
            baselines=False,
        )

    def ends(self, output: Path) -> str:
        """How the same command ends: as undisturbed, or what it says instead."""
        try:
            self.judge(output)
        except HarnessError as error:
            return str(error)
        same = left(output) == self.said and contents(output / STORE) == self.stored
        return "as undisturbed" if same else "otherwise"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def killed(runs: Runs, tmp_path: Path) -> Path:
    """A copy of the run that was killed, for each draw."""
    return Path(shutil.copytree(runs.killed, tmp_path / "killed"))


def copies(source: Path, folder: Path) -> Iterable[tuple[int, Path]]:
    for draw in range(DRAWS):
        yield draw, Path(shutil.copytree(source, folder / str(draw)))


def is_sentence(said: str) -> bool:
    """Whether it is what a user can be told: one line that names a file of the run."""
    named = any(name in said for name in (STORE, *JSON))
    return named and "\n" not in said and len(said) < 400


def test_what_a_kill_leaves_is_in_the_wal(runs: Runs, killed: Path) -> None:
    """Else the tests below show nothing."""
    found = look(killed / STORE)

    assert (killed / f"{STORE}-wal").stat().st_size > 20_000
    assert 0 < found.kept < look(runs.finished / STORE).kept
    assert runs.ends(killed) == "as undisturbed"
    assert sorted(each.name for each in killed.iterdir()) == FINISHED


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("part", ["-wal", "-shm"])
def test_a_wal_that_was_torn_is_repaired(
    runs: Runs, tmp_path: Path, part: str, name: str
) -> None:
    for draw, run in copies(runs.killed, tmp_path):
        damage(run / f"{STORE}{part}", name, draw)

        assert runs.ends(run) == "as undisturbed"


def test_a_checkpoint_that_was_torn_is_repaired(runs: Runs, tmp_path: Path) -> None:
    for draw, run in copies(runs.killed, tmp_path):
        assert torn_pages(run / STORE, draw)

        assert runs.ends(run) == "as undisturbed"


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("state", ["killed", "finished"])
def test_a_store_that_was_damaged_is_refused_or_asked_anew(
    runs: Runs, tmp_path: Path, state: str, name: str
) -> None:
    for draw, run in copies(getattr(runs, state), tmp_path):
        damage(run / STORE, name, draw)

        said = runs.ends(run)

        assert said == "as undisturbed" or is_sentence(said), (draw, said)


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("file", JSON)
def test_a_file_that_was_damaged_is_written_anew_or_refused(
    runs: Runs, tmp_path: Path, file: str, name: str
) -> None:
    for draw, run in copies(runs.finished, tmp_path):
        damage(run / file, name, draw)

        said = runs.ends(run)

        assert said == "as undisturbed" or is_sentence(said), (draw, said)


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("file", JSON[1:])
def test_a_file_that_was_damaged_is_never_read_as_results(
    runs: Runs, tmp_path: Path, file: str, name: str
) -> None:
    whole = told(runs.finished)
    for draw, run in copies(runs.finished, tmp_path):
        damage(run / file, name, draw)

        found = told(run)

        assert found == whole or is_sentence(str(found)), (draw, found)


def told(run: Path) -> Any:
    """What a report reads, or why it cannot."""
    try:
        result = Result.read(run)
        return result.results, [*result.outcomes()]
    except OutputError as error:
        return str(error)


def test_outcomes_of_a_later_run_are_not_read_beside_earlier_results(
    runs: Runs, tmp_path: Path
) -> None:
    """A kill between the two renames leaves them so, if failures were asked again."""
    run = Path(shutil.copytree(runs.finished, tmp_path / "run"))
    outcomes = run / "outcomes.jsonl"
    other = outcomes.read_text().replace('"credit": 0.0', '"credit": 1.0')
    outcomes.write_text(other)

    assert "or of another run than results.json beside it" in told(run)
    assert runs.ends(run) == "as undisturbed"


@dataclass(frozen=True)
class Looking(Rule):
    """Adds a run up, and looks at what a kill would leave meanwhile."""

    store: Path = Path()
    seen: list[Look] = field(default_factory=list)

    def numbers(self, rows: Sequence[Scored]) -> Numbers:
        self.seen.append(look(self.store))
        return super().numbers(rows)


def test_all_judgments_are_on_disk_before_they_are_added_up(tmp_path: Path) -> None:
    """To add a large run up takes many seconds."""
    rule = Looking(store=tmp_path / "run" / STORE)
    data = FakeDataset(rule=rule)

    evaluate(Marked(), data, engine=MarkedEngine(), output=tmp_path / "run")

    assert rule.seen[0].kept == len(data.items)


def test_a_store_that_was_cut_can_be_moved_away(runs: Runs, tmp_path: Path) -> None:
    run = Path(shutil.copytree(runs.finished, tmp_path / "run"))
    (run / STORE).write_bytes((run / STORE).read_bytes()[:5000])

    with pytest.raises(StoreError, match=r"is damaged .*; move it away and run the"):
        runs.judge(run)

    (run / STORE).unlink()
    assert runs.ends(run) == "as undisturbed"
