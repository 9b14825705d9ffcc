"""The whole of a run: its files, what it reuses, and that nothing but the command
decides what comes out."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from time import sleep
from typing import Any, Literal

import pytest

from rrm_harness import (
    BadRow,
    Comparison,
    Completion,
    DataError,
    Dataset,
    Example,
    Failure,
    Judge,
    Judgment,
    Message,
    Model,
    OutputError,
    PluginError,
    Request,
    Rule,
    SpecError,
    StoreError,
    evaluate,
)
from rrm_harness.records import Outcome, Play
from rrm_harness.result import Result
from rrm_harness.testing import (
    FakeDataset,
    FakeEngine,
    FakeJudge,
    FakeModelJudge,
    example,
)

Json = dict[str, Any]
A, B = Judgment((1.0, 0.0)), Judgment((0.0, 1.0))


@dataclass(frozen=True)
class Pairs(Dataset):
    """So many pairs whose first response is correct; some rows may be bad."""

    count: int
    bad: tuple[int, ...] = ()
    failure: Literal["wrong", "exclude"] = "wrong"

    name = "pairs"
    revision = "1"
    protocol = "single,order=given"

    @property
    def rule(self) -> Rule:
        return Rule(failure=self.failure)

    def examples(self) -> Iterator[Example | BadRow]:
        for number in range(self.count):
            if number in self.bad:
                yield BadRow(f"pairs, row {number}", "it is bad")
            else:
                yield pair(f"pair-{number}", f"subset-{number % 2}")


def pair(id: str, subset: str = "all") -> Example:  # noqa: A002
    return Example(id, (Message("user", "q"),), ("right", "wrong"), (0,), subset)


@dataclass
class Remembering(FakeEngine):
    """An engine that remembers which requests it was given."""

    requests: list[Request] = field(default_factory=list)

    def submit(self, ticket: int, request: Request) -> None:
        self.requests.append(request)
        super().submit(ticket, request)

    @property
    def examples(self) -> list[str]:
        """The examples that were asked about, by id."""
        return sorted(each.messages[0].content.split()[0] for each in self.requests)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder that no other test's run lies beside."""
    path = tmp_path / "run"
    path.mkdir()
    return path


