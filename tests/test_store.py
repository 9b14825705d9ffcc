"""Judgments on disk: found again, never lost, never a failure served as a result."""

import json
import logging
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import old_stores
import pytest
from hypothesis import example as tried
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from rrm_harness import Comparison, Completion, Failure, Judgment, StoreError
from rrm_harness.store import (
    COMMIT_ROWS,
    COMMIT_SECONDS,
    RunStore,
    holds_judgments,
    kept,
)
from rrm_harness.testing import example

KEY, OTHER = b"key", b"other"
ASKED = Comparison.of(example())
A, B = Judgment((1.0, 0.0), text="[[A]]"), Judgment((0.0, 1.0), text="[[B]]")
FAILED = Judgment.failed(Failure.TRUNCATED, "cut")

TEXTS = st.text(st.characters(exclude_categories=[]), max_size=40)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
COMPLETIONS = st.builds(  # none that failed: what is read from those is no judgment
    Completion,
    text=TEXTS,
    scores=st.lists(FLOATS, max_size=3).map(tuple),
    finish=st.sampled_from(["stop", "length"]),
    prompt_tokens=st.integers(0, 2**40),
    completion_tokens=st.integers(0, 2**40),
)
JUDGMENTS = st.builds(
    Judgment,
    scores=st.lists(FLOATS, min_size=1, max_size=4).map(tuple),
    text=TEXTS,
    completions=st.lists(COMPLETIONS, max_size=3).map(tuple),
)
FAILURES = st.builds(Judgment.failed, st.sampled_from(Failure), TEXTS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "judgments.sqlite"


def reread(path: Path, key: bytes) -> Judgment | None:
    """What a run that comes later finds."""
    with RunStore(path) as store:
        return store.get(key, ASKED)


def error_of(store: RunStore, key: bytes) -> str | None:
    """What a store says when it cannot look up a key."""
    try:
        store.get(key, ASKED)
    except StoreError as error:
        return str(error)
    return None


def rows(path: Path, table: str) -> list[tuple]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608


def script(path: Path, lines: str) -> subprocess.CompletedProcess[str]:
    """Run lines in another process, with a store open."""
    before = (
        "import os, signal\n"
        "from rrm_harness import *\n"
        "from rrm_harness.store import RunStore\n"
        "from rrm_harness.testing import example\n"
        "asked = Comparison.of(example())\n"
        f"store = RunStore(__import__('pathlib').Path({str(path)!r}))\n"
    )
    command = [sys.executable, "-c", before + lines]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@given(judgment=JUDGMENTS)
@tried(judgment=Judgment((0.1 + 0.2, -0.0, 5e-324), text="\ud800 lone, \0 zero"))
def test_a_judgment_comes_back_as_it_was_put(judgment: Judgment) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "store"
        with RunStore(path) as store:
            store.put(KEY, ASKED, judgment)
            at_once = store.get(KEY, ASKED)

        later = reread(path, KEY)

    assert repr(at_once) == repr(judgment)
    assert repr(later) == repr(judgment)


@pytest.mark.parametrize(
    ("completion", "stored"),
    [
        (Completion(), {}),
        (Completion("[[A]]"), {"text": "[[A]]"}),
        (Completion(scores=(0.5,)), {"scores": [0.5]}),
        (Completion("[[A", finish="length"), {"text": "[[A", "finish": "length"}),
        (
            Completion("A", (), None, "stop", 1, 2),
            {"text": "A"} | {"prompt_tokens": 1, "completion_tokens": 2},
        ),
    ],
)
def test_completions_are_kept_without_what_is_at_its_default(
    path: Path, completion: Completion, stored: dict[str, object]
) -> None:
    with RunStore(path) as store:
        store.put(KEY, ASKED, Judgment((1.0, 0.0), completions=(completion,)))

    (row,) = rows(path, "judgments")
    assert json.loads(row[6]) == [stored]
    assert reread(path, KEY) == Judgment((1.0, 0.0), completions=(completion,))


@given(key=st.binary(), id=TEXTS)
@tried(key=b"", id="\udfff")
def test_any_key_and_any_name_of_an_example_can_be_stored(key: bytes, id: str) -> None:  # noqa: A002
    with TemporaryDirectory() as folder:
        path = Path(folder) / "store"
        with RunStore(path) as store:
            store.put(key, Comparison.of(example(id=id)), A)

        later = reread(path, key)

    assert later == A


def test_what_was_never_put_is_not_found(path: Path) -> None:
    with RunStore(path) as store:
        store.put(KEY, ASKED, A)

        found = store.get(OTHER, ASKED)

    assert found is None


@pytest.mark.parametrize("committed", [False, True])
def test_a_failure_is_never_served(path: Path, committed: bool) -> None:
    with RunStore(path) as store:
        store.put(KEY, ASKED, FAILED)
        if committed:
            store.commit()

        found = store.get(KEY, ASKED)

    assert found is None


def test_a_failure_is_kept_as_evidence(path: Path) -> None:
    with RunStore(path) as store:
        store.put(KEY, ASKED, FAILED)

    ((*told, _, times),) = rows(path, "failures")
    assert told == [KEY, "example", "0,1", 0, "truncated", "cut"]
    assert times == 1


def test_repeated_failures_are_counted_and_the_last_is_kept(path: Path) -> None:
    for failure in (Failure.TRUNCATED, Failure.REFUSED):
        with RunStore(path) as store:
            store.put(KEY, ASKED, Judgment.failed(failure, str(failure)))

    ((*_, kind, text, _, times),) = rows(path, "failures")
    assert (kind, text, times) == ("refused", "refused", 2)


@pytest.mark.parametrize("committed", [False, True])
def test_a_judgment_replaces_a_failure(path: Path, committed: bool) -> None:
    with RunStore(path) as store:
        store.put(KEY, ASKED, FAILED)
        if committed:
            store.commit()
        store.put(KEY, ASKED, A)

    assert reread(path, KEY) == A
    assert rows(path, "failures") == []


@pytest.mark.parametrize("committed", [False, True])
def test_a_failure_does_not_replace_a_judgment(path: Path, committed: bool) -> None:
    with RunStore(path) as store:
        store.put(KEY, ASKED, A)
        if committed:
            store.commit()
        store.put(KEY, ASKED, FAILED)

    assert reread(path, KEY) == A


@pytest.mark.parametrize("committed", [False, True])
def test_a_later_judgment_replaces_an_earlier_one(path: Path, committed: bool) -> None:
    with RunStore(path) as store:
        store.put(KEY, ASKED, A)
        if committed:
            store.commit()
        store.put(KEY, ASKED, B)

    assert reread(path, KEY) == B


def test_a_text_is_stored_once(path: Path) -> None:
    said = Judgment((1.0,), text="said so", completions=(Completion("said so"),))
    other = Judgment((1.0,), text="A", completions=(Completion("said so"),))
    with RunStore(path) as store:
        store.put(KEY, ASKED, said)
        store.put(OTHER, ASKED, other)

    assert [row[5] for row in rows(path, "judgments")] == [None, "A"]
    assert (reread(path, KEY), reread(path, OTHER)) == (said, other)
    assert [each.text for each in kept(path)] == ["said so", "A"]


def test_a_neighbor_is_read(path: Path, tmp_path: Path) -> None:
    neighbor = tmp_path / "neighbor.sqlite"
    with RunStore(neighbor) as store:
        store.put(KEY, ASKED, A)

    with RunStore(path, [tmp_path / "neighbor.sqlite"]) as store:
        found = store.get(KEY, ASKED)

    assert found == A


def test_what_a_neighbor_served_is_copied(path: Path, tmp_path: Path) -> None:
    neighbor = tmp_path / "neighbor.sqlite"
    with RunStore(neighbor) as store:
        store.put(KEY, ASKED, A)
        store.put(OTHER, ASKED, B)
    with RunStore(path, [neighbor]) as store:
        store.get(KEY, ASKED)
    neighbor.unlink()

    assert reread(path, KEY) == A
    assert reread(path, OTHER) is None


def test_a_neighbor_is_not_written_to(path: Path, tmp_path: Path) -> None:
    neighbor = tmp_path / "neighbor.sqlite"
    RunStore(neighbor).close()
    before = neighbor.read_bytes()

    with RunStore(path, [neighbor]) as store:
        store.put(KEY, ASKED, A)

    assert neighbor.read_bytes() == before


def test_a_failure_of_a_neighbor_is_not_served(path: Path, tmp_path: Path) -> None:
    neighbor = tmp_path / "neighbor.sqlite"
    with RunStore(neighbor) as store:
        store.put(KEY, ASKED, FAILED)

    with RunStore(path, [neighbor]) as store:
        found = store.get(KEY, ASKED)

    assert found is None


def test_a_neighbor_that_is_being_written_can_be_read(
    path: Path, tmp_path: Path
) -> None:
    neighbor = tmp_path / "neighbor.sqlite"
    with RunStore(neighbor) as writing, RunStore(path, [neighbor]) as reading:
        writing.put(KEY, ASKED, A)
        writing.commit()

        found = reading.get(KEY, ASKED)

    assert found == A


def test_a_name_may_hold_what_addresses_may_not(tmp_path: Path) -> None:
    path = tmp_path / "a ?mode=ro#50%.sqlite"
    with RunStore(path) as store:
        store.put(KEY, ASKED, A)

    assert reread(path, KEY) == A


def test_many_judgments_are_committed_without_being_told(path: Path) -> None:
    with RunStore(path) as store:
        for number in range(COMMIT_ROWS):
            store.put(str(number).encode(), ASKED, A)

        on_disk = len(rows(path, "judgments"))

    assert on_disk == COMMIT_ROWS


def test_judgments_are_committed_every_second_of_work(path: Path) -> None:
    with RunStore(path) as store:
        store.put(KEY, ASKED, A)
        time.sleep(COMMIT_SECONDS)
        store.put(OTHER, ASKED, B)

        on_disk = {row[0] for row in rows(path, "judgments")}

    assert on_disk == {KEY, OTHER}


def test_a_killed_process_loses_nothing_that_was_committed(path: Path) -> None:
    lines = (
        "store.put(b'key', asked, Judgment((1.0, 0.0), text='[[A]]'))\n"
        "store.commit()\n"
        "store.put(b'other', asked, Judgment((1.0, 0.0)))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )

    killed = script(path, lines)

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert reread(path, KEY) == A
    assert reread(path, OTHER) is None


def test_a_process_that_fails_loses_nothing(path: Path) -> None:
    lines = (
        "with store:\n"
        "    store.put(b'key', asked, Judgment((1.0, 0.0), text='[[A]]'))\n"
        "    raise SystemExit(3)\n"
    )

    failed = script(path, lines)

    assert failed.returncode == 3, failed.stderr
    assert reread(path, KEY) == A


def garbage(path: Path) -> None:
    path.write_bytes(b"this is not a database, " * 1000)


def text(path: Path) -> None:
    path.write_text(json.dumps({"judgments": []}))


def overwritten(path: Path) -> None:
    """A store in whose middle another program wrote."""
    with RunStore(path) as store:
        for number in range(500):
            store.put(str(number).encode(), ASKED, Judgment((1.0,), text="x" * 500))
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(40_000))


def cut(path: Path) -> None:
    overwritten(path)
    os.truncate(path, path.stat().st_size // 2)


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE recipes (name TEXT)")


def foreign_of_our_version(path: Path) -> None:
    foreign(path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 2")


def of_another_version(path: Path) -> None:
    RunStore(path).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = DELETE")
        database.execute("PRAGMA user_version = 99")


def folder(path: Path) -> None:
    path.mkdir()


UNUSABLE = [
    (garbage, r"is damaged .*; move it away and run the same command again"),
    (text, r"is damaged .*; move it away and run the same command again"),
    (overwritten, r"is damaged .*; move it away and run the same command again"),
    (cut, r"is damaged .*; move it away and run the same command again"),
    (foreign, r"is not a store of judgments; use another --output"),
    (foreign_of_our_version, r"is not a store of judgments; use another --output"),
    (of_another_version, r"of version 99, .* use the version that wrote it"),
    (folder, r"cannot be used .*; mend that"),
]
NAMES = [make.__name__ for make, _ in UNUSABLE]


@pytest.mark.parametrize(("make", "way_out"), UNUSABLE, ids=NAMES)
def test_an_unusable_file_is_refused_with_its_name_and_a_way_out(
    path: Path, make: Callable[[Path], None], way_out: str
) -> None:
    make(path)

    with pytest.raises(StoreError, match=way_out) as refused:
        RunStore(path)

    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    "make", [garbage, text, foreign, foreign_of_our_version, of_another_version]
)
def test_an_unusable_file_is_left_as_it_was(
    path: Path, make: Callable[[Path], None]
) -> None:
    make(path)
    before = path.read_bytes()

    with pytest.raises(StoreError):
        RunStore(path)

    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "make", [garbage, text, foreign, foreign_of_our_version, of_another_version]
)
def test_whether_an_unusable_file_holds_judgments_cannot_be_told(
    path: Path, make: Callable[[Path], None]
) -> None:
    make(path)

    with pytest.raises(StoreError, match=re.escape(str(path))):
        holds_judgments(path)


def test_an_empty_file_holds_no_judgments(path: Path) -> None:
    path.touch()

    assert not holds_judgments(path)


def test_an_empty_file_becomes_a_store(path: Path) -> None:
    path.touch()

    with RunStore(path) as store:
        store.put(KEY, ASKED, A)

    assert reread(path, KEY) == A


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"judgments\.sqlite cannot be used"):
        RunStore(tmp_path / "none" / "judgments.sqlite")


