"""The command line, as a process: what it prints, how it ends, what it leaves."""

import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rrm_harness import evaluate, host
from rrm_harness.report import tables
from rrm_harness.result import Result

COMMAND = str(Path(sys.executable).with_name("rrm-harness"))
Mistake = Callable[..., str]

PAIR = {"id": "one", "prompt": "q", "responses": ["a", "bb"], "correct": [0]}
SLOW = '''
import os, time
from dataclasses import dataclass

from rrm_harness import Completion, Engine, Judge, Judgment, Message, Request
from rrm_harness import chance, hookimpl


@dataclass(frozen=True)
class Slow(Judge):
    """Asks a model about every comparison."""

    def render(self, comparison):
        asked = (comparison.example.id, *comparison.order, comparison.sample)
        return [Request((Message("user", " ".join(map(str, asked))),))]

    def parse(self, comparison, completions):
        key = completions[0].text
        return Judgment(tuple(chance.uniform(key, i) for i in comparison.order))


class SlowEngine(Engine):
    """Takes its time over every request, and writes down what it was asked."""

    identity = "slow"

    def __init__(self):
        self.waiting = []

    def submit(self, ticket, request):
        self.waiting.append((ticket, request.messages[0].content))

    def collect(self):
        ticket, asked = self.waiting.pop(0)
        time.sleep(float(os.environ["SLOW_SECONDS"]))
        with open(os.environ["SLOW_LOG"], "a") as log:
            print(asked, file=log)
        return [(ticket, Completion(asked))]

    def close(self):
        self.waiting.clear()


@hookimpl
def register_judges(register):
    register("slow", Slow)


@hookimpl
def register_engines(register):
    register("slow", SlowEngine)
'''


def rrm(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def mistake(*arguments: object, **environment: str) -> str:
    """Run a command that is a mistake; return its one sentence."""
    done = rrm(*arguments, **environment)

    assert done.returncode == 2, done
    assert done.stdout == ""
    assert done.stderr.startswith("rrm-harness: ")
    assert len(done.stderr.splitlines()) == 1
    return done.stderr.strip()


def write(path: Path, *content: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in content))
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir()}


def judgments(directory: Path) -> int:
    with sqlite3.connect(directory / "judgments.sqlite") as database:
        count: int = database.execute("SELECT count(*) FROM judgments").fetchone()[0]
    database.close()
    return count


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two finished runs, which no test may change."""
    folder = tmp_path_factory.mktemp("finished")
    evaluate("longest", "sample", "both-orders", output=folder / "longest")
    evaluate("first", "sample", "knockout", output=folder / "first")
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The directory of a finished run."""
    evaluate("first", "sample,part=pairs", output=tmp_path / "run", baselines=False)
    return tmp_path / "run"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write(tmp_path / "mine.jsonl", PAIR, {**PAIR, "id": "two"})


