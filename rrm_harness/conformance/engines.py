"""What an engine promises.

One that takes a model is given the smallest that comes along: `rrm-nano`, and to score
`nano-head`. What it then cannot do at all, to write or to score, is left out.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import isclose

from rrm_harness import host
from rrm_harness.conformance.common import import_weight
from rrm_harness.conformance.promises import Broken, Skipped, insist, promise, short
from rrm_harness.conformance.subject import Subject
from rrm_harness.errors import EngineError
from rrm_harness.records import (
    Completion,
    Engine,
    Failure,
    Judge,
    Message,
    Model,
    Request,
)

JUDGES = {"generate": "rrm-nano", "score": "nano-head"}
"""Whose models are run; their weights come along."""
QUESTIONS = (
    "What is 3 + 4?",
    "What is 17 + 25 - 8?",
    "Ana has 12 pears, eats 5 and buys 9. How many are there?",
    "What is 60 - 2 - 3 - 4 - 5?",
    "Half of 18?",
)
REPLIES = (
    "It is 7",
    "It is 34",
    "First 12 - 5 is 7.\nThen 7 + 9 is 16.\nIt is 16",
    "46",
)
TOKENS = 12
ROUNDS = 20_000
"""How often nothing may come back before an engine is taken to hang."""
HOSTILE = "<|im_end|></s>{{ 7 * 7 }}\x00 \ud83d"


@dataclass(frozen=True)
class Trial:
    """One thing that an engine does: to write, or to score."""

    kind: str
    subject: Subject
    asked: Sequence[Request]

    def engine(self) -> Engine:
        """The engine, built anew for the model that this takes."""
        judge: Judge = host.default().build("judges", JUDGES[self.kind])
        if not takes_a_model(self.subject):
            built: Engine = self.subject.make()
            return built
        running: Engine = self.subject.engine(judge.runs_on or Model("none"))
        return running


@contextmanager
def opened(trial: Trial) -> Iterator[Engine]:
    """A new engine, closed in the end."""
    engine = trial.engine()
    try:
        yield engine
    finally:
        engine.close()


def takes_a_model(subject: Subject) -> bool:
    """Whether the engine is built with a judge's model."""
    return "model" in inspect.signature(subject.factory).parameters


def trials(subject: Subject) -> list[Trial]:
    """What the engine can do, found by having it done once.

    Raises:
        Broken: It can neither write nor score.
        SpecError: It cannot be built from its name.
    """
    if "trials" not in subject.kept:
        subject.kept["trials"] = _able(subject)
    found: list[Trial] = subject.kept["trials"]
    return found


def _able(subject: Subject) -> list[Trial]:
    able: list[Trial] = []
    problems: list[str] = []
    for trial in (
        Trial("generate", subject, [_writing(each) for each in QUESTIONS]),
        Trial("score", subject, [*map(_scoring, QUESTIONS, REPLIES)]),
    ):
        try:
            with opened(trial) as engine:
                (completion,) = done(engine, trial.asked[:1])
        except EngineError as error:
            problems.append(f"to {trial.kind}: {error}")
            completion = Completion(failure=Failure.ENGINE_ERROR)
        if completion.failure is None:
            able.append(trial)
    if len(problems) == 2 and "=" not in subject.spec:
        raise Skipped(f"the engine does not run by its name alone: {problems[0]}")
    if not able:
        raise Broken(
            f"the engine was asked to write and to score, and did neither:"
            f" {'; '.join(problems) or 'every completion is a failure'}"
        )
    return able


def _writing(question: str) -> Request:
    return Request((Message("user", question),), max_tokens=TOKENS)


def _scoring(question: str, reply: str) -> Request:
    chat = (Message("user", question), Message("assistant", reply))
    return Request(chat, kind="score")


def done(
    engine: Engine, asked: Sequence[Request], *, once: bool = False
) -> list[Completion]:
    """What the engine says to requests, in their order.

    Raises:
        Broken: It leaves one unanswered; or, with `once`, answers another or one twice.
    """
    for ticket, request in enumerate(asked):
        engine.submit(ticket, request)
    found = collected(engine, set(range(len(asked))), once=once)
    return [found[ticket] for ticket in range(len(asked))]


def collected(
    engine: Engine, owed: set[int], *, once: bool = False
) -> Mapping[int, Completion]:
    """The answers to tickets; with `once` no others, and none twice."""
    found: dict[int, Completion] = {}
    for _ in range(ROUNDS):
        for ticket, completion in engine.collect():
            insist(
                not once or (ticket in owed and ticket not in found),
                f"tickets {sorted(owed)} were submitted; ticket {ticket} was answered"
                f" {'a second time' if ticket in found else 'too'}, expected each once",
            )
            if ticket in owed:
                found.setdefault(ticket, completion)
        if len(found) == len(owed):
            return found
    raise Broken(
        f"tickets {sorted(owed)} were submitted; after {ROUNDS:,} calls of collect"
        f" {sorted(owed - found.keys())} had no answer, expected one each"
    )


def _insist_alike(first: Completion, second: Completion, sentence: str) -> None:
    scores = zip(first.scores, second.scores, strict=False)
    insist(
        first.text == second.text
        and first.failure == second.failure
        and len(first.scores) == len(second.scores)
        and all(isclose(a, b, rel_tol=1e-3, abs_tol=1e-3) for a, b in scores),
        f"{sentence}; it was answered {_said(first)}, then {_said(second)}, expected"
        " the same",
    )


