"""Work not done: votes, questions asked before, prompts read before, loads.

    python benchmarks/saved.py [votes] [store] [prefixes] [loads]

votes: the exact stop against all votes. A simulated judge prefers one side with the
given chance, and one vote in fifty fails; then rrm-nano for real. Every outcome must be
the one that all votes give, or the run ends with an error.

store: strategies one after another on the same 32 responses, each beside the runs
before it. `alone` is what it would have asked in an empty folder.

prefixes: the share of prompt tokens that vLLM finds computed, when it is handed
everything and the engine's plugin orders it, and in random order. Its cache holds some
16,000 tokens, less than half of what the load has, as a GPU's does of a large one. Set
VLLM_CPU_KVCACHE_SPACE=1 and VLLM_ENABLE_V1_MULTIPROCESSING=0.

loads: five benchmarks as five commands, and as one, both three times in turn, medians;
rrm-nano on the transformers engine, sixteen pairs each.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import permutations
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from rrm_harness import (
    Comparison,
    Completion,
    Dataset,
    Engine,
    Example,
    Failure,
    Judge,
    Judgment,
    Message,
    Model,
    Outcome,
    Request,
    Rule,
    chance,
    evaluate,
    host,
)
from rrm_harness.answers import Answers, Bench
from rrm_harness.inputs import completions
from rrm_harness.schedule import play_all

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import tiny_models

EXAMPLES = 4000
FAILS = 0.02
RESPONSES = 32
NANO = 12
TIMES = 3
QUESTIONS = 20
AGREEMENT = 0.8
WORDS = ("the", "answer", "is", "that", "both", "say", "what", "was", "asked", "but")
WIDE = {"num_attention_heads": 32, "num_key_value_heads": 32, "head_dim": 128}
"""Many heads, whose keys and values fill a cache of a GB with some 16,000 tokens."""
STRATEGIES = ("knockout", "knockout,k=5", "elo", "elo,k=5", "elo,rating=bradley-terry")
SEEN = 16
"""Sequences that vLLM is handed at a time in random order."""


def build(kind: str, spec: str) -> Any:
    return host.default().build(kind, spec)


# --- votes ---


@dataclass(frozen=True)
class Leaning(Judge):
    """Prefers one side of each example with a chance, and sometimes fails."""

    agreement: float

    def parse(
        self, comparison: Comparison, completions: Sequence[Completion]
    ) -> Judgment:
        drawn = (comparison.example.id, comparison.order, comparison.sample)
        if chance.uniform("fails", *map(str, drawn)) < FAILS:
            return Judgment.failed(Failure.UNPARSABLE)
        side = int(chance.coin("side", comparison.example.id))
        agrees = chance.uniform("agrees", *map(str, drawn)) < self.agreement
        best = side if agrees else 1 - side
        return Judgment(tuple(float(each == best) for each in comparison.order))


@dataclass(frozen=True)
class Many(Dataset):
    """Examples without content, of so many responses."""

    count: int
    responses: int

    name = "many"
    revision = "1"
    rule = Rule()

    def examples(self) -> Iterator[Example]:
        texts = tuple(map(str, range(self.responses)))
        for number in range(self.count):
            yield Example(str(number), (Message("user", "?"),), texts, (0,))


def voted(judge: Judge, examples: Iterable[Example], spec: str) -> list[Outcome]:
    answers = Answers({"judge": Bench(judge)})
    played = play_all(examples, build("strategies", spec), answers)
    return [each.outcome for each in played]


def saved_of(stopped: Sequence[Outcome], whole: Sequence[Outcome], k: int) -> float:
    """The share of votes that were not cast; every verdict must be the same."""
    for one, other in zip(stopped, whole, strict=True):
        same = (one.scores, one.failure is None) == (
            other.scores,
            other.failure is None,
        )
        if not same:
            raise AssertionError(f"the stop changed an outcome: {one} is not {other}")
    return 1 - sum(each.notes["votes"] for each in stopped) / (k * len(stopped))


@dataclass(frozen=True)
class Heard(Judge):
    """Repeats judgments that were made before."""

    judgments: Mapping[tuple[str, tuple[int, ...], int], Judgment]

    identity = "heard"

    def parse(
        self, comparison: Comparison, completions: Sequence[Completion]
    ) -> Judgment:
        return self.judgments[_place(comparison)]

    def agreement(self) -> float:
        """The share of votes that go with their example's majority."""
        leads: dict[str, Counter[float]] = {}
        for (name, order, _), each in self.judgments.items():
            if each.failure is None:
                first = each.scores[order.index(0)] - each.scores[order.index(1)]
                leads.setdefault(name, Counter())[first] += 1
        most = [max(each.values()) for each in leads.values()]
        return sum(most) / sum(sum(each.values()) for each in leads.values())


