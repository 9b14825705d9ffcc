"""Does the engine ever wait for the harness? Votes, brackets, long and short thoughts.

    python benchmarks/scheduling.py [--data FOLDER] [--examples TIMES] [--only real]

One load: pairs under five votes with the exact stop, and among them 32-way knockouts;
half of the examples are thought about at length. It is run in three ways on the same
engine:

- at once: every request that the load turned out to need is known and submitted first,
  which is what the engine can do by itself; simulated, in the order in which either of
  ours asked, whichever is done sooner.
- ours: `rrm_harness.schedule`, which advances a play the moment its answers are in. The
  engine asks for QUEUED times what it runs, as our vLLM does, and what it has no room
  for waits in the harness, the longest examples first; `none held`: it takes it all.
- rounds: all that all examples ask is run to its end, then all that they ask next, and
  so on, over the whole load at once; the same plays, so the same judgments. `all votes`
  asks the five at once, in one round, without the stop.

Simulated: an engine that runs R sequences at a time, each writing a token a step; it
takes the next from its queue when one is done. Lengths are drawn from what was measured
(see `LENGTHS`), or, with FOLDER, from the replies there (JudgeBench's and LLMBar's).
Idle is 1 - busy / (R x steps), and without the end: until the engine was last full.
`chain` is the longest chain of questions of which each needs the answer before it (a
bracket has five rounds): steps that ours takes with R without limit, and that nobody
can do without. Time that the harness itself takes is not simulated.

Real: rrm-nano on vLLM, thinking in full or shortly, float32, one core; each way three
times in turn, medians. `steps` are vLLM's and `running` the sequences in a step, its
mean: they are the same on a busy machine, where seconds say nothing. `own` is the share
of the time that was not spent in steps. Set VLLM_CPU_KVCACHE_SPACE=1, and
VLLM_ENABLE_V1_MULTIPROCESSING=0 to count steps: as vLLM comes, it runs in a process of
its own, beside the harness, and only seconds are known.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import NormalDist, median
from typing import Any, NamedTuple

from rrm_harness import (
    Comparison,
    Completion,
    Engine,
    Example,
    Judge,
    Judgment,
    Message,
    Play,
    Request,
    Strategy,
    chance,
    host,
)
from rrm_harness.answers import Answers, Bench
from rrm_harness.inputs import completions
from rrm_harness.schedule import play_all

PLAYERS = 32
PAIRS_A_KNOCKOUT = 15
QUEUED = 2
AGREEMENT = 0.8
"""How often the simulated judge prefers the better one."""
LOADS = ((8, 160), (64, 320), (64, 640), (64, 2560), (512, 8512))
"""Sequences at a time, and how many examples are judged then."""
REAL_LOADS = ((8, 48), (64, 192), (64, 384))
TIMES = 3


@dataclass(frozen=True)
class Lengths:
    """Log-normal tokens of a reply, up to the longest that was seen."""

    mu: float
    sigma: float
    longest: int
    seen: Sequence[int] = ()

    def draw(self, uniform: float) -> int:
        if self.seen:
            return self.seen[int(uniform * len(self.seen))]
        drawn = math.exp(self.mu + self.sigma * NormalDist().inv_cdf(uniform))
        return max(1, min(self.longest, round(drawn)))


LENGTHS = {"short": Lengths(4.64, 0.29, 252), "long": Lengths(4.83, 1.70, 1632)}
"""Fitted to recorded replies, four characters to a token. short: GPT-4's chains of
thought about LLMBar's pairs (838; princeton-nlp/LLMBar@9006165). long: o1-mini's
replies on JudgeBench's (700; ScalerLab/JudgeBench), hidden thoughts not counted."""


def measured(folder: Path) -> dict[str, Lengths]:
    """The lengths of the recorded replies themselves."""
    long, short = [], []
    for file in folder.glob("judgebench/judgments/*o1-mini*.jsonl"):
        for line in file.read_text(encoding="utf-8").splitlines():
            said = [each["judgment"] for each in json.loads(line)["judgments"] if each]
            long += [len(each.get("response") or "") for each in said]
    for file in folder.glob("llmbar/*/GPT-4__CoT.jsonl"):
        for line in file.read_text(encoding="utf-8").splitlines():
            for asked in json.loads(line)["results"]:
                short += [len(each["completion"][0]) for each in asked.values()]
    found = {"short": short, "long": long}
    return {
        name: Lengths(0, 0, 0, sorted(max(1, round(each / 4)) for each in characters))
        for name, characters in found.items()
    }


