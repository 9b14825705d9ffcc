"""Leaderboards, and runs written for other programs, which must read them."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lm_eval.utils import get_results_filenames, make_table
from pyarrow import parquet
from rich.console import Console

from rrm_harness import BadRow, Dataset, Example, Judgment, Message, Rule, evaluate
from rrm_harness.errors import OutputError
from rrm_harness.output import sealed
from rrm_harness.report import exports, leaderboard, lmeval_results
from rrm_harness.report.cells import compact
from rrm_harness.result import Result
from rrm_harness.testing import FakeJudge

COMMAND = str(Path(sys.executable).with_name("rrm-harness"))
Made = Callable[..., Result]


@dataclass(frozen=True)
class Pairs(Dataset):
    """Pairs of two subsets whose first response is right."""

    first: int = field(default=0, repr=False)
    failure: str = "wrong"
    name: str = "pairs"
    backwards: bool = field(default=False, repr=False)

    revision = "1"
    protocol = "single,order=given"

    @property
    def rule(self) -> Rule:
        return Rule(failure=self.failure)  # type: ignore[arg-type]

    def examples(self) -> Iterator[Example | BadRow]:
        numbers = range(self.first, self.first + 40)
        for number in reversed(numbers) if self.backwards else numbers:
            yield Example(
                f"pair-{number}",
                (Message("user", "q"),),
                ("right", "wrong"),
                (0,),
                subset="odd" if number % 2 else "even",
            )


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Judge pairs, wrongly on some; read the run back."""

    def make(folder: str, *wrong: int, fails: bool = False, **options: Any) -> Result:
        def judge(comparison: Any) -> Judgment:
            if fails:
                return Judgment.failed("unparsable", "what?")  # type: ignore[arg-type]
            number = int(comparison.example.id.partition("-")[2])
            return Judgment((0.0, 1.0) if number in wrong else (1.0, 0.0))

        output = tmp_path / folder
        evaluate(FakeJudge(judge), Pairs(**options), output=output, baselines=False)
        return Result.read(output)

    return make


def called(run: Result, **changes: Any) -> Result:
    """The run under other names, in its directory too."""
    content = {**run.results, **changes}
    (run.directory / "results.json").write_text(sealed(content))
    return Result.read(run.directory)


def ranked(board: leaderboard.Board) -> list[tuple[str, int | None]]:
    return [(place.result.directory.name, place.rank) for place in board.places]


def shown(runs: list[Result], width: int = 80) -> str:
    text = io.StringIO()
    console = Console(width=width, file=text, highlight=False)
    leaderboard.show(leaderboard.boards(runs), console)
    return text.getvalue()


