"""Every judgment, keyed by the content of what was asked, in one SQLite file.

Judgments and failures live in separate tables: a failure is kept as evidence and is
asked again by the next run; it is never served as a result. Writes are committed at
least once a second of work, and before an engine is waited for, so a killed process
loses at most that second.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

from rrm_harness import store_rows as rows
from rrm_harness.errors import StoreError
from rrm_harness.records import Comparison, Judgment
from rrm_harness.store_lookup import Lookup
from rrm_harness.store_rebuild import VERSION, rebuild

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

COMMIT_SECONDS = 1.0
COMMIT_ROWS = 5000
CACHE_KIB = 32 * 1024
CHECKPOINT_PAGES = 16 * 1024
"""Of 4 KiB. Keys are hashes, so every commit touches pages all over the index."""

_PUT_JUDGMENT = "INSERT OR REPLACE INTO judgments VALUES (?,?,?,?,?,?,?,?)"
_PUT_FAILURE = """
    INSERT INTO failures VALUES (?,?,?,?,?,?,?,1) ON CONFLICT(key) DO UPDATE SET
    (example, shown, sample, kind, text, checksum) = (excluded.example,
    excluded.shown, excluded.sample, excluded.kind, excluded.text, excluded.checksum),
    times = times + 1"""


class RunStore:
    """A store of judgments, open for one writer.

    Stores of neighboring runs can be read as well: what they hold is served and
    copied, so that each store is complete for its own run. One that cannot be read is
    done without, with a warning.

    Every row has a checksum. One that does not fit is never served: the store is then
    written anew without such rows, with a warning that counts them, and the run asks
    again what they held. A neighbor's are left out, and counted when it is closed. A
    store of an earlier version is upgraded when it is opened, a neighbor is read as it
    is.

    Raises:
        StoreError: The file is no store, is corrupt, locked, or of a later version.
    """

    def __init__(self, path: Path, neighbors: Iterable[Path] = ()) -> None:
        self.path = path
        self._pending: dict[bytes, tuple[Comparison, Judgment]] = {}
        self._written = time.monotonic()
        self._database = _open(path, writable=True)
        self._rows = Lookup(self._database, checked=True)
        self._neighbors: dict[Path, Lookup] = {}
        for other in neighbors:
            try:
                database = _open(other, writable=False)
                checked = _version(database) == VERSION
                self._neighbors[other] = Lookup(database, checked=checked)
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

    def count(self, *, sound: bool = False) -> int:
        """How many judgments it holds, or only those that it can serve."""
        self.commit()
        try:
            if sound:
                return sum(_fitting(self._database, "judgments", rows.JUDGMENT))
            ((held,),) = self._database.execute("SELECT count(*) FROM judgments")
        except sqlite3.Error as error:
            raise _explained(self.path, error) from error
        return int(held)

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
        found = self._mending(lambda: _read(self.path, self._rows, key))
        if self._rows.damaged:
            self._mend()
            found = _read(self.path, self._rows, key)
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

    def _mending(self, work: Callable[[], _T]) -> _T:
        """Do it; where the store turns out to be damaged, mend it and do it again."""
        try:
            return work()
        except _DamagedError:
            self._mend()
            return work()

    def _mend(self) -> None:
        """Write the rows that fit anew; the index can be what was damaged."""
        try:
            _rebuild(self.path, self._database)
        except sqlite3.Error as error:
            raise _explained(self.path, error) from error
        self._rows = Lookup(self._database, checked=True)

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
        judged, failed = [], []  # in the order in which they will be asked for again
        for key, (comparison, judgment) in self._pending.items():
            if judgment.failure is None:
                judged.append(rows.of_judgment(key, comparison, judgment))
            else:
                failed.append(rows.of_failure(key, comparison, judgment))
        self._mending(lambda: self._write(judged, failed))
        self._rows.forget()
        self._pending.clear()
        self._written = time.monotonic()

    def _write(self, judged: Sequence[rows.Row], failed: Sequence[rows.Row]) -> None:
        keys = [row[:1] for row in judged]
        try:
            with self._database:
                self._database.execute("BEGIN IMMEDIATE")
                self._database.executemany(_PUT_JUDGMENT, judged)
                if _holds(self.path, self._database, "failures"):
                    delete = "DELETE FROM failures WHERE key = ?"
                    self._database.executemany(delete, keys)
                self._database.executemany(_PUT_FAILURE, failed)
        except sqlite3.Error as error:
            raise _explained(self.path, error) from error

    def close(self) -> None:
        """Commit and close."""
        try:
            self.commit()
        finally:
            self._database.close()
            for path, neighbor in self._neighbors.items():
                neighbor.close()
                if neighbor.damaged:
                    told = f"{path}: {len(neighbor.damaged):,} rows"
                    _log.warning("%s are damaged and were done without", told)
            self._neighbors.clear()


def _read(path: Path, lookup: Lookup, key: bytes) -> Judgment | None:
    try:
        row = lookup.find(key)
        return None if row is None else rows.judgment(row)
    except sqlite3.Error as error:
        raise _explained(path, error) from error
    except rows.UNREADABLE as error:
        raise _damaged(path, str(error)) from error


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
    with closing(_open(path, writable=False)) as database:
        try:
            for row in _all(path, database, "judgments", rows.JUDGMENT):
                yield _kept(row, rows.scores(row), "")
            for row in _all(path, database, "failures", rows.FAILURE):
                yield _kept(row, (), rows.kind(row))
        except sqlite3.Error as error:
            raise _explained(path, error) from error
        except rows.UNREADABLE as error:
            raise _damaged(path, str(error)) from error


def _kept(row: rows.Row, scores: tuple[float, ...], failure: str) -> Kept:
    example, shown, sample = rows.asked(row)
    order = tuple(map(int, shown.split(",")))
    return Kept(example, order, sample, scores, failure, rows.text(row))


def _all(
    path: Path, database: sqlite3.Connection, table: str, columns: str
) -> Iterator[rows.Row]:
    """Yield a table's rows; one that does not fit its checksum is an error."""
    if _version(database) < VERSION:
        yield from database.execute(f"SELECT {columns} FROM {table}")  # noqa: S608
        return
    checked = f"SELECT {columns}, checksum FROM {table}"  # noqa: S608
    for row in database.execute(checked):
        if not rows.fits(row):
            raise StoreError(
                f"{path} is damaged (a row is not what was written); run the same"
                " command again: only what is damaged is asked anew"
            )
        yield row


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
            if writable:
                _renew(database, path)
        except sqlite3.Error as error:
            raise _explained(path, error) from error
        except UnicodeDecodeError as error:  # SQLite's words, with a name it found
            raise _damaged(path, "its table of contents is not UTF-8") from error
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
    version = _version(database)
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    new = writable and version == 0 and not tables
    if not new and not {"judgments", "failures"} <= tables:
        raise StoreError(f"{path} is not a store of judgments; use another --output")
    if not new and not 1 <= version <= VERSION:
        raise StoreError(
            f"{path} is a store of version {version}, this program reads versions up to"
            f" {VERSION}; use the version that wrote it, or another --output"
        )
    if not writable:
        database.text_factory = bytes
        return
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    database.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    if new:
        with database:
            database.execute("BEGIN IMMEDIATE")
            for table in rows.SCHEMA:
                database.execute(table)
            database.execute(f"PRAGMA user_version = {VERSION}")
    problem = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    if problem != "ok":
        raise sqlite3.DatabaseError(problem.splitlines()[-1])
    database.text_factory = bytes


