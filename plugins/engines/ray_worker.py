"""What runs inside a Ray actor: one inner engine, moved on call by call."""

from __future__ import annotations

import os
import pickle
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import fields
from operator import attrgetter
from typing import NamedTuple

from rrm_harness import Completion, Engine, HarnessError, Message, Request, __version__

Make = Callable[[], Engine]
Done = list[tuple[int, Completion]]

PATIENCE = 1.0
"""Seconds until a call returns though nothing is done, so that it can be told more."""


class Hello(NamedTuple):
    """What a worker says of itself before it is given anything.

    Args:
        node: The host's name.
        version: Of the harness there.
        identity: Of its engine.
        problem: Why it cannot work, if it cannot.
    """

    node: str
    version: str
    identity: str = ""
    problem: str = ""


class Worker:
    """Holds an engine, which loads at its first request and stays loaded.

    Ray runs one call at a time, in the order sent, in the process's main thread. What
    crosses between processes are bytes that we made: Ray's own serializer takes twice
    as long over as many small records.
    """

    def __init__(self) -> None:
        self._engine: Engine | None = None
        self._owed: set[int] = set()

    def hello(self, make: bytes, folder: str) -> Hello:
        """Make the engine, in the driver's folder so that relative paths mean the same.

        A node that has no such folder stays where it is.
        """
        node = socket.gethostname()
        with suppress(OSError):
            os.chdir(folder)
        try:
            made: Make = pickle.loads(make)  # noqa: S301 - from our own driver
            self._engine = made()
            return Hello(node, __version__, self._engine.identity)
        except Exception as error:
            return Hello(node, __version__, problem=_told(error))

    def step(self, packed: bytes) -> bytes:
        """Take requests, let the engine work, and return what is done.

        Once something is done it waits a little for more: a call that carries many
        answers costs the driver no more than one with a few.
        """
        requests, forget, gather = unpack_step(packed)
        done: Done = []
        try:
            self._forget(forget)
            self._submit(requests)
            self._collect(done, gather)
        except Exception as error:
            return pack_done(done, _told(error))
        return pack_done(done)

    def close(self) -> None:
        """Give the hardware back."""
        if self._engine is not None:
            self._engine.close()

    def _forget(self, tickets: Iterable[int]) -> None:
        for ticket in tickets:
            if ticket in self._owed:
                self._owed.remove(ticket)
                self._at_work.cancel(ticket)

    def _submit(self, requests: Iterable[tuple[int, Request]]) -> None:
        for ticket, request in requests:
            self._owed.add(ticket)
            self._at_work.submit(ticket, request)

    def _collect(self, done: Done, gather: float) -> None:
        until = time.monotonic() + PATIENCE
        while self._owed and time.monotonic() < until:
            before = len(done)
            for ticket, completion in self._at_work.collect():
                if ticket in self._owed:  # else it was taken back
                    self._owed.remove(ticket)
                    done.append((ticket, completion))
            if done and not before:
                until = time.monotonic() + gather

    @property
    def _at_work(self) -> Engine:
        if self._engine is None:
            raise RuntimeError("a worker was given work before it had an engine")
        return self._engine


def _told(error: Exception) -> str:
    """A user's mistake in its own sentence; anything else with its type."""
    if isinstance(error, HarnessError):
        return str(error)
    return f"the engine failed in a worker ({type(error).__name__}: {error})"


_REST = [each.name for each in fields(Request) if each.name != "messages"]
_rest = attrgetter(*_REST)
_values = attrgetter(*(each.name for each in fields(Completion)))


def pack_step(
    requests: Iterable[tuple[int, Request]], forget: Sequence[int], gather: float
) -> bytes:
    """Turn a call's contents into bytes, as bare tuples: five times as fast."""
    bare = [
        (
            ticket,
            [(each.role, each.content) for each in request.messages],
            _rest(request),
        )
        for ticket, request in requests
    ]
    return pickle.dumps((bare, list(forget), gather), pickle.HIGHEST_PROTOCOL)


def unpack_step(
    packed: bytes,
) -> tuple[list[tuple[int, Request]], list[int], float]:
    """The requests, what to forget, and for how long to wait for more answers."""
    bare, forget, gather = pickle.loads(packed)  # noqa: S301 - from our own driver
    requests = [
        (ticket, Request(tuple(Message(*each) for each in chat), *rest))
        for ticket, chat, rest in bare
    ]
    return requests, forget, gather


def pack_done(done: Done, problem: str = "") -> bytes:
    """Turn what is done, and what went wrong then, into bytes."""
    bare = [(ticket, _values(completion)) for ticket, completion in done]
    return pickle.dumps((bare, problem), pickle.HIGHEST_PROTOCOL)


def unpack_done(packed: bytes) -> tuple[Done, str]:
    """What is done, and the sentence of what went wrong, if anything did."""
    bare, problem = pickle.loads(packed)  # noqa: S301 - from our own worker
    return [(ticket, Completion(*values)) for ticket, values in bare], problem
