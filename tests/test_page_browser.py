"""The page in a browser, opened from disk: it shows, filters, leads on, runs nothing.

Skips without Chromium and Playwright, unless RRM_HARNESS_BROWSER=1 asks for them.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from rrm_harness import evaluate
from rrm_harness.report.page import page as page_of
from rrm_harness.result import Result

ASKED = os.environ.get("RRM_HARNESS_BROWSER") == "1"
ATTACKS = (
    "<script>window.pwned=1</script>",
    "<img src=x onerror=window.pwned=1>",
    "</script><script>window.pwned=1</script><!--",
    '"><svg onload=window.pwned=1>',
    "javascript:window.pwned=1",
)
ODD = 'it\'s "50 %" #1/é<b>\u202e\ud800'
LONG = "A line of words.\n" * 62_500


def row(number: int) -> dict[str, Any]:
    attack = ATTACKS[number % len(ATTACKS)]
    return {
        "id": f"q{number:03}",
        "prompt": f"Question {number}? {attack}",
        "responses": ["one " * (number + 1), f"two {attack}"],
        "correct": [number % 2],
        "subset": "even" if number % 2 == 0 else f"odd {ATTACKS[2]}",
    }


def said(number: int) -> Iterator[dict[str, Any]]:
    """Of four, two are right, one is wrong and one fails."""
    verdict = ("[[A>B]]", "[[B>A]]", "[[B>A]]", f"none {ATTACKS[1]}")[number % 4]
    text = f"<think>Let me see. {ATTACKS[0]}</think>I choose {verdict}"
    yield {"example": f"q{number:03}", "order": [0, 1], "text": text}


def written(folder: Path, name: str, lines: list[Mapping[str, Any]]) -> Path:
    file = folder / name
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="session")
def html(folder: Path) -> Path:
    """A page of two runs on 200 items, hostile throughout."""
    odd = {**row(0), "id": ODD, "responses": ["odd \x00 one", "x"], "prompt": "strange"}
    long = {**row(0), "id": "long", "responses": [LONG, "x"]}
    rows = [*map(row, range(200)), odd, long]
    data = written(folder, "data.jsonl", rows)
    replies = [line for number in range(200) for line in said(number)]
    record = written(folder, "said.jsonl", replies)
    judges = {
        "judged": f"recorded,path={record},parser=arena-hard",
        "longest": "longest",
    }
    runs = [
        evaluate(
            judge, f"jsonl,path={data}", "single", output=folder / name, baselines=False
        )
        for name, judge in judges.items()
    ]
    return saved(folder / "page.html", runs)


@pytest.fixture(scope="session")
def tournaments(folder: Path) -> Path:
    """A page of a knockout and of a round robin on the same items."""
    data = "nano-arithmetic,shape=best-of-k,k=8,n=5"
    runs = [
        evaluate("random", data, each, output=folder / each, baselines=False)
        for each in ("knockout", "elo")
    ]
    return saved(folder / "tournaments.html", runs)


def saved(file: Path, runs: list[Result]) -> Path:
    file.write_text(page_of(runs), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    place = shutil.which("chromium")
    if not ASKED:
        pytest.importorskip("playwright")
        if place is None:
            pytest.skip("there is no chromium; RRM_HARNESS_BROWSER=1 demands it")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        sandbox = [] if os.getuid() else ["--no-sandbox"]
        browser = playwright.chromium.launch(executable_path=place, args=sandbox)
        yield browser
        browser.close()


class Tab:
    """A tab that has opened a page, and all that it asked for and complained about."""

    def __init__(self, browser: Any, file: Path, fragment: str = "", **options: Any):
        self.context = browser.new_context(
            **{"viewport": {"width": 1280, "height": 900}, **options}
        )
        self.tab = self.context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.on("console", lambda message: self.complaints.append(message.text))
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.address = file.as_uri()
        self.tab.goto(self.address + fragment)

    def text(self, selector: str) -> str:
        return str(self.tab.locator(selector).first.inner_text())

    def ids(self) -> list[str]:
        """The ids that the list shows, from its top."""
        shown: list[str] = self.tab.locator(".row .id").all_inner_texts()
        return shown

    def wait(self, selector: str, count: int) -> None:
        """Wait until there are so many; the page's policy bars waiting by a script."""
        from playwright.sync_api import expect

        expect(self.tab.locator(selector)).to_have_count(count)

    def choose(self, select: str, value: str) -> None:
        self.tab.select_option(f"#{select}", value)

    def judgments(self) -> None:
        self.tab.click("#to-judgments")

    def value(self, script: str) -> Any:
        return self.tab.evaluate(script)


