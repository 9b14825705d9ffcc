"""Several datasets and strategies of one judge: a run each, one load of the model."""

from pathlib import Path
from typing import Any

import pytest

from rrm_harness import DataError, HarnessError, SpecError
from rrm_harness.study import evaluate_each

ROW = '{"id": "one", "prompt": "q", "responses": ["a", "bb"], "correct": [1]}\n'


def study(output: Path, datasets: list[str], strategies: list[str], **how: Any) -> Any:
    each = evaluate_each("longest", datasets, strategies, output=output, **how)
    return [result.results for result in each]


def test_every_dataset_is_judged_under_every_strategy(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(ROW)
    mine = f"jsonl,path={tmp_path}/a.jsonl"

    runs = study(tmp_path / "runs", ["sample", mine], ["single", "both-orders"])

    assert [(run["dataset"], run["strategy"]) for run in runs] == [
        ("sample", "single"),
        ("sample", "both-orders"),
        (mine, "single"),
        (mine, "both-orders"),
    ]


def test_a_lone_run_is_in_the_output_itself(tmp_path: Path) -> None:
    study(tmp_path / "run", ["sample"], ["single"])

    assert (tmp_path / "run" / "results.json").exists()


def test_several_runs_have_a_directory_each(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(ROW)

    study(tmp_path / "runs", ["sample", f"jsonl,path={tmp_path}/a.jsonl"], [])

    places = sorted(each.parent for each in tmp_path.rglob("results.json"))
    assert len(places) == 2
    assert all(each.parent == tmp_path / "runs" for each in places)


def test_specs_that_look_alike_as_names_have_directories_of_their_own(
    tmp_path: Path,
) -> None:
    for name in ("a b.jsonl", "a-b.jsonl"):
        (tmp_path / name).write_text(ROW)
    datasets = [f"jsonl,path={tmp_path}/{name}" for name in ("a b.jsonl", "a-b.jsonl")]

    study(tmp_path / "runs", datasets, [])

    assert len(list((tmp_path / "runs").iterdir())) == 2


def test_a_strategy_finds_what_the_one_before_it_asked(tmp_path: Path) -> None:
    single, both = study(tmp_path, ["sample"], ["best-of-n", "both-orders"])

    assert single["cached"] == 0
    assert both["cached"] == both["judgments"] > 0


def test_a_run_that_grows_into_a_study_pays_nothing_twice(tmp_path: Path) -> None:
    study(tmp_path / "run", ["sample"], ["single"])
    single, _ = study(tmp_path / "run", ["sample"], ["single", "both-orders"])

    assert single["cached"] == single["judgments"] > 0


def test_a_policy_answers_for_every_run(tmp_path: Path) -> None:
    strategies = ["sampled,n=2 of single", "sampled,n=3 of single"]

    runs = study(tmp_path, ["sample"], strategies, policy="first")

    asked = [
        run["examples"] * samples + run["examples"]
        for run, samples in zip(runs, (2, 3), strict=True)
    ]
    assert [run["comparisons"] for run in runs] == asked


def test_a_wrong_spec_stops_before_anything_is_asked(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="did you mean 'single'"):
        study(tmp_path / "runs", ["sample"], ["both-orders", "singel"])

    assert not (tmp_path / "runs").exists()


def test_a_mistake_in_one_dataset_costs_the_others_nothing(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text(ROW + '{"id": "two"}\n')
    told: list[tuple[str, HarnessError]] = []

    runs = study(
        tmp_path / "runs",
        [f"jsonl,path={tmp_path}/bad.jsonl", "sample"],
        [],
        failed=lambda run, error: told.append((run, error)),
    )

    assert [run["dataset"] for run in runs] == ["sample"]
    ((run, error),) = told
    assert "bad.jsonl" in run
    assert isinstance(error, DataError)
