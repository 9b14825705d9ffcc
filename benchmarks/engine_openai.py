"""What the openai engine itself costs: requests a second to a server that does nothing.

    python benchmarks/engine_openai.py [REQUESTS]

The server is a process of its own and answers every chat with the same bytes, at once
or after 50 ms; then no client can do more than concurrency / 0.05 s.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from rrm_harness import Engine, Message, Model, Request, host
from rrm_harness.inputs import completions

BODY = (
    b'{"choices":[{"message":{"content":"[[A]]"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":500,"completion_tokens":2}}'
)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
PROMPT = "a word of a prompt " * 100


class Null(asyncio.Protocol):
    """Counts the bytes of a request, then answers."""

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.held += data
        head, found, body = self.held.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        if len(body) >= length:
            self.held = body[length:]
            asyncio.get_running_loop().call_later(self.delay, self.answer)

    def answer(self) -> None:
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.write(ANSWER)


def serve(delay: float, port: Connection) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Null(delay), "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


@contextmanager
def null_server(delay: float) -> Iterator[str]:
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=serve, args=(delay, theirs), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}/v1"
    finally:
        process.terminate()
        process.join()


def rate(engine: Engine, count: int) -> float:
    """Requests a second, the first one not counted."""
    first, *asked = (
        Request((Message("user", f"{PROMPT}{number}"),)) for number in range(count + 1)
    )
    completions(engine, [first])
    started = time.perf_counter()
    completions(engine, asked)
    return count / (time.perf_counter() - started)


def main() -> None:
    """Print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    made = host.default().lookup("engines", "openai").thing
    print(f"{'concurrency':>11}{'at once':>12}{'after 50 ms':>14}{'of possible':>14}")
    with null_server(0.0) as fast, null_server(0.05) as slow:
        for concurrency in (1, 8, 32, 128):
            rates = []
            for url, most in ((fast, count), (slow, min(count, 40 * concurrency))):
                engine = made(Model("null"), url=url, concurrency=concurrency)
                rates.append(rate(engine, most))
                engine.close()
            share = rates[1] * 0.05 / concurrency
            print(
                f"{concurrency:>11}{rates[0]:>12,.0f}{rates[1]:>14,.0f}{share:>14.0%}"
            )


if __name__ == "__main__":
    main()
