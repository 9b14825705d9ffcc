"""Reports that are killed while they are written: whole files, or none."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rrm_harness import chance

from .killing import CALL, CALLS, Killed
from .runs import COMMAND

NAMES = ("page.html", "runs.csv")
READERS = (".sqlite-wal", ".sqlite-shm")


@dataclass
class ReportCase:
    """The report of a finished run, killed again and again.

    Every other time an older file is in its place. After each kill a file is the older
    one, the whole new one or absent, and the run itself is as it was.
    """

    name: str
    run: Path
    written: Path
    environment: Mapping[str, str]
    killed: list[Killed] = field(default_factory=list)
    lives: int = 0
    problems: list[str] = field(default_factory=list)

    def live(self, kills: int) -> ReportCase:
        """Be killed this often."""
        self.written.mkdir()
        before, began = files(self.run), time.monotonic()
        self._report().wait()
        self.lasted, self.whole = time.monotonic() - began, files(self.written)
        self.calls = self._count_calls()
        while len(self.killed) < kills:
            self.lives += 1
            self._attempt()
            if files(self.run) != before:
                self.problems.append(f"{self.killed[-1].where}: the run has changed")
        if self._report().wait() or files(self.written) != self.whole:
            self.problems.append("another report in the end")
        return self

    def _attempt(self) -> None:
        old = b"older" if self.lives % 2 else None
        shutil.rmtree(self.written)
        self.written.mkdir()
        for name in NAMES if old else ():
            (self.written / name).write_bytes(old or b"")
        drawn = chance.uniform("kill", self.name, self.lives)
        if self.calls and self.lives % 3:
            where = f"at call {1 + int(drawn * self.calls)}"
            inject = f"inject={CALLS}:signal=SIGKILL:when={where.split()[-1]}"
            code = self._report(*self._tracer, "-e", inject).wait()
        else:
            where = f"after {drawn * self.lasted:.3f} s"
            started = self._report()
            try:
                code = started.wait(drawn * self.lasted)
            except subprocess.TimeoutExpired:
                started.send_signal(signal.SIGKILL)
                code = started.wait()
        if code == 0:
            return
        self._check(where, old)

    def _check(self, where: str, old: bytes | None) -> None:
        found = {name: files(self.written).get(name) for name in NAMES}
        for name, content in found.items():
            if content not in (old, self.whole[name]):
                self.problems.append(f"{where}: {name} is neither old nor whole")
        new = [content == self.whole[name] for name, content in found.items()]
        phase = "finishing" if any(new) else "start-up"
        self.killed.append(Killed(phase, where, "ok", 0, 0, 0.0))

    def _report(self, *before: str) -> subprocess.Popen[bytes]:
        html, csv = (str(self.written / name) for name in NAMES)
        words = [COMMAND, "report", str(self.run), "--html", html, "--csv", csv]
        quiet = subprocess.DEVNULL
        return subprocess.Popen(
            [*before, *words], env=self.environment, stdout=quiet, stderr=quiet
        )

    @property
    def _tracer(self) -> list[str]:
        return ["strace", "-f", "-qq", "-o", str(self.written.parent / "trace")]

    def _count_calls(self) -> int:
        if shutil.which("strace") is None:
            return 0
        self._report(*self._tracer, "-e", f"trace={CALLS}").wait()
        trace = self.written.parent / "trace"
        return len(CALL.findall(trace.read_text(errors="replace")))


def files(folder: Path) -> dict[str, bytes]:
    """What lies in a folder, but for what SQLite's readers put there and leave."""
    found = [each for each in folder.iterdir() if each.suffix not in READERS]
    return {each.name: each.read_bytes() for each in found}
