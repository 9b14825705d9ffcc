"""Hostile servers: each fault is a retry or a typed failure, and no run dies of one."""

import datetime
import gzip
import json
import os
import re
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import servers
from servers import FaultServer, chat, cut, disconnect, drip, hang, reply

from rrm_harness import (
    Comparison,
    Completion,
    Engine,
    EngineError,
    Failure,
    HarnessError,
    Judgment,
    Message,
    Model,
    Request,
    evaluate,
    host,
    inputs,
)
from rrm_harness.errors import FailuresError
from rrm_harness.report.cautions import cautions
from rrm_harness.result import Result
from rrm_harness.testing import FakeEngine, FakeModelJudge

COMMAND = str(Path(sys.executable).with_name("rrm-harness"))
OPENAI: Callable[..., Engine] = host.default().lookup("engines", "openai").thing
SAYS_A = chat("[[A]]")
PACKED = gzip.compress(b" " * (100 << 20), 1)


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(reply(SAYS_A)) as made:
        yield made


def engine(server: FaultServer, **options: Any) -> Engine:
    """An engine that loses patience at once."""
    quick = {"url": server.url, "timeout": 0.5, "retries": 1, "backoff": 0.01}
    return OPENAI(**({"model": Model("judge")} | quick | options))


def completions(running: Engine, requests: list[Request]) -> list[Completion]:
    """In the requests' order; the engine is closed."""
    try:
        return inputs.completions(running, requests)
    finally:
        running.close()


def first_wins(comparison: Comparison) -> Judgment:
    return Judgment(tuple(float(place == 0) for place in comparison.order))


def judged(
    running: Engine, output: Path, limit: int = 4, **options: Any
) -> dict[str, Any]:
    """A run of some examples, a request each; the engine is closed."""
    judge = FakeModelJudge(first_wins, temperature=0.0)
    try:
        found = evaluate(
            judge,
            "sample,part=pairs",
            "single",
            engine=running,
            output=output,
            limit=limit,
            baselines=False,
            **options,
        )
    finally:
        running.close()
    return dict(found.results)


# --- every fault, in the middle of a run and then in the next one


async def chunks_of_garbage(asked: servers.Asked) -> None:
    asked.writer.write(
        b"HTTP/1.1 200 Status\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\ngarbage\r\n"
    )
    await asked.writer.drain()
    asked.writer.close()


async def no_http(asked: servers.Asked) -> None:
    asked.writer.write(b"\x00\xff\x16\x03\x01 what is this\r\n\r\n")
    await asked.writer.drain()
    asked.writer.close()


async def headers_without_end(asked: servers.Asked) -> None:
    asked.writer.write(b"HTTP/1.1 200 Status\r\n")
    for number in range(100_000):
        asked.writer.write(b"X-%d: %s\r\n" % (number, b"x" * 1000))
        await asked.writer.drain()


async def body_without_end(asked: servers.Asked) -> None:
    asked.writer.write(b"HTTP/1.1 200 Status\r\n\r\n")
    while True:
        asked.writer.write(b" " * (1 << 20))
        await asked.writer.drain()


async def bomb(asked: servers.Asked) -> None:
    """100 MB of spaces in a few kilobytes."""
    head = f"HTTP/1.1 200 Status\r\nContent-Length: {len(PACKED)}\r\n"
    asked.writer.write(head.encode() + b"Content-Encoding: gzip\r\n\r\n" + PACKED)
    await asked.writer.drain()


def number(said: str) -> servers.Behaviour:
    """A reply whose usage is no count."""
    body = json.dumps(SAYS_A | {"usage": {"prompt_tokens": "here"}})
    return reply(body.replace('"here"', said))