def _version(database: sqlite3.Connection) -> int:
    ((version,),) = database.execute("PRAGMA user_version")
    return int(version)


def _renew(database: sqlite3.Connection, path: Path) -> None:
    """Upgrade a store of an earlier version; mend one with damaged failures.

    These are few, and no later look-up would find them out.
    """
    if _version(database) < VERSION:
        _rebuild(path, database)
        with suppress(sqlite3.OperationalError):  # no room for it: it stays as large
            database.execute("VACUUM")
        return
    if not all(_fitting(database, "failures", rows.FAILURE)):
        _rebuild(path, database)


def _fitting(database: sqlite3.Connection, table: str, columns: str) -> Iterator[bool]:
    """Tell of every row of a table whether it fits its checksum."""
    checked = f"SELECT {columns}, checksum FROM {table}"  # noqa: S608
    return map(rows.fits, database.execute(checked))


def _rebuild(path: Path, database: sqlite3.Connection) -> None:
    """Write a store anew, and tell how many rows could not be kept."""
    found = rebuild(database)
    if found.damaged:
        _log.warning(
            "%s was damaged: %d of %d rows were not what was written; what they held"
            " is asked anew",
            path,
            found.damaged,
            found.kept + found.damaged,
        )


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


class _DamagedError(StoreError):
    """What is in the file is not what was written."""


def _damaged(path: Path, problem: str) -> _DamagedError:
    return _DamagedError(
        f"{path} is damaged ({problem}); move it away and run the same command again:"
        " only what it held is asked anew"
    )