# --- the load ---


def mixed(count: int) -> list[Example]:
    """Pairs, and a knockout after every so many; half are thought about at length."""
    return [
        _example(number, number % (PAIRS_A_KNOCKOUT + 1)) for number in range(count)
    ]


def _example(number: int, place: int) -> Example:
    responses = PLAYERS if place == PAIRS_A_KNOCKOUT else 2
    thought = "long" if chance.coin("thought", number) else "short"
    texts = tuple(map(str, range(responses)))
    return Example(str(number), (Message("user", "?"),), texts, (0,), thought)


@dataclass(frozen=True)
class ByShape(Strategy):
    """Votes about a pair, a bracket for more."""

    votes: Strategy
    bracket: Strategy

    def play(self, comparison: Comparison) -> Play:
        few = len(comparison.order) == 2
        return (self.votes if few else self.bracket).play(comparison)

    def cost(self, responses: int) -> int:
        return (self.votes if responses == 2 else self.bracket).cost(responses)


def strategy(stop: str = "exact") -> Strategy:
    made = host.default().build
    return ByShape(
        made("strategies", f"voting,k=5,stop={stop}"), made("strategies", "knockout")
    )


@dataclass(frozen=True)
class Thinker(Judge):
    """Says how it thinks, and prefers the lower number as often as the engine says."""

    fewest = most = 2

    def render(self, comparison: Comparison) -> Sequence[Request]:
        asked = f"{comparison.example.id} {comparison.order}"
        thought = Message("system", comparison.example.subset)
        return [Request((thought, Message("user", asked)), temperature=1.0)]

    def parse(
        self, comparison: Comparison, completions: Sequence[Completion]
    ) -> Judgment:
        best = min(comparison.order)
        wins = completions[0].text == "better"
        return Judgment(
            tuple(float((each == best) == wins) for each in comparison.order)
        )


# --- engines ---


@dataclass
class Simulated(Engine):
    """Runs so many sequences at a time, a token a step; nothing else takes time."""

    most: int
    lengths: dict[str, Lengths]
    now: int = 0
    busy: int = 0
    full_until: int = 0
    busy_until_then: int = 0
    capacity: int = field(init=False)
    _queue: deque[tuple[int, Request]] = field(default_factory=deque)
    _running: list[tuple[int, int, str]] = field(default_factory=list)

    identity = "simulated"

    def __post_init__(self) -> None:
        self.capacity = QUEUED * self.most

    def submit(self, ticket: int, request: Request) -> None:
        self._queue.append((ticket, request))

    def collect(self) -> Iterable[tuple[int, Completion]]:
        self._begin()
        if not self._running:
            return []
        full, before = len(self._running) == self.most, self.now
        self.now = self._running[0][0]
        self.busy += len(self._running) * (self.now - before)
        if full:
            self.full_until, self.busy_until_then = self.now, self.busy
        done = []
        while self._running and self._running[0][0] == self.now:
            _, ticket, text = heapq.heappop(self._running)
            done.append((ticket, Completion(text)))
        return done

    def _begin(self) -> None:
        while self._queue and len(self._running) < self.most:
            ticket, request = self._queue.popleft()
            length = self.lengths[request.messages[0].content].draw(
                chance.uniform("length", request.seed or 0)
            )
            agrees = chance.uniform("verdict", request.seed or 0) < AGREEMENT
            text = "better" if agrees else "worse"
            heapq.heappush(self._running, (self.now + length, ticket, text))

    def close(self) -> None:
        pass

    @property
    def idle(self) -> tuple[float, float]:
        """Of the whole run, and until the engine was last full."""
        whole = 1 - self.busy / (self.most * self.now)
        return whole, 1 - self.busy_until_then / (self.most * max(1, self.full_until))


@dataclass
class Kept(Engine):
    """Passes everything on and keeps what was asked; asks for as much, unless told."""

    engine: Engine
    asked: list[Request] = field(default_factory=list)
    capacity: int = -1

    def __post_init__(self) -> None:
        if self.capacity < 0:
            self.capacity = self.engine.capacity

    @property
    def identity(self) -> str:
        return self.engine.identity

    def submit(self, ticket: int, request: Request) -> None:
        self.asked.append(request)
        self.engine.submit(ticket, request)

    def collect(self) -> Iterable[tuple[int, Completion]]:
        return self.engine.collect()

    def close(self) -> None:
        self.engine.close()


