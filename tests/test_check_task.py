"""`check task` says what `lm_eval validate` does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from lmeval import benchmarks

from rrm_harness import SpecError
from rrm_harness.check_task import Tried, attempt

GOOD = """
task: {name}
custom_dataset: !function theirs.documents
test_split: test
output_type: generate_until
doc_to_text: "{{{{question}}}}"
doc_to_target: "{{{{answer}}}}"
generation_kwargs: {{until: ["."]}}
metric_list: [{{metric: exact_match}}]
"""
CODE = """
import datasets

calls = []


def documents(**kwargs):
    rows = [{"question": f"question {n}", "answer": str(n)} for n in range(3)]
    return {"test": datasets.Dataset.from_list(rows)}


def shuffled(documents):
    calls.append(1)
    return documents.select([len(calls) % 3, 0, 1])
"""


def theirs(folder: Path, changes: str = "", name: str = "theirs") -> Tried:
    """Try a task of somebody else's, whose YAML has these lines changed or added."""
    lines = GOOD.format(name=name).splitlines()
    keys = {line.partition(":")[0] for line in changes.splitlines()}
    kept = [line for line in lines if line.partition(":")[0] not in keys]
    (folder / "theirs.yaml").write_text("\n".join([*kept, changes]))
    (folder / "theirs.py").write_text(CODE)
    (tried,) = attempt(name, {}, folder)
    return tried


def test_a_good_task_has_no_problem(tmp_path: Path) -> None:
    tried = theirs(tmp_path, name="good")

    assert tried.problems == []
    assert ("exact_match,none", "1.0") in tried.facts
    assert "question 0" in tried.requests[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ("output_type: banana", "banana"),
        ("custom_dataset: !function theirs.nothing", "no function 'nothing'"),
        ("doc_to_text: '{{missing}}'", "missing"),
        ("doc_to_text: ''", "a prompt is empty"),
        ("generation_kwargs: null", "the first empty line"),
        ("repeats: 3", "the others are paid for and dropped"),
        ("metric_list: [{metric: nonsense}]", "nonsense"),
        ("process_docs: !function theirs.shuffled", "differ each time"),
        ("unknown: key", "unexpected keyword"),
    ],
)
def test_what_is_wrong_is_named(changes: str, said: str, tmp_path: Path) -> None:
    tried = theirs(tmp_path, changes)

    assert any(said in problem for problem in tried.problems), tried.problems


def test_a_file_that_lm_eval_would_skip_in_silence_is_told(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("task: [")

    tried = theirs(tmp_path)

    assert "broken.yaml" in tried.problems[0]


def test_a_judge_s_prompts_are_made_read_and_scored(tmp_path: Path) -> None:
    path = benchmarks.rewardbench(tmp_path)

    (tried,) = attempt("rrm_rewardbench", {"path": str(path)})

    assert tried.problems == []
    assert "## Query" in tried.requests[0]
    assert ("failure_rate,none", "0.0") in tried.facts


def test_a_reply_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    path = benchmarks.rewardbench(tmp_path)

    (tried,) = attempt("rrm_rewardbench", {"path": str(path)}, reply="I like both.")

    assert "--reply" in tried.problems[0]


def test_a_task_for_our_model_is_tried_as_such(tmp_path: Path) -> None:
    path = benchmarks.gpqa(tmp_path)

    (tried,) = attempt("rrm_gpqa_bon", {"path": str(path)})

    assert tried.problems == []


def test_missing_data_is_named(tmp_path: Path) -> None:
    (tried,) = attempt("rrm_llmbar", {"path": str(tmp_path / "nowhere")})

    assert "nowhere" in tried.problems[0]


def test_each_task_of_a_group_is_tried(tmp_path: Path) -> None:
    path = benchmarks.ppe(tmp_path)

    tried = attempt("rrm_ppe", {"path": str(path)})

    assert [each.problems for each in tried] == [[], [], []]


@pytest.mark.parametrize("name", ["nowhere/theirs.yaml"])
def test_a_task_that_is_not_there_is_told(name: str) -> None:
    with pytest.raises(SpecError, match="no such file"):
        attempt(name, {})
