"""A command's life: run once in peace, then killed again and again until it finishes.

A kill comes at a random moment, or on the way into a random system call that writes,
syncs, renames or removes (`strace` delivers it, where it is installed); both are drawn
from a key, so that a life can be lived again. An answer counts as given when the
engine, the worker or the server has given it, as kept when the store that a kill leaves
holds it; the difference is lost and asked twice. `age` says how long before the kill
the oldest lost one was given.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from rrm_harness import chance

from .runs import STORE, Command, Look, contents, left, look, verdicts

CALLS = "pwrite64,fsync,fdatasync,rename,unlink,ftruncate"
CALL = re.compile(rf"^\d+ +(?:[\d.]+ +)?({CALLS.replace(',', '|')})\(", re.MULTILINE)
LAST_CALLS = "fsync,rename,unlink"
"""Those of files that are put in place: most are in a run's last moments."""
SECOND, SLACK = 1.0, 1.0
"""How old what is lost may be: what a commit waits for, and a busy machine's delay."""
SETTLED = 1.5
"""Seconds of silence after which nobody is at work."""
LIVES = 200
"""More is a case that never gets anywhere."""


@dataclass
class Killed:
    """A process that was killed: when in its work, and what that cost."""

    phase: str
    where: str
    integrity: str
    asked: int
    lost: int
    age: float
    version: int = 0


class End(NamedTuple):
    """How a process was killed, if it was; what the command ended with, and when."""

    how: str
    code: int
    when: float