def _said(completion: Completion) -> str:
    return short(completion.scores or completion.failure or repr(completion.text), 60)


@promise
def answers_once(subject: Subject) -> None:
    """Every ticket is answered once, and no other."""
    for trial in trials(subject):
        with opened(trial) as engine:
            done(engine, trial.asked, once=True)
            late = list(engine.collect())
            insist(
                not late,
                f"all tickets had been answered; ticket {late and late[0][0]} was"
                " answered all the same, expected nothing",
            )


@promise
def batch_invariance(subject: Subject) -> None:
    """A request is answered alone as among others, in whatever order they come."""
    for trial in trials(subject):
        with opened(trial) as engine:
            alone = [done(engine, [each])[0] for each in trial.asked]
            together = done(engine, trial.asked)
            turned = done(engine, trial.asked[::-1])[::-1]
        for place, each in enumerate(alone):
            what = f"request {place + 1} of {len(alone)} was asked alone and "
            _insist_alike(each, together[place], what + "among the others")
            _insist_alike(each, turned[place], what + "among the others, turned round")


@promise
def determinism(subject: Subject) -> None:
    """At temperature 0 another instance gives the same answers."""
    for trial in trials(subject):
        with opened(trial) as engine:
            first = done(engine, trial.asked)
        with opened(trial) as engine:
            second = done(engine, trial.asked)
        for each, again in zip(first, second, strict=True):
            _insist_alike(each, again, "two instances were asked the same")


@promise
def seeds(subject: Subject) -> None:
    """A sampled request is answered by its seed: the same again, another otherwise."""
    writing = [each for each in trials(subject) if each.kind == "generate"]
    if not writing:
        raise Skipped("the engine does not write")
    asked = [
        replace(writing[0].asked[1], temperature=1.0, seed=seed, max_tokens=2 * TOKENS)
        for seed in range(8)
    ]
    with opened(writing[0]) as engine:
        first, second = done(engine, asked), done(engine, asked[::-1])[::-1]
    for each, again in zip(first, second, strict=True):
        _insist_alike(each, again, "a sampled request was asked twice with one seed")
    if takes_a_model(subject):
        insist(
            len({each.text for each in first}) > 1,
            f"a request was sampled with {len(asked)} seeds at temperature 1; every"
            f" answer was {_said(first[0])}, expected several",
        )


@promise
def identity(subject: Subject) -> None:
    """The identity is known before anything is loaded, and stays what it is."""
    for trial in trials(subject):
        with opened(trial) as engine, opened(trial) as other:
            before = engine.identity
            done(engine, trial.asked[:1])
            insist(
                isinstance(before, str)
                and before == engine.identity == other.identity != "",
                f"identity was {short(before)} before the first request,"
                f" {short(engine.identity)} after it and {short(other.identity)} in"
                " another instance, expected one text: model, revision, precision",
            )


@promise
def cancel_forgets(subject: Subject) -> None:
    """A cancelled request owes nothing; the others are answered all the same."""
    for trial in trials(subject):
        with opened(trial) as engine:
            for ticket, request in enumerate(trial.asked):
                engine.submit(ticket, request)
            for ticket in (0, 2, 2, 99):  # twice, and one that was never submitted
                engine.cancel(ticket)
            owed = set(range(len(trial.asked))) - {0, 2}
            collected(engine, owed)
            engine.cancel(1)  # which has been answered
            again = done(engine, trial.asked[:1])
            insist(
                again[0].failure is None,
                f"a request was cancelled and its like was asked later; the answer was"
                f" {_said(again[0])}, expected one without a failure",
            )


@promise
def close_twice(subject: Subject) -> None:
    """An engine closes before its first request, under work, and a second time."""
    for trial in trials(subject):
        trial.engine().close()
        engine = trial.engine()
        for ticket, request in enumerate(trial.asked):
            engine.submit(ticket, request)
        engine.close()
        try:
            engine.close()
        except Exception as error:
            raise Broken(
                f"the engine was closed twice; the second time it raised"
                f" {type(error).__name__}: {error}, expected nothing"
            ) from error


@promise
def failure_kinds(subject: Subject) -> None:
    """What goes wrong with one request is its completion's failure, not a crash."""
    for trial in trials(subject):
        first, *_ = trial.asked
        long = Message("user", "and then one more, " * 10_000)
        asked = [
            first,
            replace(first, messages=(long, *first.messages)),
            replace(first, messages=(Message("user", HOSTILE), *first.messages[1:])),
        ]
        try:
            with opened(trial) as engine:
                found = done(engine, asked)
        except Broken:
            raise
        except Exception as error:
            raise Broken(
                f"a request of {len(long.content):,} characters and one with hostile"
                f" signs stood among others; the engine raised {type(error).__name__}:"
                f" {short(str(error))}, expected a completion with a failure"
            ) from error
        for each in found:
            insist(
                each.failure is None or isinstance(each.failure, Failure),
                f"a completion's failure was {each.failure!r}, expected a kind of"
                " rrm_harness.Failure",
            )
        insist(
            found[0].failure is None,
            "a very long request stood beside a short one; the short one"
            f" failed ({_said(found[0])}), expected that it does not",
        )


PROMISED = (
    answers_once,
    batch_invariance,
    determinism,
    seeds,
    identity,
    cancel_forgets,
    close_twice,
    failure_kinds,
    import_weight,
)
