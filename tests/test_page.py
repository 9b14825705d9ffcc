"""The page: what it says, what it keeps, and that hostile text stays text."""

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import Message, evaluate, parse
from rrm_harness.cli import commands
from rrm_harness.records import Example
from rrm_harness.report.bracket import final
from rrm_harness.report.glance import Glance
from rrm_harness.report.judgments import browse, choose, glances
from rrm_harness.report.ladder import ladder
from rrm_harness.report.margins import margins
from rrm_harness.report.page import page
from rrm_harness.report.replies import Replies, Reply
from rrm_harness.report.signs import visible
from rrm_harness.report.texts import Blocks, block, places
from rrm_harness.report.verdict import spans, thought_end
from rrm_harness.result import Result
from rrm_harness.store import Kept

HOSTILE = (
    "<script>window.pwned=1</script>",
    "<img src=x onerror=window.pwned=1>",
    "</script><script>window.pwned=1</script>",
    "<!-- <script> ",
    "[click](javascript:window.pwned=1)",
    "{{ 7 * 7 }} {% if %}",
    "\u2028 \u2029 \x00 \u202e reversed \ud800",
    "\"' onmouseover=window.pwned=1 x='",
    "</style></title></textarea>",
)
Run = Callable[..., Result]
Line = Mapping[str, Any]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Make a run of rows and, if given, of what a judge is on record to have said."""

    def made(
        rows: Sequence[Line],
        said: Sequence[Line] = (),
        *,
        name: str = "run",
        **options: Any,
    ) -> Result:
        where = {"data": rows, "said": said}
        for kind, lines in where.items():
            text = "".join(json.dumps(line) + "\n" for line in lines)
            (tmp_path / f"{name}-{kind}.jsonl").write_text(text)
        replies = f"recorded,path={tmp_path / f'{name}-said.jsonl'},parser=arena-hard"
        options = {"judge": replies if said else "longest", **options}
        options.setdefault("dataset", f"jsonl,path={tmp_path / f'{name}-data.jsonl'}")
        output = tmp_path / name
        return evaluate(output=output, baselines=False, reuse=[], **options)

    return made


def pair(name: str, *, prompt: str = "Which?", subset: str = "all") -> dict[str, Any]:
    responses = ["short", "a longer one"]
    return {
        "id": name,
        "prompt": prompt,
        "responses": responses,
        "correct": [1],
        "subset": subset,
    }


def vote(name: str, text: str, order: Sequence[int] = (0, 1)) -> dict[str, Any]:
    return {"example": name, "order": list(order), "text": text}


def scripts(html: str, name: str) -> list[str]:
    return re.findall(rf"<script [^>]*{name}[^>]*>(.*?)</script>", html, re.DOTALL)


def index(html: str) -> Any:
    return json.loads(scripts(html, 'id="index"')[0])


def blocks(html: str) -> list[Any]:
    return [json.loads(each) for each in scripts(html, 'class="block"')]


def texts(html: str) -> list[str]:
    return [text for each in blocks(html) for text in each["texts"]]


class Elements(HTMLParser):
    """All elements of a page with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found.append((tag, dict(attrs)))


def shape(html: str) -> list[tuple[str, tuple[str, ...]]]:
    """The page's elements and attributes' names, whatever the texts are."""
    return [(tag, tuple(attributes)) for tag, attributes in Elements(html).found]


def test_the_headline_is_the_reports(run: Run) -> None:
    result = run([pair("a", prompt="Which?"), pair("b", prompt="Who?")])

    html = page([result])

    assert "<strong>100.00</strong>" in html
    assert "34.24–100.00" in html


def test_every_text_of_an_item_is_in_the_page(run: Run) -> None:
    result = run([pair("a", prompt="Why so?")], [vote("a", "I say [[B>A]]")])

    html = page([result])

    assert {"Why so?", "short", "a longer one", "I say [[B>A]]"} <= set(texts(html))


def test_equal_texts_are_kept_once(run: Run) -> None:
    result = run([pair(str(number)) for number in range(20)])

    html = page([result])

    assert sorted(texts(html)) == ["Which?", "a longer one", "short"]