@dataclass
class Case:
    """What is killed.

    Args:
        name: Of its row in the table.
        command: What runs.
        log: The file in which its engine, workers or server note their answers.
        folder: Its own.
        exact: Whether files must be the same bytes; else the same verdicts.
        lingers: Whether others may go on for a while when the command is killed.
        slow: Whether it takes so long to start that most kills would fall there.
        victim: Whom to kill other than the command: given the log, the process.
        found: A store that lies in each run's directory before it begins.
    """

    name: str
    command: Command
    log: Path
    folder: Path
    exact: bool = True
    lingers: bool = False
    victim: Callable[[Path], int | None] | None = None
    traced: bool = True
    slow: bool = False
    found: Path | None = None
    killed: list[Killed] = field(default_factory=list)
    lives: int = 0
    problems: list[str] = field(default_factory=list)

    def live(self, kills: int) -> Case:
        """Run in peace, then be killed this often; lives that end begin anew."""
        began = time.monotonic()
        done = self.command.run(self._furnished(self.peaceful))
        if done.returncode:
            raise RuntimeError(f"{self.name}: {done.stderr or done.stdout}")
        self.lasted = time.monotonic() - began
        self.calls = self._count_calls()
        while len(self.killed) < kills and self.lives < LIVES:
            self._live_once(kills)
        return self

    @property
    def peaceful(self) -> Path:
        """Where it ran undisturbed."""
        return self.folder / "in-peace" / "run"

    @property
    def disturbed(self) -> Path:
        """Where it runs now."""
        return self.folder / f"life-{self.lives}" / "run"

    def _furnished(self, output: Path) -> Path:
        if self.found is not None:
            output.mkdir(parents=True)
            shutil.copy(self.found, output / STORE)
        return output

    def _live_once(self, kills: int) -> None:
        self.lives += 1
        self._furnished(self.disturbed)
        for attempt in range(LIVES):
            enough = len(self.killed) >= kills
            if self._attempt(attempt, to_the_end=enough):
                break
        self._compare()
        shutil.rmtree(self.disturbed.parent)

    def _attempt(self, attempt: int, to_the_end: bool) -> bool:
        """Run on; whether it finished."""
        self.log.write_text("")
        before = look(self.disturbed / STORE)
        key = ("kill", self.name, self.lives, attempt)
        if to_the_end:
            end = End("", self.command.run(self.disturbed).returncode, 0.0)
        elif self.calls and (self.lives + attempt) % 4 == 1:
            end = self._at_a_call(CALLS, 1 + int(chance.uniform(*key) * self.calls))
        elif self.calls and (self.lives + attempt) % 4 == 3:
            end = self._at_a_call(LAST_CALLS, 1 + int(chance.uniform(*key) * 9))
        else:
            end = self._at_a_moment(chance.uniform(*key) * 0.7 * self.lasted)
        if end.code not in (0, -signal.SIGKILL, 128 + signal.SIGKILL):
            self.problems.append(f"{end.how}: ended with {end.code}")
        self._settle()
        if end.how:
            self.killed.append(self._told(end, before))
        return end.code == 0

    def _at_a_moment(self, seconds: float) -> End:
        started = self.command.start(self.disturbed, stderr=subprocess.DEVNULL)
        if self.victim or (self.slow and len(self.killed) % 3):
            seconds /= self.lasted  # counted from the first answer
            while not self.log.stat().st_size and started.poll() is None:
                time.sleep(0.01)
        try:
            return End("", started.wait(seconds), time.time())
        except subprocess.TimeoutExpired:
            other = self.victim and self.victim(self.log)
            killed = time.time()
            os.kill(other or started.pid, signal.SIGKILL)
            whom = "a worker " if other else ""
            return End(f"{whom}after {seconds:.3f} s", started.wait(), killed)

    def _at_a_call(self, calls: str, number: int) -> End:
        trace = self.folder / "trace"
        inject = f"inject={calls}:signal=SIGKILL:when={number}"
        tracer = ["strace", "-f", "-ttt", "-o", str(trace), "-e", inject]
        started = self.command.start(self.disturbed, *tracer, stderr=subprocess.DEVNULL)
        code = started.wait()
        met = CALL.findall(trace.read_text(errors="replace")) or ["?"]
        return End(f"at {met[-1]} {number}" if code else "", code, _when(trace))

    def _count_calls(self) -> int:
        """How many calls there are to be killed at; none if they cannot be traced."""
        if not self.traced or shutil.which("strace") is None:
            return 0
        trace = self.folder / "trace"
        tracer = ["strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={CALLS}"]
        with_calls = self.folder / "traced" / "run"
        if self.command.run(self._furnished(with_calls), *tracer).returncode:
            return 0
        shutil.rmtree(with_calls.parent)
        return len(CALL.findall(trace.read_text(errors="replace")))

    def _settle(self) -> None:
        """Wait until nobody notes an answer any more."""
        size = -1
        while self.lingers and size != (size := self.log.stat().st_size):
            time.sleep(SETTLED)

    def _told(self, end: End, before: Look) -> Killed:
        after = look(self.disturbed / STORE)
        times = [float(each.split()[0]) for each in self.log.read_text().splitlines()]
        lost = len(times) - (after.kept - before.kept)
        age = max(0.0, end.when - times[-lost]) if lost > 0 else 0.0
        whole = after.judged >= look(self.peaceful / STORE).judged
        if age > SECOND + SLACK:
            self.problems.append(f"{end.how}: lost an answer {age:.2f} s old")
        phase = "finishing" if whole else "judging" if times else "start-up"
        version = after.version
        return Killed(phase, end.how, after.integrity, len(times), lost, age, version)

    def _compare(self) -> None:
        peaceful, disturbed = self.peaceful, self.disturbed
        told = left if self.exact else verdicts
        if told(peaceful) != told(disturbed):
            self.problems.append(f"life {self.lives}: other outcomes or results")
        stores = [contents(each / STORE) for each in (peaceful, disturbed)]
        if self.exact and stores[0] != stores[1]:
            self.problems.append(f"life {self.lives}: another store")
        names = [{each.name for each in run.iterdir()} for run in (peaceful, disturbed)]
        if names[0] != names[1]:
            self.problems.append(f"life {self.lives}: files left behind")


def _when(trace: Path) -> float:
    """When the traced process met its end."""
    met = re.findall(r"^\d+ +([\d.]+) ", trace.read_text(errors="replace"), re.M)
    return max(map(float, met), default=0.0)
