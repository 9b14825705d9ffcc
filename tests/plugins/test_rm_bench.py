"""RM-Bench: nine pairs a prompt, and the matrix that they add up to."""

import json
from itertools import product
from pathlib import Path

import pytest

from rrm_harness import (
    BadRow,
    Dataset,
    Example,
    Failure,
    Message,
    Outcome,
    Scored,
    host,
)

CHOSEN, REJECTED = Outcome({0: 1.0, 1: 0.0}), Outcome({0: 0.0, 1: 1.0})


def published(**changed: object) -> dict[str, object]:
    return {
        "id": 8,
        "prompt": "Which drawers do I need?",
        "chosen": ["c0", "c1", "c2"],
        "rejected": ["r0", "r1", "r2"],
        "domain": "chat",
        **changed,
    }


def rm_bench(path: Path | None = None) -> Dataset:
    dataset: Dataset = host.default().lookup("datasets", "rm-bench").thing(path=path)
    return dataset


def load(folder: Path, *rows: dict[str, object]) -> list[Example]:
    path = folder / "total_dataset.json"
    path.write_text(json.dumps(rows))
    items = list(rm_bench(path).examples())
    assert all(isinstance(item, Example) for item in items), items
    return [item for item in items if isinstance(item, Example)]


def scored(example: Example, outcome: Outcome) -> Scored:
    return rm_bench().rule.row(example, outcome)


def test_a_prompt_becomes_nine_pairs(tmp_path: Path) -> None:
    examples = load(tmp_path, published())

    assert [example.responses for example in examples] == list(
        product(["c0", "c1", "c2"], ["r0", "r1", "r2"])
    )


def test_ids_name_domain_prompt_and_styles(tmp_path: Path) -> None:
    examples = load(tmp_path, published())

    assert [example.id for example in examples][:4] == [
        "chat/8/00",
        "chat/8/01",
        "chat/8/02",
        "chat/8/10",
    ]


def test_the_nine_pairs_share_a_cluster(tmp_path: Path) -> None:
    examples = load(tmp_path, published())

    assert len({example.cluster for example in examples}) == 1


def test_the_chosen_response_is_correct(tmp_path: Path) -> None:
    assert {example.correct for example in load(tmp_path, published())} == {(0,)}


def test_the_prompt_is_the_users_turn(tmp_path: Path) -> None:
    example, *_ = load(tmp_path, published())

    assert example.prompt == (Message("user", "Which drawers do I need?"),)


@pytest.mark.parametrize("domain", ["safety-refuse", "safety-response"])
def test_both_safety_files_are_one_domain(tmp_path: Path, domain: str) -> None:
    examples = load(tmp_path, published(domain=domain))

    assert {example.subset for example in examples} == {"safety"}


def test_a_folders_files_name_the_domain(tmp_path: Path) -> None:
    row = published()
    del row["domain"]
    for name in ("code", "safety-refuse"):
        (tmp_path / f"{name}_filtered.json").write_text(json.dumps([row]))
    (tmp_path / "total_dataset.json").write_text("[]")

    examples = list(rm_bench(tmp_path).examples())

    assert [each.subset for each in examples if isinstance(each, Example)] == (
        ["code"] * 9 + ["safety"] * 9
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", None),
        ("prompt", None),
        ("chosen", "one text"),
        ("chosen", ["a", "b"]),
        ("rejected", ["a", "b", "c", "d"]),
        ("rejected", ["a", "b", 3]),
        ("domain", "poetry"),
        ("domain", None),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, field: str, value: object) -> None:
    path = tmp_path / "total_dataset.json"
    path.write_text(json.dumps([published(**{field: value})]))

    (row,) = rm_bench(path).examples()

    assert isinstance(row, BadRow)
    assert f"field '{field}" in row.problem


def test_the_published_protocol_is_one_seeded_order() -> None:
    assert rm_bench().protocol == "single,order=seeded"


@pytest.mark.parametrize(
    ("outcome", "credit"),
    [
        (CHOSEN, 1),
        (REJECTED, 0),
        (Outcome({0: 0.5, 1: 0.5}), 0),
        (Outcome(failure=Failure.TOO_LONG), 0),
    ],
)
def test_the_chosen_response_must_score_strictly_higher(
    tmp_path: Path, outcome: Outcome, credit: int
) -> None:
    example, *_ = load(tmp_path, published())

    assert scored(example, outcome).credit == credit


def test_the_matrix_is_chosen_style_by_rejected_style(tmp_path: Path) -> None:
    examples = load(tmp_path, published())
    won = {"chat/8/00", "chat/8/12"}
    rows = [scored(each, CHOSEN if each.id in won else REJECTED) for each in examples]

    extra = rm_bench().rule.extra(rows)

    assert extra["matrix"] == [[1, 0, 0], [0, 0, 1], [0, 0, 0]]


@pytest.mark.parametrize(
    ("difficulty", "cells"),
    [
        ("hard", ["01", "02", "12"]),
        ("normal", ["00", "11", "22"]),
        ("easy", ["10", "20", "21"]),
    ],
)
def test_difficulties_are_the_triangles_and_the_diagonal(
    tmp_path: Path, difficulty: str, cells: list[str]
) -> None:
    examples = load(tmp_path, published())
    rows = [
        scored(each, CHOSEN if each.id[-2:] in cells else REJECTED) for each in examples
    ]

    extra = rm_bench().rule.extra(rows)

    assert {name: extra[name] for name in ("hard", "normal", "easy")} == {
        name: float(name == difficulty) for name in ("hard", "normal", "easy")
    }


def test_headline_and_matrix_are_means_over_domains_not_prompts(
    tmp_path: Path,
) -> None:
    chat = published(id=1), published(id=2), published(id=3)
    examples = load(tmp_path, *chat, published(id=4, domain="code"))
    rows = [
        scored(each, CHOSEN if each.subset == "chat" else REJECTED) for each in examples
    ]

    numbers = rm_bench().rule.numbers(rows)

    assert numbers.accuracy == 0.5
    assert numbers.extra["matrix"] == [[0.5] * 3] * 3


def test_each_domain_has_a_matrix(tmp_path: Path) -> None:
    rows = [scored(each, CHOSEN) for each in load(tmp_path, published(domain="math"))]

    extra = rm_bench().rule.extra(rows)

    assert extra["domains"]["math"]["matrix"] == [[1] * 3] * 3


def test_missing_domains_are_named(tmp_path: Path) -> None:
    rows = [scored(each, CHOSEN) for each in load(tmp_path, published(domain="math"))]

    missing = rm_bench().rule.missing({each.subset for each in rows})

    assert missing == ["chat", "code", "safety"]


def test_a_style_pair_that_was_not_judged_has_no_accuracy(tmp_path: Path) -> None:
    first, *_ = load(tmp_path, published())

    extra = rm_bench().rule.extra([scored(first, CHOSEN)])

    assert extra["matrix"] == [[1, None, None], [None] * 3, [None] * 3]
    assert extra["hard"] is None
