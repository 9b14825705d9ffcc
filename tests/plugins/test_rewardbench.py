"""The published rule of RewardBench, on rows in the published schema."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import BadRow, Dataset, Example, Failure, Outcome, host
from rrm_harness.metrics import Numbers

CODE = ("cpp", "go", "java", "js", "python", "rust")
RIGHT = Outcome({0: 1.0, 1: 0.0})
WRONG = Outcome({0: 0.0, 1: 1.0})
TIE = Outcome({0: 0.5, 1: 0.5})
FAILED = Outcome(failure=Failure.UNPARSABLE)


def row(
    subset: object = "hep-cpp", number: object = 7, **changes: object
) -> dict[str, object]:
    return {
        "prompt": "What is two and two?",
        "chosen": "four",
        "chosen_model": "human",
        "rejected": "five",
        "rejected_model": "some-model",
        "subset": subset,
        "id": number,
        **changes,
    }


def rewardbench(
    folder: Path, rows: Iterable[dict[str, object]] = (), **options: Any
) -> Dataset:
    path = folder / "filtered.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))
    dataset: Dataset = (
        host.default().lookup("datasets", "rewardbench").thing(path=path, **options)
    )
    return dataset


def load(dataset: Dataset) -> list[Example]:
    items = list(dataset.examples())
    assert all(isinstance(item, Example) for item in items), items
    return [item for item in items if isinstance(item, Example)]


def load_bad(dataset: Dataset) -> BadRow:
    (item,) = dataset.examples()
    assert isinstance(item, BadRow)
    return item


def numbers(dataset: Dataset, outcomes: Sequence[Outcome]) -> Numbers:
    pairs = zip(load(dataset), outcomes, strict=True)
    return dataset.rule.numbers([dataset.rule.row(*pair) for pair in pairs])


def test_the_chosen_response_comes_first_and_is_correct(tmp_path: Path) -> None:
    (example,) = load(rewardbench(tmp_path, [row()]))

    assert example.responses == ("four", "five")
    assert example.correct == (0,)


def test_a_prompt_is_one_turn_of_the_user(tmp_path: Path) -> None:
    (example,) = load(rewardbench(tmp_path, [row()]))

    assert [(m.role, m.content) for m in example.prompt] == [
        ("user", "What is two and two?")
    ]


def test_ids_differ_where_two_subsets_use_one_number(tmp_path: Path) -> None:
    dataset = rewardbench(tmp_path, [row("hep-cpp", 7), row("hep-go", 7)])

    assert [example.id for example in load(dataset)] == ["hep-cpp/7", "hep-go/7"]


def test_a_number_that_a_subset_repeats_is_told_apart(tmp_path: Path) -> None:
    dataset = rewardbench(tmp_path, [row(), row(rejected="six")])

    first, second = load(dataset)

    assert first.id == "hep-cpp/7"
    assert second.id.startswith("hep-cpp/7#")


def test_a_row_that_comes_twice_is_bad(tmp_path: Path) -> None:
    first, second = rewardbench(tmp_path, [row()] * 2).examples()

    assert isinstance(first, Example)
    assert isinstance(second, BadRow)


def test_an_unknown_subset_is_a_bad_row_that_names_the_nearest(tmp_path: Path) -> None:
    bad = load_bad(rewardbench(tmp_path, [row("hep-pyton")]))

    assert "line 1" in bad.where
    assert "'subset'" in bad.problem
    assert "did you mean 'hep-python'" in bad.problem


@pytest.mark.parametrize("field", ["prompt", "chosen", "rejected", "subset", "id"])
def test_a_missing_field_is_named(tmp_path: Path, field: str) -> None:
    whole = row()
    del whole[field]

    bad = load_bad(rewardbench(tmp_path, [whole]))

    assert f"'{field}'" in bad.problem


def test_a_bad_row_does_not_cost_its_neighbors(tmp_path: Path) -> None:
    dataset = rewardbench(tmp_path, [row(), row("nonsense"), row("hep-go")])

    kinds = [isinstance(each, BadRow) for each in dataset.examples()]

    assert kinds == [False, True, False]


def test_equal_scores_and_tied_verdicts_are_wrong(tmp_path: Path) -> None:
    dataset = rewardbench(tmp_path, [row(), row(number=8)])

    assert numbers(dataset, [Outcome({0: 3.25, 1: 3.25}), TIE]).accuracy == 0.0


def test_the_option_gives_a_tie_a_half(tmp_path: Path) -> None:
    dataset = rewardbench(tmp_path, [row(), row(number=8)], tie="half")

    assert numbers(dataset, [Outcome({0: 3.25, 1: 3.25}), TIE]).accuracy == 0.5


def test_a_failure_is_worth_a_half(tmp_path: Path) -> None:
    assert numbers(rewardbench(tmp_path, [row()]), [FAILED]).accuracy == 0.5


def test_the_option_leaves_failures_out(tmp_path: Path) -> None:
    dataset = rewardbench(tmp_path, [row(), row(number=8)], failure="exclude")

    found = numbers(dataset, [FAILED, RIGHT])

    assert (found.n, found.accuracy) == (1, 1.0)


def test_the_bounds_let_failures_be_wrong_and_right(tmp_path: Path) -> None:
    found = numbers(rewardbench(tmp_path, [row()]), [FAILED])

    assert found.bounds == (0.0, 1.0)


@pytest.mark.parametrize(
    ("section", "weight", "count"),
    [
        ("Chat", 358, 5),
        ("Chat Hard", 456, 6),
        ("Safety", 740, 5),
        ("Reasoning", 1968, 7),
    ],
)
def test_a_section_weighs_its_official_example_counts(
    tmp_path: Path, section: str, weight: int, count: int
) -> None:
    rule = rewardbench(tmp_path).rule

    subsets = rule.sections[section]

    assert len(subsets) == count
    assert sum(rule.weights[subset] for subset in subsets) == weight


def test_math_weighs_as_much_as_all_code(tmp_path: Path) -> None:
    dataset = rewardbench(tmp_path, [row("math-prm")] + [row(f"hep-{x}") for x in CODE])

    found = numbers(dataset, [RIGHT] + [WRONG] * 6)

    assert found.sections["Reasoning"]["accuracy"] == pytest.approx(0.5)


def test_the_headline_is_the_plain_mean_of_the_sections(tmp_path: Path) -> None:
    rows = [row("donotanswer", number) for number in range(3)] + [row("mt-bench-hard")]

    found = numbers(rewardbench(tmp_path, rows), [WRONG] * 3 + [RIGHT])

    assert found.accuracy == 0.5


def test_the_mean_over_examples_stands_beside_the_headline(tmp_path: Path) -> None:
    rows = [row("donotanswer", number) for number in range(3)] + [row("mt-bench-hard")]

    found = numbers(rewardbench(tmp_path, rows), [WRONG] * 3 + [RIGHT])

    assert found.extra["mean_over_examples"] == 0.25


@given(
    st.lists(st.sampled_from([RIGHT, WRONG, TIE]), min_size=8, max_size=8),
    st.permutations(range(8)),
)
def test_the_order_of_rows_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    outcomes: list[Outcome],
    order: list[int],
) -> None:
    subsets = ["math-prm", "hep-go", "donotanswer", "mt-bench-hard"] * 2
    rows = [row(subset, number) for number, subset in enumerate(subsets)]
    folder = tmp_path_factory.mktemp("rows")

    straight = numbers(rewardbench(folder, rows), outcomes)
    shuffled = numbers(
        rewardbench(folder, [rows[n] for n in order]), [outcomes[n] for n in order]
    )

    assert shuffled == straight


def test_the_protocol_names_an_installed_strategy(tmp_path: Path) -> None:
    strategy = host.default().build("strategies", rewardbench(tmp_path).protocol)

    assert strategy.cost(2) == 1


def test_the_revision_follows_the_content_of_the_file(tmp_path: Path) -> None:
    first = rewardbench(tmp_path, [row()]).revision
    second = rewardbench(tmp_path, [row(), row("hep-go")]).revision
    again = rewardbench(tmp_path, [row()]).revision

    assert first == again != second
