"""What a strategy asks while nothing is answered, for those who must ask all at once.

Where all requests have to be made before the first answer comes, only a strategy that
does not look at answers to choose its questions can be played.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rrm_harness import chance
from rrm_harness.answers import Answers, Bench
from rrm_harness.records import (
    Comparison,
    Completion,
    Engine,
    Example,
    Failure,
    Judge,
    Judgment,
    Message,
    Request,
    Strategy,
)
from rrm_harness.schedule import Finished, play_all

ROLES = ("judge", "meta", "policy")
PROBES = 8
"""Sets of made-up verdicts under which a strategy must not ask anything new."""


@dataclass
class Known(Engine):
    """An engine that answers at once: what is known, and a failure otherwise.

    `asked` is all that it was asked, in turn.
    """

    answers: Mapping[Request, Completion] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)
    _done: list[tuple[int, Completion]] = field(default_factory=list)

    identity = "known"

    def submit(self, ticket: int, request: Request) -> None:
        """Answer."""
        self.asked.append(request)
        unknown = Completion(failure=Failure.NOT_RECORDED)
        self._done.append((ticket, self.answers.get(request, unknown)))

    def collect(self) -> Iterable[tuple[int, Completion]]:
        """Hand all answers out."""
        done, self._done = self._done, []
        return done

    def cancel(self, ticket: int) -> None:
        """Drop the answer."""
        self._done = [each for each in self._done if each[0] != ticket]

    def close(self) -> None:
        """Nothing to give back."""


@dataclass(frozen=True)
class _MadeUp(Judge):
    """Verdicts drawn by a number; none at all for the number 0."""

    number: int

    def parse(
        self,
        comparison: Comparison,
        completions: Sequence[Completion],  # noqa: ARG002
    ) -> Judgment:
        if not self.number:
            return Judgment.failed(Failure.NOT_RECORDED)
        if comparison.role == "meta":
            return Judgment((chance.uniform(self.number, comparison.sample),))
        key = (self.number, *comparison.order, comparison.sample)
        places = chance.permutation(len(comparison.order), *key)
        return Judgment(tuple(map(float, places)))


def requests(
    example: Example, strategy: Strategy, judge: Judge, seed: int
) -> list[Request]:
    """All requests of an example, each once, sampled ones with their seeds.

    Raises:
        SpecError: As `play_all`.
    """
    return requests_of(example, strategy, {"judge": judge}, seed)["judge"]


def requests_of(
    example: Example, strategy: Strategy, judges: Mapping[str, Judge], seed: int
) -> dict[str, list[Request]]:
    """What the judge of each role is asked about an example when all of it fails.

    Raises:
        SpecError: As `play_all`.
    """
    planning = {role: Known() for role in judges}
    benches = {role: Bench(judge, planning[role]) for role, judge in judges.items()}
    _played(example, strategy, benches, seed)
    return {role: known.asked for role, known in planning.items()}


def replayed(
    example: Example,
    strategy: Strategy,
    judge: Judge,
    seed: int,
    answers: Mapping[Request, Completion],
) -> Finished:
    """The example's outcome, given what its requests were answered."""
    benches = {"judge": Bench(judge, Known(answers))}
    return _played(example, strategy, benches, seed)


def roles(strategy: Strategy, responses: int) -> set[str]:
    """The roles of the judges that a strategy asks about so many responses."""
    return {role for _, _, role in _asked(strategy, responses, 0, 1)}


def asks_both_orders(strategy: Strategy) -> bool:
    """Whether a pair is shown in both orders."""
    asked = _asked(strategy, 2, 0, 1)
    return any((each[0][::-1], *each[1:]) in asked for each in asked if each[0][1:])


def is_adaptive(strategy: Strategy, responses: int) -> bool:
    """Whether answers decide what is asked about so many responses.

    Made-up verdicts, and none at all, tell: under some of them it asks what it does not
    ask when everything fails.
    """
    probes = range(1, PROBES + 1)
    failing = _asked(strategy, responses, 0)
    return any(_asked(strategy, responses, probe) - failing for probe in probes)


def _asked(
    strategy: Strategy, responses: int, *probes: int
) -> set[tuple[tuple[int, ...], int, str]]:
    """What is asked under made-up verdicts: order, sample and role of each."""
    texts = tuple(f"response {index}" for index in range(responses))
    example = Example("probe", (Message("user", "question"),), texts, (0,))
    benches = [dict.fromkeys(ROLES, Bench(_MadeUp(probe))) for probe in probes]
    played = [_played(example, strategy, each, 0) for each in benches]
    judged = [each for finished in played for each, _ in finished.judged]
    return {(each.order, each.sample, each.role) for each in judged}


def _played(
    example: Example, strategy: Strategy, benches: Mapping[str, Bench], seed: int
) -> Finished:
    (finished,) = play_all([example], strategy, Answers(benches), seed)
    return finished