def _place(comparison: Comparison) -> tuple[str, tuple[int, ...], int]:
    return comparison.example.id, comparison.order, comparison.sample


def heard(judge: Judge, pairs: Sequence[Example], k: int) -> Heard:
    """All votes of a judge that runs a model, on the transformers engine."""
    engine = host.default().engine("transformers", judge)
    answers = Answers({"judge": Bench(judge, engine)})
    played = play_all(pairs, build("strategies", f"voting,k={k},stop=none"), answers)
    judged = {_place(asked): said for each in played for asked, said in each.judged}
    engine.close()
    return Heard(judged)


def votes() -> None:
    """The exact stop, with simulated judges and a real one."""
    print(f"{'judge':<12}{'agreement':>10}{'k':>4}{'saved':>8}{'same outcomes':>17}")
    pairs = [*Many(EXAMPLES, 2).examples()]
    for k in (5, 16):
        for agreement in (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99):
            _votes("simulated", agreement, k, Leaning(agreement), pairs)
    pairs = [*build("datasets", f"nano-arithmetic,n={NANO}").examples()]
    nano = heard(build("judges", "rrm-nano"), pairs, 16)
    for k in (5, 16):
        _votes("rrm-nano", nano.agreement(), k, nano, pairs)


def _votes(
    name: str, agreement: float, k: int, judge: Judge, pairs: Sequence[Example]
) -> None:
    whole = voted(judge, pairs, f"voting,k={k},stop=none")
    share = saved_of(voted(judge, pairs, f"voting,k={k}"), whole, k)
    same = f"{len(pairs):,} of {len(pairs):,}"
    print(f"{name:<12}{agreement:>10.2f}{k:>4}{share:>8.1%}{same:>17}", flush=True)


# --- store ---


@dataclass(frozen=True)
class Prefers(Judge):
    """Asks an engine, and prefers the lower number four times in five."""

    fewest = most = 2

    def render(self, comparison: Comparison) -> Sequence[Request]:
        text = f"{comparison.example.id} {comparison.order}"
        return [Request((Message("user", text),), temperature=1.0)]

    def parse(
        self, comparison: Comparison, completions: Sequence[Completion]
    ) -> Judgment:
        drawn = (comparison.example.id, str(comparison.order), comparison.sample)
        best = min(comparison.order)
        if chance.uniform("prefers", *drawn) > AGREEMENT:
            best = max(comparison.order)
        return Judgment(tuple(float(each == best) for each in comparison.order))


class Null(Engine):
    """Answers at once."""

    identity = "null"

    def __init__(self) -> None:
        self._waiting: list[int] = []

    def submit(self, ticket: int, request: Request) -> None:
        self._waiting.append(ticket)

    def collect(self) -> Iterable[tuple[int, Completion]]:
        done, self._waiting = self._waiting, []
        return [(ticket, Completion("said")) for ticket in done]

    def close(self) -> None:
        pass


def store() -> None:
    """Strategies one after another beside each other, and each alone."""
    print(f"{'strategy':<26}{'alone':>9}{'asked':>9}{'saved':>9}{'together saved':>16}")
    needed = asked = 0
    with TemporaryDirectory() as folder:
        for spec in STRATEGIES:
            alone = _asked(spec, Path(folder) / "alone" / spec, [])
            beside = _asked(spec, Path(folder) / "beside" / spec, None)
            needed, asked = needed + alone, asked + beside
            print(
                f"{spec:<26}{alone:>9,}{beside:>9,}{1 - beside / alone:>9.1%}"
                f"{1 - asked / needed:>16.1%}"
            )


def _asked(spec: str, place: Path, reuse: Sequence[Path] | None) -> int:
    """How many judgments the engine was asked for."""
    run = evaluate(
        Prefers(),
        Many(QUESTIONS, RESPONSES),
        spec,
        engine=Null(),
        output=place,
        reuse=reuse,
        baselines=False,
    )
    return int(run.results["judgments"] - run.results["cached"])


# --- prefixes ---


def words(count: int, source: random.Random) -> str:
    return " ".join(source.choices(WORDS, k=count))


