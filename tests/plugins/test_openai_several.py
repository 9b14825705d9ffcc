"""The openai engine with several addresses: servers of one model that come and go."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import servers
import tiny_models
from servers import Asked, FaultServer, hang, reply

from rrm_harness import (
    Comparison,
    Completion,
    Engine,
    EngineError,
    Judgment,
    Message,
    Model,
    Request,
    SpecError,
    evaluate,
    host,
)
from rrm_harness.inputs import completions
from rrm_harness.testing import FakeModelJudge

OPENAI: Callable[..., Engine] = host.default().lookup("engines", "openai").thing
A, B = "http://a:8000/v1", "http://b:8000/v1"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


@pytest.fixture
def fleet() -> Iterator[list[FaultServer]]:
    """Three servers that take a moment to answer."""
    with ExitStack() as stack:
        made = [FaultServer(talking(delay=0.02)) for _ in range(3)]
        yield [stack.enter_context(each) for each in made]


def talking(
    delay: float = 0.0, *models: dict[str, Any], status: int = 200
) -> servers.Behaviour:
    """Answer chats with an echo, or this status; and say which models there are."""
    chats = reply(delay=delay) if status == 200 else reply({}, status, delay)
    listed = reply({"data": list(models) or [{"id": "judge"}]})

    async def behave(asked: Asked) -> None:
        await (listed if asked.path.endswith("/models") else chats)(asked)

    return behave


def engine(fleet: Sequence[FaultServer], **options: Any) -> Engine:
    """An engine that loses patience at once."""
    url = ";".join(each.url for each in fleet)
    quick = {"url": url, "timeout": 20.0, "retries": 3, "backoff": 0.01}
    return OPENAI(**({"model": Model("judge")} | quick | options))


def asking(text: str) -> Request:
    return Request((Message("user", text),), max_tokens=8)


TEXTS = [f"text {number}" for number in range(120)]


def texts(running: Engine, asked: Sequence[str] = TEXTS) -> list[str]:
    """What comes back, in the requests' order; the engine is closed."""
    try:
        found = completions(running, [asking(text) for text in asked])
        return [each.text for each in found]
    finally:
        running.close()


def chats(server: FaultServer) -> list[str]:
    """What a server was asked to answer."""
    said = [each.body for each in server.asked if "chat" in each.path]
    return [body["messages"][-1]["content"] for body in said]


def collected(
    running: Engine, asked: Sequence[str], done: Callable[[int], None]
) -> list[tuple[int, Completion]]:
    """Everything that is handed out; `done` is told how much there is by now."""
    found: list[tuple[int, Completion]] = []
    try:
        for ticket, text in enumerate(asked):
            running.submit(ticket, asking(text))
        while len(found) < len(asked):
            found += running.collect()
            done(len(found))
    finally:
        running.close()
    return found


# --- who is asked ---


def test_all_servers_are_asked_alike_each_up_to_the_limit(
    fleet: list[FaultServer],
) -> None:
    assert texts(engine(fleet, concurrency=4)) == TEXTS

    assert [each.most for each in fleet] == [4, 4, 4]
    assert sum(len(chats(each)) for each in fleet) == len(TEXTS)
    assert min(len(chats(each)) for each in fleet) > len(TEXTS) / 6


def test_enough_is_asked_for_that_no_server_waits(fleet: list[FaultServer]) -> None:
    assert engine(fleet, concurrency=4).capacity == 2 * 4 * len(fleet)


def test_a_slow_server_is_asked_less(fleet: list[FaultServer]) -> None:
    fleet[0].always = talking(delay=0.5)

    assert texts(engine(fleet, concurrency=2)) == TEXTS

    assert len(chats(fleet[0])) < len(TEXTS) / 6


def test_of_those_with_as_little_to_do_the_first_is_asked(
    fleet: list[FaultServer],
) -> None:
    running = engine(fleet)

    for text in TEXTS[:5]:
        completions(running, [asking(text)])
    running.close()

    assert [len(chats(each)) for each in fleet] == [5, 0, 0]


def test_one_is_told_to_wait_and_the_others_go_on(fleet: list[FaultServer]) -> None:
    waits = reply({}, 429, Retry_After="30")
    fleet[0].script.extend([talking(), *[waits] * 4])
    started = time.monotonic()

    assert texts(engine(fleet, concurrency=4)) == TEXTS

    assert time.monotonic() - started < 20
    assert len(fleet[0].asked) == 5


# --- who is left out ---


def test_one_is_killed_in_mid_run_and_nothing_is_lost_or_twice(
    fleet: list[FaultServer],
) -> None:
    def outage(done: int) -> None:
        if done > 30:
            fleet[1].stop()

    found = collected(engine(fleet, concurrency=4), TEXTS, outage)

    assert Counter(ticket for ticket, _ in found) == Counter(range(len(TEXTS)))
    assert {ticket: each.text for ticket, each in found} == dict(enumerate(TEXTS))
    assert len(chats(fleet[1])) < len(TEXTS) / 2


