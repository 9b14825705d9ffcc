"""The ray engine, on a real cluster of two nodes: nothing lost, nothing twice."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import ray_nodes
from hypothesis import given
from hypothesis import strategies as st
from ray_engines import Echo

from rrm_harness import (
    Completion,
    Engine,
    EngineError,
    Failure,
    Message,
    Model,
    Request,
    SpecError,
    evaluate,
    host,
)
from rrm_harness.reproduce import replay
from rrm_harness.specs import Spec

OF_SPEC: Callable[..., Engine] = host.default().lookup("engines", "ray").thing
RAY: Callable[..., Engine] = import_module(OF_SPEC.__module__).Ray
BOARD: Callable[..., Any] = import_module(f"{OF_SPEC.__module__}_board").Board
JUDGE = host.default().build("judges", "rrm-nano")
RUN = ("rrm-nano", "nano-arithmetic,n=12", "voting,k=3")


@pytest.fixture(scope="module")
def nodes() -> Iterator[ray_nodes.Nodes]:
    """Two nodes, and this process's connection to them."""
    with pytest.MonkeyPatch.context() as patch, ray_nodes.two_nodes() as running:
        for name, value in ray_nodes.SETTINGS.items():
            patch.setenv(name, value)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Ray's own, of what it will change
            import ray

            ray.init(address=running.address, log_to_driver=False, logging_level=40)
        while sum(each["Alive"] for each in ray.nodes()) < 2:
            time.sleep(0.1)
        yield running
        ray.shutdown()


def crew(nodes: ray_nodes.Nodes, log: Path, *, depth: int = 16, **echo: Any) -> Engine:
    """Two workers; Ray spreads them over the nodes."""
    make = partial(Echo, log, **{"together": 2, **echo})
    return RAY(make, workers=2, address=nodes.address, depth=depth)


def asked(texts: Iterable[str]) -> dict[int, Request]:
    """Requests under tickets."""
    return {
        100 + number: Request((Message("user", text),))
        for number, text in enumerate(texts)
    }


def answers(
    engine: Engine,
    requests: dict[int, Request],
    midway: Callable[[], None] = lambda: None,
) -> dict[int, Completion]:
    """Every answer; `midway` happens once some are in. None may come twice."""
    found: dict[int, Completion] = {}
    for ticket, request in requests.items():
        engine.submit(ticket, request)
    happened = False
    while len(found) < len(requests):
        for ticket, completion in engine.collect():
            assert ticket not in found
            found[ticket] = completion
        if found and not happened:
            happened = True
            midway()
    assert list(engine.collect()) == []
    return found


def echoed(requests: dict[int, Request]) -> dict[int, Completion]:
    return {
        ticket: Completion(each.messages[-1].content)
        for ticket, each in requests.items()
    }


def counts(log: Path) -> dict[int, int]:
    """How many texts each worker answered, by its process."""
    files = [each for each in log.iterdir() if each.name.isdigit()]
    return {int(each.name): len(each.read_text().splitlines()) for each in files}


# What needs no Ray: the options, and who is given what.


def made(**options: str) -> Engine:
    spec = Spec("ray", {"of": "transformers", **options})
    return host.default().engine_for(spec, Model("nobody/nothing"))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"batch-sise": "3"}, "transformers has no option 'batch-sise'; did you mean"),
        ({"batch-size": "many"}, "batch-size must be a whole number"),
        ({"of": "trnsformers"}, "no engines plugin is called 'trnsformers'"),
        ({"of": "ray"}, "name the engine that each worker runs"),
        ({"workers": "0"}, "ray,workers=0: give 1 or more"),
        ({"gpus-per-worker": "-1"}, "give 0 or more"),
    ],
)
def test_a_mistake_in_the_options_is_told_before_ray_starts(
    options: dict[str, str], problem: str
) -> None:
    with pytest.raises(SpecError, match=re.escape(problem)):
        made(**options)


def test_options_that_are_not_rays_are_the_inner_engines() -> None:
    spec = Spec("transformers", {"dtype": "float32", "batch-size": "3"})

    engine = made(**spec.options)

    inner = host.default().engine_for(spec, Model("nobody/nothing"))
    assert vars(engine)["_inner"] == inner


