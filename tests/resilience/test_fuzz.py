"""Whatever is read, what comes out is a result or one sentence, and nothing else.

`RRM_HARNESS_FUZZ=5000 pytest tests/resilience/test_fuzz.py` draws so many examples of
each, new ones every time; without it a few, always the same.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import FaultServer, reply

from rrm_harness import (
    BadRow,
    Completion,
    EngineError,
    Example,
    Failure,
    HarnessError,
    Judgment,
    Message,
    Model,
    Outcome,
    Request,
    checkpoints,
    evaluate,
    host,
    parse,
    prompts,
    rows,
)
from rrm_harness.chat import encode, load_tokenizer
from rrm_harness.errors import DataError, StoreError, TemplateError
from rrm_harness.inputs import completions
from rrm_harness.records import Comparison
from rrm_harness.report.page import page
from rrm_harness.specs import Spec
from rrm_harness.store import RunStore, kept
from rrm_harness.study_file import StudyFile
from rrm_harness.testing import FakeEngine, FakeModelJudge, play

ASKED = os.environ.get("RRM_HARNESS_FUZZ", "")
Tiny = Callable[[str], Path]


def budget(few: int) -> Any:
    """So many examples; those that were asked for, where they were."""
    return settings(
        max_examples=max(1, int(ASKED) * few // 100) if ASKED else few,
        derandomize=not ASKED,
        deadline=None,
        suppress_health_check=[*HealthCheck],
    )


def one_sentence(error: Exception, but_not: str = "Traceback") -> None:
    assert str(error)
    assert but_not not in str(error)


# --- what a judge writes

MARKS = [
    "<think>",
    "</think>",
    "[[A]]",
    "[[B]]",
    "[[C]]",
    "[[A>>B]]",
    "[[B=A]]",
    "[[7.5]]",
    "\\boxed{",
    "}",
    "Assistant 1",
    "Assistant 2",
    "<answer>",
    "</answer>",
    "<score>",
    "</score>",
    "<score_A>",
    "</score_A>",
    "[RESULT]",
    "Output (a) is better.",
    "-",
    ",",
    '"Choice": "Model A"',
    "1",
    "9" * 400,
    "1.5",
    "-0",
    " ",
    "\n",
    "\\fbox{",
    "(A)",
    "ａ",
]
WRITTEN = st.lists(st.sampled_from(MARKS) | st.text(max_size=5), max_size=12).map(
    "".join
)


@budget(200)
@given(st.sampled_from(sorted(parse.PARSERS)), WRITTEN, st.integers(0, 30))
def test_a_parser_reads_finite_scores_or_nothing(
    name: str, text: str, shown: int
) -> None:
    scores = parse.PARSERS[name](text, shown)

    assert scores is None or (len(scores) == shown and all(map(isfinite, scores)))


# --- the grammar of specs

NAMES = {
    kind: sorted(host.default().registry(kind))
    for kind in ("judges", "strategies", "engines", "datasets", "heads")
}
VALUE = st.sampled_from(["1", "0", "-1", "true", "x", "", "1e9", "9" * 30, "nan"])
KEY = st.sampled_from(
    [
        "k",
        "path",
        "file",
        "model",
        "seed",
        "size",
        "mode",
        "order",
        "bracket",
        "url",
        "stop",
        "rating",
        "opponents",
        "n",
        "part",
        "temperature",
        "top-p",
        "timeout",
    ]
)
PAIRS = st.lists(st.tuples(KEY, VALUE | st.text(max_size=8)).map("=".join), max_size=4)


@budget(300)
@given(st.data())
def test_a_spec_builds_something_or_is_a_sentence(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(NAMES)))
    name = st.sampled_from(NAMES[kind]) | st.text(max_size=6)
    one = st.builds(lambda name, pairs: ",".join([name, *pairs]), name, PAIRS)
    text = " of ".join(data.draw(st.lists(one, min_size=1, max_size=3)))

    try:
        if kind == "engines":
            host.default().engine_for(Spec.parse(text), Model("m"))
        else:
            host.default().build(kind, text)
    except HarnessError as error:
        one_sentence(error)


SHAPES = st.sampled_from(
    [
        "single",
        "single,order=seeded",
        "both-orders",
        "voting,k=2",
        "voting,k=3,stop=abort",
        "knockout",
        "elo",
        "elo,opponents=1",
        "elo,rating=bradley-terry",
        "repeated,k=2",
        "best-of-n",
        "sum-voting,k=2",
    ]
)


@budget(100)
@given(
    st.lists(SHAPES, min_size=1, max_size=3).map(" of ".join),
    st.integers(1, 5),
    st.randoms(use_true_random=False),
)
def test_any_nest_of_strategies_ends_with_an_outcome_whatever_fails(
    text: str, responses: int, chance: Any
) -> None:
    def decide(asked: Comparison) -> Judgment:
        if chance.random() < 0.3:
            return Judgment.failed(chance.choice([*Failure]))
        if chance.random() < 0.1:
            raise ValueError("a judge may break")
        return Judgment(tuple(chance.choice([0, 0.5, 1e308]) for _ in asked.order))

    asked = Example(
        "x", (Message("user", "q"),), tuple(map(str, range(responses))), (0,)
    )
    try:
        made = host.default().build("strategies", text)
        outcome = play(made, asked, decide, engine=FakeEngine())
    except HarnessError as error:
        one_sentence(error)
        return

    assert isinstance(outcome, Outcome)
    assert set(outcome.winners) <= set(range(responses))
    assert all(map(isfinite, outcome.scores.values()))


# --- files of data

LEAF = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["user", "A", "A>B", "[[A]]", "tie", "hep-go", "chat"])
)
JSON = st.recursive(
    LEAF,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner)
    ),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        "id",
        "prompt",
        "responses",
        "correct",
        "subset",
        "chosen",
        "rejected",
        "role",
        "content",
        "instruction",
        "input",
        "output_1",
        "output_2",
        "label",
        "question",
        "response_A",
        "response_B",
        "pair_id",
        "source",
        "total_completions",
        "num_correct",
        "num_rejected",
        "example",
        "order",
        "sample",
        "scores",
        "failure",
        "text",
        "cluster",
        "Question",
        "Correct Answer",
        "Incorrect Answer 1",
        "annotator1",
        "domain",
        "scores",
    ]
)
ROW = st.dictionaries(FIELDS, JSON, max_size=10)


def as_bytes(row: Any) -> bytes:
    return json.dumps(row).encode()


LINES = st.lists(
    ROW.map(as_bytes) | JSON.map(as_bytes) | st.binary(max_size=20), max_size=4
).map(b"\n".join)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as made:
        yield Path(made)


@budget(150)
@given(st.sampled_from(rows.SUFFIXES), LINES | st.binary(max_size=200))
def test_a_file_of_any_bytes_has_rows_or_is_a_sentence(
    folder: Path, suffix: str, content: bytes
) -> None:
    file = folder / f"rows{suffix}"
    file.write_bytes(content)

    try:
        for where, row in rows.read(file):
            assert str(file) in where
            assert isinstance(row, dict | DataError)
    except DataError as error:
        one_sentence(error)


@budget(300)
@given(st.data())
def test_a_damaged_parquet_file_has_rows_or_is_a_sentence(
    folder: Path, data: st.DataObject
) -> None:
    import pyarrow
    import pyarrow.parquet

    file = folder / "whole.parquet"
    if not file.exists():
        table = pyarrow.table(
            {"id": list(range(50)), "prompt": ["x" * n for n in range(50)]}
        )
        pyarrow.parquet.write_table(table, file)
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(
            st.integers(0, 255)
        )
    damaged = folder / "damaged.parquet"
    damaged.write_bytes(content)

    try:
        for _, row in rows.read(damaged):
            assert isinstance(row, dict | DataError)
    except DataError as error:
        one_sentence(error)


WITH_PATH = [
    name
    for name in NAMES["datasets"]
    if "path"
    in str(host.default().lookup("datasets", name).thing.__init__.__annotations__)
]


@budget(200)
@given(st.sampled_from(WITH_PATH), st.sampled_from([".jsonl", ".json"]), st.data())
def test_a_dataset_of_any_rows_has_examples_or_bad_rows(
    folder: Path, name: str, suffix: str, data: st.DataObject
) -> None:
    drawn = data.draw(st.lists(ROW, min_size=1, max_size=3))
    file = folder / f"any{suffix}"
    lines = b"\n".join(map(as_bytes, drawn))
    file.write_bytes(lines if suffix == ".jsonl" else as_bytes(drawn))

    try:
        made = host.default().build("datasets", f"{name},path={file}")
        for item in made.examples():
            assert isinstance(item, Example | BadRow)
    except HarnessError as error:
        one_sentence(error)


@budget(150)
@given(LINES)
def test_recorded_judgments_of_any_bytes_judge_or_are_a_sentence(
    folder: Path, content: bytes
) -> None:
    file = folder / "recorded.jsonl"
    file.write_bytes(content)

    try:
        judge = host.default().build("judges", f"recorded,path={file},parser=verdict")
    except HarnessError as error:
        one_sentence(error)
        return
    asked = Example("x", (Message("user", "q"),), ("a", "b"), (0,))
    assert isinstance(judge.parse(Comparison.of(asked), ()), Judgment)


# --- files of models and of users


@budget(150)
@given(
    st.sampled_from(["config.json", "generation_config.json", checkpoints.INDEX, "w"]),
    st.dictionaries(st.sampled_from(["weight_map", "a"]), JSON).map(as_bytes)
    | JSON.map(as_bytes)
    | st.binary(max_size=60),
)
def test_a_checkpoint_of_any_bytes_is_read_or_is_a_sentence(
    name: str, content: bytes
) -> None:
    with TemporaryDirectory() as made:
        place = Path(made)
        header = len(content).to_bytes(8, "little") + content
        (place / ("w.safetensors" if name == "w" else name)).write_bytes(
            header if name == "w" else content
        )
        for read in (
            checkpoints.config,
            checkpoints.generation_config,
            checkpoints.weights,
        ):
            try:
                read(place)
            except EngineError as error:
                one_sentence(error)


@budget(150)
@given(
    st.sampled_from([".yaml", ".toml"]),
    JSON.map(json.dumps)
    | st.dictionaries(
        st.sampled_from(["judges", "datasets", "strategies", "output", "seed", "x"]),
        JSON,
    ).map(json.dumps)
    | st.text(max_size=60),
)
def test_a_study_file_of_any_text_is_a_study_or_a_sentence(
    folder: Path, suffix: str, text: str
) -> None:
    file = folder / f"study{suffix}"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))

    try:
        StudyFile.read(file)
    except HarnessError as error:
        one_sentence(error)


@budget(150)
@given(
    st.lists(
        st.sampled_from(
            [
                "{{ ",
                " }}",
                "{% ",
                " %}",
                "block user",
                "endblock",
                "responses",
                "prompt",
                ".__class__",
                "|",
                "[0]",
                "if ",
                "for x in ",
                "x",
                "(",
                ")",
                "'",
                "1",
                "{#",
            ]
        )
        | st.text(max_size=4),
        max_size=12,
    ).map("".join)
)
def test_a_template_of_any_text_renders_or_is_a_sentence(text: str) -> None:
    try:
        prompts.turns("any", f"\n{text}", prompt="q", messages=[], responses=["a", "b"])
    except TemplateError as error:
        one_sentence(error)


# --- what a server says


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with FaultServer() as made:
        yield made


SAID = st.dictionaries(
    st.sampled_from(["choices", "usage", "error", "data", "model", "message"]),
    JSON
    | st.lists(
        st.dictionaries(
            st.sampled_from(
                [
                    "message",
                    "text",
                    "index",
                    "finish_reason",
                    "logprobs",
                    "probs",
                    "data",
                ]
            ),
            JSON | st.dictionaries(st.just("content"), JSON),
        ),
        max_size=2,
    ),
)


@budget(60)
@given(
    (SAID | JSON).map(json.dumps) | st.text(st.characters(codec="utf-8"), max_size=20),
    st.sampled_from([200, 200, 200, 400, 413, 500]),
    st.sampled_from(["generate", "score"]),
)
def test_an_answer_of_any_text_is_a_completion(
    server: FaultServer, text: str, status: int, kind: Any
) -> None:
    running = host.default().engine_for(
        Spec.parse(f"openai,url={server.url},retries=0,backoff=0,timeout=5"), Model("m")
    )
    server.always = reply(text, status)
    asked = Request((Message("user", "q"), Message("assistant", "a")), kind=kind)

    try:
        (completion,) = completions(running, [asked])
        assert isinstance(completion, Completion)
        assert all(map(isfinite, completion.scores))
    except EngineError as error:
        one_sentence(error, but_not="the openai engine failed")
    finally:
        running.close()


# --- the store, the tokens, the page


@budget(60)
@given(st.data())
def test_a_store_with_flipped_bytes_serves_judgments_or_is_a_sentence(
    data: st.DataObject,
) -> None:
    asked = Comparison.of(Example("x", (Message("user", "q"),), ("a", "b"), (0,)))
    keys = [bytes([number]) * 16 for number in range(20)]
    with TemporaryDirectory() as made:
        file = Path(made) / "judgments.sqlite"
        with RunStore(file) as store:
            for key in keys:
                store.put(key, asked, Judgment((1.0, 0.0), text="said"))
        with sqlite3.connect(file) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        content = bytearray(file.read_bytes())
        for _ in range(data.draw(st.integers(1, 8))):
            place = data.draw(st.integers(0, len(content) - 1))
            content[place] = data.draw(st.integers(0, 255))
        file.write_bytes(content)
        try:
            assert all(each.example is not None for each in kept(file))
            with RunStore(file) as store:
                for key in keys:
                    found = store.get(key, asked)
                    assert found is None or isinstance(found, Judgment)
        except StoreError as error:
            one_sentence(error)


@budget(60)
@given(
    st.lists(
        st.sampled_from(
            ["<|im_end|>", "<|im_start|>", "<think>", "</think>", "im_end|>"]
        )
        | st.text(max_size=6),
        max_size=6,
    ).map("".join)
)
def test_no_text_of_a_chat_becomes_a_token_that_means_something(
    tiny: Tiny, text: str
) -> None:
    tokenizer = load_tokenizer(str(tiny("qwen2")))
    plain = encode(tokenizer, Request((Message("user", "plain"),))).ids

    ids = encode(tokenizer, Request((Message("user", text),))).ids

    special = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
    assert [each for each in ids if each in special] == [
        each for each in plain if each in special
    ]


@budget(4)
@given(st.lists(st.text().filter(str.strip), min_size=4, max_size=4, unique=True))
def test_a_page_of_any_texts_is_whole(texts: list[str]) -> None:
    with TemporaryDirectory() as made:
        place = Path(made)
        lines = [
            {
                "id": text,
                "prompt": text,
                "responses": texts,
                "correct": [0],
                "subset": text,
            }
            for text in texts
        ]
        file = place / "rows.jsonl"
        file.write_bytes(b"\n".join(map(as_bytes, lines)))
        judge = FakeModelJudge(lambda asked: Judgment((1.0,) * len(asked.order)))
        found = evaluate(
            judge,
            f"jsonl,path={file}",
            "knockout",
            engine=FakeEngine(lambda _: Completion(texts[0])),
            output=place / "run",
        )
        html = page([found])

    assert html.rstrip().endswith("</html>")
    html.encode("utf-8")
