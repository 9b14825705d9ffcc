"""Engines for the tests of Ray; its workers import this module, not the tests."""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rrm_harness import Completion, Engine, EngineError, Request


@dataclass
class Echo(Engine):
    """Says what it is asked, one request at a time, and logs where it did.

    Args:
        log: A folder; each worker writes the texts that it answered into a file of its
            own, named after its process.
        seconds: Spent on each request.
        slow: Spent more by the first worker that gets to work.
        together: So many workers have work before the first answers.
        poison: A text that kills the process.
        broken: A text of which the engine says that it cannot.
        says: What it is asked, what process it is in, or what GPUs that sees.
    """

    log: Path
    seconds: float = 0.0
    slow: float = 0.0
    together: int = 1
    poison: str = ""
    broken: str = ""
    says: Literal["echo", "process", "gpus"] = "echo"
    waiting: deque[tuple[int, Request]] = field(default_factory=deque, repr=False)

    @property
    def identity(self) -> str:
        """The same in every process, unless it is to differ."""
        return f"process {os.getpid()}" if self.says == "process" else "echo"

    def submit(self, ticket: int, request: Request) -> None:
        """Keep it."""
        self.waiting.append((ticket, request))

    def collect(self) -> Iterable[tuple[int, Completion]]:
        """Answer the oldest."""
        self._meet()
        ticket, request = self.waiting.popleft()
        text = request.messages[-1].content
        if text == self.poison:
            os.kill(os.getpid(), signal.SIGKILL)
        if text == self.broken:
            raise EngineError("this text is too much for me; give another")
        time.sleep(self.seconds + (self.slow if self._first() else 0))
        with (self.log / str(os.getpid())).open("a") as file:
            file.write(f"{text}\n")
        seen = os.environ.get("CUDA_VISIBLE_DEVICES", "all")
        return [(ticket, Completion(seen if self.says == "gpus" else text))]

    def cancel(self, ticket: int) -> None:
        """Drop it."""
        self.waiting = deque(each for each in self.waiting if each[0] != ticket)

    def close(self) -> None:
        """Leave a mark."""
        (self.log / "closed").touch()

    def _meet(self) -> None:
        """Wait for the others."""
        (self.log / f"here-{os.getpid()}").touch()
        while len(list(self.log.glob("here-*"))) < self.together:
            time.sleep(0.01)

    def _first(self) -> bool:
        """Whether no other process has answered before this one."""
        first = self.log / "first"
        try:
            with first.open("x") as file:
                file.write(str(os.getpid()))
        except FileExistsError:
            return first.read_text() == str(os.getpid())
        return True
