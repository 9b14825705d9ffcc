"""Runs that are killed, again and again, end as if nothing had happened."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest

from rrm_harness import chance

COMMAND = str(Path(sys.executable).with_name("rrm-harness"))
COMMANDS = (  # judge and strategy
    ("slow", "voting,k=15,stop=none"),
    ("slow-model", "voting,k=15,stop=none"),
    ("slow-model", "knockout of both-orders of voting,k=3"),
    ("slow-model", "elo of both-orders"),
)
MODELS = [1, 2, 3]  # a judge without an engine reads anew: that costs nothing
KILLS = 7  # of each strategy's run
EXAMPLES, RESPONSES = 150, 4
SECOND, SLACK = 1.0, 0.3

SLOW = '''
import os, time
from dataclasses import dataclass

from rrm_harness import Completion, Engine, Failure, Judge, Judgment, Message, Request
from rrm_harness import chance, hookimpl

BATCH = 16


def work(asked):
    """Write down when it is asked what, and take a while."""
    line = f"{time.monotonic()} {asked}\\n"
    log = os.open(os.environ["SLOW_LOG"], os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.write(log, line.encode())
    os.close(log)
    time.sleep(0.001)


def asked_of(comparison):
    order = ",".join(map(str, comparison.order))
    return f"{comparison.example.id} {order} {comparison.sample}"


def decide(comparison):
    """Fail now and then."""
    asked = asked_of(comparison).split()
    if chance.uniform(*asked) < 0.03:
        return Judgment.failed(Failure.UNPARSABLE, "no verdict")
    return Judgment(tuple(chance.uniform(*asked, i) for i in comparison.order))


@dataclass(frozen=True)
class Slow(Judge):
    """A judge that needs no engine."""

    def parse(self, comparison, completions):
        work(asked_of(comparison))
        return decide(comparison)


@dataclass(frozen=True)
class SlowModel(Judge):
    """A judge that samples a model."""

    def render(self, comparison):
        return [Request((Message("user", asked_of(comparison)),), temperature=1.0)]

    def parse(self, comparison, completions):
        return decide(comparison)


class SlowEngine(Engine):
    """Answers batches of requests, one after the other."""

    identity = "slow"

    def __init__(self):
        self.waiting = []

    def submit(self, ticket, request):
        self.waiting.append((ticket, request.messages[0].content))

    def collect(self):
        batch, self.waiting = self.waiting[:BATCH], self.waiting[BATCH:]
        for _, asked in batch:
            work(asked)
        return [(ticket, Completion("done")) for ticket, _ in batch]

    def close(self):
        self.waiting = []


@hookimpl
def register_judges(register):
    register("slow", Slow)
    register("slow-model", SlowModel)


@hookimpl
def register_engines(register):
    register("slow", SlowEngine)
'''


class Asked(NamedTuple):
    """When the judge was asked, and what."""

    time: float
    what: tuple[str, str, str]


@dataclass
class Attempt:
    """A run that was killed: what it asked, and what its store then held."""

    asked: list[Asked]
    stored: set[tuple[str, str, str]]
    integrity: str

    @property
    def lost(self) -> list[Asked]:
        """What was asked for nothing."""
        return [each for each in self.asked if each.what not in self.stored]


@dataclass
class Story:
    """A command's life: run once in peace, and once with kills in between."""

    judge: str
    strategy: str
    folder: Path
    data: Path
    killed: list[Attempt] = field(default_factory=list)

    @property
    def peaceful(self) -> Path:
        return self.folder / "in-peace" / "run"

    @property
    def disturbed(self) -> Path:
        return self.folder / "disturbed" / "run"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def live(self) -> "Story":
        """Run in peace; then run, be killed and run again; then finish."""
        assert self._start(self.peaceful).wait() == 0
        for attempt in count():
            if len(self.killed) == KILLS:
                break
            self.log.write_text("")
            started = self._start(self.disturbed)
            if attempt % 4:  # every fourth may die before it asks anything
                wait_until_it_asks(started, self.log)
            moment = 2.2 * chance.uniform(self.judge, self.strategy, attempt)
            try:
                assert started.wait(moment) == 0
            except subprocess.TimeoutExpired:
                started.send_signal(signal.SIGKILL)
                assert started.wait() == -signal.SIGKILL
                self.killed.append(self._attempt())
        assert self._start(self.disturbed).wait() == 0
        return self

    def _start(self, output: Path) -> subprocess.Popen[bytes]:
        plugin = str(self.folder.parent / "plugin")
        path = os.pathsep.join([plugin, *filter(None, [os.getenv("PYTHONPATH")])])
        dataset = ["--dataset", f"jsonl,path={self.data}"]
        options = ["--strategy", self.strategy, "--output", str(output), "--quiet"]
        judge = ["--judge", self.judge, "--engine=slow"]
        return subprocess.Popen(
            [COMMAND, "run", *judge, *dataset, *options],
            env={**os.environ, "PYTHONPATH": path, "SLOW_LOG": str(self.log)},
        )

    def _attempt(self) -> Attempt:
        lines = [line.split() for line in self.log.read_text().splitlines()]
        asked = [Asked(float(when), (a, b, c)) for when, a, b, c in lines]
        with TemporaryDirectory() as folder:  # a look must not recover the store itself
            for part in self.disturbed.glob("judgments.sqlite*"):
                shutil.copy(part, folder)
            store = Path(folder) / "judgments.sqlite"
            return Attempt(asked, stored(store), integrity(store))