FAULTS: dict[str, servers.Behaviour] = {
    "429": reply({"error": "slow down"}, 429),
    "429, wait 0": reply({}, 429, Retry_After="0"),
    "429, wait a negative time": reply({}, 429, Retry_After="-30"),
    "429, wait no number": reply({}, 429, Retry_After="NaN"),
    "429, wait for infinity": reply({}, 429, Retry_After="inf"),
    "429, wait until 1970": reply({}, 429, Retry_After="Thu, 01 Jan 1970 00:00:00 GMT"),
    "429, wait until no date": reply({}, 429, Retry_After="Thu, 99 Foo 99999 99:99:99"),
    "500": reply("broken", 500),
    "503 with a page": reply("<html>" + "x" * 100_000, 503),
    "hang": hang,
    "drip": drip,
    "cut": cut,
    "disconnect": disconnect,
    "garbage in chunks": chunks_of_garbage,
    "no http": no_http,
    "headers without end": headers_without_end,
    "a body without end": body_without_end,
    "a gzip bomb": bomb,
    "no json": reply("oops"),
    "deep json": reply("[" * 100_000),
    "a number of 5,000 digits": reply('{"choices": ' + "9" * 5000 + "}"),
    "not utf-8": reply(
        "\udcff\udcfe".encode("utf-8", "surrogateescape").decode("latin-1")
    ),
    "empty": reply(""),
    "null": reply("null"),
    "no choices": reply({"choices": []}),
    "choices of null": reply({"choices": [None]}),
    "no object for choices": reply({"choices": {"0": 1}}),
    "text is a number": reply(chat("", message={"content": 7})),
    "text is a list of null": reply(chat("", message={"content": [None]})),
    "usage is text": number('"many"'),
    "usage is infinite": number("Infinity"),
    "usage is negative": number("-5"),
    "400 without a reason": reply("", 400),
}
HARMLESS = {"usage is negative", "usage is text", "usage is infinite"}
"""What may as well be judged: nothing of the verdict is in doubt."""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_fails_its_row_alone_and_the_next_run_asks_only_that(
    server: FaultServer, tmp_path: Path, fault: str
) -> None:
    async def one_is_at_fault(asked: servers.Asked) -> None:
        second = server.asked[1:2] and server.asked[1].body == asked.body
        await (FAULTS[fault] if second else reply(SAYS_A))(asked)

    server.always = one_is_at_fault
    first = judged(engine(server, concurrency=1), tmp_path / "run")
    asked = len(server.asked)
    server.always = reply(SAYS_A)
    second = judged(engine(server), tmp_path / "run")

    failed = sum(first["failures"].values())
    assert failed in ((0, 1) if fault in HARMLESS else (1,)), first["first_failures"]
    assert set(first["failures"]) <= {"engine-error", "invalid-score"}
    for told in first["first_failures"].values():
        assert "Traceback" not in told
        assert len(told) < 600
    assert second["failures"] == {}
    assert len(server.asked) - asked == failed
    assert second["accuracy"] is not None


# --- faults of which nobody can be told by one row


@pytest.mark.parametrize(
    ("scores", "failure"),
    [
        ([2.0], None),
        (["NaN"], Failure.INVALID_SCORE),
        (["-Infinity"], Failure.INVALID_SCORE),
        (["1e999"], Failure.INVALID_SCORE),
        (["9" * 400], Failure.ENGINE_ERROR),
        (['"2.0"'], Failure.ENGINE_ERROR),
        (["true"], Failure.ENGINE_ERROR),
        (["null"], Failure.ENGINE_ERROR),
        (["[1.0]"], Failure.ENGINE_ERROR),
    ],
)
def test_a_score_that_is_no_score_is_a_failure(
    server: FaultServer, scores: list[Any], failure: Failure | None
) -> None:
    said = json.dumps({"data": [{"index": 0, "probs": ["here"]}]})
    server.script.append(reply(said.replace('"here"', "5.0")))  # there is a server
    server.always = reply(said.replace('"here"', str(scores[0])))
    turns = (Message("user", "a question"), Message("assistant", "an answer"))
    running = engine(server, concurrency=1)

    first, second = completions(running, [Request(turns, kind="score")] * 2)

    assert first.scores == (5.0,)
    assert second.failure is failure
    assert second.scores == ((2.0,) if failure is None else ())


@pytest.mark.parametrize("indices", [(1,), (0, 0), (0, 1), (-1,), ("x",)])
def test_scores_that_may_be_anothers_are_not_taken(
    server: FaultServer, indices: tuple[Any, ...]
) -> None:
    data = [{"index": index, "probs": [5.0]} for index in indices]
    server.always = reply({"data": data})
    turns = (Message("user", "a question"), Message("assistant", "an answer"))
    running = engine(server, retries=0, concurrency=1)
    server.script.append(reply({"data": [{"index": 0, "probs": [5.0]}]}))

    _, second = completions(running, [Request(turns, kind="score")] * 2)

    assert second.failure is Failure.ENGINE_ERROR


@pytest.mark.parametrize(
    ("told", "is_another"),
    [("judge", 0), ("acme/judge", 0), ("judge-2026-01-01", 0), ("cheap", 4), (7, 0)],
)
def test_answers_of_another_model_are_told(
    server: FaultServer, tmp_path: Path, told: Any, is_another: int
) -> None:
    server.always = reply(SAYS_A | {"model": told})

    found = judged(engine(server), tmp_path / "run")

    assert found["audit"]["other-model"] == is_another
    assert sum("another model" in each for each in cautions(found)) == bool(is_another)


