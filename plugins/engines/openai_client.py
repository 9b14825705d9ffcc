"""Requests to a server: so many at once, each asked again while that makes sense.

One thread runs an event loop with a task per request; the engine's own thread only
hands requests in and takes what is done out of a queue.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

from rrm_harness import Completion, EngineError, Failure, Request

from . import openai_address
from .openai_answers import Again, Answer, Refused, Rejected, completion_of, told

if TYPE_CHECKING:
    from ssl import SSLContext

    import httpx
    import tenacity

    from .openai import OpenAI
    from .openai_address import Address
    from .openai_routes import Route, Routes

LONGEST = 60.0
"""Seconds between two attempts at most, whatever the server says."""
IN_ANSWERS = 16
"""A key this long cannot be a word of an answer, as `EMPTY` or `none` could."""
GIVE_UP = 64
"""After so many failures in a row the server counts as lost."""


@dataclass(eq=False, slots=True)
class Asked:
    """A request under way, and its completion in the end."""

    ticket: int
    request: Request
    completion: Completion = field(default_factory=Completion)
    task: asyncio.Task[None] | None = None
    cancelled: bool = False


class Client:
    """Asks a server from a thread of its own."""

    def __init__(self, address: Address, routes: Routes, options: OpenAI) -> None:
        key = openai_address.key(options.key_variable)
        self._server = Server(address, key, options)
        self._routes = routes
        self._slots = asyncio.Semaphore(options.concurrency)
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
                asked.completion = await self._server.ask(route)
            self._done.put(asked)
        except EngineError as error:
            self._break(error)
        except Exception as error:
            problem = self._server.redact(told(error))
            self._break(EngineError(f"the openai engine failed ({problem})"))

    def _break(self, error: EngineError) -> None:
        self._broken = True  # nobody else needs to find out
        self._done.put(error)

    async def _end(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.close()


class Patience:
    """When a request is asked again, and how often.

    To be told to wait is no failure, so it does not count among the retries; it may
    go on for the time of one attempt.
    """

    def __init__(self, options: OpenAI) -> None:
        self._options = options
        self._told = 0

    def ends(self, state: tenacity.RetryCallState) -> bool:
        """Whether no further attempt makes sense; asked after each that failed."""
        self._told += _told_to_wait(state)
        if state.attempt_number - self._told > self._options.retries:
            return True
        waited = state.seconds_since_start or 0.0
        return self._told > self._options.retries and waited > self._options.timeout

    def wait(self, state: tenacity.RetryCallState) -> float:
        """Seconds before the next attempt; what the server wants comes on top."""
        first = self._options.backoff
        failed = 0 if _told_to_wait(state) else state.attempt_number - self._told - 1
        doubled: float = first * 2.0 ** min(failed, 30)
        return min(LONGEST, doubled + random.uniform(0, first))  # noqa: S311


def _told_to_wait(state: tenacity.RetryCallState) -> bool:
    error = state.outcome.exception() if state.outcome else None
    return isinstance(error, Again) and error.after is not None


class Server:
    """One server: its connections, when it may be asked again, and whether it lives."""

    def __init__(self, address: Address, key: str, options: OpenAI) -> None:
        self._address = address
        self._options = options
        self._headers = {"Content-Type": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self.redact = openai_address.Redactor.of([key, *address.secrets()])
        self.redact.watch()
        self._redact_answers = openai_address.Redactor.of(
            self.redact.secrets, IN_ANSWERS
        )
        self._trusted: SSLContext | None = None
        self._clients: list[httpx.AsyncClient] = []
        self._idle: list[httpx.AsyncClient] = []
        self._free_at = 0.0
        self._answered = False
        self._lost = 0  # failures in a row

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients:
            await client.aclose()
        self.redact.leave()

    async def ask(self, route: Route) -> Completion:
        """Ask until there is an answer, or none is to be hoped for.

        Raises:
            EngineError: No further request can be answered either.
        """
        problem = route.problem()
        if problem:
            return problem
        try:
            completion: Completion = await self._persistent()(self._attempt, route)
        except Again as error:
            said = self.redact(str(error))
            self._count_loss(said)
            return Completion(failure=Failure.ENGINE_ERROR, text=said)
        except Rejected as error:  # the server lives: it is this request's fault
            said = self.redact(str(error))
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

    async def _attempt(self, route: Route) -> Completion:
        await self._cool()
        body = route.body()
        answer = await self._post(route.path, body)
        self._answered = True
        try:
            return completion_of(answer, route)
        except Rejected as error:
            if route.mends(body, str(error)):
                return await self._attempt(route)
            raise
        except Again as error:
            if error.after is not None:  # one is told, all wait
                self._hold(error.after)
            raise
        except Refused as error:
            raise await self._refused(error, route) from None

    async def _post(self, path: str, body: dict[str, Any]) -> Answer:
        """Send one request; nothing that comes back has the key in it."""
        import httpx

        try:
            async with asyncio.timeout(self._options.timeout), self._client() as http:
                response = await http.post(
                    self._address.of(path), content=json.dumps(body).encode()
                )
        except TimeoutError:
            limit = f"{self._options.timeout:g} s"
            raise Again(f"{self._address} did not answer within {limit}") from None
        except httpx.RequestError as error:
            cause = self.redact(told(error))
            raise Again(f"the connection to {self._address} failed ({cause})") from None
        redact = self._redact_answers if response.status_code == 200 else self.redact
        headers = {name.lower(): each for name, each in response.headers.items()}
        text = redact(response.content.decode("utf-8", "replace"))
        return Answer(response.status_code, headers, text)

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[httpx.AsyncClient]:
        """A connection of one's own; a pool of many is searched for each request."""
        client = self._idle.pop() if self._idle else self._connected()
        try:
            yield client
        finally:
            self._idle.append(client)

    def _connected(self) -> httpx.AsyncClient:
        import httpx

        self._trusted = self._trusted or httpx.create_ssl_context()
        made = httpx.AsyncClient(
            headers=self._headers,
            auth=self._address.auth,
            verify=self._trusted,
            timeout=None,  # noqa: S113 - `asyncio.timeout` bounds the whole attempt
            limits=httpx.Limits(max_connections=1),
        )
        self._clients.append(made)
        return made

    async def _cool(self) -> None:
        while (left := self._free_at - time.monotonic()) > 0:
            await asyncio.sleep(left + random.uniform(0, self._options.backoff))  # noqa: S311

    def _hold(self, seconds: float) -> None:
        self._free_at = max(self._free_at, time.monotonic() + min(seconds, LONGEST))

    def _count_loss(self, problem: str) -> None:
        """Give up when nobody is there.

        Raises:
            EngineError: No attempt ever had an answer, or nothing has for long.
        """
        self._lost += 1
        if not self._answered:
            raise EngineError(
                f"no server answers at {self._address} ({problem}); start one there, or"
                " name another with url=http://HOST:PORT/v1"
            ) from None
        if self._lost >= GIVE_UP:
            raise EngineError(
                f"{self._lost} requests in a row failed, the last so: {problem}; what"
                " was answered is kept: mend the server, and the same command continues"
            ) from None

    async def _refused(self, error: Refused, route: Route) -> EngineError:
        """Say what the user can do about a refusal that would meet every request."""
        where = f"{self._address.of(route.path).partition('?')[0]}"
        if error.status in (401, 403):
            variable = self._options.key_variable
            return EngineError(
                f"{self._address} refuses the key ({error}); set {variable} to a key"
                " that may use this model, or name another variable with"
                " key-variable=NAME"
            )
        if error.status in (404, 405, 501):
            offered = ", ".join(await self._offered()) or "does not say which models"
            return EngineError(
                f"{where} does not serve '{route.shared.served}'"
                f" ({error}); the server offers: {offered}; name the model with"
                " served=NAME, or another route with route=NAME"
            )
        return EngineError(f"{where} refuses every request: {error}")

    async def _offered(self) -> list[str]:
        """The models that a server says it has; none if it does not say."""
        try:
            limit = min(5.0, self._options.timeout)
            async with asyncio.timeout(limit), self._client() as http:
                response = await http.get(self._address.of("models"))
            models = json.loads(self.redact(response.text))["data"]
            return [str(each["id"]) for each in models][:20]
        except Exception:  # it is asked only to help
            return []