class SlowRun:
    """A run of the slow judge that can be left, interrupted and finished."""

    def __init__(self, folder: Path) -> None:
        information = folder / "rrm_slow-1.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text("Name: rrm-slow\nVersion: 1.0\n")
        (information / "entry_points.txt").write_text("[rrm_harness]\nslow = rrm_slow")
        (folder / "rrm_slow.py").write_text(SLOW)
        self.log, self.output = folder / "log", folder / "run"
        self.log.touch()
        arguments = ["run", "--judge=slow", "--engine=slow"]
        self.command = [
            *arguments,
            "--dataset=sample,part=pairs",
            "--strategy=both-orders",
            "--output",
            self.output,
        ]
        self.environment = {"PYTHONPATH": str(folder), "SLOW_LOG": str(self.log)}

    @property
    def asked(self) -> list[str]:
        return self.log.read_text().splitlines()

    def start(self) -> subprocess.Popen[str]:
        """Start it, slowly; return once the judge was asked."""
        reset = "signal.signal(signal.SIGINT, signal.SIG_DFL)"
        program = (
            f"import os, signal, sys; {reset}; os.execv(sys.argv[1], sys.argv[1:])"
        )
        started = subprocess.Popen(
            [sys.executable, "-c", program, COMMAND, *map(str, self.command)],
            env={**os.environ, **self.environment, "SLOW_SECONDS": "0.05"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while len(self.asked) < 3 and started.poll() is None:
            time.sleep(0.01)
        return started

    def finish(self) -> subprocess.CompletedProcess[str]:
        """Give the same command again, to a judge that is quick now."""
        return rrm(*self.command, **self.environment, SLOW_SECONDS="0")


@pytest.fixture
def slow(tmp_path: Path) -> SlowRun:
    return SlowRun(tmp_path)


@pytest.fixture
def going(slow: SlowRun) -> Iterator[subprocess.Popen[str]]:
    """A slow run that is under way; it is ended after the test."""
    started = slow.start()
    yield started
    started.kill()
    started.communicate()


def test_a_run_prints_its_numbers_and_ends_with_0(tmp_path: Path) -> None:
    done = rrm("run", "--judge=first", "--dataset=sample", "--output", tmp_path / "run")

    assert done.returncode == 0
    assert done.stderr == ""
    assert "48.33" in done.stdout
    assert f"results, outcomes and judgments: {tmp_path / 'run'}" in done.stdout


def test_a_quiet_run_prints_nothing(data: Path, tmp_path: Path) -> None:
    command = ["--judge=first", f"--dataset=jsonl,path={data}", "--quiet"]

    done = rrm("run", *command, "--output", tmp_path / "run")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_option_reaches_the_run(tmp_path: Path) -> None:
    bad = write(tmp_path / "bad.jsonl", PAIR, {}, {**PAIR, "id": "two"})
    command = ["--judge=first", f"--dataset=jsonl,path={bad}", "--strategy=single"]
    options = ["--limit=2", "--seed=7", "--skip-bad-rows", "--no-baselines", "--quiet"]

    rrm("run", *command, *options, "--output", tmp_path / "run")

    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["strategy"] == "single"
    assert results["manifest"]["run"]["seed"] == 7
    assert results["manifest"]["run"]["limit"] == 2
    assert results["baselines"] == {}
    assert (results["n"], results["skipped_rows"]) == (2, 1)


@pytest.mark.parametrize("failure", ["wrong", "exclude"])
def test_nothing_judged_ends_with_3(data: Path, tmp_path: Path, failure: str) -> None:
    replies = write(tmp_path / "replies.jsonl")
    dataset = f"--dataset=jsonl,path={data},failure={failure}"
    command = [f"--judge=recorded,path={replies}", dataset, "--no-baselines"]

    done = rrm("run", *command, "--output", tmp_path / "run")

    assert done.returncode == 3
    assert "not-recorded 2" in done.stdout
    assert (tmp_path / "run" / "results.json").is_file()


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({**PAIR, "id": "one"}, "the id 'one' is an earlier row's as well"),
        (
            {**PAIR, "id": "two", "responses": ["a", ""]},
            "field 'responses[1]' is empty",
        ),
        (
            {**PAIR, "id": "two", "correct": [2]},
            "field 'correct' names response 2, but 'responses' has 2",
        ),
        ({"id": "two"}, "field 'responses' must be a list of strings; it is missing"),
        ("text", "must be an object; it is 'text'"),
    ],
)
def test_a_malformed_row_is_named_and_nothing_is_asked(
    tmp_path: Path, row: Any, told: str
) -> None:
    data = write(tmp_path / "mine.jsonl", PAIR, row)
    command = ["--judge=first", f"--dataset=jsonl,path={data}"]

    message = mistake("run", *command, "--output", tmp_path / "run")

    assert f"{data}, line 2: {told}" in message
    assert message.endswith("(or go on without such rows: --skip-bad-rows)")
    assert not (tmp_path / "run").exists()


def test_an_unknown_label_of_a_benchmark_is_named(tmp_path: Path) -> None:
    row = {"pair_id": "1", "question": "q", "source": "livebench-math", "label": "A"}
    data = write(
        tmp_path / "pairs.jsonl", {**row, "response_A": "a", "response_B": "b"}
    )
    command = ["--judge=first", f"--dataset=judgebench,path={data}"]

    message = mistake("run", *command, "--output", tmp_path / "run")

    assert f"{data}, line 1: field 'label' must be one of 'A>B', 'B>A'" in message


