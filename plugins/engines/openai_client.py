"""Requests to a server: so many at once, each asked again while that makes sense.

One thread runs an event loop with a task per request; the engine's own thread only
hands requests in and takes what is done out of a queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from rrm_harness import Completion, EngineError, Request

from . import openai_address
from .openai_address import Address, Redactor
from .openai_answers import told
from .openai_server import Server
from .openai_servers import Servers

if TYPE_CHECKING:
    from .openai import OpenAI
    from .openai_routes import Routes


@dataclass(eq=False, slots=True)
class Asked:
    """A request under way, and its completion in the end."""

    ticket: int
    request: Request
    completion: Completion = field(default_factory=Completion)
    task: asyncio.Task[None] | None = None
    cancelled: bool = False


class Client:
    """Asks one server, or several of the same model, from a thread of its own."""

    def __init__(
        self, addresses: Sequence[Address], routes: Routes, options: OpenAI
    ) -> None:
        key = openai_address.key(options.key_variable)
        secrets = [secret for each in addresses for secret in each.secrets()]
        self._redact = Redactor.of([key, *secrets])
        self._redact.watch()
        servers = [Server(each, key, options, self._redact) for each in addresses]
        self._servers = Servers(servers, options, self._redact)
        self._routes = routes
        self._slots = asyncio.Semaphore(options.concurrency * len(servers))
        self._tasks: set[asyncio.Task[None]] = set()
        self._done: SimpleQueue[Asked | EngineError] = SimpleQueue()
        self._fatal: EngineError | None = None
        self._broken = False
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(
            target=self._loop.run_forever, name="rrm-harness openai", daemon=True
        )
        self._thread.start()

    def ask(self, ticket: int, request: Request) -> Asked:
        """Take a request; return at once."""
        asked = Asked(ticket, request)
        self._loop.call_soon_threadsafe(self._begin, asked)
        return asked

    def done(self) -> list[Asked]:
        """Wait for something to be done and return it all.

        Raises:
            EngineError: Nothing more will come.
        """
        if self._fatal:
            raise self._fatal
        found = [self._done.get()]
        while not self._done.empty():
            found.append(self._done.get())
        for each in found:
            if isinstance(each, EngineError):
                self._fatal = self._fatal or each
        done = [each for each in found if isinstance(each, Asked)]
        if self._fatal and not done:
            raise self._fatal
        return done

    def cancel(self, asked: Asked) -> None:
        """Break a request off."""
        self._loop.call_soon_threadsafe(self._drop, asked)

    def close(self) -> None:
        """Break everything off and end the thread."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _begin(self, asked: Asked) -> None:
        if not asked.cancelled:
            asked.task = self._loop.create_task(self._answer(asked))
            self._tasks.add(asked.task)
            asked.task.add_done_callback(self._tasks.discard)

    def _drop(self, asked: Asked) -> None:
        asked.cancelled = True
        if asked.task:
            asked.task.cancel()

    async def _answer(self, asked: Asked) -> None:
        """Ask in turn; whatever happens, something is handed back."""
        try:
            async with self._slots:
                if self._broken:
                    return
                route = self._routes.of(asked.request)
                asked.completion = await self._servers.ask(route)
            self._done.put(asked)
        except EngineError as error:
            self._break(error)
        except Exception as error:
            problem = self._redact(told(error))
            self._break(EngineError(f"the openai engine failed ({problem})"))

    def _break(self, error: EngineError) -> None:
        self._broken = True  # nobody else needs to find out
        self._done.put(error)

    async def _end(self) -> None:
        tasks = [*self._tasks]  # not all there are: those of the HTTP library end so
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._servers.close()
        self._redact.leave()
