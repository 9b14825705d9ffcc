"""A result as a notebook's user meets it."""

import json
from contextlib import suppress
from pathlib import Path

import pytest

from rrm_harness import OutputError, Result, evaluate

PAGE = Path(__file__).parents[1] / "docs" / "tutorial" / "first-run.md"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return evaluate("longest", "sample", output=tmp_path_factory.mktemp("run") / "it")


def test_a_result_is_one_line_that_says_what_it_is_of(result: Result) -> None:
    said = repr(result)

    assert said.startswith(f"<Result {100 * (result.accuracy or 0):.2f} % (")
    assert "longest" in said
    assert "sample" in said
    assert "\n" not in said


def test_a_table_has_a_row_for_each_example(result: Result) -> None:
    table = result.to_pandas()

    assert list(table["id"]) == [line["id"] for line in result.outcomes()]
    assert table["credit"].mean() == pytest.approx(result.accuracy)


def test_a_notebook_shows_the_headline_and_the_parts(result: Result) -> None:
    shown = result._repr_html_()

    assert f"<strong>{100 * (result.accuracy or 0):.2f}</strong>" in shown
    assert all(name in shown for name in result.results["subsets"])


def test_a_notebook_runs_nothing_of_what_data_said(result: Result) -> None:
    hostile = Result({**result.results, "judge": HOSTILE}, Path("run"))

    assert HOSTILE not in hostile._repr_html_()
    assert "&lt;script&gt;" in hostile._repr_html_()


def test_a_result_that_is_read_back_is_the_same(result: Result) -> None:
    again = Result.read(result.directory)

    assert json.dumps(again.results) == json.dumps(result.results)


def test_a_directory_may_be_named_by_a_string(result: Result) -> None:
    again = Result.read(str(result.directory))

    assert [*again.outcomes()] == [*result.outcomes()]


def test_results_of_which_a_bit_was_changed_are_refused_or_say_the_same(
    result: Result, tmp_path: Path
) -> None:
    """The same: a double has more digits than it needs."""
    written = (result.directory / "results.json").read_bytes()
    read: list[Result] = []
    for place in range(len(written)):
        changed = bytearray(written)
        changed[place] ^= 1 << place % 8
        (tmp_path / "results.json").write_bytes(changed)
        with suppress(OutputError):
            read.append(Result.read(tmp_path))

    assert all(each.results == result.results for each in read)
    assert len(read) < len(written) / 1000


def test_every_field_of_a_run_is_in_the_page_on_a_first_one(result: Result) -> None:
    results = json.loads((result.directory / "results.json").read_text())
    line = next(result.outcomes())

    page = PAGE.read_text(encoding="utf-8")
    assert [name for name in (*results, *line) if f"`{name}`" not in page] == []


def test_results_may_be_laid_out_in_another_way(result: Result, tmp_path: Path) -> None:
    content = json.loads((result.directory / "results.json").read_text())
    (tmp_path / "results.json").write_text(json.dumps(content, indent="\t"))

    assert Result.read(tmp_path).results["n"] == 60


def test_results_that_were_written_before_there_was_a_digest_are_read(
    result: Result, tmp_path: Path
) -> None:
    before = {**result.results, "format": 1}
    (tmp_path / "results.json").write_text(json.dumps(before))

    assert Result.read(tmp_path).accuracy == result.accuracy


def test_progress_is_shown_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate("longest", "sample", output=tmp_path / "run", progress=True)

    assert "Traceback" not in capsys.readouterr().err


def test_progress_is_told_to_the_users_own(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []

    evaluate(
        "longest",
        "sample",
        output=tmp_path / "run",
        progress=lambda done, total: told.append((done, total)),
    )

    assert told == [(done, 60) for done in range(1, 61)]
