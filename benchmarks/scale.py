"""Ray beside one process: the same work on two cores, and what the driver pays for it.

    python benchmarks/scale.py [PAIRS] [JUDGMENTS]

First texts a second of a reward head (a random Llama of 256 x 4 layers, float32) in one
process with one thread and with two, and on one and two Ray workers with a thread each;
all in turn, three rounds, medians; scores must agree. Then the processor time that the
driver's own process takes for a judgment, with two workers whose engine does nothing:
of the ray engine alone, with full calls and with one request a call, and of a whole run
with its store, with ray and without. Last, from these, what a driver allows on more
GPUs than there are here. With 0 PAIRS the first table is left out.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # of every worker
os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # this machine alone
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_worker_niceness", "0")  # the same priority for both sides

from rrm_harness import Completion, Engine, Message, Request, evaluate, host
from rrm_harness.inputs import completions
from rrm_harness.libraries import quiet_transformers

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parent))
import engine_transformers as workload
import tiny_models
from overhead import Questions, Verdicts

from rrm_harness import Model

ROUNDS = 3
TOLERANCE = 1e-4
"""Other batches move float32 scores by a few 1e-6 of their size."""
GPUS = (8, 64, 512)
PACE = (1, 10, 100)
"""Judgments a second of one GPU: a 32B judge that thinks, a short answer, a score."""
ALONE = "the ray engine alone, null workers"
SINGLY = "the same, one request a call"
RUN = "a run with its store, ray and null workers"
WITHOUT = "the same run, a null engine in this process"
SPEC = host.default().lookup("engines", "ray").thing
PLUGIN = import_module(SPEC.__module__)
CREW = import_module(f"{SPEC.__module__}_crew")


@dataclass
class Null(Engine):
    """Answers whatever it has, at once."""

    waiting: deque[int] = field(default_factory=deque)

    identity = "null"

    def submit(self, ticket: int, request: Request) -> None:
        self.waiting.append(ticket)

    def collect(self) -> Iterable[tuple[int, Completion]]:
        said = Completion("[[A]]", prompt_tokens=500, completion_tokens=2)
        done = [(ticket, said) for ticket in self.waiting]
        self.waiting.clear()
        return done

    def close(self) -> None:
        pass


@contextmanager
def cluster() -> Iterator[None]:
    """Ray on this machine, for all rows."""
    import ray

    ray.init(
        address="local",
        num_cpus=4,
        log_to_driver=False,
        logging_level=50,
        include_dashboard=False,
    )
    try:
        yield
    finally:
        ray.shutdown()


def speed(pairs: int, folder: Path) -> None:
    """The first table."""
    import torch

    with quiet_transformers():
        place = tiny_models.llama_classifier(folder, **workload.SHAPE)
    model = Model(str(place), head=workload.HEAD)
    requests = workload.pairs(pairs)
    alone = workload.engine(place, workload.HEAD)
    crews = [SPEC(model, "transformers", workers=n, device="cpu") for n in (1, 2)]
    sides: list[tuple[str, Engine, int]] = [
        ("one process, 1 thread", alone, 1),
        ("ray, 1 worker of 1 thread", crews[0], 1),
        ("ray, 2 workers of 1 thread", crews[1], 1),
        ("one process, 2 threads", alone, 2),
    ]
    seconds: dict[str, list[float]] = {name: [] for name, *_ in sides}
    scores: dict[str, list[float]] = {}
    for number in range(ROUNDS + 1):  # the first loads and warms up
        for name, running, threads in sides:
            torch.set_num_threads(threads)
            started = time.perf_counter()
            scores[name] = [each.scores[0] for each in completions(running, requests)]
            if number:
                seconds[name].append(time.perf_counter() - started)
    for _, running, _ in sides:
        running.close()
    base = median(seconds[sides[0][0]])
    print(f"{len(requests)} texts, median of {ROUNDS} rounds")
    print(f"{'side':<34}{'texts/s':>10}{'speed-up':>10}{'scores differ':>16}")
    for name, taken in seconds.items():
        spent, apart = median(taken), differ(scores[name], scores[sides[0][0]])
        rate = len(requests) / spent
        print(f"{name:<34}{rate:>10.1f}{base / spent:>10.2f}{apart:>16.1e}")


def differ(ours: list[float], others: list[float]) -> float:
    """The furthest that two sides' scores are apart; too far is an error."""
    furthest = max(abs(a - b) for a, b in zip(ours, others, strict=True))
    if furthest > TOLERANCE:
        raise SystemExit(f"scores differ by {furthest}")
    return furthest


