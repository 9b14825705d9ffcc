"""The openai engine on the wire, with a server that does everything a server can do."""

import json
import logging
import shutil
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count
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
    Judgment,
    Message,
    Model,
    Request,
    SpecError,
    evaluate,
    host,
)
from rrm_harness.chat import encode, load_tokenizer
from rrm_harness.inputs import completions
from rrm_harness.records import described
from rrm_harness.reproduce import replay
from rrm_harness.testing import FakeModelJudge

OPENAI: Callable[..., Engine] = host.default().lookup("engines", "openai").thing
KEY = "sk-planted-0123456789"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as made:
        yield made


def engine(server: FaultServer, **options: Any) -> Engine:
    """An engine that loses patience at once."""
    quick = {"url": server.url, "timeout": 0.3, "retries": 3, "backoff": 0.01}
    return OPENAI(**({"model": Model("judge")} | quick | options))


def asking(text: str = "hello", **options: Any) -> Request:
    return Request((Message("user", text),), **options)


def scoring(text: str = "an answer", **options: Any) -> Request:
    turns = (Message("user", "a question"), Message("assistant", text))
    return Request(turns, kind="score", **options)


def answers(running: Engine, *requests: Request) -> list[Completion]:
    """The completions in the requests' order; the engine is closed."""
    try:
        return completions(running, requests)
    finally:
        running.close()


def first_wins(comparison: Comparison) -> Judgment:
    """A judge's verdict that needs no reading."""
    return Judgment(tuple(float(place == 0) for place in comparison.order))


def refusal(running: Engine, request: Request) -> str:
    """What the engine says when it cannot go on."""
    with pytest.raises(EngineError) as raised:
        answers(running, request)
    return str(raised.value)


# --- what is sent ---


def test_a_chat_says_everything_that_the_request_says(server: FaultServer) -> None:
    request = Request(
        (Message("system", "judge"), Message("user", "hello")),
        temperature=0.6,
        top_p=0.9,
        max_tokens=17,
        seed=5,
        stop=("END",),
        logprobs=3,
        chat_options=(("enable_thinking", False),),
    )

    (completion,) = answers(engine(server, served="served-name"), request)

    assert completion == Completion("hello", prompt_tokens=7, completion_tokens=3)
    assert server.asked[0].path == "/v1/chat/completions"
    assert server.asked[0].body == {
        "model": "served-name",
        "messages": [
            {"role": "system", "content": "judge"},
            {"role": "user", "content": "hello"},
        ],
        "temperature": 0.6,
        "top_p": 0.9,
        "max_tokens": 17,
        "seed": 5,
        "stop": ["END"],
        "top_k": -1,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "repeat_penalty": 1.0,
        "logprobs": True,
        "top_logprobs": 3,
        "chat_template_kwargs": {"enable_thinking": False},
    }


def test_defaults_are_sent_where_a_server_has_its_own(server: FaultServer) -> None:
    answers(engine(server), asking())

    body = server.asked[0].body
    assert (body["temperature"], body["top_p"], body["model"]) == (0.0, 1.0, "judge")
    assert "seed" not in body


def test_with_a_tokenizer_the_prompt_is_token_ids(
    server: FaultServer, tiny: Callable[[str], Path]
) -> None:
    folder = tiny("qwen2")
    request = asking("see <｜end▁of▁sentence｜>", prefill="So", logprobs=2)

    answers(engine(server, tokenizer=str(folder)), request)

    ids = list(encode(load_tokenizer(str(folder)), request).ids)
    assert server.asked[0].path == "/v1/completions"
    assert server.asked[0].body["prompt"] == ids
    assert server.asked[0].body["logprobs"] == 2


def test_with_a_tokenizer_special_tokens_in_a_reply_are_asked_for(
    server: FaultServer, tiny: Callable[[str], Path]
) -> None:
    complaint = {"error": {"message": "unknown field: skip_special_tokens"}}
    server.script += [reply(), reply(complaint, 400)]
    running = engine(server, tokenizer=str(tiny("qwen2")), concurrency=1)

    (found, other) = answers(running, asking("one"), asking("two"))

    assert found.failure is other.failure is None
    first, second, third = (each.body for each in server.asked)
    assert first["skip_special_tokens"] is second["skip_special_tokens"] is False
    assert "skip_special_tokens" not in third


