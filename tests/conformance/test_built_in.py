"""Every built-in judge, strategy, dataset and engine keeps what its kind promises."""

import json
from pathlib import Path

import pytest

from rrm_harness import host
from rrm_harness.conformance.kit import check_subject
from rrm_harness.conformance.scripted import cases, judged
from rrm_harness.conformance.subject import Subject, together
from rrm_harness.testing import EXAMPLES

OTHERWISE = [
    "judges:j1,mode=scores",
    "judges:j1,mode=verdict-scores",
    "judges:j1,mode=pointwise",
    "judges:llm,tie=true",
    "judges:llm,mode=arena-hard",
    "judges:llm,mode=rating",
    "judges:llm,verdict=probabilities",
    "judges:prm,aggregate=product",
    "judges:prometheus,mode=absolute",
    "judges:rm-r1,variant=instruct",
    "judges:rrm-nano,thinking=none",
    "strategies:voting,stop=none",
    "strategies:voting,stop=abort",
    "strategies:single,order=seeded",
    "strategies:elo,opponents=3,rating=bradley-terry",
    "strategies:sum-voting,k=4,meta=true",
    "strategies:knockout of both-orders of voting,k=3",
    "datasets:nano-arithmetic,shape=best-of-k,n=50",
    "datasets:nano-arithmetic,shape=answers,n=20",
    "datasets:sample,part=pairs",
]
"""What has other modes is tried in them too."""
WAITING = (
    "needs ",
    "the judge makes no requests",
    "the engine does not run by its name",
)
"""How a reason begins that a built-in one may have to be skipped, here."""
SERVED = {"openai", "ray", "vllm"}
"""Engines that need a server, a cluster, or a minute to start."""


def built_in() -> list[str]:
    return [
        f"{kind}:{entry.name}"
        for kind in ("judges", "strategies", "datasets")
        for entry in host.default().registry(kind).values()
        if entry.origin.startswith("rrm-harness:")
    ]


SPECS = [*built_in(), *OTHERWISE]


@pytest.fixture(scope="module")
def subjects() -> dict[str, Subject]:
    return dict(zip(SPECS, together(map(Subject.named, SPECS)), strict=True))


def tried(subject: Subject) -> dict[str, list[str]]:
    """What is broken, and the reasons for what was skipped."""
    rows = [*check_subject(subject)]
    skipped = [each.sentence for each in rows if each.verdict == "skipped"]
    broken = [
        f"{each.promise.name}: {each.sentence}"
        for each in rows
        if each.verdict == "broken"
    ]
    return {"broken": broken, "skipped": skipped}


@pytest.mark.parametrize("spec", SPECS)
def test_a_built_in_plugin_keeps_its_promises(
    subjects: dict[str, Subject], spec: str
) -> None:
    found = tried(subjects[spec])

    assert found["broken"] == []
    name = spec.partition(":")[2]
    known = (*WAITING, f"{name} needs ")
    assert [each for each in found["skipped"] if not each.startswith(known)] == []


def test_a_built_in_engine_keeps_its_promises() -> None:
    pytest.importorskip("transformers")

    found = tried(Subject.named("transformers"))

    assert found == {"broken": [], "skipped": []}


def test_no_engine_is_forgotten() -> None:
    registered = {
        entry.name
        for entry in host.default().registry("engines").values()
        if entry.origin.startswith("rrm-harness:")
    }

    assert registered == SERVED | {"transformers"}


@pytest.mark.parametrize("spec", [each for each in SPECS if each[:6] == "judges"])
def test_a_judge_that_is_answered_makes_different_scores(
    subjects: dict[str, Subject], spec: str
) -> None:
    """Else the properties of judges would hold of nothing."""
    if subjects[spec].lacking:
        pytest.skip(subjects[spec].lacking)
    judge = subjects[spec].make()

    for case in cases(judge):
        said = judged(judge, case.comparisons, case.engine())
        assert len({score for each in said for score in each.scores}) > 1


def test_a_recipe_of_ones_own_keeps_its_promises(tmp_path: Path) -> None:
    file = tmp_path / "judge.toml"
    file.write_text('parser = "verdict"\nprompt = "{{ responses | join }}"\n')

    found = tried(Subject.named(f"recipe,file={file}"))

    assert found == {"broken": [], "skipped": []}


def test_recorded_judgments_keep_their_promises(tmp_path: Path) -> None:
    file = tmp_path / "votes.jsonl"
    rows = [
        {"example": f"kit-{number}", "order": order, "scores": [1.5, -1.0, 0.5][:size]}
        for number in range(3)
        for size in (2, 3)
        for order in (list(range(size)), list(range(size))[::-1])
    ]
    file.write_text("\n".join(map(json.dumps, rows)))

    found = tried(Subject.named(f"recorded,path={file}"))

    assert found["broken"] == []
    assert len(found["skipped"]) == 1


def test_rows_of_ones_own_keep_their_promises(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    rows = [
        {
            "id": each.id,
            "prompt": each.prompt[0].content,
            "responses": each.responses,
            "correct": each.correct,
        }
        for each in EXAMPLES
    ]
    file.write_text("\n".join(map(json.dumps, rows)))

    found = tried(Subject.named(f"jsonl,path={file}"))

    assert found == {"broken": [], "skipped": []}
