"""For authors of plugins and for our own tests: fakes behind the public seams."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from rrm_harness import chance
from rrm_harness.answers import TITLES, Answers, Bench
from rrm_harness.metrics import Rule
from rrm_harness.records import (
    BadRow,
    Comparison,
    Completion,
    Dataset,
    Engine,
    Example,
    Judge,
    Judgment,
    Message,
    Outcome,
    Request,
    Strategy,
)
from rrm_harness.schedule import play_all

Decide = Callable[[Comparison], Judgment]


def example(
    responses: int = 2,
    correct: Sequence[int] = (0,),
    *,
    id: str = "example",  # noqa: A002
    subset: str = "all",
) -> Example:
    """Build an example with this many numbered responses."""
    texts = tuple(f"response {index}" for index in range(responses))
    return Example(id, (Message("user", "question"),), texts, tuple(correct), subset)


EXAMPLES = (
    example(id="first", correct=(0,), subset="easy"),
    example(id="second", correct=(1,), subset="easy"),
    example(3, id="third", correct=(0, 2), subset="hard"),
)
"""Two pairs and a choice of three; `example` makes others."""


@dataclass
class FakeDataset(Dataset):
    """A dataset of what it is given: EXAMPLES unless told, in two subsets.

    A tie shares the credit and a failure is wrong, unless `rule` says otherwise.
    """

    items: Sequence[Example | BadRow] = EXAMPLES
    rule: Rule = field(default_factory=Rule)

    name = "fake"
    revision = "1"
    protocol = "single"

    def examples(self) -> Iterator[Example | BadRow]:
        """Yield the items."""
        return iter(self.items)


@dataclass
class FakeJudge(Judge):
    """A judge that answers by a function of the comparison, without an engine."""

    decide: Decide
    asked: list[Comparison] = field(default_factory=list)

    identity = "fake"

    def parse(
        self,
        comparison: Comparison,
        completions: Sequence[Completion],  # noqa: ARG002
    ) -> Judgment:
        """Answer, and remember what was asked."""
        self.asked.append(comparison)
        return self.decide(comparison)


@dataclass
class FakeModelJudge(FakeJudge):
    """A judge that makes a request of each comparison, then decides as FakeJudge.

    Its requests are sampled, so that votes are asked one by one; at temperature 0 all
    samples of a comparison are one question.
    """

    temperature: float = 1.0

    def render(self, comparison: Comparison) -> Sequence[Request]:
        """Put everything that tells comparisons apart into one prompt."""
        shown = f"{comparison.example.id} {comparison.order} {comparison.role}"
        messages = (Message("user", shown + comparison.critique),)
        return [Request(messages, temperature=self.temperature)]


@dataclass
class FakeEngine(Engine):
    """An engine that answers by a function, one request at a time, in any order.

    The order of arrival is drawn from `seed`; `most` is the largest number of requests
    that were ever waiting.
    """

    reply: Callable[[Request], Completion] = lambda _: Completion("done")
    seed: int = 0
    waiting: dict[int, Request] = field(default_factory=dict)
    most: int = 0
    answered: int = 0

    identity = "fake"

    def submit(self, ticket: int, request: Request) -> None:
        """Keep the request."""
        self.waiting[ticket] = request
        self.most = max(self.most, len(self.waiting))

    def collect(self) -> Iterable[tuple[int, Completion]]:
        """Answer one of the waiting requests."""
        tickets = sorted(self.waiting)
        drawn = chance.uniform(self.seed, self.answered) * len(tickets)
        ticket = tickets[int(drawn)]
        self.answered += 1
        return [(ticket, self.reply(self.waiting.pop(ticket)))]

    def cancel(self, ticket: int) -> None:
        """Drop the request."""
        self.waiting.pop(ticket, None)

    def close(self) -> None:
        """Nothing to give back."""


def play(
    strategy: Strategy,
    asked: Example,
    decide: Decide,
    *,
    engine: Engine | None = None,
    seed: int = 0,
) -> Outcome:
    """Play one example to its end; with an engine, its order of arrival counts."""
    judge = FakeModelJudge(decide) if engine else FakeJudge(decide)
    benches = dict.fromkeys(TITLES, Bench(judge, engine))
    (finished,) = play_all([asked], strategy, Answers(benches), seed)
    return finished.outcome