@pytest.mark.parametrize(
    ("url", "option", "told"),
    [
        ("http://host/v1", "auto", True),
        ("http://host/v1", "false", False),
        ("https://api.openai.com/v1", "auto", False),
        ("https://api.openai.com/v1", "true", True),
    ],
)
def test_servers_with_defaults_of_their_own_are_told_to_leave_them_out(
    url: str, option: Any, told: bool
) -> None:
    running: Any = OPENAI(Model("judge"), url=url, neutral=option)
    assert running.neutralizes == told


def test_a_server_that_knows_no_neutral_values_is_asked_without(
    server: FaultServer,
) -> None:
    complaint = {"error": {"message": "Unrecognized request argument: top_k"}}
    server.script.append(reply(complaint, 400))

    found = answers(engine(server, concurrency=1), asking("a"), asking("b"))

    assert [each.text for each in found] == ["a", "b"]
    assert ["top_k" in each.body for each in server.asked] == [True, False, False]


def test_a_thought_that_the_template_opens_is_in_the_text(
    server: FaultServer, tiny: Callable[[str], Path]
) -> None:
    server.always = reply({"choices": [{"text": "[[A]]", "finish_reason": "length"}]})
    running = engine(server, tokenizer=str(tiny("qwen2")))

    (completion,) = answers(running, asking())

    assert completion.text == "<think>\n[[A]]"


def test_a_doubled_beginning_is_sent_as_asked_and_noted(
    server: FaultServer, tiny: Callable[[str], Path]
) -> None:
    running = engine(server, tokenizer=str(tiny("qwen2")))

    once, twice = answers(running, asking(), asking(bos="double"))

    bodies = sorted((each.body["prompt"] for each in server.asked), key=len)
    assert bodies[1] == [bodies[0][0], *bodies[0]]
    assert (once.notes, twice.notes) == ((), ("double-bos",))


@pytest.mark.parametrize(
    ("option", "sent"),
    [
        ("vllm", {"continue_final_message": True, "add_generation_prompt": False}),
        ("assistant", {}),
    ],
)
def test_a_reply_is_begun_in_the_way_that_is_named(
    server: FaultServer, option: str, sent: dict[str, Any]
) -> None:
    answers(engine(server, prefill=option), asking(prefill="My verdict"))

    body = server.asked[0].body
    assert body["messages"][-1] == {"role": "assistant", "content": "My verdict"}
    assert {
        name: body[name] for name in body if "final" in name or "add" in name
    } == sent


def test_a_beginning_that_the_server_repeats_is_not_written_twice(
    server: FaultServer,
) -> None:
    server.always = reply(chat("My verdict is A"))

    (completion,) = answers(
        engine(server, prefill="assistant"), asking(prefill="My verdict")
    )

    assert completion.text == " is A"


@pytest.mark.parametrize("request_", [asking(prefill="So"), asking(bos="double")])
def test_what_only_token_ids_can_say_asks_for_a_tokenizer(
    server: FaultServer, request_: Request
) -> None:
    assert "tokenizer=FOLDER" in refusal(engine(server), request_)
    assert server.asked == []


def test_the_newer_name_of_max_tokens_is_learned(server: FaultServer) -> None:
    said = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    server.script.append(reply({"error": {"message": said}}, 400))

    completions = answers(engine(server, concurrency=1), asking("a"), asking("b"))

    assert [each.text for each in completions] == ["a", "b"]
    sent = [[name for name in each.body if "max" in name] for each in server.asked]
    assert sent == [
        ["max_tokens"],
        ["max_completion_tokens"],
        ["max_completion_tokens"],
    ]


# --- what comes back ---


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_that_was_split_off_is_put_back(
    server: FaultServer, name: str
) -> None:
    message = {"role": "assistant", name: "hm", "content": r"\boxed{Assistant 1}"}
    server.always = reply(chat("", message=message))

    (completion,) = answers(engine(server), asking())

    assert completion.text == r"<think>hm</think>\boxed{Assistant 1}"


def test_reasoning_that_was_cut_is_not_closed(server: FaultServer) -> None:
    message = {"role": "assistant", "reasoning": "hm", "content": None}
    server.always = reply(chat("", message=message, finish_reason="length"))

    (completion,) = answers(engine(server), asking())

    assert (completion.text, completion.finish) == ("<think>hm", "length")