def spent(run: Callable[[], Any]) -> tuple[float, float]:
    """The processor time of this process, and the seconds, that something takes."""
    started, worked = time.perf_counter(), time.process_time()
    run()
    return time.process_time() - worked, time.perf_counter() - started


def asked(count: int) -> list[Request]:
    """Requests as long as a pair of answers."""
    return [
        Request((Message("user", f"question {n} " * 20 + "answer " * 80),), seed=n)
        for n in range(count)
    ]


def costs(count: int, folder: Path) -> dict[str, float]:
    """The second table: microseconds of the driver's processor time for a judgment."""
    few = count // 20
    requests = asked(count)
    found: dict[str, list[tuple[float, float]]] = {}
    with (
        closing(PLUGIN.Ray(Null, workers=2)) as wide,
        closing(PLUGIN.Ray(Null, workers=2, depth=1)) as narrow,
    ):
        runs: dict[str, tuple[int, Callable[[], Any]]] = {
            ALONE: (count, lambda: windowed(wide, requests)),
            SINGLY: (few, lambda: windowed(narrow, requests[:few])),
            RUN: (count, lambda: run(count, wide, folder)),
            WITHOUT: (count, lambda: run(count, Null(), folder)),
        }
        for number in range(ROUNDS + 1):
            for name, (judgments, work) in runs.items():
                worked, seconds = spent(work)
                if number:
                    each = (1e6 * worked / judgments, judgments / seconds)
                    found.setdefault(name, []).append(each)
    print(f"\n{f'driver, {count:,} judgments':<44}{'us each':>10}{'a second':>10}")
    cost = {}
    for name, values in found.items():
        cost[name], rate = (median(each) for each in zip(*values, strict=True))
        print(f"{name:<44}{cost[name]:>10.1f}{rate:>10,.0f}")
    return cost


def run(count: int, engine: Engine, folder: Path) -> None:
    """Judge so many pairs, with a store."""
    with TemporaryDirectory(dir=folder) as place:
        evaluate(
            Verdicts(),
            Questions(count),
            "single",
            engine=engine,
            output=Path(place) / "run",
            reuse=[],
            baselines=False,
        )


def windowed(engine: Engine, requests: list[Request], window: int = 8192) -> None:
    """Ask as a run does: never more at once than a run has under way."""
    waiting, open_ = iter(enumerate(requests)), 0
    left = len(requests)
    while left:
        while open_ < window and (each := next(waiting, None)) is not None:
            engine.submit(*each)
            open_ += 1
        done = len(list(engine.collect()))
        open_ -= done
        left -= done


def model(cost: dict[str, float]) -> None:
    """The third table, and how it comes about."""
    each, call = cost[RUN], cost[SINGLY] - cost[ALONE]
    print(
        f"\nmodelled: load = G r {each:.0f} us + K {call:.0f} us of one core, for G"
        " GPUs (a worker each)\nof r judgments/s, K = min(G r, G / gather) calls/s,"
        f" gather = min({CREW.LONGEST:g}, {CREW.GATHER:g} G) s;\n"
        "efficiency = min(1, 1 / load); drivers = load, rounded up"
    )
    print(
        f"{'GPUs':>6}{'each/s':>8}{'all/s':>10}{'driver load':>13}{'efficiency':>12}"
        f"{'drivers':>9}{'100 M take':>13}"
    )
    for gpus in GPUS:
        for pace in PACE:
            rate = gpus * pace
            gather = min(CREW.LONGEST, CREW.GATHER * gpus)
            calls = min(rate, gpus / gather)
            load = (rate * each + calls * call) / 1e6
            efficiency = min(1.0, 1 / load)
            hours = 1e8 / (rate * efficiency) / 3600
            print(
                f"{gpus:>6}{pace:>8}{rate:>10,}{load:>13.1%}{efficiency:>12.1%}"
                f"{-(-load // 1):>9.0f}{hours:>11,.1f} h"
            )


def main() -> None:
    """Print the tables."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    judgments = int(sys.argv[2]) if len(sys.argv) > 2 else 50_000
    with TemporaryDirectory() as folder, cluster():
        if pairs:
            speed(pairs, Path(folder) / "model")
        cost = costs(judgments, Path(folder))
    model(cost)


if __name__ == "__main__":
    main()
