"""A plugin to be killed with: every answer follows from the question and is logged.

`marked` is a judge, a policy and an engine. A reply holds a score for each response, or
says that there is no verdict, by a hash of what was asked; so two runs that asked the
same end the same, and a reply that was changed on its way shows.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rrm_harness import (
    Comparison,
    Completion,
    Engine,
    Failure,
    Judge,
    Judgment,
    Message,
    Model,
    Register,
    Request,
    chance,
    hookimpl,
    host,
)
from rrm_harness.specs import Spec

FAILING = 0.03


def note(log: str, asked: str) -> None:
    """Write down in one call what was answered and when."""
    if not log:
        return
    line = f"{time.time()} {os.getpid()} {asked}\n"
    file = os.open(log, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.write(file, line.encode())
    os.close(file)


def reply(asked: str) -> str:
    """What is said to a question of `Marked`."""
    if chance.uniform(asked, "fails") < FAILING:
        return "no verdict"
    order = asked.split()[1].split(",")
    scores = [chance.uniform(asked, each) for each in order]
    return f"{chance.digest(asked).hex()} {' '.join(map(repr, scores))}"


@dataclass(frozen=True)
class Marked(Judge):
    """Samples a model that it says the comparison's name to."""

    runs_on = Model("nobody/marked")

    def render(self, comparison: Comparison) -> Sequence[Request]:
        order = ",".join(map(str, comparison.order))
        asked = f"{comparison.example.id} {order} {comparison.sample} {comparison.role}"
        return [Request((Message("user", asked),), temperature=1.0)]

    def parse(
        self, comparison: Comparison, completions: Sequence[Completion]
    ) -> Judgment:
        text = completions[0].text
        if text == "no verdict":
            return Judgment.failed(Failure.UNPARSABLE, text)
        return Judgment(tuple(map(float, text.split()[1:])), text=text)


@dataclass
class MarkedEngine(Engine):
    """Answers in batches, one request after the other; in a drawn order if asked to.

    Args:
        log: A file; every answer is a line in it.
        seconds: Spent on each request.
        batch: Requests that one `collect` answers.
        shuffle: Seed of the order in which requests are answered; 0 for as they came.
    """

    log: str = ""
    seconds: float = 0.0
    batch: int = 8
    shuffle: int = 0
    waiting: dict[int, Request] = field(default_factory=dict, init=False, repr=False)

    identity = "marked"

    def submit(self, ticket: int, request: Request) -> None:
        self.waiting[ticket] = request

    def collect(self) -> Iterable[tuple[int, Completion]]:
        done = []
        for ticket in self._next():
            asked = self.waiting.pop(ticket).messages[-1].content
            time.sleep(self.seconds)
            note(self.log, asked)
            done.append((ticket, Completion(reply(asked), prompt_tokens=len(asked))))
        return done

    def _next(self) -> list[int]:
        tickets = [*self.waiting]
        if self.shuffle:
            tickets.sort(
                key=lambda each: chance.uniform(
                    self.shuffle, self.waiting[each].messages[-1].content
                )
            )
        return tickets[: self.batch]

    def cancel(self, ticket: int) -> None:
        self.waiting.pop(ticket, None)

    def close(self) -> None:
        self.waiting.clear()


class Logged(Engine):
    """Another engine (`of=NAME` and its options) whose answers are written down."""

    def __init__(self, model: Model | None, of: str, log: str, **rest: str) -> None:
        self._inner = host.default().engine_for(Spec(of, rest), model)
        self._log = log

    @property
    def identity(self) -> str:
        return self._inner.identity

    def submit(self, ticket: int, request: Request) -> None:
        self._inner.submit(ticket, request)

    def collect(self) -> Iterable[tuple[int, Completion]]:
        done = [*self._inner.collect()]
        for ticket, _ in done:
            note(self._log, str(ticket))
        return done

    def cancel(self, ticket: int) -> None:
        self._inner.cancel(ticket)

    def close(self) -> None:
        self._inner.close()


@hookimpl
def register_judges(register: Register) -> None:
    register("marked", Marked)


@hookimpl
def register_engines(register: Register) -> None:
    register("marked", MarkedEngine)
    register("logged", Logged)


def install(folder: Path) -> Mapping[str, str]:
    """Make this plugin known to processes that are started with this environment."""
    information = folder / "rrm_marked-1.0.dist-info"
    information.mkdir(parents=True, exist_ok=True)
    (information / "METADATA").write_text("Name: rrm-marked\nVersion: 1.0\n")
    entry = f"[rrm_harness]\nmarked = {Path(__file__).parent.name}.marked\n"
    (information / "entry_points.txt").write_text(entry)
    tests = Path(__file__).parents[1]
    paths = [str(folder), str(tests), *filter(None, [os.getenv("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