@pytest.fixture
def opened(chromium: Any) -> Iterator[Any]:
    """Open a page in a tab of its own."""
    tabs: list[Tab] = []

    def made(file: Path, fragment: str = "", **options: Any) -> Tab:
        tabs.append(Tab(chromium, file, fragment, **options))
        return tabs[-1]

    yield made
    for each in tabs:
        each.context.close()


def test_it_opens_without_a_complaint_or_a_request(opened: Any, html: Path) -> None:
    tab = opened(html)

    tab.judgments()
    tab.tab.keyboard.press("j")

    assert tab.complaints == []
    assert tab.requests == [tab.address]


def test_charts_are_drawn_and_tell_more_at_the_focus(opened: Any, html: Path) -> None:
    tab = opened(html)

    tab.tab.locator("#chart-parts .mark").first.focus()

    assert "all, judged" in tab.text("#hint")
    assert tab.tab.locator("#chart-kinds .mark").count() >= 4


def test_a_bar_of_the_chart_leads_to_its_items(opened: Any, html: Path) -> None:
    tab = opened(html)

    tab.tab.locator("#chart-kinds .mark.kind-failed").first.click()

    assert tab.text("#found") == "52 of 202 items"


def test_the_list_holds_few_elements_of_many_items(opened: Any, html: Path) -> None:
    tab = opened(html)

    tab.judgments()

    assert tab.text("#found") == "202 items"
    assert 5 < tab.tab.locator(".row").count() < 40


def test_the_end_of_the_list_can_be_scrolled_to(opened: Any, html: Path) -> None:
    tab = opened(html)
    tab.judgments()

    tab.value("document.getElementById('list').scrollTop = 1e6")

    tab.tab.wait_for_selector("text=long >> visible=true")


@pytest.mark.parametrize(
    ("select", "value", "found"),
    [
        ("subset", "=even", "102 of 202 items"),
        ("outcome", "right", "100 of 202 items"),
        ("outcome", "wrong", "50 of 202 items"),
        ("failure", "unparsable", "50 of 202 items"),
        ("failure", "not-recorded", "2 of 202 items"),
    ],
)
def test_it_filters(
    opened: Any, html: Path, select: str, value: str, found: str
) -> None:
    tab = opened(html)
    tab.judgments()

    tab.choose(select, value)

    assert tab.text("#found") == found


def test_disagreements_of_two_runs_can_be_read(opened: Any, html: Path) -> None:
    tab = opened(html)

    tab.tab.locator("button[data-how=lost]").first.click()
    number = int(tab.text("#found").split()[0])

    signs = tab.tab.locator(".row").first.locator(".sign").all_inner_texts()
    assert number > 0
    assert signs[1] == "✓"
    assert signs[0] != "✓"


def test_a_search_finds_words_of_texts_and_ids(opened: Any, html: Path) -> None:
    tab = opened(html)
    tab.judgments()

    tab.tab.fill("#search", "STRANGE")
    tab.wait(".row", 1)
    tab.tab.fill("#search", "q01")
    tab.wait(".row", 10)

    assert tab.ids()[0] == "q010"


@pytest.mark.parametrize(
    ("sort", "first"), [("id", "it's"), ("long", "long"), ("short", "strange")]
)
def test_it_sorts(opened: Any, html: Path, sort: str, first: str) -> None:
    tab = opened(html)
    tab.judgments()

    tab.choose("sort", sort)

    assert first in tab.text(".row")