def test_bad_rows_that_are_skipped_are_counted_in_the_table(tmp_path: Path) -> None:
    data = write(tmp_path / "mine.jsonl", PAIR, PAIR, {})
    command = ["--judge=first", f"--dataset=jsonl,path={data}", "--skip-bad-rows"]

    done = rrm("run", *command, "--output", tmp_path / "run")

    assert done.returncode == 0
    assert "2 malformed rows were skipped" in done.stdout


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--judge=longst"], "no judges plugin is called 'longst'; did you mean 'long"),
        (["--dataset=smple"], "no datasets plugin is called 'smple'; did you mean"),
        (["--strategy=vote"], "no strategies plugin is called 'vote'"),
        (["--engine=vlm"], "no engines plugin is called 'vlm'; did you mean 'vllm'"),
        (["--engine=vllm"], "this judge runs no model, so vllm has nothing to do"),
        (["--judge=llm"], "this judge runs a model and no engine was given"),
        (["--strategy=voting,n=5"], "voting has no option 'n'; known: k, stop"),
        (["--strategy=voting,k=five"], "k must be a whole number"),
        (["--strategy=voting,k=0"], "k must be from 1 to 10,000"),
        (["--strategy=voting,k=10001"], "k must be from 1 to 10,000"),
        (["--strategy=sum-voting,k=10001"], "k must be from 1 to 10,000"),
        (["--strategy=best-of-n of voting"], "a vote or a match needs rivals"),
        (["--strategy=single of voting"], "single takes no inner strategy"),
        (["--dataset=jsonl"], "jsonl needs path=...; write jsonl,path=VALUE"),
        (["--dataset=jsonl,path=/no/such.jsonl"], "/no/such.jsonl: no such file"),
        (["--judge=recorded,path=/no/such.jsonl"], "/no/such.jsonl: No such file"),
        (["--judge=recorded,path=/dev/null,parser=mtbench"], "no parser is called"),
        (["--reuse=/no/such/run"], "/no/such/run holds no judgments to reuse"),
    ],
)
def test_a_wrong_spec_is_one_sentence(
    tmp_path: Path, options: list[str], told: str
) -> None:
    given = " ".join(options)
    usual = [
        each
        for each in ("--judge=first", "--dataset=sample")
        if each.partition("=")[0] not in given
    ]

    message = mistake("run", *usual, *options, "--output", tmp_path / "run")

    assert told in message


def test_an_output_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    output = tmp_path / "file" / "run"

    message = mistake("run", "--judge=first", "--dataset=sample", "--output", output)

    assert f"{output} cannot be written (Not a directory)" in message


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")

    message = mistake("run", "--judge=first", "--dataset=sample", "--output", tmp_path)

    assert "holds other files ('thesis.tex') and no run" in message
    assert files(tmp_path) == {"thesis.tex": b"mine"}


def test_the_advice_for_a_mistake_can_be_followed_in_the_same_directory(
    tmp_path: Path,
) -> None:
    command = ["run", "--judge=random", "--dataset=sample", "--limit=3", "--quiet"]
    options = ["--strategy=sum-voting,k=2,meta=true", "--output", tmp_path / "run"]
    row = {"order": [0, 1], "role": "meta", "failure": "refused", "example": "x"}
    meta = f"--meta-judge=recorded,path={write(tmp_path / 'meta.jsonl', row)}"

    assert "add --meta-judge SPEC" in mistake(*command, *options)

    assert rrm(*command, *options, meta).returncode == 3


