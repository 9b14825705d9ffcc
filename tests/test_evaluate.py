"""The whole of a run: its files, what it reuses, and that nothing but the command
decides what comes out."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from rrm_harness import (
    BadRow,
    Comparison,
    DataError,
    Dataset,
    Example,
    Failure,
    Judge,
    Judgment,
    Message,
    OutputError,
    PluginError,
    Rule,
    SpecError,
    evaluate,
)
from rrm_harness.records import Outcome, Play
from rrm_harness.result import Result
from rrm_harness.testing import FakeEngine, FakeJudge, FakeModelJudge

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


def lasting(directory: Path) -> Json:
    """Results but for what may differ from one run of a command to the next."""
    content = results(directory)
    return {key: content[key] for key in content if key not in ("seconds", "cached")}


def prefer(text: str) -> Callable[[Comparison], Judgment]:
    """A judge that knows the right answer, wherever it is shown."""

    def decide(comparison: Comparison) -> Judgment:
        return Judgment(tuple(float(each == text) for each in comparison.responses))

    return decide


def test_the_results_have_every_key_of_the_contract(folder: Path) -> None:
    evaluate("longest", "sample", output=folder)

    found = results(folder)
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

    assert json.loads(json.dumps(result.results)) == results(folder)
    assert Result.read(folder).results == results(folder)
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

    evaluate("random", "sample,part=pairs", strategy, output=folder)

    assert results(folder)["cached"] == results(folder)["judgments"]
    assert ((folder / "outcomes.jsonl").read_bytes(), lasting(folder)) == before


def test_another_strategy_beside_it_reuses_its_judgments(folder: Path) -> None:
    evaluate(FakeJudge(prefer("right")), Pairs(9), "both-orders", output=folder / "a")
    judge = FakeJudge(prefer("right"))

    evaluate(judge, Pairs(9), "single,order=reversed", output=folder / "b")

    assert judge.asked == []
    assert results(folder / "b")["cached"] == 9


def test_more_votes_ask_only_for_the_further_ones(folder: Path) -> None:
    few, more = FakeJudge(prefer("right")), FakeJudge(prefer("right"))
    evaluate(few, Pairs(4), "voting,k=4,stop=none", output=folder / "few")

    evaluate(more, Pairs(4), "voting,k=8,stop=none", output=folder / "more")

    assert sorted({asked.sample for asked in more.asked}) == [4, 5, 6, 7]


def test_reusing_nothing_asks_everything_anew(folder: Path) -> None:
    evaluate(FakeJudge(prefer("right")), Pairs(3), output=folder / "a")
    judge = FakeJudge(prefer("right"))

    evaluate(judge, Pairs(3), output=folder / "b", reuse=[])

    assert len(judge.asked) == 3


def test_a_run_elsewhere_is_reused_when_it_is_named(folder: Path) -> None:
    evaluate(FakeJudge(prefer("right")), Pairs(3), output=folder / "far" / "a")
    judge = FakeJudge(prefer("right"))

    evaluate(judge, Pairs(3), output=folder / "b", reuse=[folder / "far" / "a"])

    assert judge.asked == []


def test_a_run_that_is_named_for_reuse_must_be_one(folder: Path) -> None:
    with pytest.raises(OutputError, match="holds no judgments to reuse"):
        evaluate("first", Pairs(3), output=folder / "b", reuse=[folder / "typo"])


def test_a_store_stays_complete_when_its_neighbor_is_deleted(folder: Path) -> None:
    evaluate(FakeJudge(prefer("right")), Pairs(3), output=folder / "a")
    evaluate(FakeJudge(prefer("right")), Pairs(3), output=folder / "b")
    (folder / "a").rename(folder.with_name("gone"))
    judge = FakeJudge(prefer("right"))

    evaluate(judge, Pairs(3), output=folder / "b")

    assert judge.asked == []


def test_a_limit_takes_the_first_examples(folder: Path) -> None:
    evaluate("first", Pairs(30), output=folder, limit=7)

    assert [line["id"] for line in outcomes(folder)] == [
        f"pair-{number}" for number in range(7)
    ]


def test_failures_are_asked_again_on_the_next_run_and_nothing_else(
    folder: Path,
) -> None:
    def moody(shown: Comparison) -> Judgment:
        failed = shown.example.id in ("pair-1", "pair-4")
        return Judgment.failed(Failure.ENGINE_ERROR) if failed else A

    evaluate(FakeJudge(moody), Pairs(6), output=folder)
    first = results(folder)
    recovered = FakeJudge(lambda _: A)

    evaluate(recovered, Pairs(6), output=folder)

    assert first["failures"] == {"engine-error": 2}
    assert first["accuracy"] == pytest.approx(4 / 6)
    assert first["bounds"] == pytest.approx([4 / 6, 1.0])
    assert [asked.example.id for asked in recovered.asked] == ["pair-1", "pair-4"]
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
    evaluate("longest", Pairs(4), "single,order=given", output=folder)

    assert results(folder)["baselines"] == {
        "longest": 0.5,
        "shortest": 0.5,
        "first": 1.0,
        "random": pytest.approx(0.5, abs=0.5),
    }


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


def test_results_of_another_program_are_not_read(folder: Path) -> None:
    (folder / "results.json").write_text('{"results": {}}')

    with pytest.raises(OutputError, match="another program's"):
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

    with pytest.raises(SpecError, match="use a strategy that asks less at a time"):
        evaluate(judge, "sample,part=best-of-8", output=folder)