def outcomes(directory: Path) -> list[Json]:
    lines = (directory / "outcomes.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def results(directory: Path) -> Json:
    content: Json = json.loads((directory / "results.json").read_text())
    return content


PASSING = ("seconds", "cached", "digest")


def lasting(directory: Path) -> Json:
    """Results but for what may differ from one run of a command to the next."""
    content = results(directory)
    return {key: content[key] for key in content if key not in PASSING}


def prefer(text: str) -> Callable[[Comparison], Judgment]:
    """A judge that knows the right answer, wherever it is shown."""

    def decide(comparison: Comparison) -> Judgment:
        return Judgment(tuple(float(each == text) for each in comparison.responses))

    return decide


def test_the_results_have_every_key_of_the_contract(folder: Path) -> None:
    evaluate("longest", "sample", output=folder)

    found = results(folder)
    assert found["format"] == 2
    assert found["forecast"] == 60
    assert found["dataset"] == "sample"
    assert found["judge"] == "longest"
    assert found["strategy"] == "single,order=seeded"
    assert found["n"] == found["examples"] == found["comparisons"] == 60
    assert found["judgments"] == 48 * 2 + 12 * 8
    assert found["cached"] == 0
    assert found["accuracy"] == pytest.approx(28 / 60)
    assert 0 < found["accuracy_low"] < found["accuracy"] < found["accuracy_high"] < 1
    assert found["bounds"] == pytest.approx([found["accuracy"]] * 2)
    assert len(found["subsets"]) == 7
    assert sum(part["n"] for part in found["subsets"].values()) == 60
    assert found["sections"] == {}
    assert found["failures"] == {}
    assert found["tokens"] == {"prompt": 0, "completion": 0}
    assert found["seconds"] > 0
    assert set(found["manifest"]["run"]) >= {"judge", "engine", "strategy", "seed"}
    assert found["manifest"]["versions"].keys() >= {"rrm-harness", "python"}


def test_the_result_is_what_the_directory_holds(folder: Path) -> None:
    result = evaluate("first", "sample", output=folder)

    written = results(folder)
    assert len(written.pop("digest")) == 32
    assert json.loads(json.dumps(result.results)) == written
    assert Result.read(folder).results == written
    assert result.accuracy == results(folder)["accuracy"]
    assert result.interval is not None


def test_without_an_output_a_temporary_directory_is_used() -> None:
    result = evaluate("first", "sample", limit=2)

    assert (result.directory / "results.json").is_file()


def test_a_temporary_run_has_no_neighbors_to_reuse() -> None:
    evaluate("first", "sample", limit=2)

    result = evaluate("first", "sample", limit=2)

    assert result.results["cached"] == 0


def test_outcomes_have_a_line_per_example_in_the_datasets_order(folder: Path) -> None:
    evaluate("random", Pairs(30), "voting,k=5", output=folder)

    assert [line["id"] for line in outcomes(folder)] == [
        f"pair-{number}" for number in range(30)
    ]


def test_an_outcome_tells_all_that_was_asked(folder: Path) -> None:
    judge = FakeJudge(lambda shown: A if shown.sample == 0 else B)

    evaluate(judge, Pairs(1), "voting,k=3,stop=none", output=folder)

    (line,) = outcomes(folder)
    assert line == {
        "id": "pair-0",
        "subset": "subset-0",
        "cluster": "pair-0",
        "lengths": [5, 5],
        "correct": [0],
        "scores": [0.0, 1.0],
        "winners": [1],
        "failure": None,
        "credit": 0.0,
        "notes": {"votes": 3, "votes_saved": 0},
        "comparisons": [
            {"order": [0, 1], "sample": 0, "scores": [1.0, 0.0]},
            {"order": [0, 1], "sample": 1, "scores": [0.0, 1.0]},
            {"order": [0, 1], "sample": 2, "scores": [0.0, 1.0]},
        ],
    }


@pytest.mark.parametrize(
    "strategy", ["single,order=seeded", "both-orders of voting,k=3", "knockout", "elo"]
)
def test_the_same_command_again_asks_nothing_and_writes_the_same(
    folder: Path, strategy: str
) -> None:
    evaluate("random", "sample,part=pairs", strategy, output=folder)
    before = (folder / "outcomes.jsonl").read_bytes(), lasting(folder)
    (folder / "receipt.json").unlink()  # or it is not played again

    evaluate("random", "sample,part=pairs", strategy, output=folder)

    assert results(folder)["cached"] == results(folder)["judgments"]
    assert ((folder / "outcomes.jsonl").read_bytes(), lasting(folder)) == before


def ask(output: Path, **options: Any) -> Remembering:
    """Run a judge of a model that knows; return its engine."""
    engine = Remembering()
    command = {"judge": FakeModelJudge(prefer("right")), "dataset": Pairs(3), **options}
    evaluate(**command, output=output, engine=engine)
    return engine


def test_another_strategy_beside_it_reuses_its_judgments(folder: Path) -> None:
    ask(folder / "a", dataset=Pairs(9), strategy="both-orders")

    engine = ask(folder / "b", dataset=Pairs(9), strategy="single,order=reversed")

    assert engine.requests == []
    assert results(folder / "b")["cached"] == 9


def test_more_votes_ask_only_for_the_further_ones(folder: Path) -> None:
    few = ask(folder / "few", strategy="voting,k=4,stop=none")

    more = ask(folder / "more", strategy="voting,k=8,stop=none")
    everything = ask(folder / "all", strategy="voting,k=8,stop=none", reuse=[])

    assert len(few.requests) == len(more.requests) == 3 * 4
    seeds = [{each.seed for each in engine.requests} for engine in (few, more)]
    assert seeds[0] | seeds[1] == {each.seed for each in everything.requests}
    assert len(seeds[0] | seeds[1]) == 3 * 8


def test_reusing_nothing_asks_everything_anew(folder: Path) -> None:
    ask(folder / "a")

    engine = ask(folder / "b", reuse=[])

    assert len(engine.requests) == 3


def test_a_run_elsewhere_is_reused_when_it_is_named(folder: Path) -> None:
    ask(folder / "far" / "a")

    engine = ask(folder / "b", reuse=[folder / "far" / "a"])

    assert engine.requests == []


def test_a_run_that_is_reused_may_be_named_by_a_string(folder: Path) -> None:
    ask(folder / "far" / "a")

    engine = ask(folder / "b", reuse=[str(folder / "far" / "a")])

    assert engine.requests == []


def test_a_judge_whose_parsing_was_mended_reads_the_stored_replies_anew(
    folder: Path,
) -> None:
    first = ask(folder / "a", judge=FakeModelJudge(prefer("wrong")))
    before = results(folder / "a")

    again = ask(folder / "a")
    beside = ask(folder / "b")

    assert (len(first.requests), again.requests, beside.requests) == (3, [], [])
    assert before["accuracy"] == 0.0
    for directory in (folder / "a", folder / "b"):
        assert results(directory)["accuracy"] == 1.0
        assert results(directory)["cached"] == 3


def test_a_judge_without_an_engine_is_read_anew_as_well(folder: Path) -> None:
    evaluate(FakeJudge(prefer("wrong")), Pairs(3), output=folder)

    evaluate(FakeJudge(prefer("right")), Pairs(3), output=folder)

    assert results(folder)["accuracy"] == 1.0


def test_a_stored_reply_that_is_no_longer_read_is_asked_again(folder: Path) -> None:
    def strict(shown: Comparison) -> Judgment:
        unreadable = shown.example.id == "pair-1"
        return Judgment.failed(Failure.UNPARSABLE) if unreadable else A

    ask(folder)

    engine = ask(folder, judge=FakeModelJudge(strict))

    assert engine.examples == ["pair-1"]
    assert results(folder)["failures"] == {"unparsable": 1}


def counting_tokens(_: Request) -> Completion:
    return Completion("done", prompt_tokens=7, completion_tokens=2)


def test_what_is_not_sampled_is_asked_and_paid_for_once(folder: Path) -> None:
    engine = Remembering(counting_tokens)
    judge = FakeModelJudge(prefer("right"), temperature=0.0)

    evaluate(judge, Pairs(3), "voting,k=5,stop=none", output=folder, engine=engine)

    assert engine.examples == ["pair-0", "pair-1", "pair-2"]
    found = results(folder)
    assert (found["comparisons"], found["judgments"], found["cached"]) == (15, 3, 0)
    assert found["tokens"] == {"prompt": 21, "completion": 6}


@dataclass(frozen=True)
class Copies(Pairs):
    """Pairs that come again under another id."""

    def examples(self) -> Iterator[Example | BadRow]:
        for number in range(self.count):
            yield pair(f"pair-{number}")


class Blind(FakeModelJudge):
    """A judge to which all examples look the same."""

    def render(self, comparison: Comparison) -> list[Request]:
        content = str(comparison.responses)
        return [Request((Message("user", content),), temperature=self.temperature)]


def test_one_content_in_several_examples_counts_once(folder: Path) -> None:
    judge = Blind(prefer("right"))
    engine = Remembering(counting_tokens)

    evaluate(judge, Copies(4), output=folder / "a", engine=engine)
    evaluate(judge, Copies(4), output=folder / "b", engine=FakeEngine())

    assert len(engine.requests) == 1
    found = [results(folder / name) for name in ("a", "b")]
    assert [each["comparisons"] for each in found] == [4, 4]
    assert [each["judgments"] for each in found] == [1, 1]
    assert [each["cached"] for each in found] == [0, 1]
    assert found[0]["tokens"] == found[1]["tokens"] == {"prompt": 7, "completion": 2}


def test_every_vote_of_a_sampling_model_is_asked_and_counts(folder: Path) -> None:
    engine = ask(folder, strategy="voting,k=5,stop=none")

    assert len(engine.requests) == results(folder)["judgments"] == 15


class Other(FakeModelJudge):
    """Another judge."""

    identity = "other"


def test_the_neighbors_of_another_judge_are_not_even_opened(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ask(folder / "a", judge=Other(prefer("right")))
    (folder / "a" / "judgments.sqlite").write_bytes(b"garbage" * 1000)

    with caplog.at_level(logging.WARNING, "rrm_harness"):
        ask(folder / "b")

    assert caplog.messages == []


def test_the_meta_judgments_of_a_neighbor_are_reused_under_another_judge(
    folder: Path,
) -> None:
    def run(name: str, judge: FakeModelJudge) -> list[str]:
        engine, meta = FakeEngine(), Remembering()
        evaluate(
            judge,
            Pairs(3),
            "sum-voting,k=2,meta=true,order=given",
            output=folder / name,
            engine=engine,
            meta_judge=Meta(lambda _: Judgment((1.0,))),
            meta_engine=meta,
        )
        return meta.examples

    assert len(run("a", FakeModelJudge(prefer("right")))) == 6
    assert run("b", Other(prefer("right"))) == []


class Meta(FakeModelJudge):
    """A judge of judgments."""

    identity = "meta"


def test_a_neighbor_without_a_manifest_is_not_read(folder: Path) -> None:
    ask(folder / "a")
    (folder / "a" / "manifest.json").unlink()

    assert len(ask(folder / "b").requests) == 3


def test_another_users_neighbor_is_not_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(folder / "a")
    monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)

    assert len(ask(folder / "b").requests) == 3


def damage(store: Path) -> None:
    """Leave the first pages, so that it opens, and spoil the rest."""
    content = bytearray(store.read_bytes())
    content[4096:] = b"\xa5" * len(content[4096:])
    store.write_bytes(content)


def spoil(store: Path) -> None:
    store.write_bytes(b"garbage" * 1000)


@pytest.mark.parametrize("harm", [damage, spoil])
def test_a_broken_neighbor_is_done_without_and_told(
    folder: Path, harm: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    ask(folder / "a")
    harm(folder / "a" / "judgments.sqlite")

    with caplog.at_level(logging.WARNING, "rrm_harness"):
        engine = ask(folder / "b")

    assert len(engine.requests) == 3
    assert any(str(folder / "a") in message for message in caplog.messages)


def test_a_broken_run_that_is_named_for_reuse_is_refused(folder: Path) -> None:
    ask(folder / "a")
    spoil(folder / "a" / "judgments.sqlite")

    with pytest.raises(StoreError, match=r"a.judgments\.sqlite is damaged"):
        ask(folder / "b", reuse=[folder / "a"])


def test_a_run_that_is_named_for_reuse_must_be_one(folder: Path) -> None:
    with pytest.raises(OutputError, match="holds no judgments to reuse"):
        evaluate("first", Pairs(3), output=folder / "b", reuse=[folder / "typo"])


def test_a_store_stays_complete_when_its_neighbor_is_deleted(folder: Path) -> None:
    ask(folder / "a")
    ask(folder / "b")
    (folder / "a").rename(folder.with_name("gone"))

    assert ask(folder / "b").requests == []


def test_a_limit_takes_the_first_examples(folder: Path) -> None:
    evaluate("first", Pairs(30), output=folder, limit=7)

    assert [line["id"] for line in outcomes(folder)] == [
        f"pair-{number}" for number in range(7)
    ]


def test_a_limit_counts_good_rows_alone(folder: Path) -> None:
    data = Pairs(30, bad=(0, 3, 5, 9))

    evaluate("first", data, output=folder, limit=4, skip_bad_rows=True)

    assert [line["id"] for line in outcomes(folder)] == [
        f"pair-{number}" for number in (1, 2, 4, 6)
    ]
    assert results(folder)["skipped_rows"] == 3


def test_failures_are_asked_again_on_the_next_run_and_nothing_else(
    folder: Path,
) -> None:
    def moody(shown: Comparison) -> Judgment:
        failed = shown.example.id in ("pair-1", "pair-4")
        return Judgment.failed(Failure.ENGINE_ERROR) if failed else A

    ask(folder, judge=FakeModelJudge(moody), dataset=Pairs(6))
    first = results(folder)

    recovered = ask(folder, judge=FakeModelJudge(lambda _: A), dataset=Pairs(6))

    assert first["failures"] == {"engine-error": 2}
    assert first["accuracy"] == pytest.approx(4 / 6)
    assert first["bounds"] == pytest.approx([4 / 6, 1.0])
    assert recovered.examples == ["pair-1", "pair-4"]
    assert results(folder)["failures"] == {}
    assert results(folder)["accuracy"] == 1.0
    assert results(folder)["cached"] == 4


def test_a_judge_that_raises_fails_that_comparison_alone(folder: Path) -> None:
    def clumsy(shown: Comparison) -> Judgment:
        if shown.example.id == "pair-2":
            raise KeyError("oops")
        return A

    evaluate(FakeJudge(clumsy), Pairs(4), output=folder)

    assert results(folder)["failures"] == {"judge-error": 1}
    assert results(folder)["first_failures"] == {
        "judge-error": "pair-2: KeyError: 'oops'"
    }


def test_nothing_scored_has_no_accuracy(folder: Path) -> None:
    broken = FakeJudge(lambda _: Judgment.failed(Failure.REFUSED))

    result = evaluate(broken, Pairs(3, failure="exclude"), output=folder)

    assert result.accuracy is None
    assert result.interval is None
    assert result.results["n"] == 0
    assert result.results["bounds"] == [0.0, 1.0]


def test_nothing_judged_says_nothing_about_the_judge(folder: Path) -> None:
    broken = FakeJudge(lambda _: Judgment.failed(Failure.REFUSED))

    result = evaluate(broken, Pairs(3), output=folder)

    assert result.accuracy == 0.0
    assert result.interval == (0.0, 1.0)
    assert result.results["failed_examples"] == result.results["examples"] == 3


def test_two_seeds_differ(folder: Path) -> None:
    for seed in (0, 1):
        evaluate("first", "sample", output=folder / str(seed), seed=seed)

    first, second = (outcomes(folder / str(seed)) for seed in (0, 1))
    assert first != second


def test_one_seed_gives_the_same_bytes_in_two_directories(folder: Path) -> None:
    for name in ("one", "two"):
        evaluate("random", "sample", "knockout", output=folder / name, reuse=[])

    first, second = (folder / name / "outcomes.jsonl" for name in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()
    assert lasting(folder / "one") == lasting(folder / "two")


def test_the_hash_seed_of_the_process_does_not_matter(folder: Path) -> None:
    program = (
        "import sys; from rrm_harness import evaluate;"
        "evaluate('random', 'sample', 'knockout of both-orders of voting,k=3',"
        " output=sys.argv[1], reuse=[])"
    )

    for seed in ("0", "1"):
        subprocess.run(
            [sys.executable, "-P", "-c", program, str(folder / seed)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
        )

    first, second = (folder / seed / "outcomes.jsonl" for seed in ("0", "1"))
    assert first.read_bytes() == second.read_bytes()
    assert lasting(folder / "0") == lasting(folder / "1")


class Counted(Example):
    """An example that is counted while it is alive."""

    alive = 0
    most = 0

    def __init__(self, number: int) -> None:
        super().__init__(str(number), (), ("a", "bb"), (0,))
        Counted.alive += 1
        Counted.most = max(Counted.most, Counted.alive)

    def __del__(self) -> None:
        Counted.alive -= 1


@dataclass(frozen=True)
class Stream(Dataset):
    """Many examples, made as they are asked for."""

    count: int

    name = "stream"
    revision = "1"
    rule = Rule()

    def examples(self) -> Iterator[Example]:
        return map(Counted, range(self.count))


def test_a_long_dataset_is_never_all_in_memory(folder: Path) -> None:
    window, pending = 1024, 5000

    evaluate("first", Stream(20_000), output=folder, baselines=False)

    assert results(folder)["n"] == 20_000
    assert Counted.most <= window + pending + 2


def test_progress_is_told_for_every_example(folder: Path) -> None:
    told: list[tuple[int, int]] = []

    evaluate(
        "first",
        Pairs(5),
        output=folder,
        progress=lambda done, total: told.append((done, total)),
    )

    assert told == [(number, 5) for number in range(1, 6)]


def test_the_trivial_judges_stand_beside_the_result(folder: Path) -> None:
    evaluate("longest", Pairs(400), "single,order=given", output=folder)

    found = results(folder)["baselines"]
    assert list(found) == ["longest", "shortest", "first", "random"]
    assert (found["longest"], found["shortest"], found["first"]) == (0.5, 0.5, 1.0)
    assert found["random"] == pytest.approx(0.5, abs=0.1)


def test_the_trivial_judges_are_left_out_when_told(folder: Path) -> None:
    evaluate("longest", Pairs(4), output=folder, baselines=False)

    assert results(folder)["baselines"] == {}


def test_a_bad_row_stops_the_run_before_anything_is_asked(folder: Path) -> None:
    judge = FakeJudge(prefer("right"))

    with pytest.raises(DataError, match="pairs, row 3: it is bad"):
        evaluate(judge, Pairs(5, bad=(3,)), output=folder / "run")

    assert judge.asked == []
    assert not (folder / "run").exists()


def test_bad_rows_are_counted_when_they_are_skipped(folder: Path) -> None:
    evaluate("first", Pairs(5, bad=(0, 3)), output=folder, skip_bad_rows=True)

    assert results(folder)["skipped_rows"] == 2
    assert results(folder)["n"] == 3


def test_a_dataset_without_a_good_row_is_refused(folder: Path) -> None:
    with pytest.raises(DataError, match=r"no usable example \(2 bad rows\)"):
        evaluate("first", Pairs(2, bad=(0, 1)), output=folder, skip_bad_rows=True)


@pytest.mark.parametrize(
    ("example", "problem"),
    [
        (Example("x", (), (), ()), "has no responses"),
        (Example("x", (), ("a",), (1,)), "has a correct index out of range"),
        (Example("x", (), ("a",), (-1,)), "has a correct index out of range"),
    ],
)
def test_an_example_that_breaks_the_contract_is_a_bad_row(
    folder: Path, example: Example, problem: str
) -> None:
    class Broken(Pairs):
        """A dataset with a fault."""

        def examples(self) -> Iterator[Example]:
            yield example

    with pytest.raises(DataError, match=f"pairs, example 1: .*{problem}"):
        evaluate("first", Broken(1), output=folder)


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"limit": 2}, {"strategy": "both-orders"}, {"judge": "first"}],
)
def test_the_directory_of_another_run_is_refused_and_left_as_it_is(
    folder: Path, change: Json
) -> None:
    command = {"judge": "longest", "dataset": "sample", "output": folder}
    evaluate(**command)
    before = {each.name: each.read_bytes() for each in folder.iterdir()}

    with pytest.raises(OutputError, match="holds another run"):
        evaluate(**{**command, **change})

    assert {each.name: each.read_bytes() for each in folder.iterdir()} == before


def test_the_parts_of_a_dataset_are_different_runs(folder: Path) -> None:
    evaluate("first", "sample,part=pairs", output=folder)

    with pytest.raises(OutputError, match=r"dataset is .*pairs.*best-of-8"):
        evaluate("first", "sample,part=best-of-8", output=folder)


def test_where_a_dataset_lies_does_not_tell_runs_apart(folder: Path) -> None:
    row = {"id": "x", "prompt": "q", "responses": ["a", "bb"], "correct": [0]}
    data = [folder / name / "rows.jsonl" for name in ("one", "two")]
    for path in data:
        path.parent.mkdir()
        path.write_text(json.dumps(row))

    for path in data:
        evaluate("first", f"jsonl,path={path}", output=folder / "run")

    assert results(folder / "run")["cached"] == 1
    assert results(folder / "run")["dataset"] == f"jsonl,path={data[1]}"


def test_a_dataset_that_was_given_as_a_spec_is_reported_so(folder: Path) -> None:
    evaluate("first", "sample,part=pairs", output=folder)

    assert results(folder)["dataset"] == "sample,part=pairs"


class OtherEngine(FakeEngine):
    """An engine that may answer otherwise."""

    identity = "another model"


@pytest.mark.parametrize("role", ["engine", "meta_engine", "policy_engine"])
def test_another_engine_is_another_run(folder: Path, role: str) -> None:
    judge, meta = FakeModelJudge(prefer("right")), Meta(lambda _: Judgment((1.0,)))
    command: Json = {
        "judge": judge,
        "dataset": Pairs(3),
        "strategy": "sum-voting,k=2,meta=true",
        "meta_judge": meta,
        "policy": judge,
        "engine": FakeEngine(),
        "meta_engine": FakeEngine(),
        "policy_engine": FakeEngine(),
        "output": folder,
    }
    evaluate(**command)

    with pytest.raises(OutputError, match=f"{role.replace('_', ' ')} is 'fake' there"):
        evaluate(**{**command, role: OtherEngine()})


def test_the_forecast_is_the_most_that_could_be_asked(folder: Path) -> None:
    evaluate("first", "sample", "knockout of voting,k=3", output=folder)

    found = results(folder)
    assert found["forecast"] == 3 * (48 + 12 * 7)
    assert found["comparisons"] == 2 * (48 + 12 * 7)


def test_a_manifest_that_was_deleted_is_made_again(folder: Path) -> None:
    ask(folder)
    manifest = folder / "manifest.json"
    before = json.loads(manifest.read_text())
    manifest.write_text("{")
    with pytest.raises(OutputError, match="delete it and run the same command again"):
        ask(folder)
    manifest.unlink()

    engine = ask(folder)

    assert engine.requests == []
    assert json.loads(manifest.read_text()) == before


def test_a_manifest_is_made_again_before_the_results_are_there(folder: Path) -> None:
    ask(folder)
    for name in ("manifest.json", "results.json", "outcomes.jsonl"):
        (folder / name).unlink()

    engine = ask(folder)

    assert engine.requests == []
    assert (folder / "manifest.json").is_file()


def test_without_a_manifest_the_results_tell_of_another_run(folder: Path) -> None:
    ask(folder)
    (folder / "manifest.json").unlink()

    with pytest.raises(OutputError, match="holds another run"):
        ask(folder, strategy="both-orders")


def test_without_a_manifest_a_folder_of_other_files_is_refused(folder: Path) -> None:
    ask(folder)
    (folder / "manifest.json").unlink()
    (folder / "thesis.tex").touch()

    with pytest.raises(OutputError, match=r"holds other files \('thesis.tex'\)"):
        ask(folder)


def test_the_command_that_a_message_advises_may_have_the_directory(
    folder: Path,
) -> None:
    strategy = "sum-voting,k=2,meta=true"
    with pytest.raises(SpecError, match="add --meta-judge SPEC"):
        evaluate("random", Pairs(3), strategy, output=folder)

    meta = FakeJudge(lambda _: Judgment((1.0,)))
    result = evaluate("random", Pairs(3), strategy, output=folder, meta_judge=meta)

    assert result.results["n"] == 3


def test_a_mistake_does_not_give_up_the_directory_of_an_earlier_command(
    folder: Path,
) -> None:
    judge = FakeModelJudge(prefer("right"))
    ask(folder, judge=judge)
    before = (folder / "manifest.json").read_bytes()
    judge.most = 1

    with pytest.raises(SpecError, match="takes 1 to 1"):
        ask(folder, judge=judge)

    assert (folder / "manifest.json").read_bytes() == before


def test_a_run_that_judged_nothing_leaves_its_directory_to_the_mended_command(
    folder: Path,
) -> None:
    model = FakeModelJudge(lambda _: A)
    with pytest.raises(SpecError, match="no engine was given"):
        evaluate(model, Pairs(3), output=folder)

    result = evaluate(model, Pairs(3), output=folder, engine=FakeEngine())

    assert result.results["n"] == 3


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_arrival_does_not_change_the_bytes(
    tmp_path: Path, seed: int
) -> None:
    def run(name: str, engine: FakeEngine) -> bytes:
        judge = FakeModelJudge(lambda asked: A if asked.sample % 2 else B)
        strategy = "both-orders of voting,k=4,stop=none"
        evaluate(judge, Pairs(20), strategy, output=tmp_path / name, engine=engine)
        return (tmp_path / name / "outcomes.jsonl").read_bytes()

    assert run("one", FakeEngine(seed=seed)) == run("other", FakeEngine(seed=seed + 9))


@dataclass(frozen=True)
class Named(Dataset):
    """A dataset whose name, revision and rule are its fields."""

    name: str
    revision: str
    rule: Rule

    def examples(self) -> Iterator[Example | BadRow]:
        yield pair("pair-0")


def test_a_datasets_facts_may_be_its_fields(folder: Path) -> None:
    dataset = Named("mine", "3", Rule())

    result = evaluate("longest", dataset, output=folder)

    assert result.results["dataset"] == "mine"


def test_a_directory_with_another_programs_manifest_is_refused(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"run": "npm start"}')

    with pytest.raises(OutputError, match="another program's"):
        evaluate("first", Pairs(1), output=folder)


@pytest.mark.parametrize("content", ['{"results": {}}', '{"format": 3}', "{}"])
def test_results_of_another_program_are_not_read(folder: Path, content: str) -> None:
    (folder / "results.json").write_text(content)

    with pytest.raises(OutputError, match="another program's or another version's"):
        Result.read(folder)


class Plain:
    """A strategy that is no dataclass."""

    def __init__(self, order: str = "given") -> None:
        self.order = order

    def play(self, comparison: Comparison) -> Play:
        (judgment,) = yield [comparison]
        return Outcome(dict(zip(comparison.order, judgment.scores, strict=True)))

    def cost(self, responses: int) -> int:
        return 1


def test_a_plain_strategys_run_can_be_continued(folder: Path) -> None:
    evaluate("first", Pairs(2), Plain(), output=folder)

    evaluate("first", Pairs(2), Plain(), output=folder)

    assert results(folder)["cached"] == 2


def test_a_plain_strategys_options_tell_runs_apart(folder: Path) -> None:
    evaluate("first", Pairs(2), Plain(), output=folder)

    with pytest.raises(OutputError, match="another run"):
        evaluate("first", Pairs(2), Plain("reversed"), output=folder)


@dataclass(frozen=True)
class Loaded(Judge):
    """A judge whose option is an object without a repr."""

    model: object

    def parse(self, comparison: Comparison, completions: object) -> Judgment:
        return A


def test_what_only_an_address_identifies_is_refused(folder: Path) -> None:
    with pytest.raises(PluginError, match="the judge is known only by an address"):
        evaluate(Loaded(object()), Pairs(2), output=folder / "run")

    assert not (folder / "run").exists()


def test_a_judge_that_takes_pairs_alone_says_what_to_do(folder: Path) -> None:
    judge = FakeJudge(prefer("right"))
    judge.most = 2

    with pytest.raises(SpecError, match=r"takes 1 to 2; .* asks for fewer at a time"):
        evaluate(judge, "sample,part=best-of-8", output=folder)


def test_a_judge_that_compares_says_what_shows_it_more(folder: Path) -> None:
    judge = FakeJudge(prefer("right"))
    judge.fewest = 2

    with pytest.raises(SpecError, match=r"takes 2 to any number; .* shows more at a"):
        evaluate(judge, "sample", "best-of-n", output=folder)


@dataclass(frozen=True)
class Words(Judge):
    """Has a set for an option."""

    words: frozenset[str]


class Slotted(Judge):
    """Has its options in slots."""

    __slots__ = ("word",)

    def __init__(self, word: str) -> None:
        self.word = word


def test_a_set_is_described_in_one_order() -> None:
    words = [f"word-{number}" for number in range(50)]

    assert Words(frozenset(words)).identity == Words(frozenset(words[::-1])).identity
    assert (
        "frozenset('word-0', 'word-1', 'word-10'," in Words(frozenset(words)).identity
    )


def test_slots_tell_plugins_apart() -> None:
    assert Slotted("one").identity != Slotted("two").identity


@dataclass(frozen=True)
class OnModel(Judge):
    """A judge of a model; shows it the critique, if there is one."""

    model: str

    @property
    def runs_on(self) -> Model:
        return Model(self.model)

    def render(self, comparison: Comparison) -> list[Request]:
        return [Request((Message("user", comparison.critique or "judge"),))]

    def parse(
        self, comparison: Comparison, completions: Sequence[Completion]
    ) -> Judgment:
        shown = 1 if comparison.role == "meta" else len(comparison.order)
        return Judgment((1.0,) * shown, text=completions[0].text)


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("meta_judge", r"the meta judge runs .* its own \(--meta-engine SPEC\)"),
        ("policy", r"the policy runs .* its own \(--policy-engine SPEC\)"),
    ],
)
def test_a_judge_of_another_model_needs_an_engine_of_its_own(
    option: str, told: str
) -> None:
    with pytest.raises(SpecError, match=told):
        evaluate(OnModel("a"), Pairs(1), engine=FakeEngine(), **{option: OnModel("b")})


