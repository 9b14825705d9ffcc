"""Runs as processes: started, seen from outside, compared by what they left."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

COMMAND = str(Path(sys.executable).with_name("rrm-harness"))
STORE = "judgments.sqlite"
PASSING = ("seconds", "cached", "digest")
"""What results.json says of how a run went, and of itself, not of what was judged."""
FINISHED = [".lock", STORE, "manifest.json", "outcomes.jsonl", "results.json"]


def write_rows(file: Path, examples: int, responses: int) -> Path:
    """Write a dataset of so many examples."""
    texts = [f"response {number}" for number in range(responses)]
    row = {"prompt": "q", "responses": texts, "correct": [1]}
    rows = [json.dumps({**row, "id": f"row-{n}"}) for n in range(examples)]
    file.write_text("\n".join(rows))
    return file


@dataclass(frozen=True)
class Command:
    """What is run, but for where it writes to."""

    options: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)

    def line(self, output: Path) -> list[str]:
        """The words of the command."""
        return [COMMAND, "run", *self.options, "--output", str(output), "--quiet"]

    def start(
        self, output: Path, *before: str, **options: Any
    ) -> subprocess.Popen[bytes]:
        """Begin; `before` is a program that starts it."""
        return subprocess.Popen(
            [*before, *self.line(output)], env=self.environment, **options
        )

    def run(self, output: Path, *before: str) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        return said([*before, *self.line(output)], self.environment)


def said(
    words: list[str], environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end and keep what it says."""
    return subprocess.run(
        words,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        stdin=subprocess.DEVNULL,
    )


def is_refusal(done: subprocess.CompletedProcess[str]) -> bool:
    """Whether a command ended over a mistake, with one sentence about it."""
    lines = done.stderr.splitlines()
    told = [line for line in lines if line.startswith("rrm-harness: ")]
    return done.returncode == 2 and lines == told and len(told) == 1


def lasting(directory: Path) -> Mapping[str, Any]:
    """The results, but for how long they took."""
    content = json.loads((directory / "results.json").read_text())
    return {key: content[key] for key in content if key not in PASSING}


def left(directory: Path) -> tuple[bytes, Mapping[str, Any]]:
    """What a finished run says: equal for runs that found the same."""
    return (directory / "outcomes.jsonl").read_bytes(), lasting(directory)


def verdicts(directory: Path) -> list[Any]:
    """What must be equal where votes that no longer matter are not cast."""
    lines = (directory / "outcomes.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    told = ("id", "winners", "failure", "credit")
    return [[line[each] for each in told] for line in found]


@dataclass(frozen=True)
class Look:
    """What a store held when its process was gone."""

    integrity: str
    judged: int
    failed: int
    version: int = 0

    @property
    def kept(self) -> int:
        """How many answers it keeps, each time that one failed counted."""
        return self.judged + self.failed


def look(store: Path) -> Look:
    """Look at a copy: a look must not recover the store itself."""
    with TemporaryDirectory() as folder:
        for part in store.parent.glob(f"{STORE}*"):
            shutil.copy(part, folder)
        copy = Path(folder) / STORE
        if not copy.is_file():
            return Look("no store yet", 0, 0)
        with closing(sqlite3.connect(copy)) as database:
            if not database.execute("SELECT 1 FROM sqlite_master").fetchall():
                return Look("no store yet", 0, 0)
            ((integrity,),) = database.execute("PRAGMA integrity_check")
            ((judged,),) = database.execute("SELECT count(*) FROM judgments")
            ((failed,),) = database.execute("SELECT total(times) FROM failures")
            ((version,),) = database.execute("PRAGMA user_version")
            return Look(integrity, judged, int(failed), version)


def contents(store: Path) -> list[Any]:
    """All judgments and failures, but for how often these were asked."""
    failure = "key, example, shown, sample, kind, text, checksum"
    with closing(sqlite3.connect(store)) as database:  # an index can be damaged
        judged = database.execute("SELECT * FROM judgments NOT INDEXED")
        failed = database.execute(f"SELECT {failure} FROM failures NOT INDEXED")  # noqa: S608
        return [sorted(judged, key=repr), sorted(failed, key=repr)]