@dataclass
class Rounds(Kept):
    """Hands out nothing before everything that was asked is done."""

    capacity: int = 0
    _owed: int = 0

    def submit(self, ticket: int, request: Request) -> None:
        self._owed += 1
        super().submit(ticket, request)

    def collect(self) -> Iterable[tuple[int, Completion]]:
        done: list[tuple[int, Completion]] = []
        while len(done) < self._owed:
            done += self.engine.collect()
        self._owed = 0
        return done


def judged(
    examples: Sequence[Example], judge: Judge, engine: Kept, how: Strategy
) -> tuple[dict[str, Any], int]:
    """Every example's winners, and how many judgments they took; nothing is stored."""
    answers = Answers({"judge": Bench(judge, engine)})
    whole = {"window": len(examples), "most_owed": sys.maxsize}  # a round is of all
    bounds = whole if isinstance(engine, Rounds) else {}
    found = list(play_all(examples, how, answers, **bounds))
    winners = {each.example.id: each.outcome.winners for each in found}
    return winners, len(engine.asked)


# --- simulated ---


def simulate(lengths: dict[str, Lengths], factor: float) -> None:
    print(
        f"{'R':>4}{'examples':>9}{'chain':>7}  {'way':<18}{'judgments':>9}{'steps':>8}"
        f"{'idle':>7}{'until end':>10}{'of at once':>11}{'x rounds':>9}"
    )
    for running, count in LOADS:
        _simulated(running, max(16, round(count * factor)), lengths)


def _simulated(most: int, count: int, lengths: dict[str, Lengths]) -> None:
    examples, judge = mixed(count), Thinker()
    rows: dict[str, tuple[int, Simulated]] = {}
    found = {}
    ways: list[tuple[str, Callable[[Engine], Kept], str]] = [
        ("ours", Kept, "exact"),
        ("ours, none held", lambda engine: Kept(engine, capacity=0), "exact"),
        ("rounds", Rounds, "exact"),
        ("rounds, all votes", Rounds, "none"),
    ]
    for name, driver, stop in ways:
        engine = Simulated(most, lengths)
        kept = driver(engine)
        found[name], asked = judged(examples, judge, kept, strategy(stop))
        rows[name] = asked, engine
        if driver is not Rounds:
            known = Simulated(most, lengths)
            completions(known, kept.asked)
            if "at once" not in rows or known.now < rows["at once"][1].now:
                rows["at once"] = asked, known
    if any(each != found["ours"] for each in found.values()):
        raise AssertionError("the ways do not agree on the winners")
    endless = Simulated(sys.maxsize, lengths)
    judged(examples, judge, Kept(endless), strategy())
    fastest = min(engine.now for name, (_, engine) in rows.items() if "rounds" in name)
    for name in ("at once", *found):
        asked, engine = rows[name]
        whole, until_end = engine.idle
        print(
            f"{most:>4}{count:>9,}{endless.now:>7,}  {name:<18}{asked:>9,}"
            f"{engine.now:>8,}{whole:>7.1%}{until_end:>10.1%}"
            f"{rows['at once'][1].now / engine.now:>11.1%}"
            f"{fastest / engine.now:>9.2f}"
        )


# --- real ---


@dataclass(frozen=True)
class NanoThinker(Judge):
    """RRM-nano, thinking in full or shortly, as the example says."""

    full: Any
    short: Any

    fewest = most = 2

    @property
    def runs_on(self) -> Any:
        return self.full.runs_on

    def render(self, comparison: Comparison) -> Sequence[Request]:
        return self._of(comparison).render(comparison)  # type: ignore[no-any-return]

    def parse(
        self, comparison: Comparison, completions: Sequence[Completion]
    ) -> Judgment:
        return self._of(comparison).parse(comparison, completions)  # type: ignore[no-any-return]

    def _of(self, comparison: Comparison) -> Any:
        long = chance.coin("thought", comparison.example.id)
        return self.full if long else self.short


def nano_load(count: int) -> list[Example]:
    """Pairs of nano-arithmetic; after every so many a question with 32 solutions."""
    made = host.default().build
    pairs = iter(made("datasets", f"nano-arithmetic,n={count}").examples())
    many = iter(
        made(
            "datasets", f"nano-arithmetic,shape=best-of-k,k=32,n={count},seed=1"
        ).examples()
    )
    return list(_woven(count, pairs, many))