@pytest.mark.parametrize("other", [1, 2])
def test_a_policy_of_the_meta_judges_model_runs_where_it_is_asked_to(
    other: int,
) -> None:
    result = evaluate(
        "first",
        Pairs(1),
        meta_judge=OnModel("a"),
        meta_engine="openai,url=http://localhost:1/v1",
        policy=OnModel("a"),
        policy_engine=f"openai,url=http://localhost:{other}/v1",
    )

    run = result.results["manifest"]["run"]
    assert "http://localhost:1/v1" in run["meta engine"]
    assert f"http://localhost:{other}/v1" in run["policy engine"]


def test_a_policy_shares_the_engine_that_both_are_asked_for_on() -> None:
    engine = FakeEngine()

    result = evaluate(
        "first",
        Pairs(1),
        meta_judge=OnModel("a"),
        meta_engine=engine,
        policy=OnModel("a"),
        policy_engine=engine,
    )

    run = result.results["manifest"]["run"]
    assert run["policy engine"] == run["meta engine"] == "fake"


def answers_right(comparison: Comparison) -> Judgment:
    """As the policy, choose what is right at odd samples; as the judge, prefer that."""
    if comparison.role == "policy":
        choice = "right" if comparison.sample % 2 else "wrong"
        return replace(prefer(choice)(comparison), text=choice)
    return prefer("right")(comparison)


