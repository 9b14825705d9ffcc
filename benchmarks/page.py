"""The HTML page on 3,000 items, in headless Chromium: how soon it shows and filters.

    python benchmarks/page.py [ITEMS]

Prints the file's size, and milliseconds until the next frame is there (the search's
pause for further letters included): the median and the worst of nine. `thread` is the
processor time of the page's main thread, which other programs do not lengthen.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rrm_harness import chance, evaluate
from rrm_harness.report.page import page

TIMES = 9
VERDICTS = ("[[A>B]]", "[[B>A]]", "[[A=B]]", "none")
WORDS = ("the", "sum", "of", "two", "primes", "is", "even", "unless", "one", "holds")

WORDS_SOUGHT = ("unless", "zzz", "primes", "item-02")
"""Each finds another number of items than the one before."""
CHANGES = (
    ("filter by outcome", "outcome", ("wrong", "right", "")),
    ("filter by subset", "subset", ("=subset 3", "=subset 7", "")),
    ("filter by disagreement", "against", ("won 1", "differs 1", "")),
    ("sort by margin or length", "sort", ("wrong", "long", "order")),
)

CHANGE = """async ([id, value, event]) => {
  const field = document.getElementById(id);
  const began = performance.now();
  field.value = value;
  field.dispatchEvent(new Event(event));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - began;
}"""
SEARCH = """async ([words]) => {
  const found = document.getElementById("found");
  const field = document.getElementById("search");
  const began = performance.now();
  const changed = new Promise((done) =>
    new MutationObserver(done).observe(found, { childList: true }));
  field.value = words;
  field.dispatchEvent(new Event("input"));
  await changed;
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - began;
}"""
KEY = """async () => {
  const began = performance.now();
  document.getElementById("list").dispatchEvent(
    new KeyboardEvent("keydown", { key: "j", bubbles: true }));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - began;
}"""
PAINT = """() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime"""
READY = """() => performance.getEntriesByType("navigation")[0].domComplete"""


def text(characters: int, *key: str | int) -> str:
    """Words, other ones for each key."""
    count = characters // 5
    return (
        " ".join(
            WORDS[each % len(WORDS)] for each in chance.digest(*key) * (count // 16 + 1)
        )[:characters]
        + f" {key}"
    )


def rows(items: int) -> Iterator[dict[str, Any]]:
    for number in range(items):
        yield {
            "id": f"item-{number:05}",
            "prompt": text(500, "prompt", number),
            "responses": [
                text(1000 + chance.seed(each, number) % 1000, each, number)
                for each in ("one", "other")
            ],
            "correct": [number % 2],
            "subset": f"subset {number % 12}",
        }


def replies(items: int) -> Iterator[dict[str, Any]]:
    for number in range(items):
        for order in ([0, 1], [1, 0]):
            verdict = VERDICTS[chance.seed(number, *order) % len(VERDICTS)]
            thought = text(2800, "thought", number, *order)
            said = f"{text(200, number, *order)} {verdict}"
            yield {
                "example": f"item-{number:05}",
                "order": order,
                "text": f"<think>{thought}</think>{said}",
            }


def written(file: Path, lines: Iterator[dict[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def made(folder: Path, items: int) -> Path:
    data = written(folder / "data.jsonl", rows(items))
    said = written(folder / "said.jsonl", replies(items))
    judges = {"judged": f"recorded,path={said},parser=arena-hard", "longest": "longest"}
    results = [
        evaluate(
            judge,
            f"jsonl,path={data}",
            "both-orders",
            output=folder / name,
            baselines=False,
        )
        for name, judge in judges.items()
    ]
    began = time.monotonic()
    (folder / "page.html").write_text(page(results))
    print(f"{'written in':<34}{time.monotonic() - began:9.1f} s")
    return folder / "page.html"


class Tab:
    """A tab with a page, and the processor time of its main thread."""

    def __init__(self, browser: Any, address: str) -> None:
        self.tab = browser.new_page(viewport={"width": 1280, "height": 900})
        self.tab.set_default_timeout(120_000)
        self.session = self.tab.context.new_cdp_session(self.tab)
        self.session.send("Performance.enable", {"timeDomain": "threadTicks"})
        self.tab.goto(address)
        self.tab.wait_for_timeout(300)

    def busy(self) -> float:
        """Milliseconds so far."""
        metrics = self.session.send("Performance.getMetrics")["metrics"]
        named = {each["name"]: each["value"] for each in metrics}
        return 1000.0 * float(named["TaskDuration"])

    def timed(self, script: str, *given: str) -> tuple[float, float]:
        """Milliseconds until the next frame is there, and of the main thread."""
        before = self.busy()
        taken = self.tab.evaluate(script, list(given))
        return taken, self.busy() - before


def told(name: str, each: list[tuple[float, float]]) -> None:
    wall, busy = zip(*each, strict=True)
    numbers = (statistics.median(wall), max(wall), statistics.median(busy))
    print(f"{name:<36}" + "".join(f"{number:9.0f}" for number in numbers))


def measured(browser: Any, address: str) -> None:
    print(f"{'milliseconds':<36}{'median':>9}{'worst':>9}{'thread':>9}")
    paints, loads = [], []
    for _ in range(TIMES):
        tab = Tab(browser, address)
        busy = tab.busy()
        paints.append((tab.tab.evaluate(PAINT), busy))
        loads.append((tab.tab.evaluate(READY), busy))
        if len(paints) < TIMES:
            tab.tab.close()
    told("first paint (thread: all of the load)", paints)
    told("all of it loaded", loads)
    tab.tab.click("#to-judgments")
    told("first search, before texts are ready", [searched(tab, "item-0001")])
    tab.tab.wait_for_timeout(5000)
    searches = [searched(tab, WORDS_SOUGHT[i % 4]) for i in range(TIMES)]
    told("search in all texts", searches)
    changed(tab, "search", "")
    tab.tab.wait_for_timeout(1000)
    for name, field, values in CHANGES:
        told(name, [changed(tab, field, values[i % 3]) for i in range(TIMES)])
    told("open the next item", [tab.timed(KEY) for _ in range(TIMES)])


def changed(tab: Tab, field: str, value: str) -> tuple[float, float]:
    return tab.timed(CHANGE, field, value, "input" if field == "search" else "change")


def searched(tab: Tab, words: str) -> tuple[float, float]:
    return tab.timed(SEARCH, words)


def main() -> None:
    from playwright.sync_api import sync_playwright

    items = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    sandbox = [] if os.getuid() else ["--no-sandbox"]
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = made(Path(folder), items)
        print(f"{'items':<34}{items:9,}")
        print(f"{'file':<34}{file.stat().st_size / 1e6:9.1f} MB")
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=sandbox
        )
        measured(browser, file.as_uri())
        browser.close()


if __name__ == "__main__":
    main()
