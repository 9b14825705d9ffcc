"""The driver's side of the workers: hired, told what to do, listened to, replaced."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple

from rrm_harness import Request

from .ray_cluster import Cluster
from .ray_worker import Done, Hello, Make, Worker, pack_step, unpack_done

CALLS = 2
"""Calls that a worker has at a time: it begins the second while we read the first."""
GATHER = 0.004
"""Seconds that a worker waits for more answers, for each worker of the crew: so the
driver reads some 250 calls a second at most, however many workers there are."""
LONGEST = 2.0
"""The most seconds that it waits so."""
NO_GPUS = {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1"}
"""Without it Ray lets a worker that has no GPU for itself see those of all."""
CLOSING = 5.0
"""Seconds that workers have to close their engines before they are ended."""


class Answers(NamedTuple):
    """What a worker has done, and the sentence of what went wrong, if anything did."""

    done: Done
    problem: str


class Lost(NamedTuple):
    """A worker is gone, and why."""

    reason: str


@dataclass(slots=True)
class _Member:
    """A worker as the driver knows it; its calls are answered in their order."""

    actor: Any
    calls: deque[Any] = field(default_factory=deque)
    greeted: bool = False


class Crew:
    """Workers on a cluster, each a process with an engine of its own.

    A lost one is replaced by a new actor and not restarted by Ray, so that no call
    that was meant for the old one reaches the new.

    Args:
        cluster: Where they run.
        make: Makes a worker's engine, there.
        cpus: Processor cores that Ray reserves for each.
        gpus: GPUs that each has for itself; it sees no others.
    """

    def __init__(self, cluster: Cluster, make: Make, cpus: float, gpus: float) -> None:
        self._ray = cluster.ray
        self._make = self._ray.cloudpickle.dumps(make)
        hidden = {} if gpus else {"runtime_env": {"env_vars": NO_GPUS}}
        self._kind = self._ray.remote(Worker).options(
            num_cpus=cpus,
            num_gpus=gpus,
            max_restarts=0,
            scheduling_strategy="SPREAD",
            **hidden,  # beside the caller's own, with which Ray merges it
        )
        self._numbers = count()
        self._members: dict[int, _Member] = {}

    def __len__(self) -> int:
        """How many workers there are or will be."""
        return len(self._members)

    def hire(self) -> None:
        """Ask for another worker; it says hello when Ray has found it a place."""
        member = _Member(self._kind.remote())
        member.calls.append(member.actor.hello.remote(self._make, os.getcwd()))
        self._members[next(self._numbers)] = member

    @property
    def ready(self) -> list[int]:
        """The workers that have said hello, by number."""
        return [number for number, each in self._members.items() if each.greeted]

    def has_room(self, worker: int) -> bool:
        """Whether another call would keep the worker from waiting for us."""
        return len(self._members[worker].calls) < CALLS

    def call(
        self,
        worker: int,
        requests: Sequence[tuple[int, Request]],
        forget: Sequence[int],
    ) -> None:
        """Hand requests over, and let the worker go on."""
        gather = min(LONGEST, GATHER * len(self))
        member = self._members[worker]
        packed = pack_step(requests, forget, gather)
        member.calls.append(member.actor.step.remote(packed))

    def news(self, seconds: float) -> Iterator[tuple[int, Hello | Answers | Lost]]:
        """What workers say, as soon as one does; nothing if none does for so long."""
        heads = {
            member.calls[0]: number
            for number, member in self._members.items()
            if member.calls
        }
        if not heads:
            return
        refs = list(heads)
        ready, _ = self._ray.wait(refs, num_returns=1, timeout=seconds)
        if ready and len(refs) > 1:
            ready, _ = self._ray.wait(refs, num_returns=len(refs), timeout=0)
        for ref in ready:
            yield heads[ref], self._read(heads[ref])

    def _read(self, number: int) -> Hello | Answers | Lost:
        """The oldest call's answer; a worker that has none is lost."""
        member = self._members[number]
        try:
            said = self._ray.get(member.calls.popleft())
        except self._ray.exceptions.RayError as error:
            self._dismiss(self._members.pop(number))
            return Lost(_reason(error))
        if member.greeted:
            return Answers(*unpack_done(said))
        member.greeted = True
        return Hello(*said)

    def close(self) -> None:
        """Let every engine close, then end the workers."""
        members, self._members = [*self._members.values()], {}
        closing = [each.actor.close.remote() for each in members if each.greeted]
        if closing:
            self._ray.wait(closing, num_returns=len(closing), timeout=CLOSING)
        for each in members:
            self._dismiss(each)

    def _dismiss(self, member: _Member) -> None:
        with suppress(Exception):  # it may be gone, with its node
            self._ray.kill(member.actor)


def _reason(error: Exception) -> str:
    """Why a worker is gone: the last thing that Ray says of it, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if line.startswith("The actor is dead")] or lines
    return (told[-1] if told else type(error).__name__)[:300]