def best_of_four(directory: Path, judge: FakeJudge, **options: Any) -> Result:
    strategy = "sampled,n=4 of knockout"
    return evaluate(
        judge, Pairs(3), strategy, output=directory, policy=judge, **options
    )


def test_a_policys_solutions_are_chosen_among(folder: Path) -> None:
    result = best_of_four(folder, FakeJudge(answers_right))

    found = result.results
    assert found["accuracy"] == 1.0
    assert found["comparisons"] == found["forecast"] == 3 * (4 + 3)
    assert found["baselines"] == {}
    assert found["manifest"]["run"]["policy"] == "fake"


def test_each_comparison_tells_whom_it_asked(folder: Path) -> None:
    best_of_four(folder, FakeJudge(answers_right))

    (first, *_) = outcomes(folder)
    roles = [each.get("role") for each in first["comparisons"]]
    assert roles == [None] * 3 + ["policy"] * 4


def test_a_policys_answers_are_no_ties_and_no_positions(folder: Path) -> None:
    def undecided(comparison: Comparison) -> Judgment:
        if comparison.role == "policy":
            return Judgment((0.5, 0.5), text="either")
        return prefer("right")(comparison)

    found = best_of_four(folder, FakeJudge(undecided)).results

    assert found["comparison_tie_rate"] == 1.0  # of the judge, on equal solutions
    assert found["prefer_longer_rate"] is None


