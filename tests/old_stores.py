"""Stores as earlier versions left them, made from what a store of today holds."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

VERSION_1 = """
    CREATE TABLE judgments (
        key BLOB PRIMARY KEY, example TEXT, shown TEXT, sample INTEGER,
        scores TEXT NOT NULL, text TEXT NOT NULL, completions TEXT NOT NULL
    ){layout};
    CREATE TABLE failures (
        key BLOB PRIMARY KEY, example TEXT, shown TEXT, sample INTEGER,
        kind TEXT NOT NULL, text TEXT NOT NULL, times INTEGER NOT NULL
    ){layout};
    PRAGMA user_version = 1;
    PRAGMA journal_mode = WAL;
"""
LAYOUTS = {"rows beside their index": "", "rows in their index": " WITHOUT ROWID"}


def as_version_1(store: Path, layout: str = "") -> None:
    """Put a store of version 1 in the place of a closed one; it holds the same."""
    made = store.with_name(f"{store.name}.old")
    row = "(?,?,?,?,?,?,?)"
    with closing(sqlite3.connect(store)) as new, closing(sqlite3.connect(made)) as old:
        old.executescript(VERSION_1.format(layout=layout))
        judged = map(_judged, new.execute(_JUDGED))
        old.executemany(f"INSERT INTO judgments VALUES {row}", judged)  # noqa: S608
        failed = new.execute(_FAILED)
        old.executemany(f"INSERT INTO failures VALUES {row}", failed)  # noqa: S608
        old.commit()
    made.replace(store)


_JUDGED = "SELECT key, example, shown, sample, scores, text, completions FROM judgments"
_FAILED = "SELECT key, example, shown, sample, kind, text, times FROM failures"


def _judged(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """The row with its text in full, and completions in ASCII."""
    *asked, text, told = row
    if isinstance(told, bytes):
        told = told.decode("utf-8", "surrogatepass")
    completions = json.loads(told)
    if text is None:
        text = completions[0].get("text", "")
    return (*asked, _storable(text), json.dumps(completions))


def _storable(text: str | bytes) -> str | bytes:
    """The text, or its bytes if a lone surrogate is in it."""
    if isinstance(text, str) and any("\ud800" <= each <= "\udfff" for each in text):
        return text.encode("utf-8", "surrogatepass")
    return text