@pytest.mark.parametrize(
    "logprobs",
    [
        {"content": [{"top_logprobs": [{"token": "A", "logprob": -0.5}]}]},
        {"top_logprobs": [{"A": -0.5}]},
    ],
    ids=["as in chats", "as in completions"],
)
def test_alternatives_of_the_first_token_are_read(
    server: FaultServer, logprobs: dict[str, Any]
) -> None:
    server.always = reply(chat("A", logprobs=logprobs))

    (completion,) = answers(engine(server), asking(logprobs=1))

    assert completion.logprobs == {"A": -0.5}


@pytest.mark.parametrize(
    "said",
    [
        reply(chat("", finish_reason="content_filter")),
        reply(chat("", message={"content": None, "refusal": "I will not"})),
        reply({"error": {"message": "no", "code": "content_filter"}}, 400),
    ],
    ids=["finish reason", "refusal", "status"],
)
def test_a_refusal_is_a_failure_of_its_kind(
    server: FaultServer, said: servers.Behaviour
) -> None:
    server.always = said

    assert answers(engine(server), asking())[0].failure is Failure.REFUSED


def test_usage_that_is_absent_counts_nothing(server: FaultServer) -> None:
    said = chat("a")
    del said["usage"]
    server.always = reply(said)

    assert answers(engine(server), asking()) == [Completion("a")]


LENGTHS = {
    "vllm": "This model's maximum context length is 1000 tokens. However, your prompt"
    " contains 1200 input tokens, which exceeds this limit even without any output"
    " tokens.",
    "older vllm": "This model's maximum context length is 1000 tokens. However, you"
    " requested 1300 tokens (1200 in the messages, 100 in the completion).",
    "openai": "This model's maximum context length is 1000 tokens. However, your"
    " messages resulted in 1200 tokens.",
    "llama.cpp": "request (1200 tokens) exceeds the available context size (1000"
    " tokens), try increasing it",
    "sglang": "The input (1200 tokens) is longer than the model's context length (1000"
    " tokens).",
}


@pytest.mark.parametrize("wording", LENGTHS)
def test_too_long_says_how_much_room_there_is(
    server: FaultServer, wording: str
) -> None:
    server.always = reply({"error": {"message": LENGTHS[wording]}}, 400)

    (completion,) = answers(engine(server), asking(max_tokens=100))

    assert completion.failure is Failure.TOO_LONG
    assert (completion.room, completion.prompt_tokens) == (900, 1200)
    assert len(server.asked) == 1


def test_what_cannot_fit_is_not_even_asked(
    server: FaultServer, tiny: Callable[[str], Path]
) -> None:
    running = engine(server, tokenizer=str(tiny("qwen2")), context=100)

    (completion,) = answers(running, asking("word " * 200, max_tokens=60))

    assert completion.failure is Failure.TOO_LONG
    assert completion.room == 40
    assert completion.prompt_tokens > 100
    assert completion.text == f"{completion.prompt_tokens} tokens, 40 fit"
    assert server.asked == []


def test_a_prompt_that_speaks_of_contexts_is_not_too_long(server: FaultServer) -> None:
    said = {"detail": [{"msg": "bad", "input": "maximum context length is 5 tokens"}]}
    server.always = reply(said, 422)

    (completion,) = answers(engine(server), asking())

    assert completion.failure is Failure.ENGINE_ERROR


# --- faults ---

PASSING: dict[str, servers.Behaviour] = {
    "408": reply({}, 408),
    "429": reply({}, 429),
    "500": reply("broken", 500),
    "502 with a page": reply("<html>bad gateway</html>", 502),
    "503": reply({"error": {"message": "Loading model"}}, 503),
    "hang": hang,
    "drip": drip,
    "cut": cut,
    "disconnect": disconnect,
    "no json": reply("oops"),
    "no object": reply("[]"),
    "an error with status 200": reply({"error": {"message": "upstream"}}),
    "no choices": reply({"choices": []}),
    "a broken generation": reply(chat("par", finish_reason="abort")),
    "no text": reply(chat("", message={"content": 7})),
}


@pytest.mark.parametrize("fault", PASSING)
def test_a_passing_fault_is_asked_again(server: FaultServer, fault: str) -> None:
    server.script.extend([PASSING[fault]] * 2)

    (completion,) = answers(engine(server), asking())

    assert completion.text == "hello"
    assert len(server.asked) == 3


@pytest.mark.parametrize("fault", PASSING)
def test_a_lasting_fault_is_a_failure_in_one_sentence(
    server: FaultServer, fault: str
) -> None:
    server.script.append(reply())  # so that there is a server
    server.always = PASSING[fault]

    first, second = answers(engine(server, concurrency=1), asking(), asking("again"))

    assert first.failure is None
    assert second.failure is Failure.ENGINE_ERROR
    assert second.scores == ()
    assert second.text
    assert "\n" not in second.text
    assert len(server.asked) == 1 + 4


