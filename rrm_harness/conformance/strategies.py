"""What a strategy promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory

from rrm_harness import chance
from rrm_harness.answers import TITLES, Answers, Bench
from rrm_harness.conformance.common import import_weight, same_elsewhere
from rrm_harness.conformance.promises import Broken, insist, promise, short
from rrm_harness.conformance.subject import Subject
from rrm_harness.records import (
    Comparison,
    Engine,
    Failure,
    Judgment,
    Outcome,
    Strategy,
    described,
)
from rrm_harness.schedule import Finished, play_all
from rrm_harness.store import RunStore
from rrm_harness.testing import FakeEngine, FakeModelJudge, example

SIZES = range(2, 10)
"""Numbers of responses; a single one has a property of its own."""
ARRIVALS = 6
"""Orders of arrival that are tried."""


@dataclass(frozen=True)
class Voter:
    """A made-up judge, whose answers depend on the comparison alone.

    Args:
        key: Draws everything else.
        failing: The share of judgments that fail.
        tying: The share of those that tie.
        split: Whether every other sample is for the last shown, so that votes are
            close.
    """

    key: int
    failing: float = 0.0
    tying: float = 0.0
    split: bool = False

    def __call__(self, asked: Comparison) -> Judgment:
        """Judge a comparison."""
        shown = (self.key, repr(asked.order), asked.sample, asked.role, asked.critique)
        if chance.uniform("fails", *shown) < self.failing:
            kinds = list(Failure)
            return Judgment.failed(kinds[chance.seed(*shown) % len(kinds)], "made up")
        count = 1 if asked.role == "meta" else len(asked.order)
        if chance.uniform("ties", *shown) < self.tying:
            return Judgment((0.5,) * count, None, f"a tie of {shown}")
        places = chance.permutation(count, *shown)
        if self.split:
            places = tuple((each + asked.sample) % count for each in range(count))
        return Judgment(tuple(map(float, places)), None, f"said of {shown}")


WILLING = (
    *(Voter(key) for key in range(4)),
    *(Voter(key, tying=0.5) for key in range(2)),
    Voter(0, split=True),
    Voter(0, tying=1.0),
)
"""Judges that always answer, some so that votes stay open to the end."""
FAILING = (
    *(Voter(key, failing=0.3) for key in range(4)),
    Voter(1, failing=0.8),
    Voter(2, failing=0.1, tying=0.5),
)
"""Judges that fail now and then."""


def digests(strategy: Strategy) -> dict[str, str]:
    """Digests of a strategy's description and of its outcomes."""
    played = [
        _outcome(strategy, size, voter)
        for size in (3, 8)
        for voter in (*WILLING, *FAILING)
    ]
    return {
        "description": chance.digest(described(strategy)).hex(),
        "outcomes": chance.digest(repr(played)).hex(),
    }


def _outcome(strategy: Strategy, size: int, voter: Voter) -> Outcome | str:
    """The outcome, or what was raised, which is another property's affair."""
    try:
        return _played(strategy, size, voter).outcome
    except Exception as error:
        return type(error).__name__


@promise
def cost_forecast(subject: Subject) -> None:
    """A strategy asks no more comparisons than its cost says, and can ask as many."""
    strategy, reached = subject.make(), 0
    for size in SIZES:
        cost = strategy.cost(size)
        most = max(len(_played(subject.make(), size, each).judged) for each in WILLING)
        insist(
            most <= cost,
            f"{size} responses were played; {most} comparisons were asked, expected at"
            f" most cost({size}) = {cost}",
        )
        reached += most == cost
    insist(
        bool(reached),
        f"2 to {size} responses were played under {len(WILLING)} judges; at most {most}"
        f" comparisons were asked of {size} and cost({size}) is {cost}, expected that"
        " the most that can be asked is asked of some number of responses",
    )


@promise
def any_order(subject: Subject) -> None:
    """The outcome does not depend on which judgment comes in first."""
    for size in (3, 6, 9):
        for voter in (WILLING[0], WILLING[4], FAILING[0]):
            with suppress(*_RAISED):
                _insist_on_any_order(subject, size, voter)


def _insist_on_any_order(subject: Subject, size: int, voter: Voter) -> None:
    at_once = _played(subject.make(), size, voter)
    for seed in range(ARRIVALS):
        arrived = _played(subject.make(), size, voter, FakeEngine(seed=seed))
        first, second = at_once.outcome, arrived.outcome
        if _asked(at_once) != _asked(arrived):  # a race takes what it has
            first = Outcome(first.scores, first.failure)
            second = Outcome(second.scores, second.failure)
        insist(
            first == second,
            f"{size} responses were played with the judgments in two orders of arrival;"
            f" the outcomes were {short(first)} and {short(second)}, expected equal"
            " ones",
        )


@promise
def hash_seed(subject: Subject) -> None:
    """A process with another hash seed comes to the same outcomes."""
    same_elsewhere(subject, digests(subject.make()))


@promise
def failures(subject: Subject) -> None:
    """Failed judgments make an outcome, failed or not, and never a crash."""
    for size in (2, 5, 8):
        for kind in Failure:
            _insist_on_failing(subject, size, kind)
        for voter in FAILING:
            outcome = _finished(subject, size, voter).outcome
            insist(
                isinstance(outcome, Outcome),
                f"some judgments of {size} responses failed; the strategy returned"
                f" {short(outcome)}, expected an Outcome",
            )