def test_damage_that_is_met_while_reading_is_the_same_error(path: Path) -> None:
    large = Judgment((1.0,), text="x" * 20_000)  # more than SQLite keeps in memory
    with RunStore(path) as store:
        for number in range(2000):
            store.put(str(number).encode(), ASKED, large)

    with RunStore(path) as store:
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(os.urandom(size - 4096))
        errors = [error_of(store, str(number).encode()) for number in range(2000)]

    found = list(filter(None, errors))
    assert found
    assert all("is damaged" in error for error in found)
    assert all(str(path) in error for error in found)


COLUMNS = {
    "judgments": ("example", "shown", "sample", "scores", "text", "completions"),
    "failures": ("example", "shown", "sample", "kind", "text"),
}


def changed(path: Path, table: str, column: str, key: bytes = KEY) -> None:
    """Let a disk have changed a bit of a row; a number by one, a text in one letter."""
    with closing(sqlite3.connect(path)) as database, database:
        where = f"FROM {table} WHERE key = ?"
        ((value,),) = database.execute(f"SELECT {column} {where}", (key,))
        if isinstance(value, int):
            value ^= 1
        elif isinstance(value, bytes):
            value = bytes([value[0] ^ 1, *value[1:]])
        else:
            value = value[:-1] + chr(ord(value[-1]) ^ 1)
        put = f"UPDATE {table} SET {column} = ? WHERE key = ?"  # noqa: S608
        database.execute(put, (value, key))


