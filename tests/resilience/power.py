"""A run as a power cut leaves it, or a disk that ages, and what becomes of it.

Files are cut, emptied, zeroed or garbled at drawn places, or a bit is another. Then
the same command is asked to go on, or a report is asked what it reads; either ends as
undisturbed or is refused in one sentence.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rrm_harness import Completion, Result, evaluate
from rrm_harness.errors import HarnessError
from rrm_harness.store import kept

from .damage import DAMAGES, damage, flip, torn_pages
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
    """Whether a user can be told it: one line with a file or whose run it is."""
    named = any(name in said for name in (STORE, *JSON, "holds another run"))
    return named and "\n" not in said and len(said) < 400


def told(run: Path) -> Any:
    """What a report reads, or why it cannot."""
    try:
        result = Result.read(run)
        return result.results, [*result.outcomes()]
    except HarnessError as error:
        return str(error)


def said(run: Path) -> Any:
    """What a page reads of what the judge wrote, or why it cannot."""
    try:
        return [*kept(run / STORE)]
    except HarnessError as error:
        return str(error)


WHAT = {
    "WAL of a killed run": ("killed", f"{STORE}-wal"),
    "WAL's index of a killed run": ("killed", f"{STORE}-shm"),
    "store of a killed run": ("killed", STORE),
    "store of a finished run": ("finished", STORE),
    **{f"{name} of a finished run": ("finished", name) for name in JSON},
}
CALLED = {STORE: "store"}
Table = Iterator[tuple[str, Counter[str]]]
Harm = Callable[[Path, int], object]


def cuts(draws: int) -> Table:
    """Yield how runs end after power cuts, by what was damaged: each way, so often."""
    with TemporaryDirectory(prefix="power-") as folder:
        runs = Runs(Path(folder))
        for name, (state, file) in WHAT.items():
            found = _each_way(file, draws, partial(_goes_on, runs, state))
            yield f"{name}; the same command", found
        for file in JSON[1:]:
            found = _each_way(file, draws, partial(_is_read, runs, told))
            yield f"{file} of a finished run; a report", found
        tear = partial(_goes_on, runs, "killed", _tear)
        yield (
            "store in mid-checkpoint; the same command",
            Counter(map(tear, range(draws))),
        )


def flips(draws: int) -> Table:
    """Yield how runs end of which one bit is another, by what was damaged."""
    with TemporaryDirectory(prefix="flips-") as folder:
        runs = Runs(Path(folder))
        for file in (STORE, JSON[0]):
            ends = partial(_goes_on, runs, "finished", partial(_flip, file))
            found = Counter(map(ends, range(draws)))
            yield f"{CALLED.get(file, file)} of a finished run; the same command", found
        for file, read, who in (
            (STORE, said, "a page"),
            (JSON[1], told, "a report"),
            (JSON[2], told, "a report"),
        ):
            ends = partial(_is_read, runs, read, partial(_flip, file))
            name = f"{CALLED.get(file, file)} of a finished run; {who}"
            yield name, Counter(map(ends, range(draws)))


def _each_way(file: str, draws: int, ends: Callable[[Harm, int], str]) -> Counter[str]:
    ways = [partial(_damage, file, way) for way in DAMAGES]
    return Counter(ends(way, draw) for way in ways for draw in range(draws))


def _damage(file: str, way: str, run: Path, draw: int) -> None:
    damage(run / file, way, draw)


def _tear(run: Path, draw: int) -> None:
    torn_pages(run / STORE, draw)


def _flip(file: str, run: Path, draw: int) -> None:
    flip(run / file, draw)


def _goes_on(runs: Runs, state: str, harm: Harm, draw: int) -> str:
    """How the same command ends in a damaged directory."""
    with _damaged(runs, state, harm, draw) as run:
        ends = runs.ends(run)
    if ends == AS_UNDISTURBED:
        return AS_UNDISTURBED
    return REFUSED if is_sentence(ends) else WRONG


def _is_read(runs: Runs, read: Callable[[Path], Any], harm: Harm, draw: int) -> str:
    """What is read in the damaged directory of a finished run."""
    with _damaged(runs, "finished", harm, draw) as run:
        found = read(run)
    if found == read(runs.finished):
        return AS_UNDISTURBED
    return REFUSED if is_sentence(str(found)) else WRONG


@contextmanager
def _damaged(runs: Runs, state: str, harm: Harm, draw: int) -> Iterator[Path]:
    run = Path(shutil.copytree(getattr(runs, state), runs.folder / "damaged"))
    try:
        harm(run, draw)
        yield run
    finally:
        shutil.rmtree(run)