def test_what_a_policy_and_its_judge_said_is_not_asked_again(folder: Path) -> None:
    class Solved(FakeModelJudge):
        def render(self, comparison: Comparison) -> Sequence[Request]:
            (request,) = super().render(comparison)
            shown = Message("user", repr(comparison.responses))
            return [replace(request, messages=(*request.messages, shown))]

    engines = [Remembering(), Remembering()]

    runs = [
        best_of_four(folder / name, Solved(answers_right), engine=engine)
        for name, engine in zip("ab", engines, strict=True)
    ]

    assert [len(each.requests) for each in engines] == [3 * 7, 0]
    assert runs[0].results["accuracy"] == runs[1].results["accuracy"] == 1.0


def test_a_run_without_a_policy_says_nothing_of_one(folder: Path) -> None:
    evaluate("longest", "sample", output=folder)

    assert "policy" not in (folder / "manifest.json").read_text()
    assert "policy" not in (folder / "outcomes.jsonl").read_text()


def test_a_meta_judge_of_the_same_model_shares_the_engine() -> None:
    engine = FakeEngine(lambda request: Completion(request.messages[0].content))

    evaluate(
        OnModel("a"),
        Pairs(1),
        "sum-voting,k=2,meta=true,order=given",
        engine=engine,
        meta_judge=OnModel("a"),
    )

    assert engine.answered == 2  # the critiques of equal samples are one question


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"limit": 0}, "limit is 0"),
        ({"limit": -3}, "limit is -3"),
        ({"max_failures": 0}, "max_failures is 0"),
        ({"too_long": "truncated"}, "too_long is 'truncated'"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(
    options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(SpecError, match=problem):
        evaluate("longest", Pairs(1), **options)


@pytest.mark.parametrize("judge", ["", None])
def test_no_judge_is_a_mistake_in_a_sentence(judge: Any) -> None:
    with pytest.raises(SpecError, match="no judge was named"):
        evaluate(judge, Pairs(1))


def test_what_was_judged_before_a_mistake_is_found_by_other_runs(
    tmp_path: Path,
) -> None:
    judge = FakeModelJudge(lambda asked: Judgment((1.0,) * len(asked.order)))
    judge.most = 2
    pairs = [example(id=str(each)) for each in range(1100)]  # more than begin at once
    data = FakeDataset([*pairs, example(3)])
    with pytest.raises(SpecError, match="shows 3 responses"):
        evaluate(judge, data, "single", output=tmp_path / "a", engine=FakeEngine())

    engine = FakeEngine()
    mended = evaluate(judge, data, "knockout", output=tmp_path / "b", engine=engine)

    assert mended.results["cached"] > 0


def test_an_engine_s_own_process_does_not_keep_a_run_locked(tmp_path: Path) -> None:
    started = []

    def reply(_: object) -> Completion:
        if not started:  # as an engine does that starts a worker when it is first asked
            started.append(get_context("fork").Process(target=sleep, args=(60,)))
            started[0].start()
        return Completion("x")

    judge = FakeModelJudge(lambda _: Judgment((1.0, 0.0)))
    engine = FakeEngine(reply)
    try:
        for _ in range(2):
            evaluate(judge, Pairs(2), output=tmp_path / "run", engine=engine)
    finally:
        started[0].kill()


def test_an_id_that_is_no_string_is_a_bad_row() -> None:
    data = FakeDataset([replace(example(), id=7)])

    with pytest.raises(DataError, match="the id 7 is no string"):
        evaluate("longest", data)
