"""Runs asked again, and published figures measured anew."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from rrm_harness import (
    Completion,
    Judgment,
    OutputError,
    SpecError,
    evaluate,
    host,
    models,
)
from rrm_harness.cli import commands
from rrm_harness.models import Card, Published
from rrm_harness.output import read_results, sealed
from rrm_harness.reproduce import Remeasured, remeasure, replay, spec_of
from rrm_harness.result import Result
from rrm_harness.testing import FakeDataset, FakeEngine, FakeJudge, example

PAGE = (Path(__file__).parents[1] / "docs" / "nano.md").read_text(encoding="utf-8")
NANO = [
    card
    for card in models.cards().values()
    if card.folder and card.judge != "nano-solver"
]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    output = tmp_path / "first"
    evaluate("random", "sample", "single,order=seeded", output=output, seed=3, limit=20)
    return output


def test_the_same_judge_gives_the_same_outcomes(run: Path, tmp_path: Path) -> None:
    found = replay(run, tmp_path / "again")

    assert found.passed
    assert [*found.sentences()] == ["pass: all 20 outcomes are the same."]


def test_no_judgment_of_the_first_run_is_reused(run: Path, tmp_path: Path) -> None:
    found = replay(run, tmp_path / "again")

    assert found.again.results["cached"] == 0


def test_what_differs_is_named(run: Path, tmp_path: Path) -> None:
    results = run / "results.json"
    content = read_results(results)
    results.write_text(sealed({**content, "judge": "longest"}))

    found = replay(run, tmp_path / "again")

    assert not found.passed
    said = [*found.sentences()]
    assert said[0].startswith("fail: ")
    assert found.differing[0] in said[0]
    assert any(each.startswith("judge was 'rrm_harness.plugins") for each in said)


def test_a_library_of_another_version_is_named(run: Path, tmp_path: Path) -> None:
    results = run / "results.json"
    content = read_results(results)
    content["manifest"]["versions"]["numpy"] = "0.1"
    results.write_text(sealed(content))

    found = replay(run, tmp_path / "again")

    assert found.passed
    assert "numpy was '0.1'" in [*found.sentences()][1]


def test_a_run_that_says_not_how_it_was_asked_is_refused(
    run: Path, tmp_path: Path
) -> None:
    results = run / "results.json"
    content = read_results(results)
    del content["manifest"]["asked"]
    results.write_text(sealed(content))

    with pytest.raises(OutputError, match="run the same command again"):
        replay(run, tmp_path / "again")


def test_an_engine_that_is_not_kept_has_to_be_given(tmp_path: Path) -> None:
    first, again = tmp_path / "first", tmp_path / "again"
    engine = FakeEngine(lambda _: Completion("[[A]]"))
    evaluate("llm,model=m", "sample", output=first, limit=2, engine=engine)

    with pytest.raises(OutputError, match=r"the engine of .* give --engine"):
        replay(first, again)

    assert not again.exists()
    assert replay(first, again, engine=engine).passed


def test_a_finished_run_is_not_taken_for_the_run_of_today(
    run: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again"
    replay(run, again)

    for place in (run, again):
        with pytest.raises(OutputError, match="holds a finished run"):
            replay(run, place)


def test_an_interrupted_run_of_today_goes_on(run: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"

    def stop(done: int, _: int) -> None:
        if done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replay(run, again, progress=stop)

    assert replay(run, again).passed


class Sample(FakeDataset):
    """One that has the name of a plugin."""

    name = "sample"


@pytest.mark.parametrize(
    ("name", "thing"),
    [
        ("judge", FakeJudge(lambda _: Judgment((1.0, 0.0)))),
        ("dataset", FakeDataset([example()])),
        ("dataset", Sample()),
        ("strategy", host.default().build("strategies", "both-orders of voting,k=3")),
    ],
)
def test_what_was_an_object_is_told(tmp_path: Path, name: str, thing: Any) -> None:
    asked = {"judge": "first", "dataset": "sample", "strategy": "single"}
    evaluate(**{**asked, name: thing}, output=tmp_path / "run", limit=1)

    with pytest.raises(OutputError, match=f"the {name} of .* was an object in place"):
        replay(tmp_path / "run", tmp_path / "again")


def result(accuracy: float, low: float, high: float, **told: Any) -> Result:
    content = {
        "accuracy": accuracy,
        "accuracy_low": low,
        "accuracy_high": high,
        "n": 100,
        "failed_examples": 0,
        "strategy": "single",
        "missing_subsets": [],
        **told,
    }
    return Result(content, Path("run"))


FIGURE = Published("rewardbench", 0.82, "single", "a paper")


@pytest.mark.parametrize(
    ("accuracy", "passed"),
    [(0.82, True), (0.825, True), (0.815, True), (0.8251, False)],
)
def test_a_figure_is_met_within_the_tolerance(accuracy: float, passed: bool) -> None:
    found = Remeasured(FIGURE, result(accuracy, 0.75, 0.88), tolerance=0.005)

    assert found.passed is passed
    assert [*found.sentences()][-1].startswith("pass" if passed else "fail")


def test_a_part_of_the_benchmark_never_passes() -> None:
    part = result(0.82, 0.7, 0.9, missing_subsets=["hard"])

    found = Remeasured(FIGURE, part, tolerance=0.005)

    assert not found.passed
    assert "no example of hard" in [*found.sentences()][-1]


def test_a_figure_outside_the_interval_is_told() -> None:
    found = Remeasured(FIGURE, result(0.7, 0.65, 0.75), tolerance=0.005)

    said = [*found.sentences()][-1]
    assert "-12.00 points apart" in said
    assert "outside the measured interval" in said


def test_a_judge_is_run_on_its_published_benchmark(tmp_path: Path) -> None:
    row = {"id": 1, "prompt": "Why?", "chosen": "So.", "rejected": "No."}
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({**row, "subset": "hep-go"}) + "\n")
    engine = FakeEngine(lambda _: Completion("\\boxed{Assistant 1}"))

    found = remeasure(
        "rrm,size=32b",
        f"rewardbench,path={file}",
        tmp_path / "run",
        protocol="one random order",
        engine=engine,
    )

    assert (found.published.value, found.result.results["n"]) == (0.9121, 1)
    assert "there was no example of" in [*found.sentences()][-1]


@pytest.mark.parametrize(
    ("judge", "dataset", "protocol"),
    [
        ("longest", "sample", ""),
        ("rrm,size=7b", "sample", ""),
        ("rrm,size=7b", "rewardbench", "seen in a dream"),
    ],
)
def test_what_nobody_published_is_refused(
    tmp_path: Path, judge: str, dataset: str, protocol: str
) -> None:
    with pytest.raises(SpecError, match="nothing is published of") as caught:
        remeasure(judge, dataset, tmp_path / "run", protocol=protocol)

    assert ("rewardbench (single" in str(caught.value)) == judge.startswith("rrm")


@pytest.mark.parametrize(
    ("judge", "said"),
    [
        ("rrm,size=7b", "say which with --dataset: rewardbench; "),
        ("random", "nothing is published of random; there is: nothing"),
    ],
)
def test_what_was_published_of_several_benchmarks_or_none_is_told(
    tmp_path: Path, judge: str, said: str
) -> None:
    with pytest.raises(SpecError, match=said):
        remeasure(judge, None, tmp_path / "run")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ([], "give the DIR of a run, or --published JUDGE"),
        (["--published", "rrm", "dir"], "give the DIR of a run, or --published JUDGE"),
    ],
)
def test_the_command_says_what_is_missing(asked: list[str], said: str) -> None:
    told = CliRunner().invoke(commands, ["reproduce", *asked])

    assert told.exit_code == 2
    assert said in told.output


def test_a_judge_with_weights_is_run_by_a_real_engine(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    command = ["reproduce", "--published", "nano-head,size=0.03m", "--quiet"]
    how = ["--engine", "transformers", "--output", str(tmp_path / "run")]

    told = CliRunner().invoke(commands, [*command, *how])

    assert told.exit_code == 0, told.output
    assert "published: 51.10 (single, seeded order; docs/nano.md)" in told.output
    assert "2,000 examples, 0 failed, single,order=seeded" in told.output
    assert "the published figure lies in the measured interval." in told.output


@pytest.mark.parametrize("card", NANO, ids=lambda card: card.id)
def test_a_card_of_weights_that_come_along_has_the_figure_of_its_page(
    card: Card,
) -> None:
    (figure,) = card.published
    judge, _, size = card.id.rpartition("-")

    name = f"| `{judge},size={size}` | 2,000 pairs | `single` |"
    (row,) = (line for line in PAGE.splitlines() if line.startswith(name))
    assert row.split("|")[4].strip() == f"{100 * figure.value:.2f}"


@pytest.mark.parametrize(
    ("benchmark", "spec"),
    [
        ("rewardbench", "rewardbench"),
        ("ppe math", "ppe,subset=math"),
        ("ppe mean of MMLU-Pro, MATH, GPQA", "ppe"),
        ("nano-arithmetic,n=2000,seed=1", "nano-arithmetic,n=2000,seed=1"),
    ],
)
def test_every_figure_is_of_a_dataset_that_can_be_built(
    benchmark: str, spec: str
) -> None:
    assert spec_of(benchmark) == spec


def test_the_command_ends_with_its_verdict(run: Path, tmp_path: Path) -> None:
    command = ["reproduce", str(run), "--output", str(tmp_path / "again"), "--quiet"]

    told = CliRunner().invoke(commands, command)

    assert told.exit_code == 0
    assert "pass: all 20 outcomes are the same." in told.output