def test_the_best_of_recorded_solutions_is_chosen_by_recorded_verdicts(
    tmp_path: Path,
) -> None:
    """Both halves of a best-of-N run are on file; a second command asks nothing."""
    choices = {f"Incorrect Answer {n}": f"false {n}" for n in (1, 2, 3)}
    row = {"Record ID": "q", "Question": "Why?", "Correct Answer": "true", **choices}
    data = f"gpqa,path={write(tmp_path / 'gpqa.jsonl', row)}"
    (asked,) = host.default().build("datasets", data).examples()
    right = asked.correct[0]
    letters = ["ABCD"[(right + each) % 4] for each in (1, 0, 1)]
    texts = [f"<think>hm</think> \\boxed{{{each}}}" for each in letters]
    solutions = [
        {"example": "q", "order": [0, 1, 2, 3], "sample": number, "role": "policy"}
        | {"text": text}
        for number, text in enumerate([*texts, "<think>too long"])
    ]
    verdicts = [
        {"example": "q", "order": order, "scores": [int(each == 1) for each in order]}
        for order in ([0, 1], [0, 2], [1, 2])
    ]
    policy = write(tmp_path / "solutions.jsonl", *solutions)
    judge = write(tmp_path / "verdicts.jsonl", *verdicts)
    command = [
        *["run", "--judge", f"recorded,path={judge},any-order=true"],
        *["--policy", f"recorded,path={policy},parser=boxed-letter"],
        *["--dataset", data, "--strategy", "sampled,n=4 of knockout"],
        *["--output", tmp_path / "run", "--quiet"],
    ]

    first = rrm(*command)
    once = Result.read(tmp_path / "run").results
    second = rrm(*command)
    again = Result.read(tmp_path / "run").results

    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    assert once["accuracy"] == 1.0
    assert once["extra"] == {
        "pass@1": 1 / 4,
        "maj@k": 0.0,
        "oracle@k": 1.0,
        "unfinished": 1 / 4,
    }
    assert once["failures"] == {"truncated": 1}
    assert once["baselines"] == {}
    assert (once["cached"], again["cached"]) == (0, 5)  # all but the failure


def test_the_directory_of_another_run_is_refused_and_left_alone(run: Path) -> None:
    before = files(run)

    message = mistake(
        "run", "--judge=longest", "--dataset=sample,part=pairs", "--output", run
    )

    judge = "rrm_harness.plugins.judges.baselines"
    assert f"{run} holds another run (judge is '{judge}.First()' there" in message
    assert f"'{judge}.Longest()' here)" in message
    assert files(run) == before


@pytest.mark.parametrize("damaged", [slice(0, None), slice(4096, None), slice(16, 100)])
def test_a_damaged_store_is_refused_and_nothing_is_lost(
    run: Path, damaged: slice
) -> None:
    store = run / "judgments.sqlite"
    content = bytearray(store.read_bytes())
    content[damaged] = b"\xa5" * len(content[damaged])
    store.write_bytes(content)
    before = files(run)
    command = ["--judge=first", "--dataset=sample,part=pairs", "--output", run]

    message = mistake("run", *command)

    assert f"{store} is" in message
    after = files(run)
    kept = ("judgments.sqlite", "outcomes.jsonl", "results.json", "manifest.json")
    assert [after[name] for name in kept] == [before[name] for name in kept]


def test_a_damaged_store_that_is_moved_away_is_asked_anew(run: Path) -> None:
    store = run / "judgments.sqlite"
    before = (run / "outcomes.jsonl").read_bytes()
    store.write_bytes(b"garbage" * 1000)
    command = ["--judge=first", "--dataset=sample,part=pairs", "--output", run]
    assert "move it away" in mistake("run", *command)
    store.unlink()

    done = rrm("run", *command)

    assert done.returncode == 0
    assert judgments(run) == 48
    assert (run / "outcomes.jsonl").read_bytes() == before


def test_a_database_of_another_program_is_refused(run: Path) -> None:
    store = run / "judgments.sqlite"
    store.unlink()
    with sqlite3.connect(store) as database:
        database.execute("CREATE TABLE mine (x)")
    database.close()

    message = mistake(
        "run", "--judge=first", "--dataset=sample,part=pairs", "--output", run
    )

    assert f"{store} is not a store of judgments" in message