@pytest.mark.parametrize("fault", [talking(status=500), talking(status=503)])
def test_one_that_only_fails_is_asked_no_more(
    fleet: list[FaultServer], fault: servers.Behaviour
) -> None:
    fleet[0].always = fault

    assert texts(engine(fleet, concurrency=4, backoff=0.3)) == TEXTS

    assert len(chats(fleet[0])) <= 4 + 3, "a first round, and one request at a time"


def test_one_that_hangs_is_left_out_and_its_requests_are_asked_elsewhere(
    fleet: list[FaultServer],
) -> None:
    fleet[0].script.append(talking())  # what it serves
    fleet[0].always = hang

    assert texts(engine(fleet, concurrency=4, timeout=0.5)) == TEXTS

    assert len(chats(fleet[0])) <= 2 * 4


def test_one_that_is_not_there_at_first_is_done_without(
    fleet: list[FaultServer],
) -> None:
    fleet[0].stop()

    assert texts(engine(fleet, concurrency=4)) == TEXTS


def test_one_that_comes_back_is_asked_again(fleet: list[FaultServer]) -> None:
    fleet[0].stop()
    running = engine(fleet, concurrency=2)
    completions(running, [asking("before")])
    fleet[0].start()
    before = time.monotonic()
    while not chats(fleet[0]) and time.monotonic() - before < 20:
        completions(running, [asking("after")])
    while fleet[0].most < 2 and time.monotonic() - before < 20:
        completions(running, [asking(text) for text in TEXTS])
    running.close()

    assert chats(fleet[0])
    assert fleet[0].most == 2


def test_one_that_comes_back_but_only_fails_is_tried_by_one_request_at_a_time(
    fleet: list[FaultServer],
) -> None:
    running = engine(fleet, concurrency=4)
    fleet[0].stop()
    completions(running, [asking("before")])
    fleet[0].always = talking(delay=0.05, status=500)
    fleet[0].start()
    before = time.monotonic()
    while len(chats(fleet[0])) < 3 and time.monotonic() - before < 20:
        completions(running, [asking(text) for text in TEXTS[:20]])
    running.close()

    assert len(chats(fleet[0])) >= 3
    assert fleet[0].most == 1


def test_where_all_are_gone_all_are_named() -> None:
    urls = [f"http://127.0.0.1:{servers.free_port()}/v1" for _ in range(2)]
    running = OPENAI(Model("judge"), url=";".join(urls), retries=2, backoff=0.01)

    with pytest.raises(EngineError, match="no server answers at") as raised:
        texts(running, ["a"])

    assert all(url in str(raised.value) for url in urls)


def test_servers_that_all_stay_away_end_the_run(fleet: list[FaultServer]) -> None:
    def outage(done: int) -> None:
        if done > 30:
            for server in fleet:
                server.stop()

    running = engine(fleet, concurrency=2, retries=1)
    with pytest.raises(EngineError, match="64 requests in a row failed"):
        collected(running, [*TEXTS, *TEXTS], outage)


def test_servers_that_were_all_away_for_a_while_go_on(
    fleet: list[FaultServer],
) -> None:
    running = engine(fleet, concurrency=2, retries=50)
    completions(running, [asking("before")])
    for server in fleet:
        server.always = talking(status=503)
    running.submit(1000, asking("during"))
    while not all(chats(server) for server in fleet):
        time.sleep(0.01)
    for server in fleet:
        server.always = talking()

    ((_, completion),) = running.collect()
    running.close()

    assert completion.text == "during"


def test_what_is_cancelled_leaves_its_place_to_the_next(
    fleet: list[FaultServer],
) -> None:
    for server in fleet:
        server.script.append(talking())
        server.always = hang
    running = engine(fleet, concurrency=1, timeout=60.0)
    for ticket in range(6):
        running.submit(ticket, asking(str(ticket)))
    while sum(len(chats(server)) for server in fleet) < 3:
        time.sleep(0.01)
    for server in fleet:
        server.always = talking()
    for ticket in range(3):
        running.cancel(ticket)

    found: dict[int, str] = {}
    while len(found) < 3:
        found |= {ticket: each.text for ticket, each in running.collect()}
    running.close()

    assert found == {3: "3", 4: "4", 5: "5"}


