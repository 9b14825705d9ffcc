"""What the harness itself costs: a judge and an engine that do nothing.

    python benchmarks/overhead.py [EXAMPLES]

Prints microseconds a judgment and peak memory for a fresh run, for the same run with
everything in the store, and for another strategy beside it. Rows of one table are
measured in one process, one after the other.
"""

from __future__ import annotations

import resource
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
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

    def render(self, comparison: Comparison) -> Sequence[Request]:
        text = "\n\n".join(comparison.responses)
        chat = (*comparison.example.prompt, Message("user", text))
        return [Request(chat, temperature=0.6)]

    def parse(
        self, comparison: Comparison, completions: Sequence[Completion]
    ) -> Judgment:
        first = chance.coin(comparison.example.id, comparison.sample)
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


def main() -> None:
    """Print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    print(f"{'run':<34}{'judgments':>12}{'us each':>10}{'seconds':>10}{'peak MB':>10}")
    with TemporaryDirectory() as folder:
        for label, strategy, name in (
            ("single", "single", "single"),
            ("single, all in the store", "single", "single"),
            ("voting,k=5 beside it", "voting,k=5", "voting"),
            ("both-orders beside them", "both-orders", "both"),
        ):
            started = time.perf_counter()
            result = evaluate(
                Verdicts(),
                Questions(count),
                strategy,
                output=Path(folder) / name,
                engine=Null(),
                baselines=False,
            )
            seconds = time.perf_counter() - started
            judgments = result.results["judgments"]
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            each = 1e6 * seconds / judgments
            print(
                f"{label:<34}{judgments:>12,}{each:>10.1f}{seconds:>10.1f}{peak:>10.0f}"
            )


if __name__ == "__main__":
    main()
