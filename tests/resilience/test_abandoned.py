"""Requests that are broken off leave nothing behind that a later one waits for."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
import servers
from resilience.marked import Marked, MarkedEngine, reply
from resilience.runs import verdicts, write_rows

from rrm_harness import Engine, Message, Request, evaluate, host
from rrm_harness.specs import Spec

DELAY = 0.001
"""Seconds of a server, so short that many answers arrive while they are given up."""
TIMEOUT = 30.0


async def answer(asked: servers.Asked) -> None:
    await asyncio.sleep(DELAY)
    said = reply(asked.body["messages"][-1]["content"])
    await servers.send(asked, json.dumps(servers.chat(said)))


def engine(url: str) -> Engine:
    options = {"url": url, "concurrency": "4", "timeout": str(2 * TIMEOUT)}
    return host.default().engine_for(Spec("openai", options), Marked().runs_on)


@pytest.mark.timeout(TIMEOUT)
def test_votes_that_a_server_gives_in_vain_hold_no_later_vote_up(
    tmp_path: Path,
) -> None:
    data = write_rows(tmp_path / "rows.jsonl", 60, 2)
    run = (Marked(), f"jsonl,path={data}", "voting,k=5,stop=abort")
    here, there = tmp_path / "here", tmp_path / "there"
    evaluate(*run, engine=MarkedEngine(), output=here, reuse=[], baselines=False)

    with servers.FaultServer(answer) as server:
        running = engine(server.url)
        evaluate(*run, engine=running, output=there, reuse=[], baselines=False)
        running.close()

    assert verdicts(there) == verdicts(here)


@pytest.mark.timeout(TIMEOUT)
def test_a_request_after_many_that_were_broken_off_is_answered() -> None:
    with servers.FaultServer(answer) as server:
        running = engine(server.url)
        for ticket in range(400):
            running.submit(ticket, asked(ticket))
        broken_off = set()
        answered: set[int] = set()
        while len(answered | broken_off) < 400:
            answered |= {ticket for ticket, _ in running.collect()}
            for ticket in sorted(set(range(400)) - answered - broken_off)[:3]:
                running.cancel(ticket)
                broken_off.add(ticket)
        running.submit(400, asked(400))
        last = [*running.collect()]
        running.close()

    assert [ticket for ticket, _ in last] == [400]
    assert last[0][1].text == reply("row-400 0,1 0 judge")


def asked(number: int) -> Request:
    return Request((Message("user", f"row-{number} 0,1 0 judge"),))