def best_of(prompts: int, responses: int, seed: int) -> list[Request]:
    """Each response to a long prompt is scored: a reward head's best of n."""
    source = random.Random(seed)
    return [
        Request((Message("user", prompt), Message("assistant", words(40, source))))
        for prompt in [words(280, source) for _ in range(prompts)]
        for _ in range(responses)
    ]


def compared(prompts: int, responses: int, seed: int) -> list[Request]:
    """Every two of a prompt's responses are compared, in both orders."""
    source = random.Random(seed)
    asked = []
    for prompt in [words(280, source) for _ in range(prompts)]:
        texts = [words(40, source) for _ in range(responses)]
        for one, other in permutations(texts, 2):
            asked.append(Request((Message("user", f"{prompt} A: {one} B: {other}"),)))
    return asked


@dataclass
class InTurn(Engine):
    """Hands over a few at a time, as they come."""

    engine: Any
    _later: deque[tuple[int, Request]] = field(default_factory=deque)
    _owed: int = 0

    identity = "in turn"

    def submit(self, ticket: int, request: Request) -> None:
        self._later.append((ticket, request))

    def collect(self) -> Iterable[tuple[int, Completion]]:
        while self._later and self._owed < SEEN:
            self.engine.submit(*self._later.popleft())
            self._owed += 1
        done = [*self.engine.collect()]
        self._owed -= len(done)
        return done

    def close(self) -> None:
        pass


def prefixes() -> None:
    """The share of prompt tokens that were found computed, ordered and not."""
    print(
        f"{'load':<30}{'order':<16}{'requests':>9}{'tokens':>10}{'cached':>9}{'s':>8}"
    )
    with TemporaryDirectory() as folder:
        tiny_models.llama(Path(folder), **WIDE)
        made = host.default().lookup("engines", "vllm").thing
        options = {"dtype": "float32", "eager": True, "context": 1024}
        engine = made(Model(folder), max_sequences=SEEN // 2, **options)
        completions(engine, [Request((Message("user", "start"),), max_tokens=1)])
        for name, load in (
            ("best of 4, 48 prompts", partial(best_of, 48, 4)),
            ("3 in pairs, 32 prompts", partial(compared, 32, 3)),
        ):
            _prefixes(name, "random", load(1), engine, InTurn(engine))
            _prefixes(name, "the plugin's", load(2), engine, engine)
        engine.close()


def _prefixes(
    name: str, order: str, asked: list[Request], engine: Any, through: Engine
) -> None:
    short = [replace(each, max_tokens=1) for each in asked]
    random.Random(0).shuffle(short)
    before, started = engine.cached_tokens, time.perf_counter()
    done = completions(through, short)
    seconds, read = (
        time.perf_counter() - started,
        sum(each.prompt_tokens for each in done),
    )
    share = (engine.cached_tokens - before) / read
    print(
        f"{name:<30}{order:<16}{len(asked):>9,}{read:>10,}{share:>9.1%}{seconds:>8.1f}",
        flush=True,
    )


# --- loads ---


def loads() -> None:
    """Five benchmarks as five commands, and as one."""
    sets = [f"nano-arithmetic,n=16,seed={number}" for number in range(5)]
    seconds: dict[str, list[float]] = {"apart": [], "together": []}
    with TemporaryDirectory() as folder:
        for turn in range(TIMES):
            started = time.perf_counter()
            for number, each in enumerate(sets):
                run(Path(folder) / f"{turn}-{number}" / "alone", each)
            between = time.perf_counter()
            run(Path(folder) / f"{turn}" / "together", *sets)
            seconds["apart"].append(between - started)
            seconds["together"].append(time.perf_counter() - between)
    apart, together = (median(each) for each in seconds.values())
    print(f"{'five commands':>16}{'one command':>16}{'times':>8}")
    print(f"{apart:>14.1f} s{together:>14.1f} s{apart / together:>8.2f}")


def run(place: Path, *datasets: str) -> None:
    """One command, in a process of its own."""
    program = str(Path(sys.executable).with_name("rrm-harness"))
    command = [program, "run", "--judge", "rrm-nano", "--engine", "transformers"]
    command += ["--strategy", "single", "--output", str(place)]
    command += [part for each in datasets for part in ("--dataset", each)]
    subprocess.run(command, check=True, capture_output=True)


PARTS = {"votes": votes, "store": store, "prefixes": prefixes, "loads": loads}


def main() -> None:
    """Print the tables."""
    for name in sys.argv[1:] or PARTS:
        print(f"\n{name}: {PARTS[name].__doc__}\n")
        PARTS[name]()


if __name__ == "__main__":
    main()
