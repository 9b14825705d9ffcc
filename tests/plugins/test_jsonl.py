"""The user's own rows: both formats, and a named field for all that is wrong."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import BadRow, Dataset, Example, Failure, Message, Outcome, host

PAIR = {"id": "one", "prompt": "q", "responses": ["a", "b"], "correct": [0]}
CHAT = [{"role": "user", "content": "q"}]


def answer(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def dataset(path: Path, **options: str) -> Dataset:
    plugin = host.default().lookup("datasets", "jsonl")
    built: Dataset = plugin.thing(path=path, **options)
    return built


def write(path: Path, *content: Any) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in content))
    return path


def read(path: Path) -> list[Any]:
    return list(dataset(path).examples())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mine.jsonl"


def only(file: Path, row: dict[str, Any]) -> Example:
    (found,) = read(write(file, row))
    assert isinstance(found, Example), found
    return found


def problem(file: Path, row: dict[str, Any]) -> str:
    (found,) = read(write(file, row))
    assert isinstance(found, BadRow)
    return str(found)


def test_a_row_of_our_own_format_is_an_example(file: Path) -> None:
    row = {
        "id": 7,
        "prompt": [{"role": "system", "content": "s"}, *CHAT],
        "responses": ["a", "b", "c"],
        "correct": [2, 0, 2],
        "subset": "math",
    }

    found = only(file, row)

    assert replace(found, cluster="") == Example(
        "7",
        (Message("system", "s"), Message("user", "q")),
        ("a", "b", "c"),
        (0, 2),
        "math",
    )


def test_a_row_without_a_subset_is_in_the_subset_all(file: Path) -> None:
    assert only(file, PAIR).subset == "all"


def test_rows_of_one_prompt_share_a_cluster(file: Path) -> None:
    chat = {"chosen": [*CHAT, answer("good")], "rejected": [*CHAT, answer("bad")]}
    write(file, PAIR, {**PAIR, "id": "two"}, chat, {**PAIR, "id": "3", "prompt": "r"})

    clusters = [example.cluster for example in read(file)]

    assert len(set(clusters[:3])) == 1
    assert clusters[3] != clusters[0]


def test_a_row_may_have_no_correct_response(file: Path) -> None:
    assert only(file, {**PAIR, "correct": []}).correct == ()


def test_one_response_alone_is_an_example(file: Path) -> None:
    assert only(file, {**PAIR, "responses": ["a"]}).responses == ("a",)


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "q", "chosen": "good", "rejected": "bad"},
        {"prompt": CHAT, "chosen": "good", "rejected": "bad"},
        {"chosen": [*CHAT, answer("good")], "rejected": [*CHAT, answer("bad")]},
        {"prompt": "q", "chosen": [answer("good")], "rejected": [answer("bad")]},
        {
            "prompt": "q",
            "chosen": [*CHAT, answer("good")],
            "rejected": [*CHAT, answer("bad")],
        },
        {
            "prompt": None,
            "chosen": [*CHAT, answer("good")],
            "rejected": [*CHAT, answer("bad")],
        },
    ],
)
def test_a_preference_row_is_a_pair_whose_first_is_correct(
    file: Path, row: dict[str, Any]
) -> None:
    found = only(file, row)

    assert found.prompt == (Message("user", "q"),)
    assert found.responses == ("good", "bad")
    assert found.correct == (0,)


def test_a_preference_row_keeps_its_id_and_subset(file: Path) -> None:
    row = {"id": "x", "subset": "s", "prompt": "q", "chosen": "a", "rejected": "b"}

    found = only(file, row)

    assert (found.id, found.subset) == ("x", "s")


def test_preference_rows_without_an_id_are_numbered_by_line(file: Path) -> None:
    row = {"prompt": "q", "chosen": "a", "rejected": "b"}

    found = read(write(file, row, row))

    assert [each.id for each in found if isinstance(each, Example)] == [
        "row-1",
        "row-2",
    ]


def test_preference_rows_of_several_files_have_ids_of_their_own(tmp_path: Path) -> None:
    row = {"prompt": "q", "chosen": "a", "rejected": "b"}
    for name in ("train-0.jsonl", "train-1.jsonl"):
        write(tmp_path / "hub" / name, row, row)

    found = read(tmp_path / "hub")

    ids = [each.id for each in found if isinstance(each, Example)]
    assert len(set(ids)) == 4


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"id": None}, "field 'id' must be a string or a number; it is missing"),
        ({"id": ""}, "field 'id'"),
        ({"prompt": None}, "field 'prompt' must be a string or a list of messages"),
        ({"prompt": [{"role": "user"}]}, "field 'prompt[0]' must have a string role"),
        ({"responses": None}, "field 'responses' must be a list of strings"),
        ({"responses": []}, "field 'responses' must be a list of strings"),
        ({"responses": "ab"}, "field 'responses' must be a list of strings"),
        ({"responses": ["a", 1]}, "field 'responses[1]' must be a string"),
        ({"responses": ["a", ""]}, "field 'responses[1]' is empty"),
        ({"responses": ["a", " \n"]}, "field 'responses[1]' is empty"),
        ({"correct": None}, "field 'correct' must list response numbers"),
        ({"correct": 0}, "field 'correct' must list response numbers"),
        ({"correct": ["0"]}, "field 'correct' must list response numbers"),
        ({"correct": [True]}, "field 'correct' must list response numbers"),
        ({"correct": [2]}, "field 'correct' names response 2, but 'responses' has 2"),
        ({"correct": [-1]}, "field 'correct' names response -1"),
        ({"subset": 3}, "field 'subset' must be a string"),
        ({"subset": ""}, "field 'subset' must be a string"),
    ],
)
def test_a_row_that_is_wrong_names_file_line_and_field(
    file: Path, change: dict[str, Any], told: str
) -> None:
    message = problem(file, {**PAIR, **change})

    assert message.startswith(f"{file}, line 1: ")
    assert told in message


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"prompt": "q", "chosen": "a"}, "field 'rejected'"),
        ({"prompt": "q", "rejected": "a"}, "field 'chosen'"),
        ({"chosen": "a", "rejected": "b"}, "field 'prompt' is missing"),
        ({"prompt": "q", "chosen": "", "rejected": "b"}, "field 'chosen' is an empty"),
        (
            {"chosen": CHAT, "rejected": [*CHAT, answer("b")]},
            "field 'chosen' must end with an assistant's turn",
        ),
        (
            {
                "chosen": [*CHAT, answer("a")],
                "rejected": [{"role": "user", "content": "other"}, answer("b")],
            },
            "must share all turns but the last",
        ),
    ],
)
def test_a_preference_row_that_is_wrong_names_its_field(
    file: Path, row: dict[str, Any], told: str
) -> None:
    assert told in problem(file, row)


def test_one_bad_row_costs_no_other(file: Path) -> None:
    found = read(write(file, PAIR, {}, {**PAIR, "id": "three"}))

    assert [type(each) for each in found] == [Example, BadRow, Example]


def test_the_revision_is_that_of_the_content(tmp_path: Path) -> None:
    one, two = write(tmp_path / "1.jsonl", PAIR), write(tmp_path / "2.jsonl", PAIR)
    other = write(tmp_path / "3.jsonl", {**PAIR, "correct": [1]})

    revisions = [dataset(path).revision for path in (one, two, other)]

    assert revisions[0] == revisions[1] != revisions[2]


def test_the_options_are_the_rules(file: Path) -> None:
    tied, failed = Outcome({0: 1.0, 1: 1.0}), Outcome(failure=Failure.REFUSED)
    asked = Example("x", (), ("a", "b"), (0,))

    plain = dataset(file).rule
    changed = dataset(file, tie="wrong", failure="exclude").rule

    assert (plain.credit(asked, tied), plain.credit(asked, failed)) == (0.5, 0.0)
    assert (changed.credit(asked, tied), changed.credit(asked, failed)) == (0.0, None)


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "prompt": st.text(),
                "responses": st.lists(
                    st.text(min_size=1).filter(str.strip), min_size=1
                ),
                "correct": st.just([0]),
            }
        ),
        max_size=5,
    )
)
def test_every_well_formed_row_comes_through_unchanged(
    tmp_path_factory: pytest.TempPathFactory, content: list[dict[str, Any]]
) -> None:
    path = tmp_path_factory.mktemp("rows") / "mine.jsonl"
    numbered = [{"id": str(number), **row} for number, row in enumerate(content)]

    found = read(write(path, *numbered))

    assert [replace(each, cluster="") for each in found] == [
        Example(
            row["id"], (Message("user", row["prompt"]),), tuple(row["responses"]), (0,)
        )
        for row in numbered
    ]


def test_the_names_of_a_folder_s_files_are_in_its_revision(tmp_path: Path) -> None:
    def revision(folder: str, *names: str) -> str:
        for number, name in enumerate(names):
            write(tmp_path / folder / name, {**PAIR, "id": str(number)})
        return dataset(tmp_path / folder).revision

    one, moved, renamed = (
        revision("one", "a.jsonl", "b.jsonl"),
        revision("other", "a.jsonl", "b.jsonl"),
        revision("renamed", "aa.jsonl", "b.jsonl"),
    )

    assert one == moved != renamed
