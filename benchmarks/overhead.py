"""What the harness itself costs: a judge and an engine that do nothing.

    python benchmarks/overhead.py [EXAMPLES ...]

For each number of examples (100,000 and 1,000,000 unless given): a fresh run with its
store on, the same again, then what `report` and `compare` take over those runs. The
judge and the dataset are objects of this file, so that all is played again; as a user
does it, by a command that names installed plugins, the trivial judge `first` judges
rows of as many characters in a file, and again. Up to 100,000 also the trivial judges
beside another one, and other strategies. Each row is a process of its own, so that its
peak memory is its own; `cpu` is the processor time of all its threads. At the end, what
it takes to import the package and to print its help.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from rrm_harness import (
    Comparison,
    Completion,
    Dataset,
    Engine,
    Example,
    Judge,
    Judgment,
    Message,
    Request,
    Result,
    Rule,
    chance,
    evaluate,
)

BATCH = 512


@dataclass(frozen=True)
class Questions(Dataset):
    """Pairs of answers of about the length of a chat."""

    count: int

    name = "questions"
    revision = "1"
    rule = Rule()

    def examples(self) -> Iterator[Example]:
        for number in range(self.count):
            prompt = (Message("user", f"question {number} " * 20),)
            answers = (f"answer {number} " * 40, f"reply {number} " * 40)
            yield Example(str(number), prompt, answers, (number % 2,))


@dataclass(frozen=True)
class Verdicts(Judge):
    """Renders a real prompt; the verdict is a draw."""

    luck: int = 0

    def render(self, comparison: Comparison) -> Sequence[Request]:
        text = "\n\n".join(comparison.responses)
        chat = (*comparison.example.prompt, Message("user", text))
        return [Request(chat, temperature=0.6)]

    def parse(
        self, comparison: Comparison, completions: Sequence[Completion]
    ) -> Judgment:
        first = chance.coin(comparison.example.id, comparison.sample, self.luck)
        return Judgment((float(first), float(not first)), text=completions[0].text)


class Null(Engine):
    """Answers at once, in batches."""

    identity = "null"

    def __init__(self) -> None:
        self._waiting: deque[int] = deque()

    def submit(self, ticket: int, request: Request) -> None:
        self._waiting.append(ticket)

    def collect(self) -> Iterable[tuple[int, Completion]]:
        done = min(BATCH, len(self._waiting))
        return [
            (
                self._waiting.popleft(),
                Completion("[[A]]", prompt_tokens=500, completion_tokens=2),
            )
            for _ in range(done)
        ]

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class Cost:
    """What one row took."""

    seconds: float
    cpu: float
    peak: float
    judgments: int = 0

    def line(self, label: str) -> str:
        """The row as it is printed; without judgments only seconds and memory."""
        each = (
            [1e6 * part / self.judgments for part in (self.seconds, self.cpu)]
            if (self.judgments)
            else []
        )
        told = [f"{self.judgments:>11,}", *(f"{part:>9.1f}" for part in each)]
        counted = "".join(told) if each else " " * 29
        return f"{label:<34}{counted}{self.seconds:>9.1f}{self.peak:>9.0f}"


def played(folder: Path, count: int, strategy: str, luck: int, trivial: bool) -> int:
    """Run an evaluation; return how many judgments it came to."""
    result = evaluate(
        Verdicts(luck),
        Questions(count),
        strategy,
        output=folder,
        engine=Null(),
        reuse=None if strategy != "single" else [],
        baselines=trivial,
    )
    judgments: int = result.results["judgments"]
    return judgments


def rows(file: Path, count: int) -> None:
    """Write the questions as a file."""
    with file.open("w", encoding="utf-8") as lines:
        for each in Questions(count).examples():
            (right,) = each.correct
            texts = {
                "chosen": each.responses[right],
                "rejected": each.responses[1 - right],
            }
            row = {"id": each.id, "prompt": each.prompt[0].content, **texts}
            lines.write(json.dumps(row) + "\n")


def commanded(folder: Path, file: Path) -> int:
    """Judge a file's rows by a command, or find it judged."""
    dataset, place = f"jsonl,path={file}", str(folder)
    asked = ["--judge", "first", "--dataset", dataset, "--output", place]
    told("run", *asked, "--quiet", "--no-baselines")
    judgments: int = Result.read(folder).results["judgments"]
    return judgments


def told(*arguments: str) -> int:
    """Run a command of ours for what it takes, not for what it says."""
    from rrm_harness.cli import commands

    with (
        open(os.devnull, "w") as nowhere,
        redirect_stdout(nowhere),
        redirect_stderr(nowhere),
    ):
        commands.main(list(arguments), standalone_mode=False)
    return 0


def costing(work: Callable[..., int], *arguments: object) -> Cost:
    """Do the work in this process and look what it took."""
    started, ran = time.perf_counter(), time.process_time()
    judgments = work(*arguments)
    seconds, cpu = time.perf_counter() - started, time.process_time() - ran
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Cost(seconds, cpu, peak, judgments)


def show(label: str, work: Callable[..., int], *arguments: object) -> None:
    """Print a row, measured in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        cost = process.submit(costing, work, *arguments).result()
    print(cost.line(label), flush=True)


def runs(folder: Path, count: int) -> None:
    """Print the rows of one number of examples."""
    one, other = folder / "one", folder / "other"
    show("single", played, one, count, "single", 0, False)
    show("single, played again", played, one, count, "single", 0, False)
    show("single, another judge", played, other, count, "single", 1, False)
    rows(file := folder / "rows.jsonl", count)
    show("command, first", commanded, folder / "file", file)
    show("command, first, again", commanded, folder / "file", file)
    file.unlink()
    show("report", told, "report", str(one))
    show("report --html", told, "report", str(one), "--html", str(folder / "page.html"))
    show("compare", told, "compare", str(one), str(other))
    if count <= 100_000:
        show("another judge, trivial ones too", played, other, count, "single", 1, True)
        show(
            "voting,k=5 beside it", played, folder / "5", count, "voting,k=5", 0, False
        )
        show("both-orders", played, folder / "2", count, "both-orders", 0, False)


def startup(label: str, *command: str, repeats: int = 7) -> None:
    """Print what a command takes beyond an interpreter that does nothing."""
    bare, taken = [], []
    for _ in range(repeats):
        bare.append(_seconds(sys.executable, "-c", "pass"))
        taken.append(_seconds(*command))
    print(
        f"{label:<34}{1e3 * median(taken):>11.0f} ms, of which the interpreter"
        f" {1e3 * median(bare):.0f} ms; best {1e3 * (min(taken) - min(bare)):.0f} ms"
        " beyond it"
    )


def _seconds(*command: str) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Print the table."""
    counts = [int(each) for each in sys.argv[1:]] or [100_000, 1_000_000]
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores")
    for count in counts:
        print(
            f"\n{f'{count:,} examples':<34}{'judgments':>11}{'us each':>9}{'cpu':>9}"
            f"{'seconds':>9}{'peak MB':>9}"
        )
        with TemporaryDirectory() as folder:
            runs(Path(folder), count)
    print()
    program = str(Path(sys.executable).with_name("rrm-harness"))
    startup("import rrm_harness", sys.executable, "-c", "import rrm_harness")
    startup("help of rrm-harness", program, "--help")


if __name__ == "__main__":
    main()