def test_sorting_by_margin_has_the_most_wrong_first(opened: Any, html: Path) -> None:
    tab = opened(html)
    tab.judgments()
    tab.choose("run", "1")

    tab.choose("sort", "wrong")

    shown = tab.tab.locator(".row .margin").all_inner_texts()
    numbers = [float(each.replace("−", "-")) for each in shown]
    assert numbers == sorted(numbers)
    assert numbers[0] < 0


def test_an_item_shows_its_texts_and_the_verdict(opened: Any, html: Path) -> None:
    tab = opened(html, "#q001")

    shown = tab.text("#item")

    assert "Question 1?" in shown
    assert "✓ correct" in shown
    assert "Let me see." in shown
    assert tab.text("#item mark") == "[[B>A]]"


@pytest.mark.parametrize("name", ["q007", ODD])
def test_an_items_address_leads_to_it(opened: Any, html: Path, name: str) -> None:
    wellformed = name.replace("\ud800", "\ufffd")

    tab = opened(html, "#" + quote(wellformed, safe=""))

    expected = name.replace("\u202e\ud800", "U+202E U+D800")
    assert tab.text("#item h2") == expected


def test_the_link_of_an_item_is_its_address(opened: Any, html: Path) -> None:
    tab = opened(html)
    tab.judgments()
    tab.tab.fill("#search", "50 %")
    tab.wait(".row", 1)
    tab.tab.locator(".row").click()

    link = tab.tab.locator("#item header a").get_attribute("href")

    assert tab.tab.url == tab.address + link
    assert tab.text("#item h2") in opened(html, link).text("#item h2")


def test_an_address_of_nothing_is_told(opened: Any, html: Path) -> None:
    assert "No item" in opened(html, "#%E0%A4%A").text("#item")


def test_going_back_shows_the_item_before(opened: Any, html: Path) -> None:
    tab = opened(html, "#q001")
    tab.tab.locator(".row", has_text="q003").click()

    tab.tab.go_back()

    tab.tab.wait_for_selector("#item h2:has-text('q001')")


def test_the_keyboard_is_enough(opened: Any, html: Path) -> None:
    tab = opened(html)
    press = tab.tab.keyboard.press

    press("/")
    tab.tab.keyboard.type("q01")
    tab.wait(".row", 10)
    press("ArrowDown")
    press("ArrowDown")
    press("j")
    opened_first = tab.text("#item h2")
    press("k")
    press("Enter")

    assert (opened_first, tab.text("#item h2")) == ("q011", "q010")
    assert tab.value("document.activeElement.id") == "item"


def test_escape_clears_the_search(opened: Any, html: Path) -> None:
    tab = opened(html)
    tab.tab.keyboard.press("/")
    tab.tab.keyboard.type("q01")
    tab.wait(".row", 10)

    tab.tab.keyboard.press("Escape")

    assert tab.text("#found") == "202 items"
    assert tab.value("document.activeElement.id") == "list"


def test_the_list_tells_assistive_programs_where_one_is(
    opened: Any, html: Path
) -> None:
    tab = opened(html, "#q002")

    active = tab.tab.get_attribute("#list", "aria-activedescendant")

    row = tab.tab.locator(f"#{active}")
    assert row.get_attribute("aria-selected") == "true"
    assert row.get_attribute("aria-posinset") == "3"
    assert row.get_attribute("aria-setsize") == "202"


def test_what_has_the_focus_can_be_seen(opened: Any, html: Path) -> None:
    tab = opened(html)

    tab.tab.keyboard.press("Tab")

    script = "getComputedStyle(document.activeElement).outlineStyle"
    assert tab.value(script) == "solid"


PAPER = "getComputedStyle(document.body).backgroundColor"


