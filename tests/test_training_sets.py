"""Rows to train on, out of finished runs."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import Comparison, DataError, Failure, Judgment, Result, evaluate
from rrm_harness.cli import commands
from rrm_harness.cli_export import KINDS as OFFERED
from rrm_harness.outcomes import COINS
from rrm_harness.testing import FakeJudge, example
from rrm_harness.training_sets import KINDS, Scored, best, every, preferences, rows

SCORES = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=6)
MARGINS = st.integers(0, 4).map(float)


def scored(scores: list[float]) -> Scored:
    return Scored(example(len(scores)), dict(enumerate(scores)))


def place(said: list[dict[str, str]]) -> int:
    """The number of the response that a row has."""
    return int(said[0]["content"].removeprefix("response "))


@given(SCORES, MARGINS)
def test_a_chosen_response_is_better_by_more_than_the_margin(
    scores: list[float], margin: float
) -> None:
    found = [*preferences(scored(scores), margin)]

    assert len(found) == (max(scores) - min(scores) > margin)
    for row in found:
        assert scores[place(row["chosen"])] == row["score_chosen"] == max(scores)
        assert scores[place(row["rejected"])] == row["score_rejected"] == min(scores)


@given(SCORES, MARGINS)
def test_the_best_stands_alone_above_the_others(
    scores: list[float], margin: float
) -> None:
    found = [*best(scored(scores), margin)]

    first, *others = sorted(scores, reverse=True)
    assert len(found) == (not others or first - others[0] > margin)
    for row in found:
        assert scores[place(row["completion"])] == first


@given(SCORES)
def test_all_responses_have_their_scores(scores: list[float]) -> None:
    for row in every(scored(scores)):
        assert [place(said) for said in row["completions"]] == [*range(len(scores))]
        assert row["scores"] == scores


def written(folder: Path, *content: dict[str, Any]) -> Path:
    file = folder / "data.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in content))
    return file


PAIR = {"prompt": "q", "responses": ["short", "a longer one"], "correct": [1]}


@pytest.fixture
def run(tmp_path: Path) -> Result:
    tie = {"responses": ["same", "size"], "correct": [0]}
    chat = [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}]
    file = written(
        tmp_path,
        {"id": "a", **PAIR},
        {"id": "b", **PAIR, **tie},
        {"id": "c", **PAIR, "prompt": chat},
    )
    return evaluate("longest", f"jsonl,path={file}", output=tmp_path / "run")


def test_a_run_gives_a_row_for_each_example_that_was_decided(run: Result) -> None:
    found = [*rows(run, "dpo")]

    assert [row["id"] for row in found] == ["a", "c"]
    assert found[0]["chosen"] == [{"role": "assistant", "content": "a longer one"}]
    assert found[1]["prompt"][0] == {"role": "system", "content": "s"}


def test_what_failed_gives_no_row(tmp_path: Path) -> None:
    replies = tmp_path / "replies.jsonl"
    replies.write_text(json.dumps({"example": "b", "order": [0, 1], "scores": [1, 0]}))
    data = written(tmp_path, {"id": "a", **PAIR}, {"id": "b", **PAIR})
    asked = f"recorded,path={replies}", f"jsonl,path={data}", "single,order=given"

    found = [*rows(evaluate(*asked, output=tmp_path / "run"), "best")]

    assert [row["id"] for row in found] == ["b"]


def test_data_that_changed_is_refused(run: Result, tmp_path: Path) -> None:
    written(tmp_path, {"id": "a", **PAIR, "responses": ["other", "texts"]})

    with pytest.raises(DataError, match="revision"):
        [*rows(run, "dpo")]


def test_the_command_offers_every_kind() -> None:
    assert set(OFFERED) == set(KINDS)


@pytest.mark.parametrize("kind", OFFERED)
def test_the_command_writes_json_lines(run: Result, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "rows.jsonl"
    command = ["export", kind, str(run.directory), "--output", str(file)]

    told = CliRunner().invoke(commands, [*command, "--limit", "1"])

    assert told.exit_code == 0, told.output
    assert "1 rows of 3 examples" in told.stderr
    (line,) = file.read_text().splitlines()
    assert json.loads(line) == next(rows(run, kind))


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_coin_decided_gives_no_row(kind: str, tmp_path: Path) -> None:
    four = {"prompt": "q", "responses": ["a", "bb", "ccc", "dddd"], "correct": [3]}
    data = written(tmp_path, {"id": "a", **four}, {"id": "b", **four})

    def decide(asked: Comparison) -> Judgment:
        if asked.example.id == "a" and 3 not in asked.order:
            return Judgment.failed(Failure.UNPARSABLE, "?")
        return Judgment(tuple(float(place) for place in asked.order))

    judge = FakeJudge(decide)
    run = evaluate(judge, f"jsonl,path={data}", "knockout", output=tmp_path / "run")

    assert run.results["notes"][COINS] == 1
    assert [row["id"] for row in rows(run, kind)] == ["b"]


def test_two_equal_texts_are_no_preference() -> None:
    same = replace(example(2), responses=("a", "a"))

    assert [*preferences(Scored(same, {0: 1.0, 1: 0.0}))] == []
