"""The same replies, through `rrm-harness run` and through lm-eval: the same numbers."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from math import isnan
from pathlib import Path
from typing import Any

import pytest

from lmeval import benchmarks
from lmeval.running import Scripted, as_engine, metrics, record, run, verdict
from rrm_harness import Example, chance, evaluate
from rrm_harness.lmeval.setting import Setting
from rrm_harness.testing import FakeEngine

PAIRS = [
    task
    for task in benchmarks.MAKERS
    if not task.startswith(("rrm_gpqa", "rrm_rewardbench2"))
]
FORMS = ("thought</think>\\boxed{Assistant 1}", "x</think>\\boxed{Assistant 2}", "none")


def setting(task: str, path: Path) -> Setting:
    """The task's setting, as lm-eval's metadata would make it."""
    from rrm_harness.lmeval.tasks_asked import known_tasks

    return Setting(task, known_tasks()[task]["rrm"], {"path": str(path)})


def dataset_spec(task: str, path: Path) -> str:
    return f"{setting(task, path).own['dataset']},path={path}"


def recorded(folder: Path, examples: tuple[Example, ...]) -> Path:
    """Scores of every response alone and of every order of up to two, some failed."""
    entries = []
    for example in examples:
        numbers = range(len(example.responses))
        orders = [*permutations(numbers, 1), *permutations(numbers, 2)]
        for order in orders:
            draw = chance.seed(example.id, *order) % 4
            entry: dict[str, Any] = {"example": example.id, "order": list(order)}
            scores = [chance.seed(example.id, each) % 3 for each in order]
            said = {"failure": "refused"} if not draw else {"scores": scores}
            entries.append(entry | said)
    return record(folder / "recorded.jsonl", entries)


def as_lm_eval_has_it(results: Mapping[str, Any]) -> dict[str, Any]:
    """Our results under the names of lm-eval's metrics."""
    parts = {**(results["sections"] or results["subsets"])}
    named = {
        "accuracy": results,
        **(
            {}
            if len(parts) < 2
            else {
                f"accuracy_{name.lower().replace(' ', '_').replace('-', '_')}": part
                for name, part in parts.items()
            }
        ),
    }
    found = {
        f"{name}{end}": part[f"accuracy{end}"]
        for name, part in named.items()
        for end in ("", "_low", "_high")
    }
    return (
        found
        | {
            "tie_rate": results["tie_rate"],
            "failure_rate": results["failed_examples"] / results["examples"],
            "over_length": results["audit"]["over-length"],
            "order_consistency": results["order_consistency"],
        }
        | {
            name: each
            for name, each in results["extra"].items()
            if isinstance(each, float)
        }
    )


def assert_equal(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    expected = as_lm_eval_has_it(ours)
    compared = {name for name in theirs if not name.endswith("_stderr")}
    assert {"accuracy", "accuracy_low", "accuracy_high"} <= compared
    for name in compared:
        wanted = expected[name]
        if wanted is None:
            assert isnan(theirs[name]), name
        else:
            assert theirs[name] == pytest.approx(wanted, abs=1e-12), name


@pytest.mark.parametrize("task", [*PAIRS, "rrm_rewardbench2"])
def test_recorded_scores_give_equal_numbers(task: str, tmp_path: Path) -> None:
    path = benchmarks.MAKERS[task](tmp_path)
    file = recorded(tmp_path, setting(task, path).examples)

    ours = evaluate(
        f"recorded,path={file}",
        dataset_spec(task, path),
        output=tmp_path / "ours",
        baselines=False,
    )
    theirs = run(
        task,
        model_args={
            "judge": f"[recorded,path={file}]",
            "store": str(tmp_path / "kept"),
        },
        metadata={"path": str(path)},
    )

    assert ours.results["failures"]
    assert_equal(ours.results, metrics(theirs, task))


@pytest.mark.parametrize("task", PAIRS)
def test_a_model_s_texts_give_equal_numbers(task: str, tmp_path: Path) -> None:
    path = benchmarks.MAKERS[task](tmp_path)
    reply = lambda chat: verdict(chat, FORMS)  # noqa: E731

    engine = FakeEngine(as_engine(reply))
    ours = evaluate(
        "rrm",
        dataset_spec(task, path),
        engine=engine,
        output=tmp_path / "ours",
        baselines=False,
    )
    theirs = run(
        task,
        Scripted(reply),
        metadata={"path": str(path), "judge": "rrm"},
        apply_chat_template=True,
    )

    assert ours.results["failures"]
    assert_equal(ours.results, metrics(theirs, task))


def solved(folder: Path, examples: tuple[Example, ...], role: str) -> Path:
    """Eight replies to each question: letters, open thoughts, and nothing."""
    forms = (
        *(f"thought</think>\\boxed{{{each}}}" for each in "ABCD"),
        "<think>so",
        "?",
    )
    entries = [
        {
            "example": example.id,
            "order": list(range(len(example.responses))),
            "sample": sample,
            "role": role,
            "text": verdict([(example.id, str(sample))], forms),
        }
        for example in examples
        for sample in range(8)
    ]
    return record(folder / f"{role}.jsonl", entries)


@pytest.mark.parametrize("task", ["diamond", "main", "extended"])
def test_a_policy_s_answers_give_equal_numbers(task: str, tmp_path: Path) -> None:
    task, path = f"rrm_gpqa_{task}", benchmarks.gpqa(tmp_path)
    file = solved(tmp_path, setting(task, path).examples, "judge")
    judge = f"recorded,path={file},parser=boxed-letter"

    ours = evaluate(
        judge, dataset_spec(task, path), output=tmp_path / "ours", baselines=False
    )
    theirs = run(
        task,
        model_args={"judge": f"[{judge}]", "store": str(tmp_path / "kept")},
        metadata={"path": str(path)},
    )

    found = metrics(theirs, task)
    assert 0 < found["unfinished"] < 1
    assert found["pass@1"] == pytest.approx(ours.results["extra"]["pass@1"])
    found["accuracy"] = found.pop("pass@1")
    for end in ("low", "high"):
        found[f"accuracy_{end}"] = found.pop(f"pass@1_{end}")
    assert_equal(ours.results, found)


def test_the_best_of_n_by_a_judge_gives_equal_numbers(tmp_path: Path) -> None:
    task, path = "rrm_gpqa_bon", benchmarks.gpqa(tmp_path)
    policy = solved(tmp_path, setting(task, path).examples, "policy")
    policy_spec = f"recorded,path={policy},parser=boxed-letter"

    ours = evaluate(
        "longest",
        dataset_spec(task, path),
        "sampled,n=8 of elo",
        policy=policy_spec,
        output=tmp_path / "ours",
    )
    theirs = run(
        task,
        model_args={
            "judge": "longest",
            "policy": f"[{policy_spec}]",
            "strategy": "sampled,n=8 of elo",
            "store": str(tmp_path / "kept"),
        },
        metadata={"path": str(path)},
    )

    found = metrics(theirs, task)
    assert found["best_of_n"] <= found["oracle@k"]
    for end in ("", "_low", "_high"):
        found[f"accuracy{end}"] = found.pop(f"best_of_n{end}")
    assert_equal(ours.results, found)