def wait_until_it_asks(started: subprocess.Popen[bytes], log: Path) -> None:
    while not log.stat().st_size and started.poll() is None:
        time.sleep(0.005)


def stored(store: Path) -> set[tuple[str, str, str]]:
    columns = "SELECT example, shown, sample FROM"
    rows = ask(store, f"{columns} judgments UNION ALL {columns} failures")
    found = {(example, shown, str(sample)) for example, shown, sample in rows}
    assert len(found) == len(rows)
    return found


def integrity(store: Path) -> str:
    ((answer,),) = ask(store, "PRAGMA integrity_check") or [("no store yet",)]
    return str(answer)


def ask(store: Path, question: str) -> list[Any]:
    """Ask a store, unless its run was killed before it was there."""
    if not store.is_file():
        return []
    database = sqlite3.connect(store)
    try:
        if not database.execute("SELECT 1 FROM sqlite_master").fetchall():
            return []
        return database.execute(question).fetchall()
    finally:
        database.close()


def lasting(directory: Path) -> Mapping[str, Any]:
    content = json.loads((directory / "results.json").read_text())
    return {
        key: content[key]
        for key in content
        if key not in ("seconds", "cached", "digest")
    }


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory) -> list[Story]:
    """Every strategy's story; they are lived side by side."""
    folder = tmp_path_factory.mktemp("stories")
    information = folder / "plugin" / "rrm_slow-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Name: rrm-slow\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[rrm_harness]\nslow = rrm_slow")
    (folder / "plugin" / "rrm_slow.py").write_text(SLOW)
    data = folder / "rows.jsonl"
    responses = [f"response {number}" for number in range(RESPONSES)]
    row = {"prompt": "q", "responses": responses, "correct": [1]}
    rows = [json.dumps({**row, "id": f"row-{n}"}) for n in range(EXAMPLES)]
    data.write_text("\n".join(rows))
    found = []
    for number, command in enumerate(COMMANDS):
        (folder / str(number)).mkdir()
        found.append(Story(*command, folder / str(number), data))
    with ThreadPoolExecutor() as threads:
        return list(threads.map(Story.live, found))


@pytest.fixture(params=range(len(COMMANDS)))
def story(request: pytest.FixtureRequest, stories: list[Story]) -> Story:
    return stories[request.param]


def test_at_least_twenty_runs_were_killed(stories: list[Story]) -> None:
    assert sum(len(story.killed) for story in stories) >= 20


def test_some_kills_cost_work_and_some_left_work_behind(stories: list[Story]) -> None:
    attempts = [attempt for story in stories for attempt in story.killed]

    assert any(attempt.lost for attempt in attempts)
    assert any(attempt.stored for attempt in attempts)


def test_the_outcomes_are_the_same_bytes(story: Story) -> None:
    disturbed, peaceful = (
        (directory / "outcomes.jsonl").read_bytes()
        for directory in (story.disturbed, story.peaceful)
    )

    assert disturbed == peaceful


def test_the_results_are_the_same_but_for_the_seconds_and_the_cached(
    story: Story,
) -> None:
    assert lasting(story.disturbed) == lasting(story.peaceful)


def test_the_stores_hold_the_same_and_nothing_twice(story: Story) -> None:
    disturbed, peaceful = (
        stored(directory / "judgments.sqlite")
        for directory in (story.disturbed, story.peaceful)
    )

    assert disturbed == peaceful
    assert len(disturbed) == lasting(story.disturbed)["judgments"]


def test_every_kill_leaves_the_store_intact(story: Story) -> None:
    found = {attempt.integrity for attempt in story.killed}
    final = integrity(story.disturbed / "judgments.sqlite")

    assert found <= {"ok", "no store yet"}
    assert final == "ok"


def test_a_kill_costs_at_most_a_seconds_work(story: Story) -> None:
    for attempt in story.killed:
        times = [each.time for each in attempt.asked]
        pauses = [later - earlier for earlier, later in pairwise(times)]
        allowed = SECOND + SLACK + max(pauses, default=0.0)

        assert all(times[-1] - lost.time <= allowed for lost in attempt.lost)


@pytest.mark.parametrize("story", MODELS, indirect=True)
def test_what_a_kill_left_is_not_asked_again_unless_it_had_failed(story: Story) -> None:
    for before, after in pairwise(story.killed):
        again = before.stored & {each.what for each in after.asked}

        assert all(chance.uniform(*what) < 0.03 for what in again)


def test_no_run_leaves_a_part_of_a_file_behind(story: Story) -> None:
    assert sorted(each.name for each in story.disturbed.iterdir()) == [
        ".lock",
        "judgments.sqlite",
        "manifest.json",
        "outcomes.jsonl",
        "results.json",
    ]
