"""One server: its connections, its load, and when it may be asked again."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from rrm_harness import Completion, EngineError

from .openai_address import Address, Redactor
from .openai_answers import Again, Answer, Gone, Refused, Rejected, completion_of, told

if TYPE_CHECKING:
    from ssl import SSLContext

    import httpx

    from .openai import OpenAI
    from .openai_route import Route

LONGEST = 60.0
"""Seconds between two attempts at most, whatever the server says."""
LOOK = 5.0
"""Seconds to say which models there are."""
LARGEST = 64 << 20
"""Bytes of an answer, unpacked; one that goes on is no answer."""
NO_WORD, MIXED = 16, 8
"""Characters of a key that cannot be a word of an answer, as `EMPTY` or `none` could;
fewer are enough if it has letters and digits."""


class Server:
    """One server, and what is known of how it is.

    `under_way` is how many attempts are, `failures` how many failed in a row and
    `absent` how often it was looked for in vain since it last answered. A `dropped` one
    is asked only where all are; one `on_trial` is asked one request at a time.
    """

    def __init__(
        self, address: Address, key: str, options: OpenAI, redact: Redactor
    ) -> None:
        self._address = address
        self._options = options
        self._headers = {"Content-Type": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._redact = redact
        self._redact_answers = Redactor.of(filter(_is_no_word, redact.secrets))
        self._trusted: SSLContext | None = None
        self._clients: list[httpx.AsyncClient] = []
        self._idle: list[httpx.AsyncClient] = []
        self._free_at = 0.0
        self.answered = False
        self.under_way = self.failures = self.absent = 0
        self.dropped = self.on_trial = False

    def __str__(self) -> str:
        return str(self._address)

    @property
    def room(self) -> int:
        """How many more requests it may be asked now."""
        most = 1 if self.on_trial else self._options.concurrency
        return most - self.under_way

    @property
    def rests(self) -> bool:
        """Whether it has told to wait."""
        return self._free_at > time.monotonic()

    def lives(self) -> None:
        """Trust it: it has answered."""
        self.failures = self.absent = 0
        self.dropped = self.on_trial = False

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients:
            await client.aclose()

    async def attempt(self, route: Route) -> Completion:
        """Ask once.

        Raises:
            Again: It may work another time, there or elsewhere.
            Rejected: This request will not be answered.
            EngineError: No request will.
        """
        await self._cool()
        body = route.body()
        answer = await self._post(route.path, body)
        self.answered = True
        try:
            return completion_of(answer, route)
        except Rejected as error:
            if route.mends(body, str(error)):
                return await self.attempt(route)
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
                asking = http.stream(
                    "POST", self._address.of(path), content=json.dumps(body).encode()
                )
                async with asking as response:
                    content = await _whole(response)
        except TimeoutError:
            limit = f"{self._options.timeout:g} s"
            raise Again(f"{self._address} did not answer within {limit}") from None
        except httpx.RequestError as error:
            cause = self._redact(told(error))
            kind = Gone if isinstance(error, httpx.ConnectError) else Again
            raise kind(f"the connection to {self._address} failed ({cause})") from None
        redact = self._redact_answers if response.status_code == 200 else self._redact
        headers = {name.lower(): each for name, each in response.headers.items()}
        text = redact(content.decode("utf-8", "replace"))
        return Answer(response.status_code, headers, text)

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[httpx.AsyncClient]:
        """A connection of one's own; a pool of many is searched for each request.

        One that was broken off is not used again: httpcore may count it as in use for
        ever, and the next request would wait for it.
        """
        client = self._idle.pop() if self._idle else self._connected()
        try:
            yield client
        except asyncio.CancelledError:
            self._clients.remove(client)
            await client.aclose()
            raise
        finally:
            if client in self._clients:
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
        """The names of the models that it serves; none if it does not say."""
        try:
            return [str(each.get("id")) for each in await self.models()][:20]
        except Again:  # it is asked only to help
            return []

    async def models(self) -> Sequence[Mapping[str, Any]]:
        """What it says it serves; nothing if it does not say.

        Raises:
            Again: It is not there, or not ready.
        """
        import httpx

        try:
            limit = min(LOOK, self._options.timeout)
            async with asyncio.timeout(limit), self._client() as http:
                response = await http.get(self._address.of("models"))
        except (TimeoutError, httpx.RequestError) as error:
            raise Again(self._redact(told(error))) from None
        if response.status_code >= 500 and response.status_code != 501:
            raise Again(str(response.status_code))
        try:
            said = json.loads(self._redact(response.text))["data"]
            return [each for each in said if isinstance(each, dict)]
        except (ValueError, LookupError, TypeError, RecursionError):
            return []


async def _whole(response: httpx.Response) -> bytes:
    """Read an answer's body.

    Raises:
        Again: It does not end.
    """
    content = bytearray()
    async for part in response.aiter_bytes():
        content += part
        if len(content) > LARGEST:
            raise Again(f"an answer of more than {LARGEST >> 20} MiB")
    return bytes(content)


def _is_no_word(secret: str) -> bool:
    """Whether a secret can be hidden in answers: it hides no verdict there."""
    mixed = any(map(str.isdigit, secret)) and any(map(str.isalpha, secret))
    return len(secret) >= (MIXED if mixed else NO_WORD)
