"""Every judgment, keyed by the content of what was asked, in one SQLite file.

Judgments and failures live in separate tables: a failure is kept as evidence and is
asked again by the next run; it is never served as a result. Writes are committed at
least once a second of work, and before an engine is waited for, so a killed process
loses at most that second.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import fields
from operator import attrgetter, itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from rrm_harness.errors import StoreError
from rrm_harness.records import Comparison, Completion, Judgment

_log = logging.getLogger(__name__)

VERSION = 1
COMMIT_SECONDS = 1.0
COMMIT_ROWS = 5000
CACHE_KIB = 32 * 1024
CHECKPOINT_PAGES = 16 * 1024
"""Of 4 KiB. Keys are hashes, so every commit touches pages all over the index."""
_UTF8 = ("utf-8", "surrogatepass")

_SCHEMA = f"""
CREATE TABLE judgments (
    key BLOB PRIMARY KEY, example TEXT, shown TEXT, sample INTEGER,
    scores TEXT NOT NULL, text TEXT NOT NULL, completions TEXT NOT NULL
);
CREATE TABLE failures (
    key BLOB PRIMARY KEY, example TEXT, shown TEXT, sample INTEGER,
    kind TEXT NOT NULL, text TEXT NOT NULL, times INTEGER NOT NULL
);
PRAGMA user_version = {VERSION};
"""


class RunStore:
    """A store of judgments, open for one writer.

    Stores of neighboring runs can be read as well: what they hold is served and
    copied, so that each store is complete for its own run. One that cannot be read is
    done without, with a warning.

    Raises:
        StoreError: The file is no store, is corrupt, locked, or of another version.
    """

    def __init__(self, path: Path, neighbors: Iterable[Path] = ()) -> None:
        self.path = path
        self._pending: dict[bytes, tuple[Comparison, Judgment]] = {}
        self._written = time.monotonic()
        self._database = _open(path, writable=True)
        self._neighbors: dict[Path, sqlite3.Connection] = {}
        for other in neighbors:
            try:
                self._neighbors[other] = _open(other, writable=False)
            except StoreError as error:
                _log.warning("%s; going on without it", error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def is_empty(self) -> bool:
        """Whether it has no judgment to serve, nor a neighbor that could have one."""
        if self._pending or self._neighbors:
            return False
        return not _holds(self.path, self._database, "judgments")

    def get(self, key: bytes, comparison: Comparison) -> Judgment | None:
        """Return the judgment under a key, from here or from a neighbor."""
        pending = self._pending.get(key)
        if pending is not None and pending[1].failure is None:
            return pending[1]
        found = _read(self.path, self._database, key)
        if found is not None:
            return found
        for path in list(self._neighbors):
            found = self._read_neighbor(path, key)
            if found is not None:
                self.put(key, comparison, found)
                return found
        return None

    def _read_neighbor(self, path: Path, key: bytes) -> Judgment | None:
        """Read another run's judgment; one that cannot be read is done without."""
        try:
            return _read(path, self._neighbors[path], key)
        except StoreError as error:
            _log.warning("%s; going on without it", error)
            self._neighbors.pop(path).close()
            return None

    def put(self, key: bytes, comparison: Comparison, judgment: Judgment) -> None:
        """Keep a judgment, or a failure where there is no judgment.

        It is on disk after `commit`, or with the first one put a second later.
        """
        earlier = self._pending.get(key)
        judged = earlier is not None and earlier[1].failure is None
        if judgment.failure is not None and judged:
            return
        self._pending[key] = (comparison, judgment)
        late = time.monotonic() - self._written >= COMMIT_SECONDS
        if late or len(self._pending) >= COMMIT_ROWS:
            self.commit()

    def commit(self) -> None:
        """Write what is pending in one transaction."""
        if not self._pending:
            return
        judged, failed = [], []
        for key, (comparison, judgment) in sorted(self._pending.items(), key=_key):
            shown = ",".join(map(str, comparison.order))
            name = _storable(comparison.example.id)
            where = (key, name, shown, comparison.sample)
            text = _storable(judgment.text)
            if judgment.failure is None:
                completions = _dumped(judgment.completions)
                scores = json.dumps(judgment.scores)
                judged.append((*where, scores, text, completions))
            else:
                failed.append((*where, str(judgment.failure), text))
        try:
            with self._database:
                self._database.execute("BEGIN IMMEDIATE")
                self._database.executemany(
                    "INSERT OR REPLACE INTO judgments VALUES (?,?,?,?,?,?,?)", judged
                )
                if _holds(self.path, self._database, "failures"):
                    self._database.executemany(
                        "DELETE FROM failures WHERE key = ?",
                        [row[:1] for row in judged],
                    )
                self._database.executemany(
                    "INSERT INTO failures VALUES (?,?,?,?,?,?,1) ON CONFLICT(key)"
                    " DO UPDATE SET kind = excluded.kind, text = excluded.text,"
                    " times = times + 1",
                    failed,
                )
        except sqlite3.Error as error:
            raise _explained(self.path, error) from error
        self._pending.clear()
        self._written = time.monotonic()

    def close(self) -> None:
        """Commit and close."""
        try:
            self.commit()
        finally:
            self._database.close()
            for neighbor in self._neighbors.values():
                neighbor.close()


def holds_judgments(path: Path) -> bool:
    """Tell whether a store holds any judgment.

    Raises:
        StoreError: It cannot be read.
    """
    if not path.stat().st_size:  # a run that ended before its first write
        return False
    with closing(_open(path, writable=False)) as database:
        return _holds(path, database, "judgments")


def _holds(path: Path, database: sqlite3.Connection, table: str) -> bool:
    """Tell whether a table has any row."""
    try:
        found = database.execute(f"SELECT 1 FROM {table} LIMIT 1")  # noqa: S608
        return found.fetchone() is not None
    except sqlite3.Error as error:
        raise _explained(path, error) from error


