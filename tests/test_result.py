"""A result as a notebook's user meets it."""

from pathlib import Path

import pytest

from rrm_harness import Result, evaluate

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