def rrm(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *map(str, arguments)],
        env={**os.environ, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def test_the_best_run_is_first_and_equals_share_a_rank(made: Made) -> None:
    runs = [made("bad", *range(25)), made("good", 1), made("as-good", 2, 3)]

    (board,) = leaderboard.boards(runs)

    assert ranked(board) == [("good", 1), ("as-good", 1), ("bad", 3)]
    assert board.paired


def test_pairing_tells_apart_what_overlapping_intervals_do_not(made: Made) -> None:
    better, worse = made("better", *range(10)), made("worse", *range(18))

    (board,) = leaderboard.boards([worse, better])

    assert (better.interval or (0,))[0] < (worse.interval or (0, 1))[1]
    assert ranked(board) == [("better", 1), ("worse", 2)]


def test_runs_on_other_examples_are_ranked_by_overlap_and_it_is_said(
    made: Made,
) -> None:
    runs = [made("better", *range(10)), made("other", *range(20, 38), first=20)]

    (board,) = leaderboard.boards(runs)

    assert ranked(board) == [("better", 1), ("other", 1)]
    assert not board.paired
    assert leaderboard.OVERLAP in board.notes


def test_runs_in_another_order_are_paired_too(made: Made) -> None:
    better, worse = made("better", *range(10)), made("worse", *range(18))
    turned = made("turned", *range(18), backwards=True)

    (board,) = leaderboard.boards([better, turned])

    assert board.paired
    assert ranked(board) == [("better", 1), ("turned", 2)]
    assert (better.interval or (0,))[0] < (worse.interval or (0, 1))[1]


class Unread(Result):
    """A run whose examples nobody may look at."""

    def outcomes(self) -> Iterator[dict[str, Any]]:
        raise AssertionError("a million lines of it, for nothing")


def test_a_run_alone_is_ranked_without_its_examples(made: Made) -> None:
    run = made("alone", 1)

    (board,) = leaderboard.boards([Unread(run.results, run.directory)])

    assert ranked(board) == [("alone", 1)]


def test_a_run_whose_examples_are_gone_is_ranked_by_overlap(made: Made) -> None:
    runs = [made("good"), made("bad", *range(30))]
    (runs[0].directory / "outcomes.jsonl").unlink()

    (board,) = leaderboard.boards(runs)

    assert ranked(board) == [("good", 1), ("bad", 2)]
    assert leaderboard.OVERLAP in board.notes


def test_runs_whose_formula_needs_more_are_ranked_by_their_own_numbers(
    made: Made,
) -> None:
    """As of RewardBench 2, whose Ties are no mean of examples."""
    low = called(made("low"), accuracy=0.3, accuracy_low=0.2, accuracy_high=0.4)
    high = called(
        made("high", *range(20)), accuracy=0.7, accuracy_low=0.6, accuracy_high=0.8
    )

    (board,) = leaderboard.boards([low, high])

    assert ranked(board) == [("high", 1), ("low", 2)]
    assert leaderboard.OVERLAP in board.notes


def test_what_could_not_be_scored_is_last_and_has_no_rank(made: Made) -> None:
    runs = [
        made("none", fails=True, failure="exclude"),
        made("some", failure="exclude"),
    ]

    (board,) = leaderboard.boards(runs)

    assert ranked(board) == [("some", 1), ("none", None)]
    assert "–" in shown(runs)


def test_every_benchmark_has_a_board_of_its_own(made: Made) -> None:
    runs = [made("one"), made("other", name="more"), made("third", 1)]

    found = leaderboard.boards(runs)

    assert [ranked(board) for board in found] == [
        [("one", 1), ("third", 1)],
        [("other", 1)],
    ]
    assert shown(runs).count("Leaderboard of ") == 1


def test_a_board_shows_what_a_run_cost(made: Made) -> None:
    runs = [
        called(
            made("one"),
            judge="one",
            comparisons=12_345,
            tokens={"prompt": 2_000_000, "completion": 345_678},
            seconds=98.76,
        ),
        called(made("other"), judge="other"),
    ]

    line = next(each for each in shown(runs).splitlines() if each.startswith("one"))

    assert line.split()[-4:] == ["12.3k", "2.35M", "98.8", "–"]


def test_a_model_has_the_size_of_its_card(made: Made) -> None:
    run = made("one")
    known = {"judge": {"id": "Reward-Reasoning/RRM-7B"}}

    results = {**run.results, "manifest": {**run.results["manifest"], "models": known}}

    assert leaderboard.parameters(results) == pytest.approx(7.6, abs=0.7)
    assert leaderboard.parameters(run.results) is None


def test_a_board_fits_80_columns_and_cuts_no_number(made: Made) -> None:
    runs = [called(made(name), judge=name * 30) for name in ("one", "other")]

    text = shown(runs)

    assert all(len(line) <= 80 for line in text.splitlines())
    (board,) = leaderboard.boards(runs)
    for place in board.places:
        cells = leaderboard.row(board, place)
        del cells["run"]
        assert set(cells.values()) <= set(text.split())


@given(st.floats(0, 1e11))
def test_a_compact_number_is_short_and_near(value: float) -> None:
    told = compact(value)

    number, unit = told.rstrip("kMG"), told[-1]
    size = {"k": 1e3, "M": 1e6, "G": 1e9}.get(unit, 1)
    assert float(number) * size == pytest.approx(value, rel=0.006)
    assert value < 0.0001 or len(told) <= 8


def test_a_board_is_in_the_page_of_markdown(made: Made) -> None:
    page = leaderboard.markdown(leaderboard.boards([made("one"), made("other", 3)]))

    assert "# Leaderboard of pairs" in page
    for table in page.split("\n\n"):
        rows = [line.count("|") for line in table.splitlines() if line.startswith("|")]
        assert len(set(rows)) <= 1


def test_one_run_alone_has_no_board_in_the_page(made: Made) -> None:
    assert leaderboard.markdown(leaderboard.boards([made("one")])) == ""


def test_csv_has_a_row_for_each_run_with_all_digits(made: Made) -> None:
    runs = [made("one", 1), made("other", *range(13))]

    text = exports.as_csv(leaderboard.boards(runs))

    rows = [*csv.DictReader(io.StringIO(text))]
    assert [float(row["accuracy"]) for row in rows] == [39 / 40, 27 / 40]
    assert [row["rank"] for row in rows] == ["1", "2"]
    assert rows[0]["parameters"] == ""


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_csv_holds_no_formula(made: Made, sign: str) -> None:
    name = f'{sign}HYPERLINK("http://x";A1),\'"\n=1+1'
    run = called(made("one"), judge=name)

    text = exports.as_csv(leaderboard.boards([run]))

    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert row["judge"] == f"'{name}"


@given(st.one_of(st.text(), st.floats(), st.integers(), st.none()))
def test_only_texts_are_made_inert_and_none_is_changed_beyond(value: object) -> None:
    found = exports.inert(value)

    if isinstance(value, str):
        assert not found.startswith(exports.FORMULA)
        assert found.removeprefix("'") == value.removeprefix("'")
    else:
        assert found is value


def test_json_has_every_board_with_its_notes(made: Made) -> None:
    found = leaderboard.boards([made("one"), made("other", name="more")])

    content = json.loads(exports.as_json(found))

    assert [board["dataset"] for board in content["boards"]] == ["pairs", "more"]
    assert content["boards"][0]["notes"] == found[0].notes
    assert content["boards"][0]["runs"] == [
        leaderboard.record(found[0], found[0].places[0])
    ]


def test_parquet_has_a_row_for_each_run(made: Made, tmp_path: Path) -> None:
    found = leaderboard.boards([made("one"), made("other", *range(9))])

    exports.write_runs(tmp_path / "runs.parquet", found)

    read = parquet.read_table(tmp_path / "runs.parquet")
    assert read.to_pylist() == leaderboard.records(found)


def test_a_run_s_row_has_the_columns_that_parquet_has(made: Made) -> None:
    (row,) = leaderboard.records(leaderboard.boards([made("one")]))

    assert list(row) == list(exports.RUN)


def test_parquet_of_outcomes_has_a_row_for_each_example(
    made: Made, tmp_path: Path
) -> None:
    runs = [made("one", 3), made("failed", fails=True)]

    exports.write_outcomes(tmp_path / "examples.parquet", runs)

    rows = parquet.read_table(tmp_path / "examples.parquet").to_pylist()
    told = [line for run in runs for line in run.outcomes()]
    assert len(rows) == 80
    for name in ("id", "subset", "cluster", "lengths", "correct", "scores", "winners"):
        assert [row[name] for row in rows] == [line[name] for line in told]
    assert [row["credit"] for row in rows] == [line["credit"] for line in told]
    assert {row["failure"] for row in rows} == {None, "unparsable"}


def test_half_a_character_is_written_out_in_parquet(made: Made, tmp_path: Path) -> None:
    run = called(made("one"), judge="half \ud800")

    exports.write_runs(tmp_path / "runs.parquet", leaderboard.boards([run]))

    (row,) = parquet.read_table(tmp_path / "runs.parquet").to_pylist()
    assert row["judge"] == "half \\ud800"


def test_a_place_that_cannot_be_written_is_told_in_a_sentence(
    made: Made, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    runs = [made("one")]

    with pytest.raises(OutputError, match="cannot be written"):
        exports.write_runs(tmp_path / "file" / "x", leaderboard.boards(runs))
    with pytest.raises(OutputError, match="cannot be written"):
        lmeval_results.write(tmp_path / "file", runs)


def test_a_missing_folder_is_made(made: Made, tmp_path: Path) -> None:
    file = tmp_path / "no" / "folder" / "runs.parquet"

    exports.write_runs(file, leaderboard.boards([made("one")]))

    assert file.is_file()


def test_lm_eval_makes_its_table_of_what_is_written(made: Made, tmp_path: Path) -> None:
    run = made("one", *range(0, 20, 2))
    (file,) = lmeval_results.write(tmp_path / "lm", [run])

    content = json.loads(file.read_text())

    lines = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in make_table(content).splitlines()
    ]
    told = {line[0]: line for line in lines if "accuracy" in line}
    assert told["rrm_pairs"][1:6] == ["1", "none", "0", "accuracy", "↑"]
    assert {name: float(line[6]) for name, line in told.items()} == {
        "rrm_pairs": 0.75,
        "- rrm_pairs_even": 0.5,
        "- rrm_pairs_odd": 1.0,
    }
    low, high = run.interval or (0.0, 1.0)
    assert float(told["rrm_pairs"][8]) == pytest.approx((high - low) / 3.92, abs=1e-4)
    assert "rrm_pairs" in make_table(content, "groups")


def test_lm_eval_finds_the_files_by_their_names(made: Made, tmp_path: Path) -> None:
    runs = [
        called(made("one"), judge="a/b:c,path=../../x"),
        called(made("other", name="more")),
    ]

    files = lmeval_results.write(tmp_path / "lm", runs)

    names = [str(file) for file in files]
    assert get_results_filenames(names) == names
    assert all(file.parent.parent == tmp_path / "lm" for file in files)


@given(st.text(max_size=120))
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    place = lmeval_results._file_name(name)

    assert place not in ("", ".", "..")
    assert "/" not in place
    assert not place.startswith((".", "-"))
    assert len(place.encode()) <= 80


def test_a_run_that_scored_nothing_is_written_for_lm_eval_too(
    made: Made, tmp_path: Path
) -> None:
    run = made("none", fails=True, failure="exclude")

    (file,) = lmeval_results.write(tmp_path, [run])

    table = make_table(json.loads(file.read_text()))
    assert "N/A" in table


def test_the_same_runs_are_exported_to_the_same_bytes(
    made: Made, tmp_path: Path
) -> None:
    runs = [made("one"), made("other", 4)]
    found = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        exports.write_runs(folder / "runs", leaderboard.boards(runs))
        exports.write_outcomes(folder / "examples", runs)
        lmeval_results.write(folder / "lm", runs)
        files = [each for each in sorted(folder.rglob("*")) if each.is_file()]
        found.append({each.relative_to(folder): each.read_bytes() for each in files})

    assert found[0] == found[1]
    assert len(found[0]) == 4


def test_the_command_shows_the_board_of_several_runs(made: Made) -> None:
    done = rrm("report", made("one").directory, made("other", 1).directory)

    assert (done.returncode, done.stderr) == (0, "")
    assert "Leaderboard of pairs" in done.stdout


def test_the_command_writes_every_export(made: Made, tmp_path: Path) -> None:
    options = {
        "--csv": tmp_path / "runs.csv",
        "--json": tmp_path / "runs.json",
        "--markdown": tmp_path / "runs.md",
        "--parquet": tmp_path / "runs.parquet",
        "--parquet-outcomes": tmp_path / "examples.parquet",
        "--lm-eval": tmp_path / "lm",
    }
    asked = [part for option in options.items() for part in option]

    done = rrm("report", made("one").directory, made("other").directory, *asked)

    assert (done.returncode, done.stdout) == (0, "")
    assert all(f": {path}\n" in done.stderr for path in options.values())
    assert all(path.exists() for path in options.values())
    assert "# Leaderboard of pairs" in (tmp_path / "runs.md").read_text()


def test_the_command_prints_csv(made: Made) -> None:
    done = rrm("report", made("one").directory, "--csv", "-")

    assert done.returncode == 0
    assert done.stdout.startswith("rank,of,dataset,judge,strategy,n,accuracy,")
    assert len(done.stdout.splitlines()) == 2
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--csv", "-", "--json", "-"], "--csv and --json cannot all be printed"),
        (["--parquet", "-"], "--parquet cannot be printed"),
        (["--html", "-"], "--html cannot be printed"),
    ],
)
def test_what_cannot_be_printed_is_refused(
    made: Made, asked: list[str], said: str
) -> None:
    done = rrm("report", made("one").directory, *asked)

    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""
