"""Rows of a store by their keys, read ahead where keys are asked for in their order."""

from __future__ import annotations

import sqlite3

from rrm_harness.store_rows import JUDGMENT, Row, fits

BLOCK = 256
"""Rows that lie in a block: those that are read together."""
ENOUGH = 4
"""Times that a block is asked for before it is read whole."""
RECENT = 16
"""Blocks whose times are counted; so what is drawn at random is never read ahead."""
HELD = 8
"""Blocks that are held at once."""
MOST_BYTES = 1 << 20
"""Of completions in a block."""

_BY_KEY = f"""SELECT rowid, {JUDGMENT}, checksum FROM judgments
    WHERE rowid = (SELECT rowid FROM judgments WHERE key = ?)"""  # noqa: S608
_BY_PLACE = f"""SELECT rowid, {JUDGMENT}, checksum FROM judgments
    WHERE rowid BETWEEN ? AND ?"""  # noqa: S608
_UNCHECKED = f"SELECT {JUDGMENT} FROM judgments WHERE key = ?"  # noqa: S608


class Lookup:
    """The rows of judgments in a store; none that does not fit its checksum.

    Args:
        database: Open, its texts given as bytes.
        checked: Whether it has checksums, as all versions have but the first.
    """

    def __init__(self, database: sqlite3.Connection, *, checked: bool) -> None:
        self._database = database
        self._checked = checked
        self._ahead: dict[bytes, Row] = {}
        self._blocks: dict[int, list[bytes]] = {}
        self._asked: dict[int, int] = {}
        self.damaged: set[int] = set()
        """The places of rows that did not fit."""

    def find(self, key: bytes) -> Row | None:
        """The row with this key.

        Raises:
            sqlite3.Error: The store cannot be read.
        """
        if key in self._ahead:
            return self._ahead[key]
        if not self._checked:
            row: Row = self._database.execute(_UNCHECKED, (key,)).fetchone()
            return row
        found = self._database.execute(_BY_KEY, (key,)).fetchone()
        if found is None:
            return None
        place, *row = found
        if row[0] != key or not fits(row):  # the index can be what was damaged
            self.damaged.add(place)
            return None
        self._count(place)
        return row

    def forget(self) -> None:
        """Hold nothing that was read ahead: rows have been written."""
        self._ahead.clear()
        self._blocks.clear()

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def _count(self, place: int) -> None:
        block = place // BLOCK
        times = self._asked.pop(block, 0) + 1
        if times == ENOUGH:
            self._read(block, place)
            return
        self._asked[block] = times
        if len(self._asked) > RECENT:
            del self._asked[next(iter(self._asked))]

    def _read(self, block: int, place: int) -> None:
        """Read a block's rows from a place on, as many as may be held."""
        if len(self._blocks) == HELD:
            for key in self._blocks.pop(next(iter(self._blocks))):
                self._ahead.pop(key, None)
        size, keys = 0, self._blocks.setdefault(block, [])
        places = (place, block * BLOCK + BLOCK - 1)
        for place, *row in self._database.execute(_BY_PLACE, places):
            if not fits(row):
                self.damaged.add(place)
                continue
            self._ahead[row[0]] = row
            keys.append(row[0])
            size += len(row[6])
            if size > MOST_BYTES:
                break