def test_the_same_runs_make_the_same_bytes(run: Run) -> None:
    result = run([pair("a"), pair("b")], [vote("a", "[[A>B]]")])

    assert page([result]) == page([result])


def test_both_orders_and_their_texts_are_an_items_judgments(run: Run) -> None:
    said = [vote("a", "one [[B>A]]"), vote("a", "two [[A>B]]", (1, 0))]
    result = run([pair("a")], said, strategy="both-orders")

    html = page([result])
    (content,) = blocks(html)
    judged = content["items"][0]["runs"][0]["judged"]

    told = [(one["order"], content["texts"][one["texts"][0][1]]) for one in judged]
    assert told == [([0, 1], "one [[B>A]]"), ([1, 0], "two [[A>B]]")]


def test_what_failed_can_be_read(run: Run) -> None:
    result = run([pair("a")], [vote("a", "no verdict here")], strategy="single")

    html = page([result])

    assert index(html)["items"][0]["runs"][0]["failures"] == ["unparsable"]
    assert "no verdict here" in texts(html)
    assert "The first unparsable: a: no verdict here" in html


def test_a_dataset_that_is_gone_costs_its_texts_alone(run: Run, tmp_path: Path) -> None:
    result = run([pair("a")], [vote("a", "[[B>A]]")], strategy="single")
    (tmp_path / "run-data.jsonl").unlink()

    html = page([result])

    assert texts(html) == ["[[B>A]]"]
    assert "Prompts and responses are not shown in full" in html


def test_texts_of_a_changed_dataset_are_not_shown(run: Run, tmp_path: Path) -> None:
    result = run([pair("a")])
    data = tmp_path / "run-data.jsonl"
    data.write_text(data.read_text().replace("Which?", "Whither?"))

    html = page([result])

    assert texts(html) == []
    assert "is now of revision" in html


def test_a_store_that_is_gone_costs_what_the_judge_wrote_alone(run: Run) -> None:
    result = run([pair("a")], [vote("a", "[[B>A]]")], strategy="single")
    (result.directory / "judgments.sqlite").unlink()

    html = page([result])

    assert sorted(texts(html)) == ["Which?", "a longer one", "short"]
    assert "What the judge wrote is not shown in full" in html


def test_failed_and_wrong_items_are_kept_first(run: Run) -> None:
    rows = [pair(name) for name in ("right", "wrong", "failed")]
    said = [
        vote("right", "[[B>A]]"),
        vote("wrong", "[[A>B]]"),
        vote("failed", "no verdict"),
    ]
    result = run(rows, said, strategy="single")

    html = page([result], most=2)

    assert [item["id"] for item in index(html)["items"]] == ["wrong", "failed"]
    assert "2 of 3 items can be read here" in html


def test_numbers_are_of_all_items_whatever_can_be_read(run: Run) -> None:
    result = run([pair("a"), pair("b"), pair("c")])

    html = page([result], most=1)

    (charts,) = scripts(html, 'id="charts"')
    assert json.loads(charts)["kinds"] == [{"right": 3}]


def test_the_command_writes_the_page_alone(run: Run, tmp_path: Path) -> None:
    result = run([pair("a"), pair("b")])
    file = tmp_path / "page.html"

    told = CliRunner().invoke(
        commands,
        ["report", str(result.directory), "--html", str(file), "--items", "1"],
    )

    assert (told.exit_code, told.stdout) == (0, "")
    assert file.read_text(encoding="utf-8") == page([result], most=1)


def test_runs_of_the_same_items_are_side_by_side(run: Run) -> None:
    rows = [pair("a"), pair("b")]
    long = run(rows, name="long")
    data = f"jsonl,path={long.directory.parent / 'long-data.jsonl'}"
    short = run(rows, name="short", judge="shortest", dataset=data)

    html = page([long, short])

    assert index(html)["runs"] == ["long", "short"]
    assert [len(item["runs"]) for item in index(html)["items"]] == [2, 2]
    assert "read the 2 that only long has right" in html