def test_what_is_wrong_with_a_request_is_asked_once(server: FaultServer) -> None:
    server.always = reply({"error": {"message": "temperature must be 1"}}, 400)

    (completion,) = answers(engine(server), asking())

    assert completion.failure is Failure.ENGINE_ERROR
    assert "temperature must be 1" in completion.text
    assert len(server.asked) == 1


def in_seconds(seconds: float) -> str:
    date = datetime.now(UTC) + timedelta(seconds=seconds)
    return format_datetime(date, usegmt=True)


@pytest.mark.parametrize(
    ("said", "least"), [("0.4", 0.4), (in_seconds, 0.9)], ids=["seconds", "a date"]
)
def test_told_to_wait_all_requests_wait(
    server: FaultServer, said: Any, least: float
) -> None:
    wait = said if isinstance(said, str) else said(3)  # dates have whole seconds
    server.script.append(reply({}, 429, Retry_After=wait))
    times: list[float] = []
    asked_at = reply()

    async def timed(asked: servers.Asked) -> None:
        times.append(time.monotonic())
        await asked_at(asked)

    server.always = timed
    started = time.monotonic()

    completions = answers(engine(server, concurrency=1), asking("a"), asking("b"))

    assert [each.text for each in completions] == ["a", "b"]
    assert min(times) - started >= least
    assert len(server.asked) == 3


def test_one_is_told_to_wait_and_the_others_hold_back(server: FaultServer) -> None:
    server.script.append(reply({}, 429, Retry_After="2"))
    running = engine(server, concurrency=2)
    running.submit(0, asking("a"))
    while not server.asked:
        time.sleep(0.01)
    time.sleep(0.1)
    running.submit(1, asking("b"))
    time.sleep(0.2)
    before = len(server.asked)
    found: dict[int, Completion] = {}
    while len(found) < 2:
        found |= dict(running.collect())
    running.close()

    assert before == 1
    assert [found[0].text, found[1].text] == ["a", "b"]


def test_to_be_told_to_wait_is_no_failed_attempt(server: FaultServer) -> None:
    server.script.extend([reply({}, 429, Retry_After="0")] * 6)

    (completion,) = answers(engine(server, retries=1, timeout=5.0), asking())

    assert completion.text == "hello"


def test_a_server_that_says_wait_for_ever_ends_as_a_failure(
    server: FaultServer,
) -> None:
    server.always = reply({"error": "slow down"}, 429, Retry_After="0")

    (completion,) = answers(engine(server), asking())

    assert completion.failure is Failure.ENGINE_ERROR
    assert "429: slow down" in completion.text


def test_no_more_than_the_limit_are_under_way_and_as_many_are(
    server: FaultServer,
) -> None:
    server.always = reply(delay=0.02)

    answers(engine(server, concurrency=5), *[asking(str(each)) for each in range(40)])

    assert server.most == 5


def test_answers_find_their_requests_in_whatever_order_they_come(
    server: FaultServer,
) -> None:
    server.script.extend(reply(delay=0.001 * (37 * each % 40)) for each in range(40))
    texts = [f"text {each}" for each in range(40)]

    completions = answers(engine(server, concurrency=16), *map(asking, texts))

    assert [each.text for each in completions] == texts


def test_what_is_cancelled_is_broken_off_and_never_handed_out(
    server: FaultServer,
) -> None:
    server.script.append(hang)
    running = engine(server, concurrency=1, timeout=30.0)
    for ticket, text in enumerate(["hangs", "waits", "stays"]):
        running.submit(ticket, asking(text))
    while not server.asked:
        time.sleep(0.01)
    running.cancel(1)  # before its turn comes
    running.cancel(0)
    found = dict(running.collect())
    running.close()

    assert {ticket: each.text for ticket, each in found.items()} == {2: "stays"}
    assert [each.body["messages"][0]["content"] for each in server.asked] == [
        "hangs",
        "stays",
    ]


def test_closing_waits_for_nobody(server: FaultServer) -> None:
    server.always = hang
    running = engine(server, timeout=60.0)
    for ticket in range(50):
        running.submit(ticket, asking())
    while server.in_flight < 32:
        time.sleep(0.01)
    started = time.monotonic()

    running.close()

    assert time.monotonic() - started < 20, "their time-out is 60 s"
    assert list(running.collect()) == []