def test_its_identity_is_the_inner_engines(tmp_path: Path) -> None:
    assert RAY(partial(Echo, tmp_path)).identity == Echo(tmp_path).identity


@given(
    st.integers(1, 40), st.integers(1, 20), st.lists(st.integers(0, 999), max_size=200)
)
def test_whatever_befalls_workers_each_ticket_is_answered_once(
    tickets: int, depth: int, events: list[int]
) -> None:
    board = BOARD(depth)
    for ticket in range(tickets):
        board.add(ticket, Request(()))
    workers, finished = [0, 1, 2], []
    for worker in workers:
        board.join(worker)

    at = 0
    while board:
        event = events[at] if at < len(events) else 0
        at += 1
        worker = workers[event % 3]
        board.deal(worker)
        held = list(board._shares[worker].held)
        assert len(held) <= depth
        if event % 7 == 6:
            finished += board.lose(worker)
            workers[event % 3] = 3 + at
            board.join(3 + at)
        elif held and board.answered(worker, held[event % len(held)]):
            finished.append(held[event % len(held)])
        elif at > len(events):
            workers.append(workers.pop(0))

    assert sorted(finished) == list(range(tickets))


@given(st.integers(1, 60), st.integers(1, 40), st.data())
def test_no_neighbor_of_a_request_that_kills_fails(
    tickets: int, depth: int, data: st.DataObject
) -> None:
    poisonous = data.draw(st.sets(st.integers(0, tickets - 1), max_size=3))
    board = BOARD(depth)
    for ticket in range(tickets):
        board.add(ticket, Request(()))
    worker, failed = 0, []
    board.join(0)

    while board:
        board.deal(worker)
        held = list(board._shares[worker].held)
        if poisonous & set(held):
            failed += board.lose(worker)
            worker += 1
            board.join(worker)
        else:
            board.answered(worker, held[0])

    assert set(failed) == poisonous


def test_an_idle_worker_takes_the_newest_half_of_what_another_owes() -> None:
    board = BOARD(8)
    board.join(0)
    for ticket in range(8):
        board.add(ticket, Request(()))
    board.deal(0)
    board.join(1)

    assert board.deal(1) == [4, 5, 6, 7]
    assert board.forgets(0) == [4, 5, 6, 7]
    assert board.answered(0, 4)  # it was done before the worker heard of it
    assert board.forgets(1) == [4]
    assert not board.answered(1, 4)


# On the cluster.


def test_every_request_is_answered_once_by_workers_on_both_nodes(
    nodes: ray_nodes.Nodes, tmp_path: Path
) -> None:
    requests = asked(map(str, range(300)))
    engine = crew(nodes, tmp_path, seconds=0.002)

    found = answers(engine, requests)
    engine.close()

    assert found == echoed(requests)
    assert len(counts(tmp_path)) == 2


