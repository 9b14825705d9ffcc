"""The reward server, over HTTP, asked as OpenRLHF asks it."""

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event, Thread
from time import sleep
from typing import Any

import httpx
import pytest
import uvicorn

from rrm_harness import Comparison, Failure, Judgment, SpecError
from rrm_harness.rewards import GroupReward
from rrm_harness.rewards.server import PATH, application, serve
from rrm_harness.testing import FakeJudge

COMMAND = str(Path(sys.executable).with_name("rrm-harness"))
PROMPT = "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n"
END = "<|im_end|>\n<|endoftext|>"


def longer(shown: Comparison) -> Judgment:
    return Judgment(tuple(float(len(text)) for text in shown.responses))


def sent(*completions: str, prompt: str = PROMPT) -> dict[str, Any]:
    """A request as OpenRLHF's client makes it."""
    return {
        "query": [prompt + each + END for each in completions],
        "prompts": [prompt] * len(completions),
        "labels": [""] * len(completions),
    }


@contextmanager
def running(
    decide: Callable[[Comparison], Judgment] = longer,
    size: int | None = 2,
    wait: float = 30.0,
    **options: Any,
) -> Iterator[tuple[str, GroupReward]]:
    """A server of a fake judge: its URL and its reward."""
    with GroupReward(FakeJudge(decide), **options) as reward:
        app = application(reward, size, wait)
        config = uvicorn.Config(app, port=0, log_level="warning", lifespan="on")
        made = uvicorn.Server(config)
        thread = Thread(target=made.run)
        thread.start()
        while not made.started:
            assert thread.is_alive()
            sleep(0.01)
        port = made.servers[0].sockets[0].getsockname()[1]
        try:
            yield f"http://127.0.0.1:{port}{PATH}", reward
        finally:
            made.should_exit = True
            thread.join(20)


def post_all(url: str, requests: list[dict[str, Any]]) -> list[httpx.Response]:
    """Send requests at the same time, each as OpenRLHF does: on its own connection."""

    async def post(request: dict[str, Any]) -> httpx.Response:
        async with httpx.AsyncClient(timeout=60) as client:
            return await client.post(url, json=request)

    async def post_each() -> list[httpx.Response]:
        return [*await asyncio.gather(*map(post, requests))]

    return asyncio.run(post_each())


def test_completions_sent_one_at_a_time_are_judged_as_a_group() -> None:
    with running() as (url, _):
        short, long = post_all(url, [sent("a"), sent("aaa")])

    assert short.json()["rewards"][0] < 0 < long.json()["rewards"][0]


def test_the_answer_has_what_the_client_reads() -> None:
    with running() as (url, _):
        answer = httpx.post(url, json=sent("a", "aaa")).json()

    assert answer["rewards"] == answer["scores"]
    assert len(answer["rewards"]) == 2
    assert [*answer["extra_logs"].values()] == [answer["rewards"]]


def test_what_is_judged_is_the_completion_under_the_prompts_messages() -> None:
    shown: list[Comparison] = []

    def decide(comparison: Comparison) -> Judgment:
        shown.append(comparison)
        return longer(comparison)

    with running(decide) as (url, _):
        httpx.post(url, json=sent("a<|b|>c", "aaa"))

    (comparison,) = shown
    assert sorted(comparison.responses) == ["a<|b|>c", "aaa"]
    assert [each.content for each in comparison.example.prompt] == ["Why?"]


def test_many_requests_at_once_get_the_rewards_of_their_own_groups() -> None:
    prompts = [f"prompt {number}" for number in range(12)]
    requests = [
        sent("a" * (place + 1), prompt=prompt)
        for place in range(4)
        for prompt in prompts
    ]

    with running(size=4, scale="rank") as (url, _):
        answers = post_all(url, requests)

    for number in range(12):
        group = [each.json()["rewards"][0] for each in answers[number::12]]
        assert group == pytest.approx([-1, -1 / 3, 1 / 3, 1])


def test_the_server_answers_while_it_judges() -> None:
    asked, go_on = Event(), Event()

    def slow(comparison: Comparison) -> Judgment:
        asked.set()
        go_on.wait(20)
        return longer(comparison)

    with running(slow) as (url, _):
        done: list[httpx.Response] = []
        judged = Thread(target=lambda: done.extend(post_all(url, [sent("a", "aa")])))
        judged.start()
        assert asked.wait(20)

        health = httpx.get(url.replace(PATH, "/health"))
        go_on.set()
        judged.join()

    assert health.json()["status"] == "ok"
    assert done[0].status_code == 200


def test_a_group_that_stays_incomplete_is_judged_as_it_is() -> None:
    with running(size=4, wait=0.2) as (url, _):
        short, long = post_all(url, [sent("a"), sent("aaa")])

    assert short.json()["rewards"][0] < long.json()["rewards"][0]


def test_groups_that_stayed_incomplete_are_counted() -> None:
    with running(size=2, wait=0.0) as (url, _):
        httpx.post(url, json=sent("a"))
        health = httpx.get(url.replace(PATH, "/health")).json()

    assert health["incomplete_groups"] == 1


def test_a_client_that_lost_patience_and_asks_again_is_no_further_completion() -> None:
    with running(scale="rank") as (url, _):
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(url, json=sent("a"), timeout=0.3)
        sleep(0.3)
        again, other = post_all(url, [sent("a"), sent("aaa")])

    assert again.json()["rewards"] == [-1.0]
    assert other.json()["rewards"] == [1.0]


