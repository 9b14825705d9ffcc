"""A run as a power cut leaves it, and what becomes of it.

Files are cut, emptied, zeroed or garbled at drawn places. Then the same command is
asked to go on, or a report is asked what it reads; either ends as undisturbed or is
refused in one sentence.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rrm_harness import Completion, Result, evaluate
from rrm_harness.errors import HarnessError, OutputError

from .damage import DAMAGES, damage, torn_pages
from .marked import Marked, MarkedEngine
from .runs import STORE, contents, left, write_rows

JSON = ("manifest.json", "results.json", "outcomes.jsonl")
AS_UNDISTURBED, REFUSED, WRONG = "as undisturbed", "refused", "otherwise"


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
        return AS_UNDISTURBED if same else WRONG


def is_sentence(said: str) -> bool:
    """Whether it is what a user can be told: one line that names a file of the run."""
    named = any(name in said for name in (STORE, *JSON))
    return named and "\n" not in said and len(said) < 400


def told(run: Path) -> Any:
    """What a report reads, or why it cannot."""
    try:
        result = Result.read(run)
        return result.results, [*result.outcomes()]
    except OutputError as error:
        return str(error)


WHAT = {
    "WAL of a killed run": ("killed", f"{STORE}-wal"),
    "WAL's index of a killed run": ("killed", f"{STORE}-shm"),
    "store of a killed run": ("killed", STORE),
    "store of a finished run": ("finished", STORE),
    **{f"{name} of a finished run": ("finished", name) for name in JSON},
}


def table(draws: int) -> Iterator[tuple[str, Counter[str]]]:
    """Yield how damaged runs end, by what was damaged: each way, so many times."""
    with TemporaryDirectory(prefix="power-") as folder:
        runs = Runs(Path(folder))
        for name, (state, file) in WHAT.items():
            found = Counter(
                _ending(runs, state, file, way, draw)
                for way in DAMAGES
                for draw in range(draws)
            )
            yield f"{name}; the same command", found
        for file in JSON[1:]:
            found = Counter(
                _ending(runs, "finished", file, way, draw, read=True)
                for way in DAMAGES
                for draw in range(draws)
            )
            yield f"{file} of a finished run; a report", found
        found = Counter(_ending(runs, "killed", "", "", draw) for draw in range(draws))
        yield "store in mid-checkpoint; the same command", found


def _ending(
    runs: Runs, state: str, file: str, way: str, draw: int, *, read: bool = False
) -> str:
    run = Path(shutil.copytree(getattr(runs, state), runs.folder / "damaged"))
    if file:
        damage(run / file, way, draw)
    else:
        torn_pages(run / STORE, draw)
    said = told(run) if read else runs.ends(run)
    shutil.rmtree(run)
    if said in (AS_UNDISTURBED, told(runs.finished)):
        return AS_UNDISTURBED
    return REFUSED if is_sentence(str(said)) else WRONG
