"""An engine that is given batches: what most models and services want."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from itertools import islice

from rrm_harness.records import Completion, Engine, Request, described


class BatchEngine(Engine):
    """Keeps what waits, and hands it to `answer` in batches.

    A subclass has an `answer`. Load the model there, at the first batch, and give it
    back in `close`.
    """

    batch: int = 64
    """The most requests of a batch."""

    @property
    def identity(self) -> str:
        """The class and its options; add what else changes an answer, as a revision."""
        return described(self)

    @abstractmethod
    def answer(self, requests: Sequence[Request]) -> Sequence[Completion]:
        """Run requests; one completion for each, in their order."""

    def submit(self, ticket: int, request: Request) -> None:
        """Keep a request until its batch."""
        self._waiting()[ticket] = request

    def collect(self) -> Iterable[tuple[int, Completion]]:
        """Run one batch."""
        waiting = self._waiting()
        asked = {
            ticket: waiting.pop(ticket) for ticket in [*islice(waiting, self.batch)]
        }
        done = self.answer([*asked.values()]) if asked else ()
        return zip(asked, done, strict=True)

    def cancel(self, ticket: int) -> None:
        """Forget a request."""
        self._waiting().pop(ticket, None)

    def close(self) -> None:
        """Forget all requests."""
        self._waiting().clear()

    def _waiting(self) -> dict[int, Request]:
        """What waits; made at first use, so that a subclass needs no `__init__`."""
        found: dict[int, Request] = self.__dict__.setdefault("_requests", {})
        return found
