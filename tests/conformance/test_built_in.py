"""Every built-in judge, strategy, dataset and engine keeps what its kind promises."""

import json
from collections.abc import Iterator

import pytest
import verdicts

from rrm_harness.conformance.kit import properties
from rrm_harness.conformance.scripted import cases, judged
from rrm_harness.conformance.subject import Subject, together

TRIED = [*verdicts.built_in("judges", "strategies", "datasets"), *verdicts.OTHERWISE]
JUDGES = [each for each in TRIED if each.startswith("judges:")]
ENGINES = verdicts.built_in("engines")
QUICK = ["engines:openai", "engines:transformers"]
"""Those that start in a moment. The others start some twenty times for all promises,
which takes minutes: `make conformance` tries them, and what it recorded is tested."""
CANNOT_FAIL = "skipped: the judge makes no requests, so no reply of it can fail"
"""Why a promise of a judge that is answered by nobody is not tried."""


@pytest.fixture(scope="module")
def subjects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Subject]:
    specs = verdicts.specs(tmp_path_factory.mktemp("data"))
    built = together(Subject.named(each) for each in specs.values())
    return dict(zip(specs, built, strict=True))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    pytest.importorskip("transformers")
    pytest.importorskip("xllamacpp")
    with verdicts.engines(QUICK, tmp_path_factory.mktemp("engines")) as specs:
        yield specs


def unkept(said: verdicts.Said) -> dict[str, str]:
    return {name: verdict for name, verdict in said.items() if verdict != "holds"}


@pytest.mark.parametrize("spec", TRIED)
def test_a_built_in_plugin_keeps_its_promises(
    subjects: dict[str, Subject], spec: str
) -> None:
    subject = subjects[spec]

    (said,) = verdicts.tried([subject]).values()
    answered = subject.kind == "judges" and any(
        each.asks for each in cases(subject.make())
    )
    silent = subject.kind == "judges" and not answered
    assert unkept(said) == ({"failure-kinds": CANNOT_FAIL} if silent else {})


@pytest.mark.parametrize("name", QUICK)
def test_a_built_in_engine_keeps_its_promises(
    running: dict[str, str], name: str
) -> None:
    (said,) = verdicts.tried([Subject.named(running[name])]).values()

    assert unkept(said) == {}


@pytest.mark.parametrize("spec", JUDGES)
def test_a_judge_that_is_answered_makes_different_scores(
    subjects: dict[str, Subject], spec: str
) -> None:
    """Else the properties of judges would hold of nothing."""
    judge = subjects[spec].make()

    for case in cases(judge):
        said = judged(judge, case.comparisons, case.engine())
        assert len({score for each in said for score in each.scores}) > 1


def test_the_page_s_record_has_a_verdict_on_everything() -> None:
    """Else `make conformance` makes it anew."""
    record = json.loads(verdicts.RECORD.read_text(encoding="utf-8"))

    assert {name: [*said] for name, said in record["built-in"].items()} == {
        name: [each.name for each in properties(name.partition(":")[0])]
        for name in [*TRIED, *ENGINES]
    }
    assert [(each["plugin"], [*each["broken"]]) for each in record["planted"]] == [
        (spec, [name]) for spec, name in verdicts.FAULTS
    ]


def test_nothing_in_the_page_s_record_is_broken() -> None:
    record = json.loads(verdicts.RECORD.read_text(encoding="utf-8"))

    assert [
        (name, promise, verdict)
        for name, said in record["built-in"].items()
        for promise, verdict in unkept(said).items()
        if verdict != CANNOT_FAIL
    ] == []