def test_items_of_different_datasets_are_apart(run: Run) -> None:
    one = run([pair("a")], name="one")
    other = run([pair("a", prompt="Another")], name="other")

    html = page([one, other])

    present = [[bool(run) for run in item["runs"]] for item in index(html)["items"]]
    assert present == [[True, False], [False, True]]


def test_runs_in_directories_of_one_name_are_told_apart(run: Run) -> None:
    result = run([pair("a")])

    html = page([result, result])

    assert index(html)["runs"] == ["run (1)", "run (2)"]


@pytest.mark.parametrize("attack", HOSTILE)
def test_hostile_text_makes_no_element_and_no_attribute(run: Run, attack: str) -> None:
    name = f"id {attack}"
    harmless = run([pair("id", subset="part")], [vote("id", "text")], name="tame")
    row = {**pair(name, prompt=attack, subset=attack), "responses": [attack, "other"]}
    hostile = run([row], [vote(name, attack)], name="hostile")

    html = page([hostile])

    assert shape(html) == shape(page([harmless]))


@pytest.mark.parametrize("attack", HOSTILE)
def test_hostile_text_is_kept_whole(run: Run, attack: str) -> None:
    result = run([pair("a", prompt=attack)], [vote("a", attack)])

    assert attack in texts(page([result]))


def test_a_long_response_is_kept_whole(run: Run) -> None:
    long = "<b>word</b> " * 90_000
    result = run([{**pair("a"), "responses": [long, "x"]}])

    assert long in texts(page([result]))


def test_the_policy_admits_this_script_and_this_style_alone(run: Run) -> None:
    html = page([run([pair("a")])])

    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', html)
    rules = dict(rule.split(" ", 1) for rule in unescape(policy).split("; "))
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    assert rules == {
        "default-src": "'none'",
        "script-src": f"'sha256-{hashed(script)}'",
        "style-src": f"'sha256-{hashed(style)}'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "trusted-types": "'none'",
        "require-trusted-types-for": "'script'",
    }


def hashed(text: str) -> str:
    return b64encode(hashlib.sha256(text.encode()).digest()).decode()


def test_the_page_names_no_other_place(run: Run) -> None:
    html = page([run([pair("a")])])

    places = [
        value
        for _, attributes in Elements(html).found
        for name, value in attributes.items()
        if name in ("src", "href", "action", "srcset", "data")
    ]
    assert places == ["data:,"]


def test_no_element_has_a_handler_or_a_style_of_its_own(run: Run) -> None:
    html = page([run([pair("a")])])

    names = {name for _, attributes in Elements(html).found for name in attributes}
    assert not {name for name in names if name.startswith("on") or name == "style"}


@given(st.text(st.characters()))
def test_a_block_is_inert_and_whole(text: str) -> None:
    made = block({"text": text})

    assert json.loads(made) == {"text": text}
    assert made.isascii()
    assert not set(made) & set("<>&")