@pytest.fixture
def filled(path: Path) -> Path:
    """A store with two judgments and a failure."""
    said = (Completion("[[A]]"), Completion("again"))
    with RunStore(path) as store:
        store.put(KEY, ASKED, Judgment((1.0, 0.0), text="[[A]]", completions=said))
        store.put(OTHER, ASKED, B)
        store.put(b"failed", ASKED, FAILED)
    return path


def test_what_is_held_and_what_can_be_served_are_counted(filled: Path) -> None:
    changed(filled, "judgments", "shown")

    with RunStore(filled) as store:
        assert store.count() == 2
        assert store.count(sound=True) == 1


@pytest.mark.parametrize("column", COLUMNS["judgments"])
def test_a_judgment_that_a_disk_changed_is_asked_again_and_told(
    filled: Path, column: str, caplog: pytest.LogCaptureFixture
) -> None:
    changed(filled, "judgments", column)

    with RunStore(filled) as store:
        found = store.get(KEY, ASKED)
        store.put(KEY, ASKED, A)
        untouched = store.get(OTHER, ASKED)

    assert (found, untouched) == (None, B)
    assert reread(filled, KEY) == A
    (told,) = caplog.messages
    assert f"{filled} was damaged: 1 of 3 rows" in told


def test_a_judgment_whose_key_a_disk_changed_is_served_to_nobody(filled: Path) -> None:
    changed(filled, "judgments", "key")

    with RunStore(filled) as store:
        found = [store.get(key, ASKED) for key in (KEY, b"jey", b"kex", OTHER)]

    assert found == [None, None, None, B]


