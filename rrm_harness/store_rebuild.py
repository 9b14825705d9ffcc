"""A store written anew from its own rows: an earlier version's, or damaged ones."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from rrm_harness import store_rows as rows

VERSION = 2
"""Of stores; the first had no checksums, and a text twice where one will do."""

_TABLES = ("judgments", "failures")
_WRITE_JUDGMENT = "INSERT OR REPLACE INTO judgments VALUES (?,?,?,?,?,?,?,?)"
_WRITE_FAILURE = "INSERT OR REPLACE INTO failures VALUES (?,?,?,?,?,?,?,?)"


class Rebuilt:
    """What became of the rows: how many are kept, how many are no use any more."""

    kept = 0
    damaged = 0


def rebuild(database: sqlite3.Connection) -> Rebuilt:
    """Write all rows again, in one transaction: a kill leaves the old or the new.

    Rows that do not fit their checksum, or are no judgments, are left out. They are
    read in the order in which they lie, not by their index, which is made anew.

    Args:
        database: Open to write, its texts given as bytes.

    Raises:
        sqlite3.Error: It cannot be read or written; it is as it was.
    """
    found = Rebuilt()
    with database:
        database.execute("BEGIN IMMEDIATE")
        ((version,),) = database.execute("PRAGMA user_version")
        for table in _TABLES:
            database.execute(f"ALTER TABLE {table} RENAME TO earlier_{table}")
        for table in rows.SCHEMA:
            database.execute(table)
        checked = version == VERSION
        database.executemany(_WRITE_JUDGMENT, _judgments(database, checked, found))
        database.executemany(_WRITE_FAILURE, _failures(database, checked, found))
        for table in _TABLES:
            database.execute(f"DROP TABLE earlier_{table}")
        database.execute(f"PRAGMA user_version = {VERSION}")
    return found


def _judgments(
    database: sqlite3.Connection, checked: bool, found: Rebuilt
) -> Iterator[rows.Row]:
    for row in _read(database, "judgments", rows.JUDGMENT, checked):
        try:
            if checked and not rows.fits(row):
                raise ValueError("not what was written")
            yield rows.judged(row[0], *rows.asked(row), rows.judgment(row))
            found.kept += 1
        except rows.UNREADABLE:
            found.damaged += 1


def _failures(
    database: sqlite3.Connection, checked: bool, found: Rebuilt
) -> Iterator[rows.Row]:
    for *row, times in _read(database, "failures", rows.FAILURE, checked, "times"):
        try:
            if checked and not rows.fits(row):
                raise ValueError("not what was written")
            told = rows.kind(row), rows.text(row)
            often = times if isinstance(times, int) else 1
            yield (*rows.packed(row[0], *rows.asked(row), *told), often)
            found.kept += 1
        except rows.UNREADABLE:
            found.damaged += 1


def _read(
    database: sqlite3.Connection, table: str, columns: str, checked: bool, *more: str
) -> Iterator[rows.Row]:
    """The rows of the table as it was, a checksum in them if there is one."""
    asked = ", ".join([columns, *["checksum"] * checked, *more])
    return database.execute(f"SELECT {asked} FROM earlier_{table}")  # noqa: S608
