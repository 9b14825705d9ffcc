"""Any engine on many workers of a Ray cluster: the same answers from more hardware."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from functools import cached_property, partial
from inspect import signature
from itertools import count

from rrm_harness import (
    Completion,
    Engine,
    EngineError,
    Failure,
    Model,
    Register,
    Request,
    SpecError,
    __version__,
    hookimpl,
    host,
)
from rrm_harness.specs import Spec

from .in_process import refuse_below
from .ray_board import LOSSES, Board
from .ray_cluster import Cluster
from .ray_crew import CALLS, Answers, Crew, Lost
from .ray_worker import Hello, Make

WAIT = 1.0
"""Seconds to wait for workers before saying that nothing is done yet."""
DEATHS = 10
"""More than so many workers, and thrice the crew, lost with no answer in between: it
is not the requests."""


class Ray(Engine):
    """Runs an engine on each of many workers, on one machine or on many.

    The driver keeps the queue and the answers; a worker is given requests, and given
    new ones as it finishes. An idle one takes over part of what the most loaded one
    owes. What a lost one owed is asked again; each request is answered once. Numbers
    of its own stand for the tickets, so that an answer that comes late is not taken
    for that of a later request with the same ticket.

    Args:
        make: Makes a worker's engine; must be picklable.
        workers: How many.
        gpus_per_worker: GPUs that each has for itself; the cluster must have them.
        cpus_per_worker: Processor cores that Ray reserves for each.
        address: `auto`, `local`, or HOST:PORT of a cluster, as `Cluster` says.
        depth: The most unfinished requests of a worker: more than it runs at once.
        patience: Seconds to wait for a first worker before giving up.

    Raises:
        SpecError: A number is out of its range; or as `make`, which is called once
            here, so that its mistakes are told before anything starts.
    """

    def __init__(
        self,
        make: Make,
        *,
        workers: int = 1,
        gpus_per_worker: float = 0.0,
        cpus_per_worker: float = 1.0,
        address: str = "auto",
        depth: int = 256,
        patience: float = 300.0,
    ) -> None:
        refuse_below("ray", "workers", workers, 1)
        refuse_below("ray", "depth", depth, 1)
        if min(gpus_per_worker, cpus_per_worker, patience) < 0:
            raise SpecError(
                f"ray,gpus-per-worker={gpus_per_worker},cpus-per-worker="
                f"{cpus_per_worker},patience={patience}: give 0 or more"
            )
        self._make = make
        self._inner = make()
        self._workers = workers
        self._gpus = gpus_per_worker
        self._cpus = cpus_per_worker
        self._address = address
        self._patience = patience
        self._board = Board(depth)
        self._numbers = count()
        self._tickets: dict[int, int] = {}
        self._open: dict[int, int] = {}
        self._depth = depth
        self.capacity = 2 * workers * depth  # the queue lasts while calls are read
        self._cluster: Cluster | None = None
        self._crew: Crew | None = None
        self._known = ""
        self._since = 0.0
        self._deaths = 0

    @cached_property
    def identity(self) -> str:
        """The inner engine's: who computes changes no answer.

        With GPUs it is a worker's word, since `auto` may mean another precision there
        than on a driver that has none; workers then have to agree with the first.
        """
        if not self._gpus:
            return self._inner.identity
        while not self._known:
            self._listen(self._at_work())
        return self._known

    @property
    def spec(self) -> str | None:
        """What builds it again, the inner engine's options among its own.

        None if no spec builds the inner engine.
        """
        inner = host.default().spec_of("engines", self._inner)
        asked = {
            "workers": self._workers,
            "gpus_per_worker": self._gpus,
            "cpus_per_worker": self._cpus,
            "address": self._address,
            "depth": self._depth,
            "patience": self._patience,
        }
        usual = signature(type(self)).parameters
        own = [
            f"{name.replace('_', '-')}={value}"
            for name, value in asked.items()
            if value != usual[name].default
        ]
        return inner and ",".join([f"ray,of={inner}", *own])

    def submit(self, ticket: int, request: Request) -> None:
        """Queue a request; workers get it at the next `collect`, many at a time."""
        number = self._open[ticket] = next(self._numbers)
        self._tickets[number] = ticket
        self._board.add(number, request)

    def collect(self) -> Iterable[tuple[int, Completion]]:
        """Keep the workers busy and return what they have done.

        Raises:
            EngineError: What a worker's engine said; the workers differ, die one after
                the other, or none can be had.
        """
        if not self._board:
            return
        crew = self._at_work()
        self._supply(crew)
        done, problem = self._listen(crew)
        self._supply(crew)  # before the answers are read, which takes its time
        yield from done
        if problem:
            raise EngineError(problem)

    def cancel(self, ticket: int) -> None:
        """Forget a request; the worker that has it is told with its next call."""
        number = self._open.pop(ticket, None)
        if number is not None:
            del self._tickets[number]
            self._board.drop(number)

    def close(self) -> None:
        """End the workers, and Ray if it was started here."""
        self._board = Board(self._depth)
        self._tickets.clear()
        self._open.clear()
        self._inner.close()
        crew, self._crew = self._crew, None
        cluster, self._cluster = self._cluster, None
        try:
            if crew is not None:
                crew.close()
        finally:
            if cluster is not None:
                cluster.close()

    def _at_work(self) -> Crew:
        """The crew; the first call joins the cluster and asks for the workers."""
        if self._crew is None:
            self._cluster = Cluster(self._address, self._workers * self._cpus)
            self._crew = Crew(self._cluster, self._make, self._cpus, self._gpus)
            for _ in range(self._workers):
                self._crew.hire()
            self._since = time.monotonic()
        return self._crew

    def _supply(self, crew: Crew) -> None:
        """Have two calls under way at each worker that owes or can be given anything.

        All get the first before any gets the second. Where one idle worker found
        nothing, the others need not look: there may be hundreds.
        """
        for _ in range(CALLS):
            dry = False
            for worker in filter(crew.has_room, crew.ready):
                owes = self._board.owes(worker)
                dealt = [] if dry and not owes else self._board.deal(worker)
                dry = dry or not (owes or dealt)
                forget = self._board.forgets(worker)
                if dealt or forget or owes:
                    requests = [(each, self._board.request(each)) for each in dealt]
                    crew.call(worker, requests, forget)

    def _listen(self, crew: Crew) -> tuple[list[tuple[int, Completion]], str]:
        """What workers have done by now, and what went wrong, if anything did.

        Raises:
            EngineError: A worker is not fit for work, or there are none.
        """
        done: list[tuple[int, Completion]] = []
        problem = ""
        for worker, said in crew.news(WAIT):
            if isinstance(said, Hello):
                self._admit(worker, said)
            elif isinstance(said, Lost):
                done += self._replace(crew, worker, said)
            else:
                done += self._accepted(worker, said)
                problem = problem or said.problem
        self._refuse_to_wait(crew)
        return done, problem

    def _accepted(self, worker: int, said: Answers) -> Iterator[tuple[int, Completion]]:
        """The answers that are still wanted."""
        if said.done:
            self._deaths = 0
        for number, completion in said.done:
            if self._board.answered(worker, number):
                yield self._finished(number), completion

    def _finished(self, number: int) -> int:
        """The ticket of a request that is done with."""
        ticket = self._tickets.pop(number)
        del self._open[ticket]
        return ticket

    def _admit(self, worker: int, said: Hello) -> None:
        """Let a worker join that is what the others are."""
        if said.version != __version__:
            raise EngineError(
                f"{said.node} has rrm-harness {said.version} and this is {__version__};"
                " install the same version on every node"
            )
        if said.problem:
            raise EngineError(said.problem)
        if not self._known:
            self._known = said.identity if self._gpus else self._inner.identity
        if said.identity != self._known:
            raise EngineError(
                f"the worker on {said.node} would answer as '{said.identity}' and the"
                f" others as '{self._known}'; give every node the same weights and the"
                " same kind of device, or say device= and dtype="
            )
        self._board.join(worker)

    def _replace(
        self, crew: Crew, worker: int, said: Lost
    ) -> Iterator[tuple[int, Completion]]:
        """Hire another; what killed too many workers has failed."""
        self._deaths += 1
        if self._deaths > DEATHS + 3 * self._workers:
            raise EngineError(
                f"{self._deaths} workers died in a row before they answered anything"
                f" (the last: {said.reason}); Ray's logs say more"
            )
        if "ModuleNotFoundError" in said.reason:
            raise EngineError(
                f"a worker cannot import what it needs ({said.reason}); install"
                f" rrm-harness {__version__} on every node"
            )
        text = f"{LOSSES} workers died of this request (the last: {said.reason})"
        for number in self._board.lose(worker):
            failed = Completion(text, failure=Failure.ENGINE_ERROR)
            yield self._finished(number), failed
        crew.hire()

    def _refuse_to_wait(self, crew: Crew) -> None:
        """Give up if no worker has been had for too long."""
        now = time.monotonic()
        if crew.ready:
            self._since = now
        elif now - self._since > self._patience:
            raise EngineError(
                f"Ray gave no worker in {self._patience:g} seconds (each needs"
                f" {self._cpus:g} CPUs and {self._gpus:g} GPUs; ray status shows what"
                " is free); ask for less, add nodes, or wait longer with patience="
            )


def of_spec(
    model: Model | None,
    of: str,
    workers: int = 1,
    gpus_per_worker: float = 0.0,
    cpus_per_worker: float = 1.0,
    address: str = "auto",
    depth: int = 256,
    patience: float = 300.0,
    **rest: str,
) -> Ray:
    """Any engine (`of=NAME` and its options) on many workers of a Ray cluster.

    Raises:
        SpecError: As `Ray`; or the inner engine is unknown, or has no such option.
    """
    if of == "ray":
        raise SpecError("ray,of=ray: name the engine that each worker runs")
    return Ray(
        partial(inner, Spec(of, rest), model),
        workers=workers,
        gpus_per_worker=gpus_per_worker,
        cpus_per_worker=cpus_per_worker,
        address=address,
        depth=depth,
        patience=patience,
    )


def inner(spec: Spec, model: Model | None) -> Engine:
    """Build the engine that a worker runs."""
    return host.default().engine_for(spec, model)


@hookimpl
def register_engines(register: Register) -> None:
    register("ray", of_spec)
