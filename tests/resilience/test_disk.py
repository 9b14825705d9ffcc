"""Disks that are full, read-only, taken away or shared; clocks that go backwards."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import old_stores
import pytest
from resilience import marked
from resilience.marked import Marked, MarkedEngine
from resilience.runs import (
    COMMAND,
    FINISHED,
    STORE,
    Command,
    contents,
    is_refusal,
    left,
    look,
    said,
    write_rows,
)

from rrm_harness import OutputError, Result, evaluate
from rrm_harness.errors import HarnessError
from rrm_harness.report.page import page
from rrm_harness.store import kept

NOBODY = 65534
STRATEGY = "knockout of voting,k=3"
BACKWARDS = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
static int looked;
int clock_gettime(clockid_t which, struct timespec *told) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(which, told);
    if (which == CLOCK_REALTIME) told->tv_sec -= 3600L * looked++;
    return code;
}
"""
"""Every look at the time of day is an hour earlier than the one before."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("data") / "rows.jsonl", 120, 4)


@pytest.fixture(scope="module")
def undisturbed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("undisturbed") / "run"
    judge(data, output)
    return output


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user can get into."""
    made = Path(tempfile.mkdtemp(prefix="rrm-open-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def judge(data: Path, output: Path, **options: Any) -> Result:
    dataset = f"jsonl,path={data}"
    engine = options.pop("engine", None) or MarkedEngine()
    options = {"reuse": [], "baselines": False, **options}
    options |= {"engine": engine, "output": output}
    return evaluate(Marked(), dataset, STRATEGY, **options)


def ends_as(output: Path, undisturbed: Path) -> bool:
    """Whether a run left all that the undisturbed one left."""
    same = left(output) == left(undisturbed)
    return same and contents(output / STORE) == contents(undisturbed / STORE)


def command(data: Path, environment: Any, *options: str, engine: str = "") -> Command:
    words = ["--judge=marked", f"--dataset=jsonl,path={data}", f"--strategy={STRATEGY}"]
    words += [f"--engine=marked{engine}", "--no-baselines", *options]
    return Command(tuple(words), environment)


@contextmanager
def disk(place: Path, size: str) -> Iterator[Path]:
    """A disk of its own in memory."""
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    if (
        os.getuid()
        or not shutil.which("mount")
        or subprocess.run(words, check=False).returncode
    ):
        pytest.skip("nobody else may mount a disk")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)  # noqa: S607


def enlarge(place: Path) -> None:
    words = ["mount", "-o", "remount,size=64m", str(place)]
    subprocess.run(words, check=True)


def fill(place: Path, free: int) -> None:
    """Leave so many bytes of a disk."""
    room = os.statvfs(place)
    (place / "filled").write_bytes(bytes(room.f_bavail * room.f_frsize - free))


@pytest.mark.parametrize("size", ["4k", "16k", "64k", "128k", "400k", "600k"])
def test_a_full_disk_is_one_sentence_and_the_run_goes_on_when_there_is_room(
    data: Path, undisturbed: Path, tmp_path: Path, size: str
) -> None:
    with disk(tmp_path / "disk", size) as place:
        with pytest.raises(HarnessError, match=r"full|No space|I/O"):
            judge(data, place / "run")
        enlarge(place)
        judge(data, place / "run")

        assert ends_as(place / "run", undisturbed)
        assert sorted(os.listdir(place / "run")) == FINISHED


@pytest.mark.parametrize("kib", [4, 40, 72, 80, 100, 112])
def test_a_disk_that_fills_up_while_outcomes_are_written_is_one_sentence(
    data: Path, undisturbed: Path, tmp_path: Path, kib: int
) -> None:
    with disk(tmp_path / "disk", "64m") as place:
        run = place / "run"
        shutil.copytree(undisturbed, run)
        for name in ("outcomes.jsonl", "results.json"):
            (run / name).unlink()
        fill(place, kib * 1024)
        with pytest.raises(HarnessError, match=r"full|No space|I/O"):
            judge(data, run)
        (place / "filled").unlink()
        judge(data, run)

        assert ends_as(run, undisturbed)


@pytest.mark.parametrize("kib", [16, 100, 200])
def test_a_disk_without_room_for_an_upgrade_is_one_sentence_and_loses_nothing(
    data: Path, undisturbed: Path, tmp_path: Path, kib: int
) -> None:
    with disk(tmp_path / "disk", "64m") as place:
        run = place / "run"
        shutil.copytree(undisturbed, run)
        old_stores.as_version_1(run / STORE)
        before = look(run / STORE)
        fill(place, kib * 1024)
        with pytest.raises(HarnessError, match=r"full|No space|I/O"):
            judge(data, run)
        left = look(run / STORE)
        (place / "filled").unlink()
        again = judge(data, run)

        assert left == before
        assert again.results["cached"] == contents_judged(undisturbed)
        assert ends_as(run, undisturbed)


def test_a_report_that_does_not_fit_leaves_nothing_behind(
    undisturbed: Path, tmp_path: Path
) -> None:
    with disk(tmp_path / "disk", "64k") as place:
        words = [COMMAND, "report", str(undisturbed), "--html", str(place / "p.html")]
        done = said(words)

        assert is_refusal(done)
        assert "No space left on device" in done.stderr
        assert list(place.iterdir()) == []


def test_a_run_on_a_read_only_disk_is_refused_and_can_be_read_and_reused(
    data: Path, undisturbed: Path, tmp_path: Path
) -> None:
    with disk(tmp_path / "disk", "64m") as place:
        shutil.copytree(undisturbed, place / "run")
        words = ["mount", "-o", "remount,ro", str(place)]
        subprocess.run(words, check=True)

        with pytest.raises(OutputError, match="Read-only file system"):
            judge(data, place / "run")
        shown = page([Result.read(place / "run")])
        again = judge(data, tmp_path / "again", reuse=[place / "run"])

    assert next(kept(undisturbed / STORE)).text in shown
    assert again.results["cached"] == contents_judged(undisturbed)
    assert ends_as(tmp_path / "again", undisturbed)


def contents_judged(run: Path) -> int:
    return len(contents(run / STORE)[0])


def test_a_reader_that_was_there_before_does_not_lock_an_archive(
    undisturbed: Path, tmp_path: Path, data: Path
) -> None:
    """A reader leaves files beside a store that say nothing."""
    with disk(tmp_path / "disk", "64m") as place:
        shutil.copytree(undisturbed, place / "run")
        (place / "run" / f"{STORE}-wal").touch()
        words = ["mount", "-o", "remount,ro", str(place)]
        subprocess.run(words, check=True)

        again = judge(data, tmp_path / "again", reuse=[place / "run"])

    assert again.results["cached"] == contents_judged(undisturbed)


def test_a_read_only_store_is_refused_and_is_usable_once_it_may_be_written(
    data: Path, undisturbed: Path, open_folder: Path
) -> None:
    environment = {**marked.install(open_folder / "plugin"), "HOME": str(open_folder)}
    rows = Path(shutil.copy(data, open_folder))
    run = Path(shutil.copytree(undisturbed, open_folder / "run"))
    as_nobody = own(run)
    (run / STORE).chmod(0o444)

    refused = command(rows, environment).run(run, *as_nobody)
    (run / STORE).chmod(0o644)
    done = command(rows, environment).run(run, *as_nobody)

    assert is_refusal(refused)
    assert "judgments.sqlite is read-only; make it writable" in refused.stderr
    assert done.returncode == 0
    assert (run / "outcomes.jsonl").read_bytes() == left(undisturbed)[0]


def own(*places: Path) -> list[str]:
    """Give places to another user, if this is root; return what runs as that one."""
    if os.getuid():
        return []
    if not shutil.which("setpriv"):
        pytest.skip("root may write everywhere, and cannot become another")
    for place in places:
        for each in (place, *place.rglob("*")):
            os.chown(each, NOBODY, NOBODY)
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


def test_a_permission_lost_in_mid_run_is_one_sentence_and_loses_nothing(
    data: Path, undisturbed: Path, open_folder: Path
) -> None:
    environment = {**marked.install(open_folder / "plugin"), "HOME": str(open_folder)}
    rows = Path(shutil.copy(data, open_folder))
    log = open_folder / "log"
    log.touch()
    run = open_folder / "out" / "run"
    run.parent.mkdir()
    as_nobody = own(run.parent, log)
    slow = command(rows, environment, engine=f",log={log},seconds=0.002")

    with slow.start(run, *as_nobody, stderr=subprocess.PIPE, text=True) as started:
        wait_for(log)
        run.chmod(0o555)
        _, told = started.communicate(timeout=120)
    asked = len(log.read_text().splitlines())
    run.chmod(0o755)
    done = slow.run(run, *as_nobody)

    assert (started.returncode, len(told.splitlines())) == (2, 1)
    assert "cannot be written (Permission denied)" in told
    assert done.returncode == 0
    assert left(run)[0] == left(undisturbed)[0]
    again = len(log.read_text().splitlines()) - asked
    assert again == len(contents(undisturbed / STORE)[1])  # what had failed, no more


def wait_for(log: Path) -> None:
    while not log.exists() or not log.stat().st_size:
        time.sleep(0.01)


def test_a_store_that_another_program_takes_in_mid_run_is_one_sentence(
    data: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """SQLite's own command line, or whatever else writes to it."""
    environment = marked.install(tmp_path / "plugin")
    log, run = tmp_path / "log", tmp_path / "run"
    slow = command(data, environment, engine=f",log={log},seconds=0.01")

    with slow.start(run, stderr=subprocess.PIPE, text=True) as started:
        wait_for(log)
        with closing(sqlite3.connect(run / STORE, timeout=30)) as other:
            other.execute("BEGIN IMMEDIATE")
            _, told = started.communicate(timeout=120)
    judge(data, run)

    assert (started.returncode, len(told.splitlines())) == (2, 1)
    assert f"{run / STORE} is locked by another program" in told
    assert (run / "outcomes.jsonl").read_bytes() == left(undisturbed)[0]


def test_of_runs_that_begin_at_once_in_one_directory_one_is_let_in(
    data: Path, undisturbed: Path, tmp_path: Path
) -> None:
    environment = marked.install(tmp_path / "plugin")
    log, run = tmp_path / "log", tmp_path / "run"
    slow = command(data, environment, engine=f",log={log},seconds=0.005")

    started = [slow.start(run, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    told = [each.communicate(timeout=120)[1] for each in started]

    assert sorted(each.returncode for each in started) == [0, 2, 2]
    assert (
        sum(f"{run} is in use by a run that has not ended" in each for each in told)
        == 2
    )
    assert left(run)[0] == left(undisturbed)[0]
    asked = log.read_text().splitlines()
    assert len(asked) == sum(map(len, contents(undisturbed / STORE)))


def test_two_runs_beside_each_other_at_once_disturb_neither(
    data: Path, undisturbed: Path, tmp_path: Path
) -> None:
    environment = marked.install(tmp_path / "plugin")
    both = command(data, environment, engine=",seconds=0.001")
    outputs = [tmp_path / "runs" / name for name in "ab"]

    started = [both.start(output) for output in outputs]

    assert [each.wait(120) for each in started] == [0, 0]
    for output in outputs:
        assert left(output)[0] == left(undisturbed)[0]
        assert contents(output / STORE) == contents(undisturbed / STORE)


def test_a_clock_that_goes_backwards_changes_nothing(
    data: Path, undisturbed: Path, tmp_path: Path
) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no compiler makes such a clock")
    source, clock = tmp_path / "clock.c", tmp_path / "clock.so"
    source.write_text(BACKWARDS)
    words = [compiler, "-shared", "-fPIC", "-o", str(clock), str(source), "-ldl"]
    subprocess.run(words, check=True)
    environment = {**marked.install(tmp_path / "plugin"), "LD_PRELOAD": str(clock)}
    log, run = tmp_path / "log", tmp_path / "run"

    done = command(data, environment, engine=f",log={log}").run(run)
    times = [float(line.split()[0]) for line in log.read_text().splitlines()]
    again = command(data, environment).run(tmp_path / "again")

    assert (done.returncode, again.returncode) == (0, 0)
    assert times == sorted(times, reverse=True)
    for output in (run, tmp_path / "again"):
        assert (output / "outcomes.jsonl").read_bytes() == left(undisturbed)[0]


def test_files_from_the_future_are_neighbors_like_others(
    data: Path, undisturbed: Path, tmp_path: Path
) -> None:
    neighbor = Path(shutil.copytree(undisturbed, tmp_path / "neighbor"))
    for each in neighbor.iterdir():
        os.utime(each, (4e9, 4e9))

    again = judge(data, tmp_path / "again", reuse=None)

    assert again.results["cached"] == contents_judged(undisturbed)
    assert ends_as(tmp_path / "again", undisturbed)