def test_an_answer_of_ten_megabytes_is_read_whole(server: FaultServer) -> None:
    server.always = reply(chat("[[A]]" + "x" * (10 << 20)))
    running = engine(server, timeout=30)

    (told,) = completions(running, [Request((Message("user", "hello"),))])

    assert len(told.text) == 5 + (10 << 20)


def test_a_key_does_not_follow_a_redirect(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-0123456789")
    with FaultServer(reply(SAYS_A)) as elsewhere:
        place = f"{elsewhere.url}/chat/completions"
        server.always = reply({}, 307, Location=place)

        with pytest.raises(EngineError, match="refuses every request: 307"):
            completions(engine(server), [Request((Message("user", "hello"),))])

    assert elsewhere.asked == []


# --- TLS


@pytest.fixture
def self_signed(tmp_path: Path) -> ssl.SSLContext:
    """What a server shows that nobody vouches for."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "server.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def test_a_certificate_that_nobody_vouches_for_is_refused_before_the_key_is_sent(
    server: FaultServer, self_signed: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-0123456789")
    server.stop()
    server.tls = self_signed
    server.start()
    url = f"https://localhost:{server.port}/v1"

    with pytest.raises(EngineError) as raised:
        completions(
            engine(server, url=url, timeout=5), [Request((Message("user", "hello"),))]
        )

    assert "CERTIFICATE_VERIFY_FAILED" in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1
    assert server.asked == []


# --- outages


def test_an_outage_ends_the_run_in_order_once_enough_has_failed(
    server: FaultServer, tmp_path: Path
) -> None:
    server.script.extend([reply(SAYS_A)] * 3)
    server.always = reply("broken", 500)
    running = engine(server, concurrency=1, retries=0)

    with pytest.raises(FailuresError) as raised:
        judged(running, tmp_path / "run", limit=12, max_failures=2)
    left = {each.name for each in (tmp_path / "run").iterdir()}
    asked = len(server.asked)
    server.always = reply(SAYS_A)
    again = judged(engine(server), tmp_path / "run", limit=12)

    # a third may have failed before the second was looked at
    told = re.match("[23] judgments failed and --max-failures is 2;", str(raised.value))
    assert told
    assert "500: broken" in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1
    assert "results.json" not in left
    assert asked <= 3 + 2 + 1
    assert again["failures"] == {}
    assert again["cached"] == 3


def test_fewer_failures_than_allowed_end_no_run(
    server: FaultServer, tmp_path: Path
) -> None:
    server.script.extend([reply(SAYS_A), reply("broken", 500)])
    running = engine(server, concurrency=1, retries=0)

    found = judged(running, tmp_path / "run", max_failures=2)

    assert found["failures"] == {"engine-error": 1}


def test_the_last_of_all_judgments_may_be_one_failure_too_many(
    server: FaultServer, tmp_path: Path
) -> None:
    server.script.extend([reply(SAYS_A)] * 3)
    server.always = reply("broken", 500)
    running = engine(server, concurrency=1, retries=0)

    with pytest.raises(FailuresError):
        judged(running, tmp_path / "run", limit=4, max_failures=1)
    with pytest.raises(HarnessError, match=r"results\.json"):
        Result.read(tmp_path / "run")


def test_the_command_ends_with_4_and_one_sentence(
    server: FaultServer, tmp_path: Path
) -> None:
    server.script.append(reply(SAYS_A))
    server.always = reply("broken\x1b[2J", 500)
    options = "retries=0,backoff=0,concurrency=1"
    asked = ["--judge=llm,model=m", f"--engine=openai,url={server.url},{options}"]
    data = ["--dataset=sample,part=pairs", "--max-failures=3"]

    done = subprocess.run(
        [COMMAND, "run", *asked, *data, "--output", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=os.environ,
    )

    assert done.returncode == 4
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "\x1b" not in done.stderr
    assert "--max-failures" in done.stderr


def test_an_outage_of_all_is_no_accuracy(server: FaultServer, tmp_path: Path) -> None:
    server.script.append(reply({"error": "not yet"}, 429))
    server.always = reply("broken", 500)
    running = engine(server, retries=0, concurrency=1)

    found = judged(running, tmp_path / "run")

    assert found["failed_examples"] == found["examples"]
    assert found["bounds"] == [0.0, 1.0]


@pytest.mark.parametrize("said", ["[[A]]", None, 1.0])
def test_an_engine_that_hands_out_something_else_is_named(
    tmp_path: Path, said: Any
) -> None:
    with pytest.raises(EngineError, match="no Completion; this is a fault"):
        judged(FakeEngine(lambda _: said), tmp_path / "run")
