"""What is killed: every strategy, every kind of engine, and reports."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import old_stores
import servers

from . import marked
from .killing import Case
from .reports import ReportCase
from .runs import STORE, Command, write_rows

EXAMPLES = 60
WORK = 1.5
"""Seconds of an engine's work in a run."""


@dataclass(frozen=True)
class Asked:
    """A strategy, how many responses it has to choose from, and its questions."""

    strategy: str
    responses: int
    cost: int
    exact: bool = True


@dataclass(frozen=True)
class Place:
    """Where a case lives, and what its processes are started with."""

    name: str
    folder: Path
    environment: Mapping[str, str]
    stack: ExitStack

    @property
    def log(self) -> Path:
        """The file in which answers are noted."""
        return self.folder / "log"

    def words(self, asked: Asked, engine: str) -> tuple[str, ...]:
        """The words of a run of the marked judge."""
        data = write_rows(self.folder / "rows.jsonl", EXAMPLES, asked.responses)
        words = ["--judge=marked", f"--dataset=jsonl,path={data}", f"--engine={engine}"]
        words += ["--policy=marked"] * asked.strategy.startswith("sampled")
        return (*words, f"--strategy={asked.strategy}", "--no-baselines")

    def case(self, *words: str, **options: Any) -> Case:
        """A case of these words."""
        command = Command(words, self.environment)
        return Case(self.name, command, self.log, self.folder, **options)


STRATEGIES = (
    Asked("single", 2, 1),
    Asked("both-orders", 2, 2),
    Asked("voting,k=5", 2, 4),
    Asked("voting,k=5,stop=abort", 2, 5, exact=False),
    Asked("knockout", 4, 3),
    Asked("elo", 4, 6),
    Asked("best-of-n", 4, 4),
    Asked("sum-voting,k=4", 4, 4),
    Asked("repeated,k=4", 4, 4),
    Asked("sampled,n=4 of knockout", 4, 7),
)
SERVED = (STRATEGIES[0], STRATEGIES[3], STRATEGIES[4])
SHARES = {
    "process": 12,
    "http": 10,
    "transformers": 12,
    "ray": 8,
    "worker": 6,
    "report": 12,
    "upgrade": 12,
}
"""Kills of each case; two hundred in all."""


def all_of(
    folder: Path, only: str = "", scale: float = 1.0
) -> Iterator[tuple[Case | ReportCase, int]]:
    """Yield each case whose name holds `only`, and how often it is to be killed.

    A case is good until the next one.
    """
    environment = {**marked.install(folder / "plugin"), "OMP_NUM_THREADS": "1"}
    makers: dict[str, Callable[[Place], Case | ReportCase]] = {
        **{f"process, {it.strategy}": partial(in_process, it) for it in STRATEGIES},
        **{f"http, {it.strategy}": partial(over_http, it) for it in SERVED},
        "transformers, RRM-nano, voting,k=3": with_transformers,
        "ray, both-orders": on_ray,
        "worker of ray, both-orders": on_ray_workers,
        "report --html --csv": reports,
        "upgrade of a store, both-orders": upgrades,
    }
    for number, (name, make) in enumerate(makers.items()):
        if only in name:
            kills = SHARES[name.partition(",")[0].split()[0]]
            with ExitStack() as stack:
                place = Place(name, folder / str(number), environment, stack)
                place.folder.mkdir()
                yield make(place), max(1, round(kills * scale))


def in_process(asked: Asked, place: Place) -> Case:
    """An engine in the run's own process."""
    seconds = WORK / (EXAMPLES * asked.cost)
    engine = f"marked,log={place.log},seconds={seconds}"
    return place.case(*place.words(asked, engine), exact=asked.exact)


def over_http(asked: Asked, place: Place) -> Case:
    """A server of another process: this one."""
    delay = 4 * WORK / (EXAMPLES * asked.cost)

    async def answer(question: servers.Asked) -> None:
        await asyncio.sleep(delay)
        said = question.body["messages"][-1]["content"]
        marked.note(str(place.log), said)
        await servers.send(question, json.dumps(servers.chat(marked.reply(said))))

    server = place.stack.enter_context(servers.FaultServer(answer))
    words = place.words(asked, f"openai,url={server.url},concurrency=4")
    return place.case(*words, exact=asked.exact, lingers=True)


def with_transformers(place: Place) -> Case:
    """A model in the run's own process."""
    return place.case(
        "--judge=rrm-nano,size=0.03m",
        "--dataset=nano-arithmetic,n=16",
        "--strategy=voting,k=3",
        f"--engine=logged,of=transformers,device=cpu,log={place.log}",
        "--no-baselines",
        traced=False,
        slow=True,
    )


def on_ray(place: Place) -> Case:
    """Two workers on a cluster that outlives the run; the run is killed."""
    import ray_nodes

    nodes = place.stack.enter_context(
        ray_nodes.two_nodes(place.environment["PYTHONPATH"])
    )
    both = STRATEGIES[1]
    seconds = 4 * WORK / (EXAMPLES * both.cost)
    engine = f"ray,of=marked,workers=2,address={nodes.address},log={place.log}"
    settings = {**ray_nodes.SETTINGS, **place.environment}
    return replace(place, environment=settings).case(
        *place.words(both, f"{engine},seconds={seconds},batch=4,depth=8"),
        lingers=True,
        traced=False,
    )


def on_ray_workers(place: Place) -> Case:
    """As `on_ray`, but a worker is killed, and the run goes on."""
    case = on_ray(place)
    case.victim = last_to_answer
    return case


def last_to_answer(log: Path) -> int | None:
    """The process that answered last; none before the first answer."""
    pids = [int(line.split()[1]) for line in log.read_text().splitlines()]
    return next((pid for pid in reversed(pids) if os.path.exists(f"/proc/{pid}")), None)


def reports(place: Place) -> ReportCase:
    """A finished run's report while it is written."""
    run = place.folder / "run"
    words = place.words(STRATEGIES[4], "marked")
    done = Command(words, place.environment).run(run)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return ReportCase(place.name, run, place.folder / "written", place.environment)


OTHERS = 20_000
"""Judgments of others in a store that is upgraded: a second's work."""


def upgrades(place: Place) -> Case:
    """A store of version 1 that holds a part of the run, which upgrades it first."""
    both, made = STRATEGIES[1], place.folder / "made"
    done = Command(place.words(both, "marked"), place.environment).run(made)
    if done.returncode:
        raise RuntimeError(done.stderr)
    case = in_process(both, place)
    case.found = Path(shutil.copy(made / STORE, place.folder / "found"))
    make_old(case.found)
    return case


def make_old(store: Path) -> None:
    """Make a store one of version 1 with many judgments, a third of its own missing."""
    old_stores.as_version_1(store)
    with closing(sqlite3.connect(store)) as database, database:
        database.execute("DELETE FROM judgments WHERE rowid % 3 = 0")
        database.execute(
            """
            WITH RECURSIVE others(n) AS
                (SELECT 1 UNION ALL SELECT n + 1 FROM others WHERE n < ?)
            INSERT INTO judgments SELECT randomblob(16), 'other-' || n, '0,1', 0,
                '[1.0, 0.0]', 'said ' || n, '[{"text": "said ' || n || '"}]' FROM others
            """,
            (OTHERS,),
        )
