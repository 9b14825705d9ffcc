"""Completions that come one at a time, gathered into the groups they belong to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from rrm_harness.errors import HarnessError
from rrm_harness.rewards.texts import Text
from rrm_harness.rewards.wire import Query

REMEMBERED = 4096
"""Queries of clients that are gone, the latest."""

Judged = list[float]
Judge = Callable[[Sequence[tuple[Text, Sequence[Text]]]], list[Judged]]


@dataclass(slots=True, eq=False)
class _Group:
    """Completions of one prompt, and who waits for the reward of each."""

    prompt: Text
    completions: list[Text] = field(default_factory=list)
    waiters: list[asyncio.Future[float]] = field(default_factory=list)
    timer: asyncio.TimerHandle | None = None


class Gathering:
    """Hands whole groups to the judge, all that are ready at once, in one thread.

    Nothing here blocks the event loop. A group is ready when it has `size`
    completions, whichever requests brought them, or when none has come for `wait`
    seconds. Without a size a request's completions of one prompt are a group.

    Args:
        judge: Groups to their rewards; called in a thread, one call at a time.
        size: How many completions a group has.
        wait: Seconds.
    """

    def __init__(self, judge: Judge, size: int | None, wait: float) -> None:
        self._judge, self._size, self._wait = judge, size, wait
        self._gathered: dict[str, _Group] = {}
        self._ready: list[_Group] = []
        self._left: dict[str, list[asyncio.Future[float]]] = {}
        self.incomplete = 0
        self._some = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rrm-harness-judge")

    def join(self, queries: Sequence[Query]) -> list[asyncio.Future[float]]:
        """Add one request's completions; each reward, or a HarnessError, will come.

        What was left by a client that is gone is taken up again: the query of one that
        lost patience and asks once more is not another completion.
        """
        waiting = [self._left_behind(query) or self._join(query) for query in queries]
        if self._size is None:
            for key in {repr(query.prompt) for query in queries} & {*self._gathered}:
                self._release(key)
        return waiting

    def leave(
        self, queries: Sequence[Query], waiting: Sequence[asyncio.Future[float]]
    ) -> None:
        """Remember what a client that is gone did not wait for; it may ask again."""
        for query, waiter in zip(queries, waiting, strict=True):
            self._left.setdefault(repr(query), []).append(waiter)
        while len(self._left) > REMEMBERED:
            del self._left[next(iter(self._left))]

    async def judge_forever(self) -> None:
        """Judge what is ready until cancelled."""
        try:
            while True:
                await self._some.wait()
                self._some.clear()
                ready, self._ready = self._ready, []
                await self._judge_groups(ready)
        finally:
            self._thread.shutdown(cancel_futures=True)

    async def _judge_groups(self, ready: Sequence[_Group]) -> None:
        groups = [(group.prompt, group.completions) for group in ready]
        loop = asyncio.get_running_loop()
        try:
            judged = await loop.run_in_executor(self._thread, self._judge, groups)
        except Exception as error:
            told = error if isinstance(error, HarnessError) else _unforeseen(error)
            for waiter in (each for group in ready for each in group.waiters):
                waiter.set_exception(told)
            return
        for group, rewards in zip(ready, judged, strict=True):
            for waiter, reward in zip(group.waiters, rewards, strict=True):
                waiter.set_result(reward)

    def _left_behind(self, query: Query) -> asyncio.Future[float] | None:
        left = self._left.pop(repr(query), [])
        usable = [each for each in left if not each.done() or not each.exception()]
        if len(usable) > 1:
            self._left[repr(query)] = usable[1:]
        return usable[0] if usable else None

    def _join(self, query: Query) -> asyncio.Future[float]:
        loop = asyncio.get_running_loop()
        key = repr(query.prompt)
        group = self._gathered.setdefault(key, _Group(query.prompt))
        waiter: asyncio.Future[float] = loop.create_future()
        waiter.add_done_callback(asyncio.Future.exception)  # perhaps nobody asks
        group.completions.append(query.completion)
        group.waiters.append(waiter)
        if group.timer is not None:
            group.timer.cancel()
        if len(group.completions) == self._size:
            self._release(key)
        elif self._size is not None:
            group.timer = loop.call_later(self._wait, self._give_up, key)
        return waiter

    def _give_up(self, key: str) -> None:
        self.incomplete += 1
        self._release(key)

    def _release(self, key: str) -> None:
        self._ready.append(self._gathered.pop(key))
        self._some.set()


def _unforeseen(error: Exception) -> HarnessError:
    return HarnessError(f"judging failed ({type(error).__name__}: {error})")
