"""A store of a million judgments: what it takes to open, to look up and to read.

    python tests/resilience/million.py [ROWS]

Seconds of the processor and of the clock.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
import old_stores

from rrm_harness import Comparison, Completion, Judgment, chance
from rrm_harness.store import RunStore, holds_judgments, kept
from rrm_harness.testing import example

LOOKED_UP = 20_000


def judgment(number: int) -> Judgment:
    """What a judge of a few hundred tokens says."""
    text = f"{number} " + "because of this and of that " * 20 + "[[A]]"
    said = Completion(text, prompt_tokens=700, completion_tokens=150)
    return Judgment((1.0, 0.0), text=text, completions=(said,))


def key(number: int) -> bytes:
    return chance.digest("row", number)


def fill(path: Path, rows: int) -> None:
    with RunStore(path) as store:
        for number in range(rows):
            asked = Comparison.of(example(id=f"example-{number}"))
            store.put(key(number), asked, judgment(number))


def look_up(path: Path, rows: int) -> None:
    asked = Comparison.of(example())
    with RunStore(path) as store:
        for number in range(LOOKED_UP):
            drawn = int(chance.uniform("look up", number) * rows)
            assert store.get(key(drawn), asked) == judgment(drawn)


def read_in_order(path: Path, rows: int) -> None:
    asked = Comparison.of(example())
    with RunStore(path) as store:
        assert all(store.get(key(number), asked) for number in range(rows))


def count(path: Path, rows: int) -> None:
    with RunStore(path) as store:
        assert store.count(sound=True) == rows


def read(path: Path, rows: int) -> None:
    assert sum(1 for _ in kept(path)) == rows


def timed(name: str, run: Callable[..., Any], *given: Any) -> None:
    worked, began = time.process_time(), time.monotonic()
    run(*given)
    worked, took = time.process_time() - worked, time.monotonic() - began
    print(f"| {name} | {worked:,.2f} | {took:,.2f} |", flush=True)


def main() -> None:
    """Print the table."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with TemporaryDirectory(prefix="million-") as folder:
        path = Path(folder) / "judgments.sqlite"
        print(f"| {rows:,} judgments | processor, s | clock, s |\n|---|---|---|")
        timed("put and committed", fill, path, rows)
        timed("opened to write, checked and closed", lambda: RunStore(path).close())
        timed("counted, each with its checksum", count, path, rows)
        timed("opened to see whether it holds any", holds_judgments, path)
        timed(f"opened and {LOOKED_UP:,} drawn ones looked up", look_up, path, rows)
        timed("opened and all looked up, as by the same run", read_in_order, path, rows)
        timed("read whole, as a page does", read, path, rows)
        print(f"\n{path.stat().st_size / 2**20:,.0f} MiB")
        old_stores.as_version_1(path)
        print(f"{path.stat().st_size / 2**20:,.0f} MiB as version 1\n")
        timed("opened by an upgrade", lambda: RunStore(path).close())


if __name__ == "__main__":
    main()
