"""Who has which request: one queue, what each worker owes, what is asked again."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil

from rrm_harness import Request

LOSSES = 3
"""So many workers may be lost under a request before it counts as what kills them."""
MOVES = 3
"""So often may a request be taken from one worker for another."""


@dataclass(slots=True)
class Share:
    """What one worker owes.

    Args:
        held: Its unfinished tickets, in the order in which it was given them.
        forget: Tickets that it has and nobody wants from it any more.
        losses: How many workers were lost under those that it holds.
    """

    held: dict[int, None] = field(default_factory=dict)
    forget: list[int] = field(default_factory=list)
    losses: int = 0


class Board:
    """Deals requests out to workers; each ticket is answered once, whoever is lost.

    A worker that dies leaves requests of which one may have killed it. They are asked
    again in smaller groups, then one by one, and apart from all others, so that the
    one that kills is found and no neighbor of it fails.

    Args:
        depth: The most unfinished requests of a worker.
    """

    def __init__(self, depth: int) -> None:
        self._rooms = (depth, max(1, depth // 8), 1)
        self._requests: dict[int, Request] = {}
        self._losses: dict[int, int] = {}
        self._queues: tuple[deque[int], ...] = tuple(deque() for _ in range(LOSSES))
        self._shares: dict[int, Share] = {}
        self._moves: Counter[int] = Counter()

    def __bool__(self) -> bool:
        """Whether anything is unfinished."""
        return bool(self._requests)

    def add(self, ticket: int, request: Request) -> None:
        """Queue a request."""
        self._requests[ticket] = request
        self._queues[0].append(ticket)

    def request(self, ticket: int) -> Request:
        """The request of an unfinished ticket."""
        return self._requests[ticket]

    def join(self, worker: int) -> None:
        """A worker is ready."""
        self._shares[worker] = Share()

    def lose(self, worker: int) -> list[int]:
        """A worker is gone; what it owed is asked again.

        Returns:
            The tickets under which too many workers were lost: they are finished.
        """
        share = self._shares.pop(worker, Share())
        given_up = []
        for ticket in reversed(share.held):
            losses = self._losses[ticket] = self._losses.get(ticket, 0) + 1
            self._moves.pop(ticket, None)
            if losses >= LOSSES:
                self._finish(ticket)
                given_up.append(ticket)
            else:
                self._queues[losses].appendleft(ticket)
        return given_up

    def answered(self, worker: int, ticket: int) -> bool:
        """Take note of an answer; whether it is the ticket's first and still wanted."""
        if ticket not in self._requests:
            return False
        if ticket not in self._shares[worker].held:  # it was taken back, in vain
            self._take(ticket)
        self._shares[worker].held.pop(ticket, None)
        self._finish(ticket)
        return True

    def drop(self, ticket: int) -> None:
        """Nobody wants this ticket's answer any more."""
        if ticket in self._requests:
            self._take(ticket)
            self._finish(ticket)

    def owes(self, worker: int) -> bool:
        """Whether a worker has anything to do."""
        return bool(self._shares[worker].held)

    def deal(self, worker: int) -> list[int]:
        """Give a worker what it has room for, from a queue or from another worker."""
        share = self._shares[worker]
        if not share.held:
            share.losses = next(
                (losses for losses in (2, 1) if self._queues[losses]), 0
            )
        queue = self._queues[share.losses]
        room = self._rooms[share.losses] - len(share.held)
        if not share.losses:
            room = 0 if self._is_kept_free(share) else min(room, self._fair())
        dealt = [queue.popleft() for _ in range(min(room, len(queue)))]
        if not dealt and not share.held:
            dealt = self._steal()
        share.held.update(dict.fromkeys(dealt))
        return dealt

    def forgets(self, worker: int) -> Sequence[int]:
        """Hand out once what a worker is to forget."""
        share = self._shares[worker]
        forget, share.forget = share.forget, []
        return forget

    def _fair(self) -> int:
        """An equal part of the queue, so that few requests keep all workers busy."""
        return ceil(len(self._queues[0]) / len(self._shares))

    def _is_kept_free(self, share: Share) -> bool:
        """Whether this worker, once idle, is next to ask what was asked in vain."""
        apart = any(each.losses and each.held for each in self._all())
        if apart or not any(self._queues[1:]):
            return False
        return share is min(self._all(), key=lambda each: len(each.held))

    def _steal(self) -> list[int]:
        """Take back the newest half of what the most loaded worker owes.

        A ticket is moved MOVES times at most: whatever has been written is lost then.
        """
        loaded = max(self._all(), key=lambda each: len(each.held))
        half = len(loaded.held) // 2
        if loaded.losses or not half:
            return []
        movable = [each for each in loaded.held if self._moves[each] < MOVES]
        taken = movable[-half:]
        for ticket in taken:
            del loaded.held[ticket]
        loaded.forget += taken
        self._moves.update(taken)
        return taken

    def _take(self, ticket: int) -> None:
        """Take a ticket from whoever has it."""
        for share in self._all():
            if ticket in share.held:
                del share.held[ticket]
                share.forget.append(ticket)
                return
        self._queues[self._losses.get(ticket, 0)].remove(ticket)

    def _finish(self, ticket: int) -> None:
        del self._requests[ticket]
        self._losses.pop(ticket, None)
        self._moves.pop(ticket, None)

    def _all(self) -> Iterable[Share]:
        return self._shares.values()
