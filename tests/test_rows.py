"""Rows: every kind of file reads the same, and what is wrong is named."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import BadRow, DataError, Example, Message, rows

ROWS = [
    {
        "id": "one",
        "prompt": "naïve \u2028 “text”",
        "chosen": 'a,b\n"c"',
        "rejected": "",
    },
    {
        "id": "two",
        "prompt": "{{ x }}",
        "chosen": "x" * 200_000,
        "rejected": "<|im_end|>",
    },
    {"id": "three", "prompt": "", "chosen": "\t", "rejected": "🦉"},
]
Write = Callable[[Path, Sequence[dict[str, Any]]], None]


def write_jsonl(path: Path, content: Sequence[dict[str, Any]]) -> None:
    path.write_text("\n\n".join(map(json.dumps, content)) + "\n", encoding="utf-8")


def write_json(path: Path, content: Sequence[dict[str, Any]]) -> None:
    path.write_text(json.dumps(list(content), ensure_ascii=False), encoding="utf-8")


def write_csv(path: Path, content: Sequence[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(content[0]))
        writer.writeheader()
        writer.writerows(content)


def write_parquet(path: Path, content: Sequence[dict[str, Any]]) -> None:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(content)), path)


WRITERS: dict[str, Write] = {
    ".jsonl": write_jsonl,
    ".json": write_json,
    ".csv": write_csv,
    ".parquet": write_parquet,
}


@pytest.fixture(params=WRITERS)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The same rows in each kind of file."""
    path = tmp_path / f"rows{request.param}"
    WRITERS[request.param](path, ROWS)
    return path


def read(path: Path) -> list[Any]:
    return [row for _, row in rows.read(path)]


def problems(path: Path) -> list[str]:
    return [str(row) for row in read(path) if isinstance(row, DataError)]


def test_every_kind_of_file_reads_the_same(file: Path) -> None:
    assert read(file) == ROWS


def test_every_row_is_told_apart_by_its_place(file: Path) -> None:
    places = [where for where, _ in rows.read(file)]

    assert len(set(places)) == len(ROWS)
    assert all(where.startswith(f"{file}, ") for where in places)


def test_every_kind_of_file_that_is_known_is_written_here() -> None:
    assert set(WRITERS) == set(rows.SUFFIXES)


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv"])
def test_a_byte_order_mark_is_no_content(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows{suffix}"
    WRITERS[suffix](path, ROWS)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())

    assert read(path) == ROWS


def test_a_line_that_is_not_utf_8_is_a_bad_row_among_good_ones(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"id": "\xff\xfe"}\n{"id": "good"}\n')

    first, second = rows.read(path)

    assert first[0] == f"{path}, line 1"
    assert "not UTF-8" in str(first[1])
    assert second == (f"{path}, line 2", {"id": "good"})


@pytest.mark.parametrize("suffix", [".json", ".csv"])
def test_text_that_is_not_utf_8_names_the_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows{suffix}"
    path.write_bytes(b'[{"id": "\xff\xfe"}]\n')

    with pytest.raises(DataError, match=r"(?i)utf-8") as raised:
        read(path)

    assert str(path) in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not parquet at all"])
def test_what_is_no_parquet_names_the_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(content)

    with pytest.raises(DataError, match="not a parquet file") as raised:
        read(path)

    assert str(path) in str(raised.value)