@pytest.mark.parametrize(
    ("system", "chosen", "dark"),
    [("dark", "", True), ("light", "", False), ("light", "dark", True)],
)
def test_it_is_dark_where_that_is_wanted(
    opened: Any, html: Path, system: str, chosen: str, dark: bool
) -> None:
    tab = opened(html, color_scheme=system)

    tab.choose("theme", chosen)

    assert (tab.value(PAPER) != "rgb(255, 255, 255)") is dark


SIDEWAYS = "document.documentElement.scrollWidth - innerWidth"


def test_a_narrow_screen_never_scrolls_sideways(
    opened: Any, html: Path, tournaments: Path
) -> None:
    small = {"viewport": {"width": 360, "height": 740}}
    wide = []
    for file in (html, tournaments):
        tab = opened(file, **small)
        wide.append(tab.value(SIDEWAYS))
        tab.value("document.querySelectorAll('details').forEach(e => e.open = true)")
        wide.append(tab.value(SIDEWAYS))
        tab.judgments()
        wide.append(tab.value(SIDEWAYS))
        tab.tab.locator(".row").first.click()
        tab.tab.wait_for_selector("#item h2 >> visible=true")
        wide.append(tab.value(SIDEWAYS))

    assert wide == [0] * 8


def test_a_narrow_screen_leads_back_to_the_list(opened: Any, html: Path) -> None:
    tab = opened(html, "#q001", viewport={"width": 360, "height": 740})
    assert not tab.tab.is_visible("#list")

    tab.tab.click(".back")

    assert tab.tab.is_visible("#list")


def test_nothing_moves_for_those_who_want_it_still(opened: Any, html: Path) -> None:
    tab = opened(html, reduced_motion="reduce")
    tab.judgments()

    script = "getComputedStyle(document.querySelector('.row')).transitionDuration"
    assert tab.value(script) in ("0s", "")


def test_no_text_ever_runs(opened: Any, html: Path) -> None:
    tab = opened(html)
    tab.judgments()
    for number in range(len(ATTACKS) + 4):
        tab.tab.keyboard.press("j")
        tab.value("document.querySelectorAll('details').forEach(e => e.open = true)")
        assert str(number) in tab.text("#item")

    assert tab.value("window.pwned") is None
    assert tab.value("document.querySelectorAll('#item img, #item script').length") == 0
    assert tab.complaints == []


def test_what_is_unseen_is_shown(opened: Any, html: Path) -> None:
    tab = opened(html, "#" + quote(ODD.replace("\ud800", "\ufffd"), safe=""))

    unseen = tab.tab.locator("#item .unseen").all_inner_texts()

    assert {"U+0000", "U+202E U+D800"} <= set(unseen)


def test_a_long_text_is_whole_at_a_click(opened: Any, html: Path) -> None:
    tab = opened(html, "#long")
    shown = len(tab.text(".card .text"))

    tab.tab.click(".card .more")

    assert shown < 30_000
    length = "document.querySelector('.card .text').textContent.length"
    assert tab.value(length) == len(LONG)


def test_a_knockout_has_its_bracket(opened: Any, tournaments: Path) -> None:
    tab = opened(tournaments)
    tab.judgments()
    tab.tab.keyboard.press("j")

    matches = tab.tab.locator("svg[aria-label=Bracket] .mark")

    assert matches.count() == 7
    assert "on goes" in matches.last.get_attribute("aria-label")


def test_a_round_robin_has_its_ladder(opened: Any, tournaments: Path) -> None:
    tab = opened(tournaments)
    tab.judgments()
    tab.tab.keyboard.press("j")

    rungs = tab.tab.locator("svg[aria-label='Ladder of ratings'] circle")

    assert rungs.count() == 8
    assert tab.tab.locator(".cross button").count() == 56


def test_a_game_of_the_cross_table_leads_to_its_judgment(
    opened: Any, tournaments: Path
) -> None:
    tab = opened(tournaments)
    tab.judgments()
    tab.tab.keyboard.press("j")

    tab.tab.locator(".cross button").last.click()

    boxes = tab.tab.locator(".pair")
    seen = [box.bounding_box()["y"] for box in boxes.all()]
    assert any(0 < y < 900 for y in seen)