@given(st.text(st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp", "Lu"])))
def test_nothing_unseen_is_left_but_what_joins_and_breaks(text: str) -> None:
    shown = visible(text)

    assert not set(shown) & {chr(0), "\u202e", "\u2066", "\ufeff", "\ud800", "\u200b"}
    shown.encode()


@given(st.text(st.characters()), st.data())
def test_places_count_as_javascript_does(text: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(text)))

    (counted,) = places(text, place)

    assert text.encode("utf-16-le", "surrogatepass")[: 2 * counted] == text[
        :place
    ].encode("utf-16-le", "surrogatepass")


@given(st.lists(st.text(max_size=3), max_size=30))
def test_a_texts_number_leads_to_it_through_all_blocks(each: list[str]) -> None:
    kept = Blocks()
    numbers = []
    for text in each:
        numbers.append(kept.number(text))
        kept.add(None)
        kept.close()

    every = [text for made in kept.done for text in json.loads(made)["texts"]]
    assert [every[number] for number in numbers] == each
    assert kept.starts[-1] == len(every)


REPLIES = {
    "rrm": "<think>Assistant 1?</think> So \\boxed{Assistant 2}",
    "assistant": "Assistant 1",
    "mt-bench": "Better is [[A]].",
    "mt-bench-rating": "I give it [[7.5]].",
    "verdict": "<think>[[A]]</think> no: [[B]]",
    "j1": "</think> <answer> [[A]] </answer>",
    "j1-scores": "</think><score_A>3</score_A> <score_B>8</score_B>",
    "j1-score": "</think> <score>4</score>",
    "rm-r1": "<answer>[[A]]</answer> rather <answer>[[B]]</answer>",
    "arena-hard": "first [[A>B]], and again [[A>B]]",
    "llmbar": "So Output (a) is better.",
    "llmbar-line": "Output (b)\nbecause",
    "rating": " 7 ",
    "judgelrm": "<answer>3</answer><answer>9</answer>",
    "judgelrm-thinking": "<think>x</think><answer>3</answer><answer>9</answer>",
    "judgelm": "8 7\nbecause",
    "prometheus": "Feedback: good [RESULT] A",
    "prometheus-score": "Feedback: good [RESULT] 4",
    "compass": 'So {"Choice": "Model A"}',
    "deepseek-grm": "I say \\boxed{7, 3}",
    "boxed-letter": "Thus \\boxed{\\text{B}}",
}
SINGLE = ("mt-bench-rating", "j1-score", "rating", "prometheus-score")


@pytest.mark.parametrize("parser", [*parse.PARSERS])
def test_a_verdict_is_marked_where_its_parser_reads_it(parser: str) -> None:
    text = REPLIES[parser]
    shown = 1 if parser in SINGLE else 2

    marked = [text[begin:end] for begin, end in spans(text, parser, shown)]

    read, alone = parse.PARSERS[parser], "\n".join(marked)
    after_a_thought = read("</think>" + alone, shown)
    assert read(text, shown) is not None
    assert read(text, shown) in (read(alone, shown), after_a_thought)


def test_the_last_of_equal_verdicts_is_marked() -> None:
    text = "[[A]] because. [[A]]"

    assert spans(text, "mt-bench", 2) == [(15, 20)]


@pytest.mark.parametrize("text", ["[[A]] or [[B]]", "nothing", ""])
def test_what_is_not_read_is_not_marked(text: str) -> None:
    assert spans(text, "mt-bench", 2) == []


def test_the_thought_ends_with_its_mark() -> None:
    assert thought_end("<think>a</think>b") == len("<think>a</think>")
    assert thought_end("<think>never") == len("<think>never")
    assert thought_end("no thought") == 0


def comparison(*order: int, scores: Sequence[float] = (), **more: Any) -> Line:
    told = {"scores": list(scores)} if scores else {}
    return {"order": list(order), "sample": 0, **told, **more}


def test_a_bracket_is_found_in_scores_and_matches() -> None:
    compared = [
        comparison(0, 1, scores=(1, 0)),
        comparison(3, 2, scores=(1, 0)),
        comparison(0, 3, scores=(0, 1)),
    ]

    match = final([1.0, 0.0, 0.0, 2.0], compared)

    assert (match.round, match.players, match.winners) == (2, (0, 3), (3,))
    assert [each.players for each in match.before] == [(0, 1), (3, 2)]
    assert match.votes == (0, 1, 0, 0)


def test_every_knockout_has_its_bracket(tmp_path: Path) -> None:
    result = evaluate(
        judge="random",
        dataset="nano-arithmetic,shape=best-of-k,k=7,n=10",
        strategy="knockout,k=3",
        output=tmp_path / "run",
    )

    seen = [glances(result)]
    items = browse([result], choose(seen, 10)).items

    finals = [played.final for item in items for played in item.runs if played]
    assert [match.round for match in finals] == [3] * 10


def test_what_is_no_knockout_has_no_bracket() -> None:
    robin = [
        comparison(0, 1, scores=(1, 0)),
        comparison(0, 2, scores=(1, 0)),
        comparison(1, 2, scores=(1, 0)),
    ]

    assert final([2.0, 1.0, 0.0], robin) is None
    assert final(None, robin[:1]) is None
    assert final([0.0], []) is None


def test_a_ladder_counts_games_from_each_side() -> None:
    compared = [
        comparison(0, 1, scores=(1, 0)),
        comparison(1, 2, scores=(0.5, 0.5)),
        comparison(2, 0, failure="unparsable"),
    ]

    made = ladder([9.0, 1.0, 4.0], compared)

    assert made == [
        {"response": 0, "rating": 9.0, "won": 1, "lost": 0, "tied": 0},
        {"response": 2, "rating": 4.0, "won": 0, "lost": 0, "tied": 1},
        {"response": 1, "rating": 1.0, "won": 0, "lost": 1, "tied": 1},
    ]


def kept(name: str, *shown: int, sample: int = 0, text: str = "text") -> Kept:
    return Kept(name, shown, sample, (1.0, 0.0)[: len(shown)], "", text)


def example(name: str, *responses: str) -> Example:
    return Example(name, (Message("user", "q"),), responses, (0,))


def test_a_reply_is_found_by_what_was_asked() -> None:
    replies = Replies.of([kept("a", 0, 1, text="x"), kept("a", 1, 0, text="y")], {})

    found = [*replies.to("a", comparison(1, 0, scores=(1, 0)))]

    assert found == [Reply((1, 0), "y")]


def test_a_reply_that_another_example_asked_first_is_found() -> None:
    same = {name: example(name, "r", "s") for name in ("a", "b")}
    replies = Replies.of([kept("a", 0, 1)], same)

    assert [*replies.to("b", comparison(0, 1, scores=(1, 0)))] == [
        Reply((0, 1), "text")
    ]


def test_a_comparison_in_parts_has_a_reply_for_each_response() -> None:
    replies = Replies.of([kept("a", 0, text="x"), kept("a", 1, text="y")], {})

    found = [*replies.to("a", comparison(1, 0, scores=(1, 0)))]

    assert found == [Reply((1,), "y"), Reply((0,), "x")]


def test_no_reply_is_better_than_one_of_two() -> None:
    rows = [kept("a", 0, 1, sample=1, text="x"), kept("a", 0, 1, sample=2, text="y")]
    replies = Replies.of(rows, {})

    assert [*replies.to("a", comparison(0, 1, scores=(1, 0)))] == []


def seen(pairs: Sequence[tuple[float, float]]) -> Iterator[Glance]:
    for number, (margin, credit) in enumerate(pairs):
        yield Glance("right" if credit else "wrong", credit, margin, str(number))


def test_margins_of_few_sizes_are_a_bin_each() -> None:
    made = margins(seen([(-1, 0), (1, 1), (0, 0)]))

    assert [(each["low"], each["n"], each["accuracy"]) for each in made] == [
        (0, 1, 0),
        (1, 2, 0.5),
    ]


@given(st.lists(st.floats(-5, 5), max_size=200))
def test_every_margin_is_in_one_bin(each: list[float]) -> None:
    made = margins(seen([(margin, 1.0) for margin in each]))

    assert sum(one["n"] for one in made) == len(each)
    edges = [(one["low"], one["high"]) for one in made]
    assert edges == sorted(edges)


def line(**more: Any) -> Line:
    told = {"correct": [0], "scores": [1.0, 0.0], "winners": [0], "failure": None}
    return {**told, "credit": 1.0, "cluster": "x", **more}


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (line(), "right"),
        (line(winners=[1], credit=0.0), "wrong"),
        (line(winners=[0, 1], credit=0.5), "tie"),
        (line(winners=[0], credit=0.25), "part"),
        (line(failure="refused", winners=[], scores=None, credit=0.0), "failed"),
        (line(credit=None), "left-out"),
    ],
)
def test_an_outcome_is_of_one_kind(told: Line, kind: str) -> None:
    assert Glance.of(told).kind == kind


def test_a_margin_is_against_the_best_wrong_response() -> None:
    told = line(correct=[1], scores=[3.0, 2.0, None, 2.5])

    assert Glance.of(told).margin == -1.0