def test_a_killed_workers_requests_are_asked_again(
    nodes: ray_nodes.Nodes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    requests = asked(map(str, range(200)))
    engine = crew(nodes, tmp_path, seconds=0.005)

    def kill_one() -> None:
        os.kill(next(iter(counts(tmp_path))), signal.SIGKILL)

    found = answers(engine, requests, kill_one)
    engine.close()

    assert found == echoed(requests)
    assert capfd.readouterr() == ("", "")


def test_a_request_that_kills_its_workers_fails_alone(
    nodes: ray_nodes.Nodes, tmp_path: Path
) -> None:
    requests = asked([*map(str, range(20)), "poison", *map(str, range(20, 40))])
    engine = crew(nodes, tmp_path, poison="poison")

    found = answers(engine, requests)
    engine.close()

    failed = found.pop(120)
    assert failed.failure is Failure.ENGINE_ERROR
    assert failed.text.startswith("3 workers died of this request")
    del requests[120]
    assert found == echoed(requests)


def test_an_idle_worker_helps_a_slow_one(
    nodes: ray_nodes.Nodes, tmp_path: Path
) -> None:
    requests = asked(map(str, range(40)))
    engine = crew(nodes, tmp_path, depth=20, slow=0.1)

    found = answers(engine, requests)
    engine.close()

    slow = int((tmp_path / "first").read_text())
    assert found == echoed(requests)
    assert counts(tmp_path)[slow] < 15


def test_what_an_engine_says_in_a_worker_is_said_here(
    nodes: ray_nodes.Nodes, tmp_path: Path
) -> None:
    engine = crew(nodes, tmp_path, broken="heavy")

    with pytest.raises(EngineError, match=r"^this text is too much for me; give anoth"):
        answers(engine, asked([*map(str, range(10)), "heavy"]))
    engine.close()


def test_workers_that_would_answer_otherwise_are_refused(
    nodes: ray_nodes.Nodes, tmp_path: Path
) -> None:
    engine = crew(nodes, tmp_path, together=1, says="process")

    with pytest.raises(
        EngineError, match=r"would answer as 'process .*' and the others"
    ):
        answers(engine, asked(["anything"]))
    engine.close()


@pytest.mark.parametrize(("gpus", "seen"), [(0, ""), (1, "0")])
def test_a_worker_sees_the_gpus_that_it_has_for_itself(
    nodes: ray_nodes.Nodes, tmp_path: Path, gpus: int, seen: str
) -> None:
    make = partial(Echo, tmp_path, says="gpus")
    engine = RAY(make, gpus_per_worker=gpus, address=nodes.address)

    found = answers(engine, asked(["anything"]))
    engine.close()

    assert [each.text for each in found.values()] == [seen]


def test_with_gpus_the_identity_is_the_workers(
    nodes: ray_nodes.Nodes, tmp_path: Path
) -> None:
    make = partial(Echo, tmp_path, says="process")
    engine = RAY(make, gpus_per_worker=1, address=nodes.address)

    identity = engine.identity
    found = answers(engine, asked(["anything"]))
    engine.close()

    assert len(found) == 1
    assert identity == f"process {next(iter(counts(tmp_path)))}"


def test_workers_with_gpus_have_to_agree(
    nodes: ray_nodes.Nodes, tmp_path: Path
) -> None:
    make = partial(Echo, tmp_path, says="process", seconds=0.1)
    engine = RAY(make, workers=2, gpus_per_worker=1, address=nodes.address)

    with pytest.raises(EngineError, match=r"would answer as 'process .*' and the oth"):
        answers(engine, asked(map(str, range(200))))
    engine.close()


def test_workers_that_nobody_has_are_not_waited_for_forever(
    nodes: ray_nodes.Nodes, tmp_path: Path
) -> None:
    make = partial(Echo, tmp_path)
    engine = RAY(make, cpus_per_worker=64, address=nodes.address, patience=1)

    with pytest.raises(EngineError, match=r"no worker in 1 seconds .* add nodes"):
        answers(engine, asked(["anything"]))
    engine.close()


def test_what_is_cancelled_is_not_answered(
    nodes: ray_nodes.Nodes, tmp_path: Path
) -> None:
    requests = asked(map(str, range(60)))
    engine = crew(nodes, tmp_path, seconds=0.05)
    for ticket, request in requests.items():
        engine.submit(ticket, request)
    found = dict(engine.collect())
    while not found:
        found = dict(engine.collect())

    unwanted = [ticket for ticket in requests if ticket not in found][:-1]
    for ticket in unwanted:
        engine.cancel(ticket)
    last = list(engine.collect())
    while not last:
        last = list(engine.collect())

    assert [ticket for ticket, _ in last] == [max(requests)]
    assert sum(counts(tmp_path).values()) < len(requests)
    engine.close()


def test_a_late_answer_is_not_that_of_the_next_request_with_its_ticket(
    nodes: ray_nodes.Nodes, tmp_path: Path
) -> None:
    engine = crew(nodes, tmp_path, seconds=0.5)
    for ticket in range(4):
        engine.submit(ticket, Request((Message("user", f"old {ticket}"),)))
    while not counts(tmp_path):  # all are at work when the first is answered
        list(engine.collect())
    for ticket in range(4):
        engine.cancel(ticket)

    requests = {each: Request((Message("user", f"new {each}"),)) for each in range(4)}

    assert answers(engine, requests) == echoed(requests)
    engine.close()


def test_closing_ends_the_workers_and_their_engines(
    nodes: ray_nodes.Nodes, tmp_path: Path
) -> None:
    engine = crew(nodes, tmp_path)
    answers(engine, asked(map(str, range(40))))

    engine.close()

    assert (tmp_path / "closed").exists()
    for _ in range(200):
        alive = [each for each in counts(tmp_path) if Path(f"/proc/{each}").exists()]
        if not alive:
            break
        time.sleep(0.05)
    assert alive == []


def test_it_works_anew_after_it_was_closed(
    nodes: ray_nodes.Nodes, tmp_path: Path
) -> None:
    engine = crew(nodes, tmp_path, together=1)
    requests = asked(["again"])

    answers(engine, requests)
    engine.close()

    assert answers(engine, requests) == echoed(requests)
    engine.close()


def test_a_run_writes_the_same_bytes_as_in_one_process(
    nodes: ray_nodes.Nodes, tmp_path: Path
) -> None:
    one, many = tmp_path / "one", tmp_path / "many"
    engine = f"ray,of=transformers,workers=2,address={nodes.address},depth=8"

    evaluate(*RUN, output=one, engine="transformers", reuse=[])
    evaluate(*RUN, output=many, engine=engine, reuse=[])

    outcomes = [(run / "outcomes.jsonl").read_bytes() for run in (one, many)]
    results = [json.loads((run / "results.json").read_text()) for run in (one, many)]
    assert outcomes[0] == outcomes[1]
    assert [each.pop("seconds") > 0 for each in results] == [True, True]
    asked = [each["manifest"].pop("asked") for each in results]
    assert results[0].pop("digest") != results[1].pop("digest")
    assert asked == [{"engine": "transformers"}, {"engine": engine}]
    assert results[0] == results[1]


def test_a_run_can_be_asked_again(nodes: ray_nodes.Nodes, tmp_path: Path) -> None:
    engine = f"ray,of=transformers,workers=2,address={nodes.address},dtype=float32"
    evaluate(*RUN, output=tmp_path / "first", engine=engine, limit=4)

    found = replay(tmp_path / "first", tmp_path / "again")

    assert found.passed
    assert found.manifests == []


def test_what_builds_it_again_has_the_options_that_are_not_usual() -> None:
    of = host.default().engine("ray,of=transformers", JUDGE)
    three = host.default().engine("ray,of=transformers,workers=3,dtype=float32", JUDGE)
    made = RAY(partial(Echo, Path()))

    found = [host.default().spec_of("engines", each) for each in (of, three, made)]
    assert found == [
        "ray,of=transformers",
        "ray,of=transformers,dtype=float32,workers=3",
        None,
    ]


def test_a_killed_nodes_requests_are_asked_again(
    nodes: ray_nodes.Nodes, tmp_path: Path
) -> None:  # the last test that has two nodes
    requests = asked(map(str, range(200)))
    engine = crew(nodes, tmp_path, seconds=0.01)
    lost: list[int] = []

    def kill_a_node() -> None:
        lost.extend(filter(nodes.on_second, counts(tmp_path)))
        nodes.kill_second()

    found = answers(engine, requests, kill_a_node)
    engine.close()

    assert found == echoed(requests)
    assert len(lost) == 1


ALONE = """
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
import os, sys

from ray_engines import Echo

from rrm_harness import Message, Request, host
from rrm_harness.inputs import completions

plugin = import_module(host.default().lookup("engines", "ray").thing.__module__)
engine = plugin.Ray(partial(Echo, Path(sys.argv[1])), address="local")
asked = [Request((Message("user", "alone"),))]
(answer,) = completions(engine, asked)
engine.close()
assert answer.text == "alone"
"""


def test_a_cluster_of_its_own_starts_and_ends_without_a_word(tmp_path: Path) -> None:
    with ray_nodes.folder() as place:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", ALONE, tmp_path],
            env={**os.environ, **ray_nodes.SETTINGS, "RAY_TMPDIR": place},
            capture_output=True,
            text=True,
            check=False,
        )

        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert running(place) == []


def running(named: str) -> list[str]:
    """The commands of all processes that name this."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has just ended
            found.append(each.read_bytes().replace(b"\0", b" ").decode())
    return [each for each in found if named in each]