def test_a_store_of_another_version_is_refused(run: Path) -> None:
    store = run / "judgments.sqlite"
    with sqlite3.connect(store) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()

    message = mistake(
        "run", "--judge=first", "--dataset=sample,part=pairs", "--output", run
    )

    assert f"{store} is a store of version 99" in message


def test_a_store_that_another_program_locks_is_refused(run: Path) -> None:
    database = sqlite3.connect(run / "judgments.sqlite", isolation_level=None)
    database.execute("PRAGMA locking_mode = EXCLUSIVE")
    database.execute("BEGIN EXCLUSIVE")
    before = (run / "outcomes.jsonl").read_bytes()

    message = mistake(
        "run", "--judge=first", "--dataset=sample,part=pairs", "--output", run
    )

    database.close()
    assert "judgments.sqlite is locked by another program" in message
    assert (run / "outcomes.jsonl").read_bytes() == before


@pytest.mark.usefixtures("going")
def test_a_run_that_is_in_use_is_refused(slow: SlowRun) -> None:
    message = mistake(*slow.command, **slow.environment, SLOW_SECONDS="0")

    assert f"{slow.output} is in use by a run that has not ended" in message


def test_an_interrupted_run_says_how_to_continue_and_ends_with_130(
    going: subprocess.Popen[str], slow: SlowRun
) -> None:
    going.send_signal(signal.SIGINT)
    output, told = going.communicate(timeout=30)

    assert going.returncode == 130
    assert "Traceback" not in told + output
    assert f"every judgment so far is in {slow.output}" in told
    assert "The same command continues" in told


def test_the_same_command_finishes_an_interrupted_run_and_asks_nothing_twice(
    going: subprocess.Popen[str], slow: SlowRun
) -> None:
    going.send_signal(signal.SIGINT)
    going.communicate(timeout=30)
    before = len(slow.asked)

    done = slow.finish()

    assert done.returncode == 0
    assert 0 < before < 96
    assert len(slow.asked) == len(set(slow.asked)) == 96


def test_one_finished_run_is_reported_in_detail(finished: Path) -> None:
    done = rrm("report", finished / "longest")

    assert done.returncode == 0
    for shown in (
        "46.67",
        "arithmetic",
        "same verdict in both orders",
        "trivial judges",
    ):
        assert shown in done.stdout


@pytest.mark.parametrize("options", [[], ["--markdown", "-"]])
def test_the_trivial_judges_stand_under_a_run_that_is_shown_alone(
    finished: Path, options: list[str]
) -> None:
    alone = rrm("report", finished / "longest", *options).stdout
    several = rrm("report", finished / "longest", finished / "first", *options).stdout

    lines = [line for line in alone.splitlines() if "46.67" in line]
    assert "longest" in lines[0]
    assert "longest (trivial)" in lines[1]
    assert "(trivial)" not in several


def test_several_runs_are_reported_side_by_side(finished: Path) -> None:
    done = rrm("report", finished / "longest", finished / "first")

    table = done.stdout.splitlines()
    assert done.returncode == 0
    assert "longest" in table[1]
    assert "first" in table[2]
    assert "arithmetic" not in done.stdout


def test_a_report_is_a_page_of_markdown_when_asked(finished: Path) -> None:
    done = rrm("report", finished / "longest", finished / "first", "--markdown", "-")

    lines = done.stdout.splitlines()
    assert done.returncode == 0
    assert lines[0].startswith("| dataset | judge | strategy | n | accuracy |")
    assert len([line for line in lines if line.startswith("## ")]) == 2
    for table in done.stdout.split("\n\n"):
        rows = [line.count("|") for line in table.splitlines() if line.startswith("|")]
        assert len(set(rows)) <= 1