def _woven(count: int, pairs: Iterator[Any], many: Iterator[Any]) -> Iterator[Example]:
    for number in range(count):
        last = number % (PAIRS_A_KNOCKOUT + 1) == PAIRS_A_KNOCKOUT
        yield next(many if last else pairs)


def measure(factor: float) -> None:
    build = host.default().build
    judge = NanoThinker(
        build("judges", "rrm-nano"), build("judges", "rrm-nano,thinking=short")
    )
    print(
        f"{'R':>4}{'examples':>10}  {'way':<18}{'judgments':>10}{'steps':>8}"
        f"{'running':>9}{'of at once':>12}{'x rounds':>10}{'seconds':>10}"
        f"{'of at once':>12}{'x rounds':>10}{'own':>7}"
    )
    for running, count in REAL_LOADS:
        spec = f"vllm,dtype=float32,eager=true,context=512,max-sequences={running}"
        engine = host.default().engine(spec, judge.full)
        _measured(running, nano_load(max(16, round(count * factor))), judge, engine)
        engine.close()


class Steps:
    """VLLM's engine, its steps and what runs in them counted."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.forget()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def forget(self) -> None:
        """Begin to count anew."""
        self.steps = 0
        self.sequences = self.seconds = 0.0

    def step(self) -> list[Any]:
        """Advance by a step."""
        started = time.perf_counter()
        outputs: list[Any] = self._engine.step()
        self.seconds += time.perf_counter() - started
        ended = sum(each.finished for each in outputs)
        core = getattr(self._engine.engine_core, "engine_core", None)
        self.steps += 1
        self.sequences += len(core.scheduler.running) + ended if core else math.nan
        return outputs


class Taken(NamedTuple):
    """What a way took."""

    judgments: int
    seconds: float
    steps: int
    running: float
    own: float


SECONDS, STEPS = map(Taken._fields.index, ("seconds", "steps"))


def _measured(
    most: int, examples: Sequence[Example], judge: Judge, engine: Any
) -> None:
    first = Kept(engine)
    judged(examples, judge, first, strategy())  # loads it, and says what is needed
    counted = Steps(engine._running.engine)
    engine._running.engine = counted

    def timed(work: Callable[[], int]) -> Taken:
        counted.forget()
        started = time.perf_counter()
        asked = work()
        seconds = time.perf_counter() - started
        running = counted.sequences / counted.steps
        return Taken(
            asked, seconds, counted.steps, running, 1 - counted.seconds / seconds
        )

    ways: dict[str, Callable[[], int]] = {
        "at once": lambda: len(completions(engine, first.asked)),
        "ours": lambda: judged(examples, judge, Kept(engine), strategy())[1],
        "ours, none held": lambda: judged(
            examples, judge, Kept(engine, capacity=0), strategy()
        )[1],
        "rounds": lambda: judged(examples, judge, Rounds(engine), strategy())[1],
    }
    taken: dict[str, list[Taken]] = {name: [] for name in ways}
    for _ in range(TIMES):
        for name, work in ways.items():
            taken[name].append(timed(work))
    _show_real(most, len(examples), taken)


def _show_real(most: int, count: int, taken: Mapping[str, Sequence[Taken]]) -> None:
    middle = {
        name: Taken(*(median(values) for values in zip(*each, strict=True)))
        for name, each in taken.items()
    }
    for name, each in middle.items():
        steps, seconds = (
            f"{middle['at once'][place] / each[place]:>12.1%}"
            f"{middle['rounds'][place] / each[place]:>10.2f}"
            for place in (STEPS, SECONDS)
        )
        stepped, own = (
            f"{each.steps:>8,.0f}{each.running:>9.2f}{steps}",
            f"{each.own:.1%}",
        )
        if math.isnan(each.running):  # a process of its own
            stepped, own = f"{'-':>8}{'-':>9}{'-':>12}{'-':>10}", "-"
        print(
            f"{most:>4}{count:>10}  {name:<18}{each.judgments:>10,}{stepped}"
            f"{each.seconds:>10.2f}{seconds}{own:>7}",
            flush=True,
        )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a folder with recorded replies")
    parser.add_argument("--examples", type=float, default=1.0, help="times as many")
    parser.add_argument("--only", choices=("simulated", "real"))
    told = parser.parse_args()
    if told.only != "real":
        simulate(measured(told.data) if told.data else LENGTHS, told.examples)
    if told.only != "simulated":
        measure(told.examples)


if __name__ == "__main__":
    main()