def test_it_starts_anew_after_it_was_closed(server: FaultServer) -> None:
    running = engine(server)

    first = answers(running, asking("a"))
    second = answers(running, asking("b"))

    assert [each.text for each in first + second] == ["a", "b"]


# --- what ends a run ---


def test_where_no_server_is_the_address_is_named() -> None:
    url = f"http://127.0.0.1:{servers.free_port()}/v1"
    running = OPENAI(Model("judge"), url=url, retries=2, backoff=0.01)

    problem = refusal(running, asking())

    assert f"no server answers at {url}" in problem
    assert "url=http://HOST:PORT/v1" in problem


def test_a_server_that_stays_away_ends_the_run(server: FaultServer) -> None:
    server.script.append(reply())
    server.always = reply({}, 500)
    running = engine(server, retries=0, timeout=10)
    requests = [asking(str(each)) for each in range(200)]

    with pytest.raises(EngineError, match="64 requests in a row failed"):
        answers(running, *requests)
    assert len(server.asked) < 64 + 2 * 32


def test_requests_that_are_at_fault_themselves_do_not_end_the_run(
    server: FaultServer,
) -> None:
    server.always = reply({"error": {"message": "this prompt is not accepted"}}, 400)
    found = answers(engine(server), *(asking(str(each)) for each in range(80)))
    assert {each.failure for each in found} == {Failure.ENGINE_ERROR}


def test_what_was_answered_before_the_end_is_handed_out(server: FaultServer) -> None:
    server.script.append(reply())
    server.always = reply({}, 401, delay=0.1)
    running = engine(server, concurrency=2)
    running.submit(0, asking("a"))
    running.submit(1, asking("b"))

    first = dict(running.collect())
    with pytest.raises(EngineError, match="refuses the key"):
        running.collect()
    running.close()

    [(ticket, answered)] = first.items()  # either may have come to the server first
    assert answered.text == "ab"[ticket]


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_named_by_its_variable(
    server: FaultServer, status: int
) -> None:
    server.always = reply({"error": {"message": "bad key"}}, status)

    problem = refusal(engine(server, key_variable="MY_KEY"), asking())

    assert f"({status}: bad key)" in problem
    assert "set MY_KEY" in problem
    assert len(server.asked) == 1


def test_an_unknown_model_is_told_with_those_that_there_are(
    server: FaultServer,
) -> None:
    server.script.append(reply({"error": {"message": "no such model"}}, 404))
    server.always = reply({"data": [{"id": "this-one"}, {"id": "that-one"}]})

    problem = refusal(engine(server), asking())

    assert "'judge'" in problem
    assert "this-one, that-one" in problem
    assert "served=NAME" in problem


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (402, {"error": "pay"}),
        (410, "gone"),
        (307, {}),
        (429, {"error": {"message": "no money", "code": "insufficient_quota"}}),
    ],
)
def test_what_no_retry_can_mend_ends_the_run(
    server: FaultServer, status: int, said: dict[str, Any]
) -> None:
    server.always = reply(said, status)

    assert "refuses every request" in refusal(engine(server), asking())
    assert len(server.asked) == 1


def test_a_judge_that_writes_is_not_sent_to_be_scored(server: FaultServer) -> None:
    assert "leave route out" in refusal(engine(server, route="classify"), asking())


@pytest.mark.parametrize(
    "options",
    [
        {"url": "localhost:8000"},
        {"url": "ftp://host/v1"},
        {"url": "http://user:hunter2@host:port/v1"},
        {"concurrency": 0},
        {"timeout": 0.0},
        {"retries": -1},
    ],
)
def test_a_wrong_option_is_refused_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(SpecError) as raised:
        OPENAI(Model("judge"), **options)
    assert "hunter2" not in str(raised.value)
    if "url" not in options:
        assert str(raised.value).startswith("openai,")


# --- secrets and identity ---