def test_a_neighbors_judgment_that_a_disk_changed_is_asked_again_and_told(
    filled: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    changed(filled, "judgments", "scores")
    before = filled.read_bytes()

    with RunStore(tmp_path / "another.sqlite", [filled]) as store:
        found = [store.get(key, ASKED) for key in (KEY, KEY, OTHER)]

    assert found == [None, None, B]
    assert filled.read_bytes() == before
    assert caplog.messages == [f"{filled}: 1 rows are damaged and were done without"]


@pytest.mark.parametrize(
    ("table", "column"),
    [(table, column) for table, columns in COLUMNS.items() for column in columns],
)
def test_a_row_that_a_disk_changed_is_not_shown(
    filled: Path, table: str, column: str
) -> None:
    changed(filled, table, column, KEY if table == "judgments" else b"failed")

    with pytest.raises(StoreError, match=r"damaged .*run the same command again"):
        list(kept(filled))


def test_a_damaged_failure_is_gone_after_the_next_run(filled: Path) -> None:
    changed(filled, "failures", "text", b"failed")

    RunStore(filled).close()

    assert [each.failure for each in kept(filled)] == ["", ""]


def test_a_row_under_another_key_than_its_index_says_is_asked_again(
    filled: Path,
) -> None:
    content = filled.read_bytes()
    filled.write_bytes(content.replace(b"keyexample", b"jeyexample"))

    with RunStore(filled) as store:
        found = [store.get(key, ASKED) for key in (KEY, b"jey", OTHER)]
        store.put(KEY, ASKED, A)

    assert found == [None, None, B]
    assert reread(filled, KEY) == A
    assert len([*kept(filled)]) == 3


def test_an_index_that_names_another_row_is_made_anew(path: Path) -> None:
    with RunStore(path) as store:
        store.put(KEY, ASKED, A)
        store.put(OTHER, ASKED, B)
    content = path.read_bytes()  # an entry of the index: the key, then the row's number
    assert content.count(b"other\x02") == 1
    path.write_bytes(content.replace(b"other\x02", b"other\x01"))

    with RunStore(path) as store:
        found = [store.get(OTHER, ASKED), store.get(KEY, ASKED)]

    assert found == [B, A]


@given(judged=st.dictionaries(st.binary(max_size=4), JUDGMENTS), failed=FAILURES)
@settings(max_examples=30)
@pytest.mark.parametrize("layout", old_stores.LAYOUTS.values(), ids=old_stores.LAYOUTS)
def test_an_upgraded_store_is_what_this_version_would_have_written(
    judged: dict[bytes, Judgment], failed: Judgment, layout: str
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "store"
        with RunStore(path) as store:
            store.put(b"failed", ASKED, failed)
            for key, judgment in judged.items():
                store.put(key, ASKED, judgment)
        today = [rows(path, "judgments"), rows(path, "failures")]
        old_stores.as_version_1(path, layout)

        RunStore(path).close()

        upgraded = [rows(path, "judgments"), rows(path, "failures")]
    assert [*map(sorted, upgraded)] == [*map(sorted, today)]


@pytest.mark.parametrize("layout", old_stores.LAYOUTS.values(), ids=old_stores.LAYOUTS)
def test_whoever_only_reads_a_store_of_an_earlier_version_leaves_it(
    filled: Path, tmp_path: Path, layout: str
) -> None:
    shown = [*kept(filled)]
    judgment = reread(filled, KEY)
    old_stores.as_version_1(filled, layout)
    before = filled.read_bytes()

    with RunStore(tmp_path / "another.sqlite", [filled]) as store:
        found = [store.get(KEY, ASKED), store.get(b"failed", ASKED)]

    assert found == [judgment, None]
    assert sorted(kept(filled)) == sorted(shown)
    assert holds_judgments(filled)
    assert filled.read_bytes() == before


@pytest.mark.parametrize(
    ("column", "damage"),
    [
        ("text", "CAST('busy' || x'ff' AS TEXT)"),
        ("scores", "'[1.0, 0'"),
        ("scores", "'7'"),
        ("completions", "'[{'"),
        ("completions", "'[7]'"),
        ("completions", "'null'"),
    ],
)
def test_a_row_of_an_earlier_version_that_is_no_judgment_is_not_served(
    path: Path,
    tmp_path: Path,
    column: str,
    damage: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with RunStore(path) as store:
        store.put(KEY, ASKED, A)
    old_stores.as_version_1(path)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"UPDATE judgments SET {column} = {damage}")  # noqa: S608

    with RunStore(tmp_path / "another.sqlite", [path]) as store:
        neighbors = store.get(KEY, ASKED)
    found = reread(path, KEY)

    assert (neighbors, found) == (None, None)
    assert "1 of 1 rows were not what was written" in caplog.messages[-1]


def test_what_is_asked_for_in_its_order_is_found_like_all_else(path: Path) -> None:
    """What was put together is read ahead together."""
    judged = {n.to_bytes(2): Judgment((float(n),), text="x" * n) for n in range(2000)}
    with RunStore(path) as store:
        for key, judgment in judged.items():
            store.put(key, ASKED, judgment)

    with RunStore(path) as store:
        forwards = {key: store.get(key, ASKED) for key in judged}
        backwards = {key: store.get(key, ASKED) for key in reversed(judged)}
        missing = [store.get(n.to_bytes(3), ASKED) for n in range(100)]

    assert forwards == backwards == judged
    assert set(missing) == {None}


def test_what_was_read_ahead_is_not_served_once_it_was_replaced(path: Path) -> None:
    keys = [bytes([number]) for number in range(50)]
    with RunStore(path) as store:
        for key in keys:
            store.put(key, ASKED, A)

    with RunStore(path) as store:
        before = [store.get(key, ASKED) for key in keys]
        store.put(keys[7], ASKED, B)
        store.commit()
        after = store.get(keys[7], ASKED)

    assert before == [A] * 50
    assert after == B


def test_a_neighbor_that_breaks_is_done_without(
    path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken, sound = tmp_path / "broken.sqlite", tmp_path / "sound.sqlite"
    overwritten(broken)
    with RunStore(sound) as store:
        store.put(KEY, ASKED, B)

    with (
        caplog.at_level(logging.WARNING),
        RunStore(path, [broken, sound]) as store,
    ):
        errors = [error_of(store, str(number).encode()) for number in range(500)]
        found = store.get(KEY, ASKED)

    assert set(errors) == {None}
    assert found == B
    (warning,) = caplog.messages
    assert str(broken) in warning
    assert warning.endswith("going on without it")


def test_a_store_tells_whether_it_holds_any_judgment(path: Path) -> None:
    held = []
    with RunStore(path) as store:
        for put in (FAILED, A):
            held.append(holds_judgments(path))
            store.put(KEY, ASKED, put)
            store.commit()
            held.append(holds_judgments(path))

    assert held == [False, False, False, True]


def test_what_is_no_store_cannot_tell_whether_it_holds_judgments(path: Path) -> None:
    garbage(path)

    with pytest.raises(StoreError, match="is damaged"):
        holds_judgments(path)


def test_a_locked_store_is_refused_and_nothing_is_lost(path: Path) -> None:
    with RunStore(path) as store:
        store.put(KEY, ASKED, A)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")

            with pytest.raises(StoreError, match=r"judgments\.sqlite is locked .*wait"):
                store.commit()

    assert reread(path, KEY) == A


class StoreMachine(RuleBasedStateMachine):
    """A store behaves like a dictionary that ignores failures."""

    keys = Bundle("keys")

    @initialize()
    def open(self) -> None:
        self.folder = TemporaryDirectory()
        self.stores = 0
        self.model: dict[bytes, Judgment] = {}
        self.store = RunStore(self.path)

    @property
    def path(self) -> Path:
        return Path(self.folder.name) / f"{self.stores}.sqlite"

    @rule(target=keys, key=st.binary(max_size=2))
    def name(self, key: bytes) -> bytes:
        return key

    @rule(key=keys, judgment=JUDGMENTS)
    def put_judgment(self, key: bytes, judgment: Judgment) -> None:
        self.store.put(key, ASKED, judgment)
        self.model[key] = judgment

    @rule(key=keys, failure=FAILURES)
    def put_failure(self, key: bytes, failure: Judgment) -> None:
        self.store.put(key, ASKED, failure)

    @rule(key=keys)
    def get(self, key: bytes) -> None:
        assert self.store.get(key, ASKED) == self.model.get(key)

    @rule()
    def commit(self) -> None:
        self.store.commit()

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = RunStore(self.path)

    @rule()
    def move_to_a_neighbor(self) -> None:
        self.store.close()
        neighbor = self.path
        self.stores += 1
        self.store = RunStore(self.path, [neighbor])
        for key in self.model:
            self.store.get(key, ASKED)

    @invariant()
    def every_judgment_is_served(self) -> None:
        for key, judgment in self.model.items():
            assert self.store.get(key, ASKED) == judgment

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()


TestStoreLikeADictionary = StoreMachine.TestCase
TestStoreLikeADictionary.settings = settings(max_examples=25, stateful_step_count=20)


def test_a_store_whose_table_of_contents_is_damaged_is_a_sentence_or_a_store(
    tmp_path: Path,
) -> None:
    path = tmp_path / "judgments.sqlite"
    RunStore(path).close()
    whole = path.read_bytes()
    name = b"sqlite_autoindex_failures_1"
    assert name in whole
    path.write_bytes(whole.replace(name, name[:-1] + b"\x80"))

    with pytest.raises(StoreError, match=re.escape(str(path))):
        RunStore(path)
