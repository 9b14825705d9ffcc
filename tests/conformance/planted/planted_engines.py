"""Engines that keep every promise but the one that their name says."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

from rrm_harness import Completion, Engine, Failure, chance, hookimpl

INSTANCES = count()


@dataclass
class Echo(Engine):
    """It writes what it was asked, and scores by its length."""

    waiting: dict = field(default_factory=dict, repr=False)
    identity = "echo"

    def submit(self, ticket, request):
        self.waiting[ticket] = request

    def collect(self):
        done, self.waiting = self.waiting, {}
        return [(ticket, self.reply(request)) for ticket, request in done.items()]

    def reply(self, request):
        text = " ".join(each.content for each in request.messages)
        if len(text) > 9999:
            return Completion(failure=Failure.TOO_LONG)
        if request.kind == "score":
            return Completion(scores=(float(len(text)),))
        return Completion(f"{text}{self.drawn(request) if request.sampled else ''}")

    def drawn(self, request):
        return chance.seed(request.seed)

    def cancel(self, ticket):
        self.waiting.pop(ticket, None)

    def close(self):
        self.waiting = {}


class AnswersOnce(Echo):
    """The first of several answers is handed out twice."""

    def collect(self):
        done = super().collect()
        return [*done, *done[:1]] if len(done) > 4 else done


class BatchInvariance(Echo):
    """A reply ends with how many requests there were."""

    def collect(self):
        several = len(self.waiting)
        done = super().collect()
        return [
            (ticket, Completion(f"{each.text}{several}", each.scores, each.failure))
            for ticket, each in done
        ]


@dataclass
class Determinism(Echo):
    """Each instance writes in its own words."""

    number: int = field(default_factory=lambda: next(INSTANCES), repr=False)

    def reply(self, request):
        said = super().reply(request)
        return Completion(f"{self.number}: {said.text}", said.scores, said.failure)


class Seeds(Echo):
    """The seed is not sent."""

    def drawn(self, request):
        return next(INSTANCES)


class Identity(Echo):
    """What runs is known when it runs."""

    loaded = ""

    @property
    def identity(self):
        return f"echo{self.loaded}"

    def submit(self, ticket, request):
        self.loaded = " in float32"
        super().submit(ticket, request)


class CancelForgets(Echo):
    """What is not there cannot be cancelled."""

    def cancel(self, ticket):
        del self.waiting[ticket]


class CloseTwice(Echo):
    """What is closed is gone."""

    def close(self):
        del self.waiting


class FailureKinds(Echo):
    """A request that does not fit ends everything."""

    def reply(self, request):
        said = super().reply(request)
        if said.failure:
            raise ValueError("the prompt does not fit")
        return said


@hookimpl
def register_engines(register):
    register("good-echo", Echo)
    register("bad-answers-once", AnswersOnce)
    register("bad-engine-batch-invariance", BatchInvariance)
    register("bad-engine-determinism", Determinism)
    register("bad-seeds", Seeds)
    register("bad-identity", Identity)
    register("bad-cancel-forgets", CancelForgets)
    register("bad-close-twice", CloseTwice)
    register("bad-engine-failure-kinds", FailureKinds)
