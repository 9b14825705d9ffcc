"""Kills and power cuts: what is continued ends as if nothing had happened.

`torture.py` has many more of the kills; `tests/test_resume.py` has the resumed runs.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from resilience import cases
from resilience.damage import DAMAGES, damage, flip, torn_pages
from resilience.marked import Marked, MarkedEngine
from resilience.power import AS_UNDISTURBED, JSON, Runs, is_sentence, said, told
from resilience.runs import FINISHED, STORE, Look, look

from rrm_harness import StoreError, evaluate
from rrm_harness.metrics import Numbers, Rule, Scored
from rrm_harness.testing import FakeDataset

SHORT = 0.25
"""Of the kills that `make torture` has."""
DRAWS = 3
FLIPS = 25


@pytest.mark.parametrize(
    "name",
    [
        "process, both-orders",
        "http, knockout",
        "report --html --csv",
        "upgrade of a store, both-orders",
    ],
)
def test_what_is_killed_and_continued_ends_as_if_undisturbed(
    tmp_path: Path, name: str
) -> None:
    for case, kills in cases.all_of(tmp_path, name, SHORT):
        case.live(kills)

        assert case.problems == []
        assert len(case.killed) >= kills
        assert {each.integrity for each in case.killed} <= {"ok", "no store yet"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def killed(runs: Runs, tmp_path: Path) -> Path:
    """A copy of the run that was killed, for each draw."""
    return Path(shutil.copytree(runs.killed, tmp_path / "killed"))


def copies(
    source: Path, folder: Path, draws: int = DRAWS
) -> Iterator[tuple[int, Path]]:
    for draw in range(draws):
        yield draw, Path(shutil.copytree(source, folder / str(draw)))


def test_what_a_kill_leaves_is_in_the_wal(runs: Runs, killed: Path) -> None:
    """Else the tests below show nothing."""
    found = look(killed / STORE)

    assert (killed / f"{STORE}-wal").stat().st_size > 20_000
    assert 0 < found.kept < look(runs.finished / STORE).kept
    assert runs.ends(killed) == AS_UNDISTURBED
    assert sorted(each.name for each in killed.iterdir()) == FINISHED


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("part", ["-wal", "-shm"])
def test_a_wal_that_was_torn_is_repaired(
    runs: Runs, tmp_path: Path, part: str, name: str
) -> None:
    for draw, run in copies(runs.killed, tmp_path):
        damage(run / f"{STORE}{part}", name, draw)

        assert runs.ends(run) == AS_UNDISTURBED


def test_a_checkpoint_that_was_torn_is_repaired(runs: Runs, tmp_path: Path) -> None:
    for draw, run in copies(runs.killed, tmp_path):
        assert torn_pages(run / STORE, draw)

        assert runs.ends(run) == AS_UNDISTURBED


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("state", ["killed", "finished"])
def test_a_store_that_was_damaged_is_refused_or_asked_anew(
    runs: Runs, tmp_path: Path, state: str, name: str
) -> None:
    for draw, run in copies(getattr(runs, state), tmp_path):
        damage(run / STORE, name, draw)

        said = runs.ends(run)

        assert said == AS_UNDISTURBED or is_sentence(said), (draw, said)


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("file", JSON)
def test_a_file_that_was_damaged_is_written_anew_or_refused(
    runs: Runs, tmp_path: Path, file: str, name: str
) -> None:
    for draw, run in copies(runs.finished, tmp_path):
        damage(run / file, name, draw)

        said = runs.ends(run)

        assert said == AS_UNDISTURBED or is_sentence(said), (draw, said)


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


@pytest.mark.parametrize("file", [STORE, JSON[0]])
def test_a_bit_that_a_disk_changed_is_noticed_by_the_same_command(
    runs: Runs, tmp_path: Path, file: str
) -> None:
    for draw, run in copies(runs.finished, tmp_path, FLIPS):
        flip(run / file, draw)

        found = runs.ends(run)

        assert found == AS_UNDISTURBED or is_sentence(found), (draw, found)


@pytest.mark.parametrize(
    ("file", "read"), [(STORE, said), (JSON[1], told), (JSON[2], told)]
)
def test_a_bit_that_a_disk_changed_is_noticed_by_whoever_reads(
    runs: Runs, tmp_path: Path, file: str, read: Callable[[Path], Any]
) -> None:
    whole = read(runs.finished)
    for draw, run in copies(runs.finished, tmp_path, FLIPS):
        flip(run / file, draw)

        found = read(run)

        assert found == whole or is_sentence(str(found)), (draw, found)


def test_outcomes_of_a_later_run_are_not_read_beside_earlier_results(
    runs: Runs, tmp_path: Path
) -> None:
    """A kill between the two renames leaves them so, if failures were asked again."""
    run = Path(shutil.copytree(runs.finished, tmp_path / "run"))
    outcomes = run / "outcomes.jsonl"
    other = outcomes.read_text().replace('"credit": 0.0', '"credit": 1.0')
    outcomes.write_text(other)

    assert "or of another run than results.json beside it" in told(run)
    assert runs.ends(run) == AS_UNDISTURBED


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
    assert runs.ends(run) == AS_UNDISTURBED