def test_the_key_goes_to_the_server_and_nowhere_else(
    server: FaultServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\n")
    caplog.set_level(logging.DEBUG)
    leaks = [
        reply({"error": {"message": f"you sent {KEY}"}}, 400),
        reply(f"no json but {KEY}", 200),
        reply(chat(f"the key is {KEY}")),
        reply({"error": {"message": f"you sent {KEY}"}}, 500, Retry_After=KEY),
    ]
    numbers = count()

    async def leak(asked: servers.Asked) -> None:
        await leaks[next(numbers) % 4](asked)

    server.always = leak
    running = engine(server, retries=1)
    judge = FakeModelJudge(first_wins, temperature=0.0)
    evaluate(judge, "sample", "single", engine=running, output=tmp_path / "run")
    running.close()
    server.always = reply({"error": {"message": f"you sent {KEY}"}}, 401)
    try:
        answers(running, asking())
    except EngineError:
        shown = traceback.format_exc()

    assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"
    written = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert any(b"[hidden]" in each for each in written)
    assert all(KEY.encode() not in each for each in written)
    said = [shown, repr(running), described(running), running.identity, caplog.text]
    assert "[hidden]" in shown
    assert all(KEY not in each for each in [*said, *capfd.readouterr()])


@pytest.mark.parametrize(
    "written",
    [
        lambda key: json.dumps(key).replace("/", "\\/"),
        lambda key: json.dumps(json.dumps(key).replace("/", "\\/")),
        lambda key: '"' + "".join(f"\\u{ord(each):04X}" for each in key) + '"',
    ],
    ids=["slashes", "twice", "numbers"],
)
@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_key_that_json_escapes_is_not_shown_when_it_is_decoded(
    server: FaultServer,
    monkeypatch: pytest.MonkeyPatch,
    written: Callable[[str], str],
    status: int,
) -> None:
    key = 'sk-abc/def+"qxq\\zjz'
    monkeypatch.setenv("OPENAI_API_KEY", key)
    limit = "maximum context length is 5 tokens, " if status == 400 else ""
    told = written(limit + key)
    server.script.append(reply('{"error": ' + told + "}", status))
    server.always = reply('{"data": [{"id": ' + written(key) + "}]}")

    try:
        shown = str(answers(engine(server), asking()))
    except EngineError as error:
        shown = str(error)

    pieces = ("sk-abc", "/def", "qxq", "zjz", "u0073")
    assert not any(piece in shown for piece in pieces)


@pytest.mark.parametrize("key", ["1", "EMPTY"])
def test_a_key_that_is_a_word_hides_no_verdict(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    text = f"Assistant {key} wins"

    (completion,) = answers(
        engine(server, url=server.url + "?version=wins"), asking(text)
    )

    assert completion.text == text


def test_a_key_that_no_header_can_carry_is_refused_unseen(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\nsecond line")

    problem = refusal(engine(server), asking())

    assert "OPENAI_API_KEY" in problem
    assert KEY not in problem


def test_a_password_and_a_query_are_sent_but_not_shown(
    server: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = server.url.replace("http://", "http://myself:hunter2@") + "?token=letmein99"
    server.always = reply({"error": "myself, hunter2 and letmein99"}, 403)
    running = engine(server, url=url)
    described_before = [repr(running), running.identity, described(running)]

    problem = refusal(running, asking())

    assert server.asked[0].path == "/v1/chat/completions?token=letmein99"
    assert server.asked[0].headers["authorization"] == "Basic bXlzZWxmOmh1bnRlcjI="
    assert "HTTP Request" in caplog.text
    for shown in [problem, caplog.text, *described_before]:
        assert "hunter2" not in shown
        assert "myself" not in shown
        assert "letmein99" not in shown


def test_the_address_comes_from_the_environment_unless_named(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "https://api.openai.com/v1" in OPENAI(Model("judge")).identity
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)

    running = OPENAI(Model("judge"))

    assert server.url in running.identity
    assert answers(running, asking())[0].text == "hello"


def test_a_run_asked_again_asks_the_same_server(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.always = reply(chat("[[A]]"))
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    first, again = tmp_path / "first", tmp_path / "again"
    evaluate("llm,model=m", "sample", output=first, limit=2, engine="openai")
    monkeypatch.delenv("OPENAI_BASE_URL")
    before = len(server.asked)

    found = replay(first, again)

    assert found.passed
    assert len(server.asked) == 2 * before


@pytest.mark.parametrize(
    "url", ["http://me:hunter2@host/v1", "http://one/v1;http://two/v1?token=letmein"]
)
def test_no_spec_is_made_of_an_address_that_may_hold_a_secret(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", url)

    for made in (OPENAI(Model("m")), OPENAI(Model("m"), url=url)):
        assert host.default().spec_of("engines", made) is None


def test_identity_tells_tokenizers_and_templates_apart(
    tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    url = "http://host:1/v1"

    def identity(folder: Path, **options: Any) -> str:
        return OPENAI(Model("x"), url=url, tokenizer=str(folder), **options).identity

    same, other = tmp_path / "same", tmp_path / "other"
    for copy in (same, other):
        shutil.copytree(tiny("qwen2"), copy)
    (other / "chat_template.jinja").write_text("{{ messages }}")

    assert identity(same) == identity(tiny("qwen2"))
    folders = [tiny("qwen2"), tiny("llama"), other]
    assert len(set(map(identity, folders))) == 3


def test_identity_says_that_a_heads_own_folder_gives_ids(
    tiny: Callable[[str], Path],
) -> None:
    model = Model(str(tiny("llama_classifier")), head="sequence-classifier")
    named = OPENAI(model, url="http://h/v1", tokenizer=model.id)
    assert OPENAI(model, url="http://h/v1").identity == named.identity
    assert "ids" in named.identity


def test_identity_is_what_changes_an_answer() -> None:
    url = "http://host:1/v1"
    plain = OPENAI(Model("judge"), url=url)
    same = OPENAI(Model("judge"), url=url + "/", concurrency=2, timeout=9.0, retries=1)
    others = [
        OPENAI(Model("judge"), url="http://host:2/v1"),
        OPENAI(Model("judge"), url=url, served="other"),
        OPENAI(Model("judge"), url=url, route="completions"),
        OPENAI(Model("judge"), url=url, tokenizer="folder"),
        OPENAI(Model("judge"), url=url, prefill="vllm"),
        OPENAI(Model("judge"), url=url, neutral="false"),
        OPENAI(Model("judge", revision="abc"), url=url),
        OPENAI(Model("judge"), url=url + "?deployment=a"),
        OPENAI(Model("judge"), url=url + "?deployment=b"),
    ]

    assert same.identity == plain.identity
    assert len({each.identity for each in [plain, *others]}) == 10


# --- scores ---


def classified(*probs: Any) -> dict[str, Any]:
    data = [{"index": 0, "label": "x", "probs": probs, "num_classes": len(probs)}]
    return {"data": data, "usage": {"prompt_tokens": 9}}


def scorer(server: FaultServer, folder: Path, **options: Any) -> Engine:
    model = Model(str(folder), head="sequence-classifier")
    return engine(server, model=model, served="rm", **options)


def test_a_score_is_asked_raw_and_in_token_ids(
    server: FaultServer, tiny: Callable[[str], Path]
) -> None:
    folder = tiny("llama_classifier")
    server.always = reply(classified(-3.25))

    (completion,) = answers(scorer(server, folder), scoring())

    ids = list(encode(load_tokenizer(str(folder)), scoring()).ids)
    assert completion == Completion(scores=(-3.25,), prompt_tokens=9)
    assert server.asked[0].path == "/classify"
    assert server.asked[0].body == {
        "model": "rm",
        "use_activation": False,
        "input": ids,
    }


def test_without_head_and_tokenizer_the_server_renders_the_chat(
    server: FaultServer,
) -> None:
    server.always = reply(classified(1.5))

    (completion,) = answers(engine(server), scoring("yes"))

    assert completion.scores == (1.5,)
    assert server.asked[0].body["messages"][-1]["content"] == "yes"
    assert server.asked[0].body["use_activation"] is False


def test_a_head_that_is_not_here_asks_for_its_tokenizer(server: FaultServer) -> None:
    running = engine(server, model=Model("far/away", head="sequence-classifier"))

    assert "tokenizer=FOLDER" in refusal(running, scoring())


def test_a_head_that_no_server_scores_as_is_refused(
    server: FaultServer, tiny: Callable[[str], Path]
) -> None:
    model = Model(str(tiny("llama_classifier")), head="armorm")

    problem = refusal(engine(server, model=model), scoring())

    assert "the head armorm" in problem
    assert server.asked == []


def test_scores_that_the_server_squashed_are_refused(
    server: FaultServer, tiny: Callable[[str], Path]
) -> None:
    server.always = reply(classified(0.25, 0.75))

    problem = refusal(scorer(server, tiny("llama_classifier")), scoring())

    assert "use_activation" in problem


@pytest.mark.parametrize("score", ["NaN", "Infinity"])
def test_a_score_that_is_no_number_is_a_failure(
    server: FaultServer, tiny: Callable[[str], Path], score: str
) -> None:
    said = json.dumps(classified("here")).replace('"here"', score)
    server.always = reply(said)

    (completion,) = answers(scorer(server, tiny("llama_classifier")), scoring())

    assert completion.failure is Failure.INVALID_SCORE
    assert completion.scores == ()


@pytest.mark.parametrize("said", [classified(), classified(None), {"data": []}])
def test_no_score_is_asked_again(
    server: FaultServer, tiny: Callable[[str], Path], said: dict[str, Any]
) -> None:
    server.script.append(reply(said))
    server.always = reply(classified(2.0))

    (completion,) = answers(scorer(server, tiny("llama_classifier")), scoring())

    assert completion.scores == (2.0,)


def test_of_all_tokens_the_last_is_the_score(
    server: FaultServer, tiny: Callable[[str], Path]
) -> None:
    async def rows(asked: servers.Asked) -> None:
        data = [{"data": [[float(each)] for each in range(len(asked.body["input"]))]}]
        await reply({"data": data})(asked)

    server.always = rows
    folder = tiny("llama_classifier")

    (completion,) = answers(scorer(server, folder, route="pooling"), scoring())

    ids = encode(load_tokenizer(str(folder)), scoring()).ids
    assert completion.scores == (len(ids) - 1.0,)
    body = server.asked[0].body
    assert server.asked[0].path == "/pooling"
    assert (body["task"], body["use_activation"]) == ("token_classify", False)


def test_rows_that_are_not_one_for_each_token_are_not_asked_for_again(
    server: FaultServer, tiny: Callable[[str], Path]
) -> None:
    server.always = reply({"data": [{"data": [[5.0]]}]})
    running = scorer(server, tiny("llama_classifier"), route="pooling")

    with pytest.raises(EngineError, match=r"1 rows for 26 tokens.*pooling_type"):
        answers(running, scoring())
    assert len(server.asked) == 1


@pytest.mark.parametrize("several", [True, False])
def test_sglang_s_raw_rewards_are_read(
    server: FaultServer, tiny: Callable[[str], Path], several: bool
) -> None:
    said = {"embedding": [-7.5], "meta_info": {"prompt_tokens": 12}}
    server.always = reply([said] if several else said)
    running = scorer(server, tiny("llama_classifier"), route="reward")

    (completion,) = answers(running, scoring())

    assert completion == Completion(scores=(-7.5,), prompt_tokens=12)
    assert server.asked[0].path == "/classify"
    assert "input_ids" in server.asked[0].body


ATTRIBUTES = {
    "helpfulness": 1.2578125,
    "correctness": 0.43359375,
    "coherence": 3.34375,
    "complexity": 0.045166015625,
    "verbosity": 0.6953125,
}


@pytest.mark.parametrize("form", ["log-probabilities", "text"])
def test_attributes_are_read_in_either_published_form(
    server: FaultServer, form: str
) -> None:
    content = [{"token": name, "logprob": at} for name, at in ATTRIBUTES.items()]
    text = ",".join(f"{name}:{value}" for name, value in ATTRIBUTES.items())
    said = (
        chat(text)
        if form == "text"
        else chat("", message=[], logprobs={"content": content})
    )
    server.always = reply(said)

    (completion,) = answers(engine(server, route="nemotron"), scoring("yes"))

    assert completion.attributes == ATTRIBUTES
    assert completion.scores == ()
    assert server.asked[0].path == "/v1/chat/completions"
    assert server.asked[0].body == {
        "model": "judge",
        "messages": [
            {"role": "user", "content": "a question"},
            {"role": "assistant", "content": "yes"},
        ],
    }


# --- a whole run ---


def test_an_outage_costs_what_it_hit_and_the_next_run_asks_only_that(
    server: FaultServer, tmp_path: Path
) -> None:
    seen = count(1)

    def decide(comparison: Comparison) -> Judgment:
        if next(seen) == 5:
            server.stop()
        return first_wins(comparison)

    def run() -> dict[str, Any]:
        running = engine(server, concurrency=1, retries=1)
        judge = FakeModelJudge(decide, temperature=0.0)
        try:
            found = evaluate(
                judge, "sample", "single", engine=running, output=tmp_path / "run"
            )
        finally:
            running.close()
        return dict(found.results)

    first = run()
    answered = len(server.asked)
    server.start()
    second = run()

    failed = first["failures"]["engine-error"]
    assert failed > 0
    assert first["examples"] - failed <= answered
    assert second["failures"] == {}
    assert len(server.asked) - answered == failed