def test_a_reward_that_nobody_took_is_there_when_it_is_asked_for_again() -> None:
    with running(scale="rank") as (url, _):
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(url, json=sent("a"), timeout=0.3)
        sleep(0.3)
        other = httpx.post(url, json=sent("aaa"))
        again = httpx.post(url, json=sent("a"))

    assert other.json()["rewards"] == [1.0]
    assert again.json()["rewards"] == [-1.0]


def test_a_pointwise_judge_needs_no_group() -> None:
    options: Any = {"strategy": "best-of-n", "scale": "raw"}
    with running(size=None, **options) as (url, _):
        answers = post_all(url, [sent("a"), sent("aaa")])

    assert [each.json()["rewards"] for each in answers] == [[1.0], [3.0]]


def test_a_comparing_strategy_without_a_group_is_refused() -> None:
    with GroupReward("longest") as reward, pytest.raises(SpecError, match="--group N"):
        application(reward, None, 1.0)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"\xff", "no JSON"),
        (b"3", "no JSON object"),
        (b"{}", "prompts is None"),
        (b'{"prompts": [], "query": []}', "prompts is"),
        (b'{"prompts": ["a"], "query": "a"}', "query is 'a'"),
        (b'{"prompts": ["a"], "query": ["ab", "ac"]}', "1 prompts and 2 of query"),
        (b'{"prompts": ["a"], "query": ["b"]}', "does not hold the end of prompts"),
        (b'{"prompts": ["a"], "query": [3]}', "does not hold the end of prompts"),
        (b'{"prompts": ["a"], "responses": [3]}', "give a string, or a list"),
        (b'{"prompts": [[{"content": "a"}]], "responses": ["b"]}', "role and content"),
    ],
)
def test_a_bad_request_is_told_in_a_sentence_and_harms_nobody(
    server: str, body: bytes, problem: str
) -> None:
    refused = httpx.post(server, content=body)

    assert refused.status_code == 400
    assert problem in refused.json()["error"]
    assert httpx.post(server, json=sent("a", "aa")).status_code == 200


@pytest.mark.parametrize(("method", "status"), [("GET", 405), ("PUT", 405)])
def test_another_method_is_told_what_to_send(
    server: str, method: str, status: int
) -> None:
    refused = httpx.request(method, server)

    assert refused.status_code == status
    assert "POST /get_reward" in refused.json()["error"]


def test_another_page_is_told_what_to_send(server: str) -> None:
    refused = httpx.post(server + "s", json=sent("a", "aa"))

    assert refused.status_code == 404
    assert "POST /get_reward" in refused.json()["error"]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running() as (url, _):
        yield url


def test_a_prompt_that_the_trainer_cut_is_found_by_its_end() -> None:
    prompt = "once upon a time " * 20
    cut = {"query": [prompt[100:] + each for each in ("a", "aaa")]}

    with running() as (url, _):
        rewards = httpx.post(url, json=cut | {"prompts": [prompt] * 2}).json()[
            "rewards"
        ]

    assert rewards[0] < rewards[1]


def test_responses_may_be_sent_apart_from_chats() -> None:
    asked = {
        "prompts": [[{"role": "user", "content": "Why?"}]] * 2,
        "responses": ["a", "aaa"],
    }
    with running() as (url, _):
        rewards = httpx.post(url, json=asked).json()["rewards"]

    assert rewards[0] < rewards[1]


def test_an_outage_is_a_503_and_passes() -> None:
    down = True

    def decide(shown: Comparison) -> Judgment:
        return Judgment.failed(Failure.REFUSED) if down else longer(shown)

    with running(decide) as (url, _):
        refused = httpx.post(url, json=sent("a", "aa"))
        down = False
        judged = httpx.post(url, json=sent("a", "aa"))

    assert refused.status_code == 503
    assert "could be judged" in refused.json()["error"]
    assert judged.status_code == 200


def test_a_raw_reward_that_there_is_none_of_is_a_503() -> None:
    def decide(_: Comparison) -> Judgment:
        return Judgment.failed(Failure.REFUSED)

    options: Any = {"strategy": "best-of-n", "scale": "raw", "patience": 0}
    with running(decide, size=None, **options) as (url, _):
        refused = httpx.post(url, json=sent("a"))

    assert refused.status_code == 503
    assert "ask again" in refused.json()["error"]


def test_a_port_in_use_is_told() -> None:
    with GroupReward("longest") as reward, running() as (url, _):
        port = httpx.URL(url).port or 0
        with pytest.raises(SpecError, match="give another --host or --port"):
            serve(reward, "127.0.0.1", port, 2, 1.0, print)


def test_the_command_serves_until_it_is_stopped() -> None:
    options = ["--judge", "longest", "--group", "2", "--port", "0"]
    with subprocess.Popen(
        [COMMAND, "serve", "reward", *options],
        stderr=subprocess.PIPE,
        text=True,
        # in the background the signal is ignored, and what is started inherits that
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stderr
        found = re.search(r"rewards at (http://\S+)", process.stderr.readline())
        assert found
        short, long = post_all(found[1], [sent("a"), sent("aaa")])
        process.send_signal(signal.SIGINT)
        process.wait(30)
        said = process.stderr.read()

    assert short.json()["rewards"][0] < long.json()["rewards"][0]
    assert process.returncode == 130
    assert "Traceback" not in said


def test_a_mistake_in_the_command_is_a_sentence() -> None:
    done = subprocess.run(
        [COMMAND, "serve", "reward", "--judge", "longest", "--port", "0"],
        capture_output=True,
        text=True,
    )

    assert done.returncode == 2
    assert "--group N" in done.stderr
    assert "Traceback" not in done.stderr