def _insist_on_failing(subject: Subject, size: int, kind: Failure) -> None:
    """Where nothing but failures came back, there is no outcome."""
    finished = _finished(subject, size, lambda _: Judgment.failed(kind, "made up"))
    outcome = finished.outcome
    failed = isinstance(outcome, Outcome) and outcome.failure is not None
    insist(
        failed or not finished.judged,
        f"all judgments of {size} responses failed ({kind}); the outcome is"
        f" {short(outcome)}, expected one with a failure",
    )


def _finished(
    subject: Subject, size: int, decide: Callable[[Comparison], Judgment]
) -> Finished:
    """An example played under judgments that fail.

    Raises:
        Broken: The strategy raised.
    """
    try:
        return _played(subject.make(), size, decide)
    except Exception as error:
        raise Broken(
            f"judgments of {size} responses failed; the strategy raised"
            f" {type(error).__name__}: {error}, expected an Outcome: look at"
            " judgment.failure before its scores"
        ) from error


@promise
def every_response(subject: Subject) -> None:
    """Every response shown has a finite score, or the outcome has a failure."""
    for size in SIZES:
        for voter in WILLING:
            outcome = _played(subject.make(), size, voter).outcome
            _insist_on_all(outcome, size)
        for voter in FAILING:
            with suppress(*_RAISED):  # which the property `failures` is about
                _insist_on_all(_played(subject.make(), size, voter).outcome, size)


def _insist_on_all(outcome: Outcome, size: int) -> None:
    expected = set(range(size)) if outcome.failure is None else set()
    finite = all(map(isfinite, outcome.scores.values()))
    insist(
        set(outcome.scores) == expected and finite,
        f"{size} responses were played; the scores are {short(dict(outcome.scores))}"
        f" and the failure {outcome.failure}, expected a finite score of each response,"
        " or a failure and no scores",
    )


@promise
def questions(subject: Subject) -> None:
    """A comparison that is asked shows responses of the example, each once."""
    for size in (2, 5, 8):
        for voter in WILLING:
            finished = _played(subject.make(), size, voter)
            for asked, _ in finished.judged:
                known = len(asked.example.responses)
                fine = len(set(asked.order)) == len(asked.order) > 0
                insist(
                    fine and all(0 <= each < known for each in asked.order),
                    f"{size} responses were played; {list(asked.order)} was asked of an"
                    f" example with {known}, expected some of its responses, each once",
                )


@promise
def resume(subject: Subject) -> None:
    """A second run finds every judgment of the first, and asks the engine nothing."""
    with TemporaryDirectory() as folder:
        for size in (2, 5, 8):
            for number, voter in enumerate((WILLING[0], WILLING[-2])):
                path = Path(folder) / f"{size}-{number}.sqlite"
                for seed in range(2):
                    engine = FakeEngine(seed=seed)
                    with RunStore(path) as store:
                        _played(subject.make(), size, voter, engine, store)
                insist(
                    not engine.answered,
                    f"{size} responses were played a second time over the first run's"
                    f" judgments; {engine.answered} comparisons were asked anew,"
                    " expected none: draw from the comparison's seed, example and"
                    " sample alone",
                )


@promise
def one_response(subject: Subject) -> None:
    """A lone response has an outcome, within its cost."""
    strategy = subject.make()
    for voter in WILLING:
        finished = _played(subject.make(), 1, voter)
        _insist_on_all(finished.outcome, 1)
        asked, cost = len(finished.judged), strategy.cost(1)
        insist(
            finished.outcome.failure is None and asked <= cost,
            f"one response was played; {asked} comparisons were asked and the failure"
            f" is {finished.outcome.failure}, expected at most cost(1) = {cost}, and"
            " none",
        )


@promise
def ties(subject: Subject) -> None:
    """Judgments that are all ties are no failure."""
    for size in SIZES:
        outcome = _played(subject.make(), size, Voter(0, tying=1.0)).outcome
        insist(
            outcome.failure is None and len(outcome.winners) >= 1,
            f"all judgments of {size} responses were ties; the outcome is"
            f" {short(outcome)}, expected scores, with or without a tie",
        )


_RAISED = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError)
"""What a strategy raises that does not look at a judgment's failure."""


def _asked(finished: Finished) -> set[tuple[tuple[int, ...], int, str]]:
    return {(each.order, each.sample, each.role) for each, _ in finished.judged}


def _played(
    strategy: Strategy,
    size: int,
    decide: Callable[[Comparison], Judgment],
    engine: Engine | None = None,
    store: RunStore | None = None,
) -> Finished:
    """Play an example to its end; without an engine all is answered at once."""
    judge = FakeModelJudge(decide)
    asked = engine or _AtOnce()
    benches: Mapping[str, Bench] = dict.fromkeys(TITLES, Bench(judge, asked))
    answers = Answers(benches, store)
    (finished,) = play_all([replace(example(size), id="kit")], strategy, answers, 7)
    return finished


class _AtOnce(FakeEngine):
    """Answers all that waits, in the order in which it was asked."""

    def collect(self) -> Iterator[tuple[int, object]]:  # type: ignore[override]
        """Answer everything."""
        while self.waiting:
            ticket = min(self.waiting)
            yield ticket, self.reply(self.waiting.pop(ticket))


PROMISED = (
    cost_forecast,
    any_order,
    hash_seed,
    failures,
    every_response,
    questions,
    resume,
    one_response,
    ties,
    import_weight,
)