def test_a_report_can_be_written_to_a_file(finished: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"

    done = rrm("report", finished / "first", "--markdown", page)

    shown = rrm("report", finished / "first", "--markdown", "-")
    assert (done.returncode, done.stdout) == (0, "")
    assert page.read_text() == shown.stdout


def test_a_report_replaces_nothing_but_files(finished: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    message = mistake("report", finished / "first", "--markdown", tmp_path / "pipe")

    assert "no file that can be replaced" in message
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize(
    "content", [None, "{", "[]", '{"results": {}}', '{"format": 2}', '{"format": 1}']
)
def test_what_is_no_finished_run_is_not_reported(
    tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "results.json").write_text(content)

    message = mistake("report", tmp_path)

    assert str(tmp_path / "results.json") in message


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A run with names that try every reader of a report."""
    subsets = ["[/red]", "[bold]", "s\ud800", "a|b", "line\nbreak", " ", "x" * 300]
    rows = [
        {**PAIR, "id": f"{place}", "subset": subset}
        for place, subset in enumerate(subsets)
    ]
    replies = [
        {"example": "0", "order": [0, 1], "failure": "refused", "text": "[/red] no"},
        {"example": "1", "order": [0, 1], "failure": "unparsable", "text": "\ud800"},
        {"example": "2", "order": [0, 1], "failure": "refused", "text": "again"},
    ]
    data = write(tmp_path / "odd.jsonl", *rows)
    recorded = write(tmp_path / "replies.jsonl", *replies)
    evaluate(
        f"recorded,path={recorded}",
        f"jsonl,path={data}",
        "single",
        output=tmp_path / "run",
    )
    return tmp_path / "run"


def test_names_that_look_like_markup_are_shown_as_they_are(odd: Path) -> None:
    done = rrm("report", odd)

    assert (done.returncode, done.stderr) == (0, "")
    for name in ("[/red]", "[bold]", "a|b"):
        assert name in done.stdout


def test_the_first_failure_of_each_kind_is_shown(odd: Path) -> None:
    done = rrm("report", odd)

    assert "The first refused: 0: [/red] no" in done.stdout
    assert "The first unparsable: 1: " in done.stdout
    assert "The first not-recorded: 3: order [0, 1], sample 0 is not in" in done.stdout
    assert "again" not in done.stdout.replace("asks them again", "")


def test_a_name_that_is_no_text_can_be_written_to_a_page(
    odd: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.md"

    done = rrm("report", odd, "--markdown", page)
    shown = rrm("report", odd, "--markdown", "-")

    assert (done.returncode, done.stdout) == (0, "")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "⟨U+D800⟩" in page.read_text(encoding="utf-8")
    assert "| a\\|b | 1 |" in page.read_text(encoding="utf-8")


@pytest.mark.usefixtures("odd")
def test_names_that_look_like_markup_can_be_run(tmp_path: Path) -> None:
    command = [f"--dataset=jsonl,path={tmp_path / 'odd.jsonl'}", "--judge=first"]

    done = rrm("run", *command, "--output", tmp_path / "other")

    assert (done.returncode, done.stderr) == (0, "")
    assert "[/red]" in done.stdout


@pytest.mark.parametrize("several", [False, True])
def test_a_terminal_of_80_columns_cuts_no_number(finished: Path, several: bool) -> None:
    from rich.console import Console

    names = ["longest", "first"] if several else ["longest"]
    runs: list[Any] = [
        {**Result.read(finished / name).results, "dataset": f"a-long-name-{name}" * 5}
        for name in names
    ]
    shown = io.StringIO()

    tables.show(runs, Console(width=80, file=shown, highlight=False))

    words = shown.getvalue().replace("\n", " ").split()
    for run in runs:
        cells = tables.row(run)
        for column in ("n", "accuracy", "interval", "failed"):
            assert cells[column] in words
    assert all(len(line) <= 80 for line in shown.getvalue().splitlines())


def test_a_terminal_without_our_signs_shows_a_report_nevertheless(
    finished: Path,
) -> None:
    done = rrm("report", finished / "first", PYTHONIOENCODING="ascii")

    assert done.returncode == 0
    assert "interval" in done.stdout


def test_a_reader_that_leaves_early_gets_no_traceback(finished: Path) -> None:
    started = subprocess.Popen(
        [COMMAND, "report", str(finished / "first"), "--markdown", "-"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert started.stdout is not None
    started.stdout.close()

    _, told = started.communicate(timeout=30)

    assert told == b""


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("judges", "recorded"),
        ("strategies", "knockout"),
        ("engines", ""),
        ("datasets", "sample"),
        ("tasks", ""),
        ("templates", "report/runs.md.jinja"),
        ("parsers", "arena-hard"),
    ],
)
def test_what_is_installed_is_listed(kind: str, name: str) -> None:
    done = rrm("list", kind)

    assert (done.returncode, done.stderr) == (0, "")
    assert any(line.startswith(name) for line in done.stdout.splitlines())


def test_an_unknown_kind_is_not_listed() -> None:
    done = rrm("list", "judge")

    assert done.returncode == 2
    assert "'judges'" in done.stderr


def test_another_distributions_plugins_are_listed_with_its_name(slow: SlowRun) -> None:
    done = rrm("list", "judges", **slow.environment)

    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert lines["slow"].endswith("[rrm-slow:slow]")
    assert "[" not in lines["longest"]


def test_a_plugin_that_does_not_import_is_one_sentence(
    slow: SlowRun, tmp_path: Path
) -> None:
    (tmp_path / "rrm_slow.py").write_text("import no_such_library")

    message = mistake("list", "judges", **slow.environment)

    assert "plugin rrm-slow:slow does not import" in message
    assert "set RRM_HARNESS_DISABLE=rrm-slow:slow to run without it" in message


def test_a_plugin_that_does_not_import_can_be_disabled(
    slow: SlowRun, tmp_path: Path
) -> None:
    (tmp_path / "rrm_slow.py").write_text("import no_such_library")
    disabled = ",".join(filter(None, [os.environ.get("RRM_HARNESS_DISABLE"), "slow"]))

    done = rrm("list", "judges", **slow.environment, RRM_HARNESS_DISABLE=disabled)

    assert done.returncode == 0
    assert "slow" not in done.stdout


def test_the_trace_goes_to_standard_error() -> None:
    done = rrm("list", "judges", RRM_HARNESS_TRACE="1")

    assert done.returncode == 0
    assert "trace: register_judges -> rrm-harness:baselines" in done.stderr
    assert "trace" not in done.stdout


@pytest.mark.parametrize("kind", ["tasks", "templates"])
def test_the_path_of_the_built_in_files_is_a_folder(kind: str) -> None:
    done = rrm("path", kind)

    assert done.returncode == 0
    assert (Path(done.stdout.strip()) / "__init__.py").is_file()


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the demo prints, and what it prints the second time."""
    output = str(tmp_path_factory.mktemp("demo") / "runs")
    return [rrm("demo", "--output", output).stdout for _ in range(2)]


class TestTheDemo:
    def rows(self, printed: str) -> dict[tuple[str, str], list[str]]:
        rows = [
            line.split()
            for line in printed.splitlines()
            if line.startswith("nano-arithmetic")
        ]
        return {(row[1], row[2].partition(",")[0]): row for row in rows}

    def test_shows_the_judge_and_its_baselines_under_several_strategies(
        self, demos: list[str]
    ) -> None:
        shown = self.rows(demos[0])

        assert {strategy for judge, strategy in shown if judge == "rrm-nano"} == {
            *("single", "voting", "knockout", "elo")
        }
        assert {judge for judge, _ in shown} == {
            *("rrm-nano", "nano-head", "longest", "shortest", "first", "random")
        }

    def test_the_second_time_shows_the_same(self, demos: list[str]) -> None:
        first, second = map(self.rows, demos)

        def told(rows: dict[Any, list[str]]) -> list[list[str]]:
            return [row[:6] for row in rows.values()]  # a failure is asked again

        assert told(first) == told(second)


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["run", "--help"]])
def test_help_ends_with_0(arguments: list[str]) -> None:
    done = rrm(*arguments)

    assert done.returncode == 0
    assert "Usage: rrm-harness" in done.stdout


def test_the_version_is_the_distributions() -> None:
    from importlib.metadata import version

    done = rrm("--version")

    assert done.stdout == f"rrm-harness, version {version('rrm-harness')}\n"