def test_a_damaged_parquet_file_names_it(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    write_parquet(path, ROWS * 10)
    content = path.read_bytes()
    path.write_bytes(content[:8] + b"\xff" * 200 + content[208:])

    with pytest.raises(DataError) as raised:
        read(path)

    assert str(path) in str(raised.value)
    assert "None" not in str(raised.value)


def test_a_line_that_is_no_json_names_its_number_and_costs_no_other(
    tmp_path: Path,
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": "one"}\n{"id": \n\n{"id": "four"}\n')

    found = list(rows.read(path))

    assert [where for where, _ in found] == [f"{path}, line {n}" for n in (1, 2, 4)]
    assert found[0][1] == {"id": "one"}
    assert "not JSON" in str(found[1][1])
    assert found[2][1] == {"id": "four"}


@pytest.mark.parametrize("line", ["[1]", '"text"', "null", "3"])
def test_a_line_that_is_no_object_says_so(tmp_path: Path, line: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(line + "\n")

    assert len(problems(path)) == 1
    assert "must be an object" in problems(path)[0]


def test_a_line_of_bottomless_nesting_is_one_bad_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("[" * 200_000 + "\n" + '{"id": "good"}\n')

    found = read(path)

    assert isinstance(found[0], DataError)
    assert found[1] == {"id": "good"}


@pytest.mark.parametrize("content", ['{"id": 1}', "3", "[", ""])
def test_json_that_is_no_list_names_the_file(tmp_path: Path, content: str) -> None:
    path = tmp_path / "rows.json"
    path.write_text(content)

    with pytest.raises(DataError) as raised:
        read(path)

    assert str(raised.value).startswith(f"{path}: ")


def test_files_that_are_missing_are_named(tmp_path: Path) -> None:
    path = tmp_path / "no" / "such.jsonl"

    with pytest.raises(DataError, match=f"{path}: no such file or folder"):
        rows.files(path)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.xlsx"
    path.touch()

    with pytest.raises(DataError, match=r"known kinds: \.jsonl, \.json, \.csv"):
        rows.files(path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="of a kind that can be read"):
        rows.files(tmp_path)


def test_a_folders_files_come_sorted_and_only_the_readable_ones(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.jsonl", "a.csv", "deep/c.parquet", "README.md"):
        (tmp_path / name).touch()

    found = rows.files(tmp_path)

    names = [each.relative_to(tmp_path).as_posix() for each in found]
    assert names == ["a.csv", "b.jsonl", "deep/c.parquet"]


def test_a_pattern_chooses_among_a_folders_files(tmp_path: Path) -> None:
    for name in ("test-0.jsonl", "train-0.jsonl"):
        (tmp_path / name).touch()

    assert rows.files(tmp_path, "test*") == [tmp_path / "test-0.jsonl"]


def test_a_fingerprint_is_that_of_the_content_whatever_the_name(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("same")
    (tmp_path / "b.jsonl").write_text("same")
    (tmp_path / "c.jsonl").write_text("other")

    one, two, three = (rows.fingerprint([each]) for each in rows.files(tmp_path))

    assert one == two != three


def test_a_bad_row_stands_in_its_place() -> None:
    located = [
        ("f, line 1", {"id": "a"}),
        ("f, line 2", {}),
        ("f, line 3", {"id": "b"}),
    ]

    def to_examples(row: rows.Row) -> list[Example]:
        return [Example(rows.identifier(row, "id"), (), ("x",), ())]

    found = list(rows.convert(located, to_examples))

    assert [type(each) for each in found] == [Example, BadRow, Example]
    assert str(found[1]).startswith("f, line 2: field 'id'")


def test_a_row_with_an_earlier_id_is_a_bad_row() -> None:
    located = [("f, line 1", {"id": "a"}), ("f, line 2", {"id": "a"})]

    found = list(
        rows.convert(located, lambda row: [Example(row["id"], (), ("x",), ())])
    )

    assert isinstance(found[1], BadRow)
    assert "the id 'a' is an earlier row's as well" in str(found[1])


def clusters(*examples: Example) -> list[str]:
    located = [(f"f, line {n}", {"n": n}) for n in range(len(examples))]
    found = rows.convert(located, lambda row: [examples[row["n"]]])
    return [each.cluster for each in found if isinstance(each, Example)]


def test_examples_of_one_prompt_share_a_cluster() -> None:
    one, other = (Message("user", "q"),), (Message("user", "r"),)

    first, again, another = clusters(
        Example("a", one, ("x",), ()),
        Example("b", one, ("y",), (), "another subset"),
        Example("c", other, ("x",), ()),
    )

    assert first == again != another


def test_a_cluster_that_an_example_names_is_kept() -> None:
    assert clusters(Example("a", (Message("user", "q"),), ("x",), (), "s", "c")) == [
        "c"
    ]


@pytest.mark.parametrize("value", [None, 3, ["a"], True])
def test_a_text_that_is_no_string_names_its_field(value: object) -> None:
    with pytest.raises(DataError, match="field 'answer' must be a string"):
        rows.text({"answer": value}, "answer")


def test_an_empty_text_is_refused_only_where_it_may_not_be() -> None:
    assert rows.text({"x": " "}, "x") == " "
    with pytest.raises(DataError, match="field 'x' is empty"):
        rows.text({"x": " "}, "x", empty=False)


def test_a_list_of_texts_names_the_place_that_is_wrong() -> None:
    with pytest.raises(DataError, match=r"field 'answers\[1\]' must be a string"):
        rows.texts({"answers": ["a", 2]}, "answers")


@given(st.integers())
def test_a_whole_number_is_an_identifier(number: int) -> None:
    assert rows.identifier({"id": number}, "id") == str(number)


@pytest.mark.parametrize("value", [None, "", True, 1.5, [1]])
def test_an_identifier_is_a_text_or_a_whole_number(value: object) -> None:
    with pytest.raises(DataError, match="field 'id' must be a string or a number"):
        rows.identifier({"id": value}, "id")


def test_a_prompt_is_one_user_turn_or_a_chat() -> None:
    chat = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]

    assert rows.messages({"p": "u"}, "p") == (Message("user", "u"),)
    assert rows.messages({"p": chat}, "p") == (
        Message("system", "s"),
        Message("user", "u"),
    )


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (None, "p"),
        ([], "p"),
        ([3], r"p\[0\]"),
        ([{"role": "user"}], r"p\[0\]"),
        ([{"role": "user", "content": "x"}, {"content": "y"}], r"p\[1\]"),
    ],
)
def test_a_prompt_that_is_no_chat_names_the_turn(value: object, field: str) -> None:
    with pytest.raises(DataError, match=f"field '{field}' must"):
        rows.messages({"p": value}, "p")


def test_a_choice_lists_what_is_known() -> None:
    with pytest.raises(DataError, match="must be one of 'A', 'B'; it is 'C'"):
        rows.choice({"label": "C"}, "label", ["A", "B"])


def test_a_copy_of_the_hub_is_read_offline(tmp_path: Path) -> None:
    copy = tmp_path / "reward-bench"
    (copy / "data").mkdir(parents=True)
    write_parquet(copy / "data" / "filtered-00000-of-00001.parquet", ROWS)
    program = (
        "import json, sys; from rrm_harness import rows;"
        "print(json.dumps(list(rows.from_hub(sys.argv[1], 'filtered'))))"
    )

    done = subprocess.run(
        [sys.executable, "-P", "-c", program, str(copy)],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")},
        capture_output=True,
        text=True,
        check=True,
    )

    found = json.loads(done.stdout.splitlines()[-1])
    assert [row for _, row in found] == ROWS
    assert found[2][0] == f"{copy} (split filtered), row 3"


def test_what_the_hub_does_not_give_can_be_given_as_a_file(tmp_path: Path) -> None:
    program = "from rrm_harness import rows; list(rows.from_hub('no/such', 'test'))"

    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")},
        capture_output=True,
        text=True,
        check=False,
    )

    message = done.stderr.splitlines()[-1]
    assert "DataError: no/such (split test) cannot be loaded from the hub" in message
    assert message.endswith("give the copy with path=FILE")