class Kept(NamedTuple):
    """A row of a store: what was asked, the scores or the failure, and the text."""

    example: str
    shown: tuple[int, ...]
    sample: int
    scores: tuple[float, ...]
    failure: str
    text: str


def kept(path: Path) -> Iterator[Kept]:
    """Yield every judgment, then every failure of a store, to read and not to serve.

    What has the same content is there once, under the example that asked it first.

    Raises:
        StoreError: It is missing, no store, or damaged.
    """
    rows = """
        SELECT example, shown, sample, scores, '', text FROM judgments UNION ALL
        SELECT example, shown, sample, '[]', kind, text FROM failures"""
    with closing(_open(path, writable=False)) as database:
        try:
            for example, shown, sample, scores, failure, text in database.execute(rows):
                order = tuple(map(int, shown.split(",")))
                told = tuple(json.loads(scores))
                yield Kept(_text(example), order, sample, told, failure, _text(text))
        except sqlite3.Error as error:
            raise _explained(path, error) from error
        except (AttributeError, TypeError, ValueError, RecursionError) as error:
            raise _damaged(path, str(error)) from error


def _open(path: Path, *, writable: bool) -> sqlite3.Connection:
    if writable and path.exists() and not os.access(path, os.W_OK):
        raise StoreError(
            f"{path} is read-only; make it writable, or use another --output"
        )
    with ExitStack() as on_error:
        try:
            database = sqlite3.connect(
                _address(path, writable),
                uri=True,
                timeout=5 if writable else 0.2,
                isolation_level=None,
                check_same_thread=False,  # a reward is called from any, one at a time
            )
            on_error.callback(database.close)
            _prepare(database, path, writable)
        except sqlite3.Error as error:
            raise _explained(path, error) from error
        on_error.pop_all()
    return database


def _address(path: Path, writable: bool) -> str:
    """How SQLite is told what to open.

    It reads a WAL store by way of files beside it. Where it cannot make these, as in an
    archive, a store that was closed in order is read as one that nobody writes.
    """
    beside = os.access(path.parent, os.W_OK)
    wal = path.with_name(path.name + "-wal")
    still = not (writable or beside or (wal.exists() and wal.stat().st_size))
    mode = "rwc" if writable else "ro"
    return f"{path.absolute().as_uri()}?mode={mode}" + "&immutable=1" * still


def _prepare(database: sqlite3.Connection, path: Path, writable: bool) -> None:
    version = database.execute("PRAGMA user_version").fetchone()[0]
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    new = writable and version == 0 and not tables
    if not new and not {"judgments", "failures"} <= tables:
        raise StoreError(f"{path} is not a store of judgments; use another --output")
    if not new and version != VERSION:
        raise StoreError(
            f"{path} is a store of version {version}, this program reads version"
            f" {VERSION}; use the version that wrote it, or another --output"
        )
    if not writable:
        return
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    database.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    if new:
        database.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
    problem = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    if problem != "ok":
        raise sqlite3.DatabaseError(problem.splitlines()[-1])


def _read(path: Path, database: sqlite3.Connection, key: bytes) -> Judgment | None:
    try:
        row = database.execute(
            "SELECT scores, text, completions FROM judgments WHERE key = ?", (key,)
        ).fetchone()
    except sqlite3.Error as error:
        raise _explained(path, error) from error
    if row is None:
        return None
    try:
        scores = tuple(json.loads(row[0]))
        return Judgment(scores, None, _text(row[1]), _loaded(row[2]))
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        raise _damaged(path, str(error)) from error


_NAMES = [each.name for each in fields(Completion)]
_values = attrgetter(*_NAMES)
_DEFAULTS = _values(Completion())
_KNOWN = {*_NAMES}
_TUPLES = {"scores", "notes"}
_key = itemgetter(0)


def _dumped(completions: Sequence[Completion]) -> str:
    """The completions as JSON, without what is at its default."""
    return json.dumps([_told(completion) for completion in completions])


def _told(completion: Completion) -> dict[str, Any]:
    values = zip(_NAMES, _values(completion), _DEFAULTS, strict=True)
    return {name: value for name, value, default in values if value != default}


def _loaded(dumped: str) -> tuple[Completion, ...]:
    """The completions; a field that this version does not know is left out."""
    return tuple([_completion(stored) for stored in json.loads(dumped)])


def _completion(stored: Mapping[str, Any]) -> Completion:
    values = {name: stored[name] for name in stored.keys() & _KNOWN}
    for name in _TUPLES & values.keys():
        values[name] = tuple(values[name])
    return Completion(**values)


def _storable(text: str) -> str | bytes:
    """The text, or its bytes if a lone surrogate keeps it from being SQLite's text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(*_UTF8)
    return text


def _text(stored: str | bytes) -> str:
    """The text that `_storable` stored."""
    return stored.decode(*_UTF8) if isinstance(stored, bytes) else stored


def _explained(path: Path, error: sqlite3.Error) -> StoreError:
    if "decode to UTF-8" in str(error):  # the rest of the message is the text itself
        return _damaged(path, "a text in it is not UTF-8")
    if "locked" in str(error) or "busy" in str(error):
        return StoreError(
            f"{path} is locked by another program; wait for it to end, or use another"
            " --output"
        )
    if isinstance(error, sqlite3.OperationalError):
        return StoreError(f"{path} cannot be used ({error}); mend that and run again")
    return _damaged(path, str(error))


def _damaged(path: Path, problem: str) -> StoreError:
    return StoreError(
        f"{path} is damaged ({problem}); move it away and run the same command again:"
        " only what it held is asked anew"
    )
