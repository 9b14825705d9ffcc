"""LLMBar: the published folder, and who wins a tie or an unreadable verdict."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import (
    BadRow,
    DataError,
    Dataset,
    Example,
    Failure,
    Judgment,
    Message,
    Outcome,
    SpecError,
    host,
)
from rrm_harness.testing import Decide, example, play

FOLDERS = {
    "Natural": "Natural",
    "Neighbor": "Adversarial_Neighbor",
    "GPTInst": "Adversarial_GPTInst",
    "GPTOut": "Adversarial_GPTOut",
    "Manual": "Adversarial_Manual",
}
FIRST, SECOND = Outcome({0: 1.0, 1: 0.0}), Outcome({0: 0.0, 1: 1.0})
TIE, FAILED = Outcome({0: 5.0, 1: 5.0}), Outcome(failure=Failure.UNPARSABLE)
TIED, NO_VERDICT = Judgment((5.0, 5.0)), Judgment.failed(Failure.UNPARSABLE)
UNSURE = [replace(game, uncertain=True) for game in (FIRST, SECOND, TIE)]
SHAKY_GAMES = st.sampled_from([FIRST, SECOND, TIE, FAILED, *UNSURE])


def pair(correct: int = 0, subset: str = "Natural") -> Example:
    return Example("pair", (), ("one", "two"), (correct,), subset)


def two_games(first: Outcome, second: Outcome) -> Outcome:
    """The outcome of `both-orders`: each game knows in which order it was shown."""
    shown = (replace(first, order=(0, 1)), replace(second, order=(1, 0)))
    return without_orders(*shown)


def without_orders(first: Outcome, second: Outcome) -> Outcome:
    """The same of games that were not shown in one order, such as seeded votes."""
    failure = first.failure or second.failure
    mean = {i: (first.scores[i] + second.scores[i]) / 2 for i in (0, 1) if not failure}
    return Outcome(mean, failure, parts=(first, second))


def published(**changed: object) -> dict[str, object]:
    return {
        "input": "Name a bird.",
        "output_1": "A wren.",
        "output_2": "A bat.",
        "label": 1,
        **changed,
    }


def llmbar(path: Path = Path(), **options: Any) -> Dataset:
    plugin = host.default().lookup("datasets", "llmbar")
    dataset: Dataset = plugin.thing(path=path, **options)
    return dataset


def folder(path: Path, natural: list[dict[str, object]]) -> Path:
    for name in FOLDERS.values():
        (path / name).mkdir()
        rows = natural if name == "Natural" else [published()]
        (path / name / "dataset.json").write_text(json.dumps(rows))
    return path


def test_ids_are_subset_and_place(tmp_path: Path) -> None:
    path = folder(tmp_path, [published(), published()])

    ids = [each.id for each in llmbar(path).examples() if isinstance(each, Example)]

    assert ids[:3] == ["Natural/0", "Natural/1", "Neighbor/0"]


def test_every_folder_is_a_subset(tmp_path: Path) -> None:
    path = folder(tmp_path, [published()])

    examples = list(llmbar(path).examples())

    assert [each.subset for each in examples if isinstance(each, Example)] == [*FOLDERS]


def test_a_row_becomes_its_pair(tmp_path: Path) -> None:
    path = folder(tmp_path, [published()])

    example = next(llmbar(path).examples())

    assert isinstance(example, Example)
    assert example.prompt == (Message("user", "Name a bird."),)
    assert example.responses == ("A wren.", "A bat.")


@pytest.mark.parametrize(("label", "correct"), [(1, (0,)), (2, (1,))])
def test_the_label_counts_from_one(
    tmp_path: Path, label: int, correct: tuple[int, ...]
) -> None:
    path = folder(tmp_path, [published(label=label)])

    example = next(llmbar(path).examples())

    assert isinstance(example, Example)
    assert example.correct == correct


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("input", None),
        ("output_1", 1),
        ("output_2", None),
        ("label", 0),
        ("label", "1"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, field: str, value: object) -> None:
    path = folder(tmp_path, [published(**{field: value})])

    row = next(llmbar(path).examples())

    assert isinstance(row, BadRow)
    assert f"field '{field}'" in row.problem


def test_a_bad_row_keeps_the_numbers_of_the_others(tmp_path: Path) -> None:
    path = folder(tmp_path, [published(label=3), published()])

    _, second, *_ = llmbar(path).examples()

    assert isinstance(second, Example)
    assert second.id == "Natural/1"


def test_without_a_path_the_message_says_where_to_get_it() -> None:
    with pytest.raises(SpecError, match=r"github\.com/princeton-nlp/LLMBar"):
        host.default().build("datasets", "llmbar")


def test_a_missing_subset_is_refused(tmp_path: Path) -> None:
    path = folder(tmp_path, [published()])
    (path / "Adversarial_GPTOut" / "dataset.json").unlink()

    with pytest.raises(DataError, match="Adversarial_GPTOut"):
        list(llmbar(path).examples())


def test_the_revision_depends_on_every_file(tmp_path: Path) -> None:
    path = folder(tmp_path, [published()])
    before = llmbar(path).revision

    (path / "Adversarial_Manual" / "dataset.json").write_text("[]")

    assert llmbar(path).revision != before


def test_both_orders_are_the_published_protocol() -> None:
    assert llmbar().protocol == "both-orders"


@pytest.mark.parametrize(
    ("first", "second", "credit"),
    [(FIRST, FIRST, 1), (FIRST, SECOND, 0.5), (SECOND, SECOND, 0)],
)
def test_the_credit_is_the_mean_of_the_orders(
    first: Outcome, second: Outcome, credit: float
) -> None:
    assert llmbar().rule.credit(pair(), two_games(first, second)) == credit


@pytest.mark.parametrize("correct", [0, 1])
def test_a_tie_goes_to_the_response_shown_second(correct: int) -> None:
    rule = llmbar().rule

    row = rule.row(pair(correct), two_games(TIE, TIE))

    assert row.values["correct_first_order"] == (correct == 1)
    assert row.values["correct_second_order"] == (correct == 0)


@pytest.mark.parametrize("correct", [0, 1])
def test_an_unreadable_rating_can_go_to_the_response_shown_first(correct: int) -> None:
    rule = llmbar(failure="first").rule

    row = rule.row(pair(correct), two_games(FAILED, FAILED))

    assert row.values["correct_first_order"] == (correct == 0)
    assert row.values["correct_second_order"] == (correct == 1)


def test_an_unreadable_verdict_is_wrong_in_its_order_alone() -> None:
    assert llmbar().rule.credit(pair(), two_games(FAILED, FIRST)) == 0.5


def test_a_tie_of_no_one_order_goes_to_nobody() -> None:
    rule = llmbar().rule

    row = rule.row(pair(), without_orders(TIE, TIE))

    assert (row.credit, row.values["correct_both"]) == (0.0, False)
    assert rule.row(pair(1), without_orders(TIE, TIE)).credit == 0.0


def test_a_failure_of_no_one_order_is_wrong() -> None:
    rule = llmbar(failure="first").rule

    found = [
        rule.credit(pair(correct), without_orders(FAILED, FAILED)) for correct in (0, 1)
    ]

    assert found == [0.0, 0.0]


@pytest.mark.parametrize("decide", [lambda _: TIED, lambda _: NO_VERDICT])
@pytest.mark.parametrize("correct", [0, 1])
def test_what_both_orders_plays_is_decided_in_each_order(
    decide: Decide, correct: int
) -> None:
    rule = llmbar(failure="first").rule
    both_orders = host.default().build("strategies", "both-orders")

    outcome = play(both_orders, example(correct=(correct,)), decide)

    assert rule.credit(pair(correct), outcome) == 0.5


@pytest.mark.parametrize(
    ("tie", "credit"), [("second", 0.5), ("half", 0.75), ("wrong", 0.5)]
)
def test_the_option_says_what_a_tie_is_worth(tie: str, credit: float) -> None:
    rule = llmbar(tie=tie).rule  # shown second in the first order, the other is wrong

    assert rule.credit(pair(), two_games(TIE, FIRST)) == credit


@pytest.mark.parametrize(
    ("options", "outcome", "credit"),
    [
        ({}, FIRST, 1),
        ({}, SECOND, 0),
        ({}, TIE, 0.5),
        ({"tie": "wrong"}, TIE, 0),
        ({}, FAILED, 0),
        ({"failure": "first"}, FAILED, 0.5),
    ],
)
def test_one_order_alone_gives_either_position_a_half(
    options: dict[str, Any], outcome: Outcome, credit: float
) -> None:
    assert llmbar(**options).rule.credit(pair(), outcome) == credit


def could_have_been(game: Outcome) -> list[Outcome]:
    return [FIRST, SECOND] if game.failure or game.uncertain else [game]


@pytest.mark.parametrize("failure", ["wrong", "first"])
@given(first=SHAKY_GAMES, second=SHAKY_GAMES)
def test_the_bounds_are_what_failed_and_uncertain_games_could_have_been(
    failure: str, first: Outcome, second: Outcome
) -> None:
    rule = llmbar(failure=failure).rule
    could_be = [
        rule.credit(pair(), two_games(one, other)) or 0.0
        for one in could_have_been(first)
        for other in could_have_been(second)
    ]

    low, high = rule.credit_bounds(pair(), two_games(first, second))

    assert (low, high) == (min(could_be), max(could_be))


def test_the_counts_are_those_of_the_published_statistics() -> None:
    rule = llmbar().rule
    games = [(FIRST, FIRST), (FIRST, SECOND), (SECOND, SECOND), (FAILED, FAILED)]

    extra = rule.extra([rule.row(pair(), two_games(*each)) for each in games])

    assert extra["Natural"] == {
        "n": 4,
        "correct_first_order": 2,
        "correct_second_order": 1,
        "correct_both": 1,
        "equal": 3,
    }


def test_counts_are_by_subset() -> None:
    rule = llmbar().rule
    rows = [rule.row(pair(0, subset), two_games(FIRST, FIRST)) for subset in FOLDERS]

    assert {subset: each["n"] for subset, each in rule.extra(rows).items()} == (
        dict.fromkeys(sorted(FOLDERS), 1)
    )


def test_one_order_alone_has_no_counts() -> None:
    rule = llmbar().rule

    assert rule.numbers([rule.row(pair(), FIRST)]).extra == {}


def test_the_headline_is_the_mean_of_the_subsets() -> None:
    rule = llmbar().rule
    won = [rule.row(pair(0, "Natural"), two_games(FIRST, FIRST))] * 3
    lost = [rule.row(pair(0, "GPTOut"), two_games(SECOND, SECOND))]

    assert rule.numbers(won + lost).accuracy == 0.5


def test_the_adversarial_subsets_weigh_the_same() -> None:
    rule = llmbar().rule
    won = [rule.row(pair(0, "Manual"), two_games(FIRST, FIRST))] * 3
    lost = [rule.row(pair(0, "GPTOut"), two_games(SECOND, SECOND))]

    assert rule.numbers(won + lost).sections["Adversarial"]["accuracy"] == 0.5
