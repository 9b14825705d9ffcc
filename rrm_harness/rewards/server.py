"""An HTTP server of rewards: `POST /get_reward` as OpenRLHF asks it, `GET /health`."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from math import isnan
from typing import TYPE_CHECKING, Any

from rrm_harness.errors import DataError, HarnessError, SpecError
from rrm_harness.libraries import library
from rrm_harness.rewards import wire
from rrm_harness.rewards.gathering import Gathering
from rrm_harness.rewards.group import GroupReward

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse

PATH = "/get_reward"
LARGEST = 256 * 2**20
"""The most bytes of a request."""
GRACE = 10
"""Seconds that requests have to end in when the server is stopped."""


def application(reward: GroupReward, size: int | None, wait: float) -> Starlette:
    """The server's application.

    Args:
        reward: Judges; is not closed.
        size: As in `Gathering`.
        wait: Seconds, as in `Gathering`.

    Raises:
        EngineError: The extra `serve` is not installed.
        SpecError: The reward compares, and there is no telling with what.
    """
    if size is None and reward.needs_a_group:
        raise SpecError(
            "this judge and strategy compare the completions of a prompt, which"
            " trainers send one at a time; say how many they are with --group N"
        )
    applications = library("starlette.applications", "serve")
    routing = library("starlette.routing", "serve")
    service = _Service(reward, size, wait)
    made: Starlette = applications.Starlette(
        routes=[
            routing.Route(PATH, service.get_reward, methods=["POST"]),
            routing.Route("/health", service.health, methods=["GET"]),
        ],
        lifespan=service.alive,
        exception_handlers={404: _no_such_page, 405: _no_such_page},
    )
    return made


def serve(
    reward: GroupReward,
    host: str,
    port: int,
    size: int | None,
    wait: float,
    told: Callable[[str], None],
) -> None:
    """Serve until stopped.

    Args:
        reward: Judges; is not closed.
        host: The address to listen at.
        port: Its port; 0 for a free one.
        size: As in `Gathering`.
        wait: As in `Gathering`.
        told: Is told the URL once requests are taken.

    Raises:
        EngineError: The extra `serve` is not installed.
        SpecError: As `application`, or the address cannot be listened at.
    """
    uvicorn = library("uvicorn", "serve")
    made = application(reward, size, wait)
    listening = _listening(host, port)
    config = uvicorn.Config(
        made, log_level="warning", lifespan="on", timeout_graceful_shutdown=GRACE
    )
    shown = f"[{host}]" if ":" in host else host
    told(f"http://{shown}:{listening.getsockname()[1]}{PATH}")
    with listening:
        uvicorn.Server(config).run(sockets=[listening])


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise SpecError(
            f"cannot listen at {host}:{port} ({error.strerror or error}); give another"
            " --host or --port"
        ) from error


class _Service:
    """What the pages do."""

    def __init__(self, reward: GroupReward, size: int | None, wait: float) -> None:
        self._reward = reward
        self._size, self._wait = size, wait

    @asynccontextmanager
    async def alive(self, _: Starlette) -> AsyncIterator[None]:
        """Judge beside the requests, in a thread."""
        self._gathering = Gathering(self._reward.score_groups, self._size, self._wait)
        judging = asyncio.create_task(self._gathering.judge_forever())
        yield
        judging.cancel()
        with suppress(asyncio.CancelledError):
            await judging

    async def get_reward(self, request: Request) -> JSONResponse:
        """A reward for each query: 400 for a bad request, 503 if nobody can judge."""
        try:
            asked = wire.queries(await _json(request))
        except DataError as error:
            return _told(400, error)
        try:
            rewards = await self._judged(request, asked)
        except HarnessError as error:
            return _told(503, error)
        if any(map(isnan, rewards)):
            return _told(503, "a completion could not be judged; ask again")
        return _response(200, wire.answer(rewards))

    async def _judged(
        self, request: Request, asked: Sequence[wire.Query]
    ) -> list[float]:
        """The rewards; of a client that hangs up nobody waits for them.

        Raises:
            HarnessError: They could not be judged, or the client is gone.
        """
        waiting = self._gathering.join(asked)
        answered = asyncio.gather(*map(asyncio.shield, waiting))
        gone = asyncio.ensure_future(_gone(request))
        either: list[asyncio.Future[Any]] = [answered, gone]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if answered.done():
            return answered.result()
        self._gathering.leave(asked, waiting)
        answered.cancel()
        raise HarnessError("the client is gone")

    async def health(self, _: Request) -> JSONResponse:
        """How the judging went so far."""
        counts = {
            "failures": dict(self._reward.failures),
            "unjudged": self._reward.unjudged,
            "incomplete_groups": self._gathering.incomplete,
        }
        return _response(200, {"status": "ok", **counts})


async def _gone(request: Request) -> None:
    """Wait until the client hangs up; the request's body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _json(request: Request) -> Any:
    """The request's body.

    Raises:
        DataError: It is too large, or no JSON.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise DataError(f"the request is larger than {LARGEST} bytes; send fewer")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise DataError(f"the request is no JSON ({error}); send an object") from error


def _response(status: int, content: dict[str, Any]) -> JSONResponse:
    from starlette.responses import JSONResponse

    return JSONResponse(content, status)


def _told(status: int, error: object) -> JSONResponse:
    return _response(status, {"error": str(error)})


async def _no_such_page(_: Request, error: Any) -> JSONResponse:
    return _told(error.status_code, f"send POST {PATH} or GET /health")
