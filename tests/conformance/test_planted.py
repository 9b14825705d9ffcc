"""A plugin that breaks one promise fails by that promise's name, and by no other."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rrm_harness.conformance.kit import properties
from rrm_harness.conformance.subject import KINDS

SOURCE = Path(__file__).parent / "planted"
NAMES = {
    ("strategies", "resume"): "bad-strategy-resume",
    ("engines", "batch-invariance"): "bad-engine-batch-invariance",
    ("engines", "determinism"): "bad-engine-determinism",
    ("engines", "failure-kinds"): "bad-engine-failure-kinds",
}
BROKEN = [
    (f"{kind}:{NAMES.get((kind, each.name), f'bad-{each.name}')}", each.name)
    for kind in KINDS
    for each in properties(kind)
] + [("judges:bad-both-orders-pointwise", "both-orders")]
GOOD = [
    "judges:good-reader",
    "judges:good-writer",
    "strategies:good-round-robin",
    "datasets:good-two",
    "engines:good-echo",
]
NOT_TRIED = {"the judge makes no requests, so no reply of it can fail"}
PROGRAM = """
import json, sys
from rrm_harness.conformance.kit import check_subject
from rrm_harness.conformance.subject import Subject, together
subjects = together([Subject.named(each) for each in sys.argv[1:]])
print(json.dumps({
    each.title: {
        tried.promise.name: (tried.verdict, tried.sentence)
        for tried in check_subject(each)
    }
    for each in subjects
}))
"""


@pytest.fixture(scope="module")
def verdicts(
    laid_out: Callable[[Path, str], Path],
) -> dict[str, dict[str, tuple[str, str]]]:
    """Each planted plugin's verdicts, by property."""
    specs = [*GOOD, *(spec for spec, _ in BROKEN)]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *specs],
        env={**os.environ, "PYTHONPATH": str(laid_out(SOURCE, "planted"))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, tuple[str, str]]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(("spec", "name"), BROKEN)
def test_what_is_broken_and_nothing_else_is_told(
    verdicts: dict[str, dict[str, tuple[str, str]]], spec: str, name: str
) -> None:
    broken = {
        each: sentence
        for each, (verdict, sentence) in verdicts[spec].items()
        if verdict == "broken"
    }

    assert list(broken) == [name], broken
    assert "expected" in broken[name]


@pytest.mark.parametrize("spec", [*GOOD, *(spec for spec, _ in BROKEN)])
def test_nothing_is_left_untried_but_what_cannot_be(
    verdicts: dict[str, dict[str, tuple[str, str]]], spec: str
) -> None:
    skipped = {
        sentence
        for verdict, sentence in verdicts[spec].values()
        if verdict == "skipped"
    }

    no_rule = {"there is no rule"} if spec.endswith("rule-stated") else set()
    assert skipped <= NOT_TRIED | no_rule


@pytest.mark.parametrize("spec", GOOD)
def test_a_plugin_without_a_fault_breaks_nothing(
    verdicts: dict[str, dict[str, tuple[str, str]]], spec: str
) -> None:
    assert [each for each, said in verdicts[spec].items() if said[0] == "broken"] == []
