"""Servers of one model: who is asked next, who is left out, who is asked again.

The one with the fewest requests under way is next. One that is gone, or fails several
times in a row, is dropped; its requests are asked elsewhere. From then on it is looked
at now and then, and once it is back one request tries it. Where all are dropped they
are asked all the same, so a fleet ends a run as a lone server does.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rrm_harness import Completion, EngineError, Failure

from .openai_answers import Again, Gone, Rejected
from .openai_offer import Offer
from .openai_patience import Patience
from .openai_server import LONGEST, Server

if TYPE_CHECKING:
    import tenacity

    from .openai import OpenAI
    from .openai_address import Redactor
    from .openai_route import Route

GIVE_UP = 64
"""After so many failures in a row the server counts as lost."""
DROPPED = 3
"""Failed attempts in a row that drop a server of several."""


@dataclass(slots=True)
class Turn:
    """A request that may be asked several times, and who failed it last."""

    route: Route
    failed_at: Server | None = None


class Servers:
    """One server, or several that serve the same model."""

    def __init__(
        self, servers: Sequence[Server], options: OpenAI, redact: Redactor
    ) -> None:
        self._servers = servers
        self._options = options
        self._redact = redact
        self._offers: dict[Server, Offer] = {}
        self._met: asyncio.Task[None] | None = None
        self._watches: dict[Server, asyncio.Task[None]] = {}
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._unlike: EngineError | None = None
        self._lost = 0  # failures in a row

    async def close(self) -> None:
        """Stop looking after servers and close the connections."""
        looks = [*self._watches.values(), *([self._met] if self._met else [])]
        for look in looks:
            look.cancel()
        await asyncio.gather(*looks, return_exceptions=True)
        for server in self._servers:
            await server.close()

    async def ask(self, route: Route) -> Completion:
        """Ask until there is an answer, or none is to be hoped for.

        Raises:
            EngineError: No further request can be answered either.
        """
        problem = route.problem()
        if problem:
            return problem
        try:
            asking = self._persistent()
            completion: Completion = await asking(self._attempt, Turn(route))
        except Again as error:
            said = self._redact(str(error))
            self._count_loss(said)
            return Completion(failure=Failure.ENGINE_ERROR, text=said)
        except Rejected as error:  # the server lives: it is this request's fault
            said = self._redact(str(error))
            completion = Completion(failure=Failure.ENGINE_ERROR, text=said)
        self._lost = 0
        return completion

    def _persistent(self) -> tenacity.AsyncRetrying:
        import tenacity

        patience = Patience(self._options)
        return tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(Again),
            wait=patience.wait,
            stop=patience.ends,
            sleep=asyncio.sleep,
            reraise=True,
        )

    async def _attempt(self, turn: Turn) -> Completion:
        server = await self._place(turn)
        server.under_way += 1
        try:
            completion = await server.attempt(turn.route)
        except Again as error:
            turn.failed_at = server
            if error.after is None:  # to be told to wait is no failure
                self._failed(server, gone=isinstance(error, Gone))
            raise
        except Rejected:
            server.lives()
            raise
        else:
            server.lives()
            return completion
        finally:
            server.under_way -= 1
            self._wake()

    # --- who is next ---

    async def _place(self, turn: Turn) -> Server:
        """Wait for a server with room; of several the one with the least to do."""
        await self._meet_all()
        while True:
            if self._unlike:
                raise self._unlike
            free = [each for each in self._asked(turn) if each.room > 0]
            if free:
                return min(free, key=lambda each: (each.under_way, each.failures))
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                self._wake()  # whoever it kept from its place
                raise

    def _asked(self, turn: Turn) -> Sequence[Server]:
        """The servers to choose from: not those that are dropped or want a rest.

        Nor the one that failed the request last. Where that leaves nobody, all.
        """
        several = self._living()
        several = [each for each in several if not each.rests] or several
        return [each for each in several if each is not turn.failed_at] or several

    def _living(self) -> Sequence[Server]:
        """The servers that are not dropped; all if all are."""
        return [each for each in self._servers if not each.dropped] or self._servers

    def _wake(self) -> None:
        """Let as many go on as there is room for; all, to be told of an error."""
        room = sum(max(0, each.room) for each in self._living())
        while self._waiting and (room or self._unlike):
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                room -= 1

    # --- who is there ---

    def _failed(self, server: Server, *, gone: bool) -> None:
        """Count a failure, and drop one of several servers that lives no more."""
        server.failures += 1
        over = gone or server.on_trial or server.failures >= DROPPED
        if len(self._servers) > 1 and over and not server.dropped:
            self._drop(server)

    def _drop(self, server: Server) -> None:
        server.dropped, server.on_trial = True, False
        if server not in self._watches or self._watches[server].done():
            watch = asyncio.get_running_loop().create_task(self._watch(server))
            self._watches[server] = watch

    async def _watch(self, server: Server) -> None:
        """Look after a dropped server, ever less often, until it is back."""
        while server.dropped:
            pause = min(LONGEST, self._options.backoff * 2.0 ** min(server.absent, 30))
            await asyncio.sleep(pause + random.uniform(0, self._options.backoff))  # noqa: S311
            server.absent += 1
            if server.dropped and await self._meet(server):
                server.dropped, server.on_trial = False, True
                self._wake()

    async def _meet_all(self) -> None:
        """Ask each of several servers once what it serves, all before the first."""
        if len(self._servers) == 1 or (self._met and self._met.done()):
            return
        if self._met is None:
            self._met = asyncio.get_running_loop().create_task(self._first_look())
        await asyncio.shield(self._met)  # the others still wait for it

    async def _first_look(self) -> None:
        there = await asyncio.gather(*map(self._meet, self._servers))
        for server, found in zip(self._servers, there, strict=True):
            if not found:
                self._drop(server)

    async def _meet(self, server: Server) -> bool:
        """Whether a server is there; what it says it serves must be what others do."""
        try:
            models = await server.models()
        except Again:
            return False
        offer = Offer.of(server, models, self._options.served or self._options.model.id)
        for other in self._offers.values():
            unlike = offer.unlike(other)
            if unlike:
                self._unlike = EngineError(self._redact(unlike))
                self._wake()
        self._offers[server] = offer
        return True

    def _count_loss(self, problem: str) -> None:
        """Give up when nobody is there.

        Raises:
            EngineError: No attempt ever had an answer, or nothing has for long.
        """
        self._lost += 1
        if not any(each.answered for each in self._servers):
            named = ", ".join(map(str, self._servers))
            raise EngineError(
                f"no server answers at {named} ({problem}); start one there, or"
                " name another with url=http://HOST:PORT/v1"
            ) from None
        if self._lost >= GIVE_UP:
            raise EngineError(
                f"{self._lost} requests in a row failed, the last so: {problem}; what"
                " was answered is kept: mend the server, and the same command continues"
            ) from None