# --- one model ---


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ({"id": "judge"}, {"id": "other"}, ("'judge'", "'other'")),
        (
            {"id": "judge", "max_model_len": 512},
            {"id": "judge", "max_model_len": 1024},
            ("max_model_len 512", "max_model_len 1024"),
        ),
        (
            {"id": "/one/x.gguf", "meta": {"n_params": 5}},
            {"id": "/two/x.gguf", "meta": {"n_params": 7}},
            ("n_params 5", "n_params 7"),
        ),
    ],
)
def test_servers_of_different_models_are_refused(
    fleet: list[FaultServer],
    one: dict[str, Any],
    other: dict[str, Any],
    told: tuple[str, str],
) -> None:
    fleet[0].always, fleet[1].always = talking(0.0, one), talking(0.0, other)

    with pytest.raises(EngineError, match="must serve the same model") as raised:
        texts(engine(fleet[:2]))

    said = str(raised.value)
    assert all(each in said for each in (*told, fleet[0].url, fleet[1].url))
    assert "\n" not in said
    assert chats(fleet[0]) == chats(fleet[1]) == []


@pytest.mark.parametrize(
    "models",
    [
        ({"id": "/elsewhere/judge", "meta": {"n_params": 5}},),
        ({"id": "judge"}, {"id": "another one"}),
        ({"id": "many"}, {"id": "others"}),
    ],
    ids=["another folder", "one of several", "nothing to tell"],
)
def test_servers_that_may_serve_the_same_are_asked(
    fleet: list[FaultServer], models: tuple[dict[str, Any], ...]
) -> None:
    fleet[0].always = talking(0.0, *models)

    assert texts(engine(fleet, concurrency=2)) == TEXTS
    assert chats(fleet[0])


def test_one_that_comes_back_with_another_model_ends_the_run(
    fleet: list[FaultServer],
) -> None:
    fleet[2].stop()
    running = engine(fleet)
    completions(running, [asking("before")])
    fleet[2].always = talking(0.0, {"id": "other"})
    fleet[2].start()

    def ask_on() -> None:
        before = time.monotonic()
        while time.monotonic() - before < 20:
            completions(running, [asking("after")])

    with pytest.raises(EngineError, match="'other'"):
        ask_on()
    running.close()


def test_the_first_address_stands_for_all() -> None:
    one, more = (OPENAI(Model("judge"), url=url) for url in (A, f"{A}; {B}"))

    assert one.identity == f"openai({A}, judge, auto, text)"
    assert more.identity == one.identity


def test_what_one_server_judged_is_not_asked_again_of_more(
    fleet: list[FaultServer], tmp_path: Path
) -> None:
    judge = FakeModelJudge(first_wins, temperature=0.0)

    def run(name: str, urls: Sequence[FaultServer]) -> dict[str, Any]:
        running = engine(urls)
        found = evaluate(
            judge, "sample", "single", engine=running, output=tmp_path / name
        )
        running.close()
        return dict(found.results)

    first, second = run("one", fleet[:1]), run("all", fleet)

    assert second["cached"] == second["judgments"] == first["judgments"]
    assert second["accuracy"] == first["accuracy"]
    assert [len(chats(each)) for each in fleet[1:]] == [0, 0]


def first_wins(comparison: Comparison) -> Judgment:
    return Judgment(tuple(float(place == 0) for place in comparison.order))


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (f"{A};", "no http address"),
        (f"{A};b:8000/v1", "no http address"),
        (f"{A};{A}/", f"names {A} twice"),
    ],
)
def test_a_list_that_is_wrong_is_refused_at_once(url: str, problem: str) -> None:
    with pytest.raises(SpecError, match=problem):
        OPENAI(Model("judge"), url=url)


# --- real servers ---


def llama_cpp(stack: ExitStack, model: Path, place: Path) -> str:
    """A real server, from here to the stack's end, of a file called `judge.gguf`."""
    place.mkdir()
    url: str = stack.enter_context(servers.llama_cpp(model, place / "judge.gguf"))
    return url


def test_of_two_real_servers_one_is_killed_and_every_text_is_the_same(
    tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    asked = [f"word {number} " * 5 for number in range(24)]
    with ExitStack() as alive, ExitStack() as killed:
        one = llama_cpp(alive, tiny("llama"), tmp_path / "one")
        other = llama_cpp(killed, tiny("llama"), tmp_path / "other")
        alone = texts(OPENAI(Model("judge"), url=one), asked)

        found = collected(
            OPENAI(Model("judge"), url=f"{one};{other}", concurrency=2, backoff=0.05),
            asked,
            lambda done: killed.close() if done > 8 else None,
        )

    assert Counter(ticket for ticket, _ in found) == Counter(range(len(asked)))
    assert {ticket: each.text for ticket, each in found} == dict(enumerate(alone))


def test_two_real_servers_of_different_models_are_refused(
    tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    tiny_models.llama(tmp_path / "wider", intermediate_size=256)
    with ExitStack() as stack:
        one = llama_cpp(stack, tiny("llama"), tmp_path / "one")
        other = llama_cpp(stack, tmp_path / "wider", tmp_path / "other")
        running = OPENAI(Model("judge"), url=f"{one};{other}")

        with pytest.raises(EngineError, match=r"n_params .* must serve the same"):
            texts(running, ["a"])
