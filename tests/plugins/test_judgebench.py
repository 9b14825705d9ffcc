"""JudgeBench: the published rows, and what two games are worth together."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import BadRow, Dataset, Example, Failure, Message, Outcome, host

A, B = Outcome({0: 1.0, 1: 0.0}), Outcome({0: 0.0, 1: 1.0})
TIE, FAILED = Outcome({0: 0.5, 1: 0.5}), Outcome(failure=Failure.UNPARSABLE)
UNSURE = [replace(game, uncertain=True) for game in (A, B, TIE)]
GAMES = st.sampled_from([A, B, TIE, FAILED])
SHAKY_GAMES = st.sampled_from([A, B, TIE, FAILED, *UNSURE])
PAIR = Example("pair", (), ("right", "wrong"), (0,), "Math")


def published(**changed: object) -> dict[str, object]:
    return {
        "pair_id": "pair",
        "original_id": None,
        "source": "mmlu-pro-law",
        "question": "Which statute applies?",
        "response_model": "gpt-4o-2024-05-13",
        "response_A": "The first.",
        "response_B": "The second.",
        "label": "A>B",
        **changed,
    }


def judgebench(**options: Any) -> Dataset:
    dataset: Dataset = host.default().lookup("datasets", "judgebench").thing(**options)
    return dataset


def load(folder: Path, *rows: dict[str, object]) -> list[Example | BadRow]:
    path = folder / "pairs.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return list(judgebench(path=path).examples())


def only(folder: Path, **changed: object) -> Example:
    (example,) = load(folder, published(**changed))
    assert isinstance(example, Example)
    return example


def two_games(first: Outcome, second: Outcome) -> Outcome:
    failure = first.failure or second.failure
    mean = {i: (first.scores[i] + second.scores[i]) / 2 for i in (0, 1) if not failure}
    return Outcome(mean, failure, parts=(first, second))


def test_a_row_becomes_its_pair(tmp_path: Path) -> None:
    example = only(tmp_path)

    assert example.id == "pair"
    assert example.prompt == (Message("user", "Which statute applies?"),)
    assert example.responses == ("The first.", "The second.")


@pytest.mark.parametrize(("label", "correct"), [("A>B", (0,)), ("B>A", (1,))])
def test_the_label_names_the_correct_response(
    tmp_path: Path, label: str, correct: tuple[int, ...]
) -> None:
    assert only(tmp_path, label=label).correct == correct


@pytest.mark.parametrize(
    ("source", "subset"),
    [
        ("mmlu-pro-computer science", "Knowledge"),
        ("livebench-reasoning", "Reasoning"),
        ("livebench-math", "Math"),
        ("livecodebench", "Coding"),
    ],
)
def test_the_source_decides_the_subset(
    tmp_path: Path, source: str, subset: str
) -> None:
    assert only(tmp_path, source=source).subset == subset


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("pair_id", None),
        ("question", 3),
        ("response_A", None),
        ("response_B", ["text"]),
        ("label", "A=B"),
        ("source", "trivia"),
        ("source", None),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, field: str, value: object) -> None:
    (row,) = load(tmp_path, published(**{field: value}))

    assert isinstance(row, BadRow)
    assert f"field '{field}'" in row.problem


def test_one_bad_row_does_not_cost_the_others(tmp_path: Path) -> None:
    rows = load(tmp_path, published(label="?"), published(pair_id="other"))

    assert [type(row) for row in rows] == [BadRow, Example]


def test_both_orders_are_the_published_protocol() -> None:
    assert judgebench().protocol == "both-orders"


@pytest.mark.parametrize(
    ("first", "second", "credit"),
    [
        (A, A, 1),
        (A, TIE, 1),
        (TIE, A, 1),
        (A, FAILED, 1),
        (FAILED, A, 1),
        (A, B, 0),
        (B, A, 0),
        (TIE, TIE, 0),
        (FAILED, TIE, 0),
        (FAILED, FAILED, 0),
        (B, TIE, 0),
        (B, B, 0),
    ],
)
def test_officially_the_games_won_must_outnumber_the_games_lost(
    first: Outcome, second: Outcome, credit: int
) -> None:
    rule = judgebench().rule

    assert rule.credit(PAIR, two_games(first, second)) == credit


@given(first=GAMES, second=GAMES)
def test_strictly_both_games_must_be_won(first: Outcome, second: Outcome) -> None:
    rule = judgebench(games="strict").rule

    assert rule.credit(PAIR, two_games(first, second)) == (first == second == A)


@given(first=GAMES, second=GAMES)
def test_a_single_game_is_the_first(first: Outcome, second: Outcome) -> None:
    rule = judgebench(games="single").rule

    assert rule.credit(PAIR, two_games(first, second)) == (first == A)


@pytest.mark.parametrize("games", ["official", "strict", "single"])
@pytest.mark.parametrize("second", [A, B, TIE])
@pytest.mark.parametrize("first", [A, B, TIE])
def test_uncertainty_changes_the_bounds_and_not_the_credit(
    first: Outcome, second: Outcome, games: str
) -> None:
    rule = judgebench(games=games).rule
    unsure = [replace(game, uncertain=True) for game in (first, second)]

    row = rule.row(PAIR, two_games(*unsure))

    assert row.credit == rule.credit(PAIR, two_games(first, second))
    assert (row.low, row.high) == (0.0, 1.0)


@pytest.mark.parametrize("games", ["official", "strict", "single"])
@pytest.mark.parametrize(("outcome", "credit"), [(A, 1), (B, 0), (TIE, 0), (FAILED, 0)])
def test_one_game_alone_must_be_won(outcome: Outcome, credit: int, games: str) -> None:
    assert judgebench(games=games).rule.credit(PAIR, outcome) == credit


@pytest.mark.parametrize("games", ["official", "strict", "single"])
@given(first=SHAKY_GAMES, second=SHAKY_GAMES)
def test_the_bounds_are_what_failed_and_uncertain_games_could_have_been(
    games: str, first: Outcome, second: Outcome
) -> None:
    rule = judgebench(games=games).rule
    could_be = [
        rule.credit(PAIR, two_games(one, other)) or 0.0
        for one in ([A, B] if first == FAILED or first.uncertain else [first])
        for other in ([A, B] if second == FAILED or second.uncertain else [second])
    ]

    low, high = rule.credit_bounds(PAIR, two_games(first, second))

    assert (low, high) == (min(could_be), max(could_be))


@pytest.mark.parametrize("games", ["official", "strict", "single"])
@given(first=SHAKY_GAMES, second=SHAKY_GAMES)
def test_the_credit_lies_within_its_bounds(
    games: str, first: Outcome, second: Outcome
) -> None:
    row = judgebench(games=games).rule.row(PAIR, two_games(first, second))

    assert row.credit is not None
    assert row.low <= row.credit <= row.high


def test_each_order_and_inconsistent_pairs_are_reported() -> None:
    rule = judgebench().rule
    games = [(A, A), (A, B), (B, A), (TIE, TIE), (FAILED, A)]
    rows = [rule.row(PAIR, two_games(*pair)) for pair in games]

    extra = rule.numbers(rows).extra

    assert extra == {
        "both_orders_accuracy": 1 / 5,
        "order_1_accuracy": 2 / 5,
        "order_2_accuracy": 3 / 5,
        "inconsistent_pairs": 3,
    }


def test_a_single_game_has_no_orders_to_report() -> None:
    rule = judgebench().rule

    assert rule.numbers([rule.row(PAIR, A)]).extra == {}


def test_the_headline_is_the_mean_over_pairs() -> None:
    rule = judgebench().rule
    other = Example("other", (), ("right", "wrong"), (0,), "Coding")
    rows = [rule.row(PAIR, A), rule.row(PAIR, A), rule.row(other, B)]

    assert rule.numbers(rows).accuracy == pytest.approx(2 / 3)
