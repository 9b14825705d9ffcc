"""Examples come out in order, in bounded memory, and nobody waits for another."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle, repeat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import (
    Comparison,
    Completion,
    Engine,
    Example,
    Failure,
    Judge,
    Judgment,
    Message,
    Outcome,
    Play,
    Race,
    Request,
    Strategy,
    chance,
    host,
)
from rrm_harness.answers import Answers, Bench
from rrm_harness.schedule import AHEAD, BUFFER, Finished, play_all
from rrm_harness.store import RunStore
from rrm_harness.testing import FakeEngine, FakeJudge, FakeModelJudge, example, play

FIRST = Judgment((1.0, 0.0))


@dataclass
class Holding(FakeEngine):
    """An engine that answers one example's requests only when nothing else waits."""

    held: str = "slow"
    log: list[str] = field(default_factory=list)

    def collect(self) -> list[tuple[int, Completion]]:
        ids = {
            t: each.messages[0].content.split()[0] for t, each in self.waiting.items()
        }
        others = [ticket for ticket, id_ in ids.items() if id_ != self.held]
        ticket = min(others or ids)
        self.log.append(ids[ticket])
        return [(ticket, self.reply(self.waiting.pop(ticket)))]


@dataclass
class InOrder(FakeEngine):
    """An engine that answers what it was asked first, and notes how much waited."""

    log: list[int] = field(default_factory=list)

    def collect(self) -> list[tuple[int, Completion]]:
        self.log.append(len(self.waiting))
        ticket = min(self.waiting)
        return [(ticket, self.reply(self.waiting.pop(ticket)))]


@dataclass
class Identical(FakeModelJudge):
    """A model judge that makes the same request of everything."""

    def render(self, comparison: Comparison) -> Sequence[Request]:
        (request,) = super().render(Comparison.of(example()))
        assert comparison
        return [request]


@dataclass
class Census(Strategy):
    """Asks twice, and counts the generators that are alive at a time."""

    lengths: Iterator[int] = field(default_factory=lambda: repeat(2))
    alive: int = 0
    most: int = 0

    def play(self, comparison: Comparison) -> Play:
        self.alive += 1
        self.most = max(self.most, self.alive)
        try:
            yield [comparison]
            yield [comparison.resampled(1)]
            return Outcome({0: 1.0})
        finally:
            self.alive -= 1

    def cost(self, responses: int) -> int:
        return next(self.lengths)


@dataclass
class Script(Strategy):
    """Plays a generator function."""

    written: Callable[[Comparison], Play]

    def play(self, comparison: Comparison) -> Play:
        return self.written(comparison)


@dataclass
class Priced(Script):
    """Plays a generator function, and says what it asks."""

    def cost(self, responses: int) -> int:
        return responses


def build(spec: str) -> Strategy:
    return host.default().build("strategies", spec)


def examples(count: int) -> list[Example]:
    return [example(id=f"example-{number}") for number in range(count)]


def first_wins(_: Comparison) -> Judgment:
    return FIRST


def keyed(shown: Comparison) -> Judgment:
    """A verdict that depends on the comparison alone."""
    first = chance.coin(shown.example.id, *shown.order, shown.sample)
    return Judgment((float(first), float(not first)))


def answers(
    judge: Judge | None = None,
    engine: Engine | None = None,
    store: RunStore | None = None,
) -> Answers:
    bench = Bench(judge or FakeModelJudge(first_wins), engine or FakeEngine())
    return Answers({"judge": bench}, store)


def run(
    asked: Sequence[Example],
    strategy: Strategy,
    judge: Judge | None = None,
    engine: Engine | None = None,
    store: RunStore | None = None,
) -> list[Finished]:
    return list(play_all(asked, strategy, answers(judge, engine, store)))


@given(
    count=st.integers(0, 40),
    window=st.integers(1, 12),
    arrival=st.integers(0, 999),
    spec=st.sampled_from(["single", "voting,k=3", "both-orders of voting,k=3"]),
)
def test_examples_come_out_in_order(
    count: int, window: int, arrival: int, spec: str
) -> None:
    asked = examples(count)
    known = answers(FakeModelJudge(keyed), FakeEngine(seed=arrival))

    finished = list(play_all(asked, build(spec), known, window=window))

    assert [each.example for each in finished] == asked


@given(count=st.integers(1, 30), arrival=st.integers(0, 999))
def test_the_window_does_not_change_what_is_found(count: int, arrival: int) -> None:
    def play(window: int) -> list[tuple]:
        known = answers(FakeModelJudge(keyed), FakeEngine(seed=arrival))
        found = play_all(examples(count), build("voting,k=5"), known, window=window)
        return [(each.outcome, each.judged) for each in found]

    assert play(1) == play(7) == play(1024)


@given(window=st.integers(1, 9), arrival=st.integers(0, 99))
def test_no_more_examples_are_alive_than_the_window_holds(
    window: int, arrival: int
) -> None:
    census = Census()

    list(
        play_all(
            examples(40), census, answers(None, FakeEngine(seed=arrival)), window=window
        )
    )

    assert census.most == window
    assert census.alive == 0


@given(window=st.integers(1, 9), arrival=st.integers(0, 99))
def test_no_more_requests_wait_than_the_window_asks(window: int, arrival: int) -> None:
    engine = FakeEngine(seed=arrival)

    list(play_all(examples(40), build("single"), answers(None, engine), window=window))

    assert engine.most == window


def test_the_window_is_filled_before_an_engine_is_waited_for() -> None:
    engine = InOrder()

    list(play_all(examples(20), build("single"), answers(None, engine), window=8))

    assert engine.log == [8] * 13 + list(range(7, 0, -1))


def test_an_engine_that_asks_for_more_than_the_window_is_given_more() -> None:
    engine = FakeEngine()
    engine.capacity = 12

    list(play_all(examples(40), build("single"), answers(None, engine), window=4))

    assert engine.most == 12


SHORT, LONGER = example(2, id="short"), example(3, id="longer")
"""Examples of which a knockout asks one question, and two one after the other."""


@given(
    responses=st.lists(st.integers(2, 9), max_size=25),
    capacity=st.integers(3, 40),
    arrival=st.integers(0, 99),
    spec=st.sampled_from(["knockout", "knockout,k=5", "elo,k=3"]),
)
def test_an_engine_that_says_how_much_it_can_use_is_given_no_more(
    responses: list[int], capacity: int, arrival: int, spec: str
) -> None:
    more = [example(most, id=str(place)) for place, most in enumerate(responses)]
    found = []
    for wanted in (0, capacity):
        engine = FakeEngine(seed=arrival)
        engine.capacity = wanted
        asked = [SHORT, LONGER, *more]
        found.append(run(asked, build(spec), FakeModelJudge(keyed), engine))

    assert engine.most <= capacity
    assert [(each.example, each.outcome.scores) for each in found[1]] == [
        (each.example, each.outcome.scores) for each in found[0]
    ]


def test_an_engine_has_all_that_it_can_use_until_little_is_left() -> None:
    engine = InOrder()
    engine.capacity = 7

    run([SHORT, LONGER, *examples(30)], build("knockout"), engine=engine)

    assert engine.log == [7] * 27 + list(range(6, 0, -1))


def test_where_examples_are_of_one_length_an_engine_is_given_all() -> None:
    engine = InOrder()
    engine.capacity = 7

    run(examples(10), build("voting,k=5,stop=none"), engine=engine)

    assert engine.log == list(range(50, 0, -1))


def test_what_is_held_goes_to_the_engine_for_the_longest_example_first() -> None:
    engine = Holding(held="nobody")
    engine.capacity = 1
    long = [example(8, id="long"), example(4, id="middle")]

    run([SHORT, *long, *examples(2)], build("knockout"), engine=engine)

    each = ["short", *["long"] * 7, *["middle"] * 3, "example-0", "example-1"]
    assert engine.log == each


def test_examples_of_one_length_advance_alike_where_requests_are_held() -> None:
    engine = Holding(held="nobody")
    engine.capacity = 1
    alike = [example(4, id=f"example-{number}") for number in range(3)]

    run([SHORT, *alike], build("knockout"), engine=engine)

    halves = [each.id for each in alike for _ in range(2)]
    assert engine.log == ["short", *halves, *[each.id for each in alike]]


def test_what_a_race_has_decided_is_not_asked_if_it_was_held() -> None:
    engine = InOrder()
    engine.capacity = 5
    asked = [SHORT, LONGER, *examples(6)]

    run(asked, build("elo of voting,k=5,stop=abort"), engine=engine)

    assert len(engine.log) == 3 * (1 + 3 + 6)


def test_an_engine_may_find_out_what_it_can_use_when_it_starts() -> None:
    @dataclass
    class Starting(InOrder):
        """An engine that knows how much it can use when it has started."""

        capacity: int = 3

        def collect(self) -> list[tuple[int, Completion]]:
            self.capacity = 9
            return super().collect()

    engine = Starting()

    run([SHORT, LONGER, *examples(20)], build("knockout"), engine=engine)

    assert engine.log == [3] + [9] * 14 + list(range(8, 0, -1))


def test_an_engine_does_not_wait_until_another_has_room() -> None:
    def both(comparison: Comparison) -> Play:
        yield [comparison, replace(comparison, role="meta")]
        return Outcome({0: 1.0})

    engines = {"judge": FakeEngine(), "meta": FakeEngine()}
    engines["judge"].capacity = 1
    benches = {
        role: Bench(FakeModelJudge(first_wins), each) for role, each in engines.items()
    }

    asked = [SHORT, LONGER, *examples(3)]
    list(play_all(asked, Priced(both), Answers(benches)))

    assert engines["meta"].most == 5


@pytest.mark.parametrize(("lengths", "times"), [([2], 1), ([2, 3], AHEAD)])
@pytest.mark.parametrize("window", [2, 3])
def test_more_examples_are_begun_where_the_longest_are_to_go_first_but_not_all(
    window: int, lengths: list[int], times: int
) -> None:
    engine, census = FakeEngine(), Census(cycle(lengths))
    engine.capacity = 2

    known = answers(None, engine)
    list(play_all(examples(60), census, known, window=window))

    assert census.most == times * window


@pytest.mark.parametrize(("lengths", "times"), [([2], 1), ([2, 3], AHEAD)])
def test_no_example_is_begun_while_enough_is_held(
    lengths: list[int], times: int
) -> None:
    engine, census = FakeEngine(), Census(cycle(lengths))
    engine.capacity = 2

    list(play_all(examples(60), census, answers(None, engine), most_owed=10))

    assert census.most == times * 10


@pytest.mark.parametrize("window", [1, 2, 5])
def test_one_slow_example_does_not_idle_the_engine(window: int) -> None:
    waiting = []

    @dataclass
    class Watching(Holding):
        """An engine that notes how much waits until it answers the slow one."""

        def collect(self) -> list[tuple[int, Completion]]:
            waiting.append(len(self.waiting))
            return super().collect()

    engine = Watching()
    asked = [example(id="slow"), *examples(200)]

    found = list(play_all(asked, build("single"), answers(None, engine), window=window))

    quick = BUFFER * window - 1 if window > 1 else 0
    assert engine.log.index("slow") == quick
    assert waiting[: quick + 1] == sorted(
        [window] * (quick - window + 2) + list(range(1, window)), reverse=True
    )
    assert [each.example for each in found] == asked


@given(window=st.integers(1, 6), arrival=st.integers(0, 99))
def test_no_more_examples_are_begun_than_the_buffer_holds(
    window: int, arrival: int
) -> None:
    begun, yielded = 0, 0

    def stream() -> Iterator[Example]:
        nonlocal begun
        for each in [example(id="slow"), *examples(120)]:
            begun += 1
            assert begun - yielded <= BUFFER * window
            yield each

    for engine in (Holding(), FakeEngine(seed=arrival)):
        begun = yielded = 0
        known = answers(None, engine)
        found = play_all(stream(), build("single"), known, window=window)
        for number, _ in enumerate(found, 1):
            yielded = number


@pytest.mark.parametrize(("votes", "most"), [(1, 10), (4, 13), (5, 14), (30, 39)])
def test_no_example_is_begun_while_the_engines_owe_enough(
    votes: int, most: int
) -> None:
    engine, voting = FakeEngine(), build(f"voting,k={votes},stop=none")

    known = answers(None, engine)
    found = list(play_all(examples(50), voting, known, most_owed=10))

    assert engine.most == most
    assert len(found) == 50


def test_examples_are_read_as_they_are_needed() -> None:
    read = []

    def stream() -> Iterator[Example]:
        for each in examples(100):
            read.append(each)
            yield each

    known = answers(None, InOrder())
    finished = play_all(stream(), build("single"), known, window=10)
    next(finished)

    assert len(read) == 10 + 1  # the window's, and the one that is finished


def test_a_judge_that_answers_at_once_holds_one_example_at_a_time() -> None:
    read = []

    def stream() -> Iterator[Example]:
        for each in examples(100):
            read.append(each)
            yield each

    judge = FakeJudge(first_wins)
    played = play_all(stream(), build("voting,k=3"), answers(judge))
    read_by_then = [len(read) for _ in played]

    assert read_by_then == list(range(1, 101))


def test_no_examples_give_no_outcomes() -> None:
    assert run([], build("single")) == []


def test_an_example_goes_on_while_another_waits() -> None:
    engine = Holding()

    run([example(id="slow"), example(id="quick")], build("voting,k=5"), engine=engine)

    assert engine.log == ["quick"] * 3 + ["slow"] * 3


def test_many_rounds_are_played_while_one_answer_is_outstanding() -> None:
    def chain(comparison: Comparison) -> Play:
        for sample in range(20):
            yield [comparison.resampled(sample)]
        return Outcome({0: 1.0})

    engine = Holding()

    run([example(id="slow"), *examples(3)], Script(chain), engine=engine)

    assert engine.log.index("slow") == 60


def test_parts_of_a_play_go_on_while_others_wait() -> None:
    engine = Holding(held="example")
    order = []

    def part(comparison: Comparison, name: str, asks: int) -> Play:
        for sample in range(asks):
            yield [comparison.resampled(sample)]
        order.append(name)

    def both(comparison: Comparison) -> Play:
        quick = Comparison.of(example(id="quick"))
        yield [part(comparison, "slow", 1), part(quick, "quick", 9)]
        return Outcome({0: 1.0})

    run([example()], Script(both), engine=engine)

    assert order == ["quick", "slow"]
    assert engine.log == ["quick"] * 9 + ["example"]


def test_what_is_newly_asked_reaches_the_engine_before_it_is_collected_again() -> None:
    waiting = []

    @dataclass
    class Watching(FakeEngine):
        """An engine that notes how much waits whenever it is collected."""

        def collect(self) -> list[tuple[int, Completion]]:
            waiting.append(len(self.waiting))
            return list(super().collect())

    run(examples(4), build("voting,k=5,stop=none"), engine=Watching())

    assert waiting == list(range(20, 0, -1))


def test_results_are_sent_in_the_order_asked() -> None:
    def ask_all(comparison: Comparison) -> Play:
        judgments = yield [comparison.resampled(sample) for sample in range(10)]
        return Outcome(dict(enumerate(judgment.scores[0] for judgment in judgments)))

    judge = FakeModelJudge(lambda shown: Judgment((float(shown.sample), 0.0)))

    (finished,) = run([example()], Script(ask_all), judge, FakeEngine(seed=3))

    assert list(finished.outcome.scores.values()) == list(range(10))


def test_comparisons_and_plays_can_be_asked_together() -> None:
    def inner(comparison: Comparison) -> Play:
        (judgment,) = yield [comparison.resampled(7)]
        return judgment.scores[0]

    def outer(comparison: Comparison) -> Play:
        judgment, value = yield [comparison, inner(comparison)]
        return Outcome({0: judgment.scores[0], 1: value})

    judge = FakeModelJudge(lambda shown: Judgment((float(shown.sample), 0.0)))

    (finished,) = run([example()], Script(outer), judge)

    assert finished.outcome.scores == {0: 0.0, 1: 7.0}


def test_a_play_that_asks_nothing_is_finished_at_once() -> None:
    def silent(comparison: Comparison) -> Play:
        return Outcome(dict.fromkeys(comparison.order, 0.0))
        yield

    (finished,) = run([example()], Script(silent))

    assert finished.outcome.winners == (0, 1)


def test_a_play_that_asks_for_nothing_is_an_error() -> None:
    def empty(_: Comparison) -> Play:
        yield []

    with pytest.raises(RuntimeError, match="empty list"):
        run([example()], Script(empty))


def test_an_error_in_a_strategy_ends_the_run() -> None:
    def broken(comparison: Comparison) -> Play:
        yield [comparison]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run([example()], Script(broken))


def test_two_examples_that_ask_the_same_in_flight_are_asked_once() -> None:
    engine = FakeEngine()

    finished = run(examples(5), build("single"), Identical(first_wins), engine)

    assert engine.answered == 1
    assert [each.outcome.winners for each in finished] == [(0,)] * 5
    assert [each.judgments for each in finished] == [1, 0, 0, 0, 0]


@pytest.mark.parametrize("window", [1, 1024])
@pytest.mark.parametrize("judgment", [FIRST, Judgment.failed(Failure.REFUSED)])
def test_what_several_examples_ask_is_counted_for_the_first(
    window: int, judgment: Judgment
) -> None:
    engine = FakeEngine(lambda _: Completion(prompt_tokens=10, completion_tokens=2))
    known = answers(Identical(lambda _: judgment, temperature=0.0), engine)

    found = list(play_all(examples(4), build("voting,k=3"), known, window=window))

    assert [each.judgments for each in found] == [1, 0, 0, 0]
    assert [each.stored for each in found] == [0] * 4
    assert [each.prompt_tokens for each in found] == [10, 0, 0, 0]
    assert [each.completion_tokens for each in found] == [2, 0, 0, 0]
    assert all(each.judged for each in found)


def test_plays_of_an_example_that_ask_the_same_in_flight_are_asked_once() -> None:
    def twice(comparison: Comparison) -> Play:
        single = build("single")
        outcomes = yield [single.play(comparison), single.play(comparison)]
        return outcomes[1]

    engine = FakeEngine()

    (finished,) = run([example()], Script(twice), engine=engine)

    assert engine.answered == 1
    assert finished.outcome.winners == (0,)


def test_each_content_of_an_example_is_counted_once() -> None:
    def twice(comparison: Comparison) -> Play:
        (first,) = yield [comparison]
        yield [comparison, comparison]
        return Outcome({0: first.scores[0]})

    engine = FakeEngine(lambda _: Completion(prompt_tokens=10, completion_tokens=2))

    (finished,) = run([example()], Script(twice), engine=engine)

    assert (finished.judgments, finished.stored) == (1, 0)
    assert len(finished.judged) == 3
    assert (finished.prompt_tokens, finished.completion_tokens) == (10, 2)


def test_judgments_are_listed_in_the_same_order_whatever_came_first() -> None:
    def listed(arrival: int) -> list[tuple]:
        judge, engine = FakeModelJudge(keyed), FakeEngine(seed=arrival)
        (finished,) = run([example(6)], build("elo,k=3"), judge, engine)
        return finished.judged

    assert listed(0) == listed(1) == listed(2)


def test_a_second_run_asks_nothing_and_finds_the_same(tmp_path: Path) -> None:
    engine = FakeEngine(seed=1)
    runs = []
    for _ in range(2):
        with RunStore(tmp_path / "store") as store:
            judge = FakeModelJudge(keyed)
            runs.append(run(examples(9), build("voting,k=5"), judge, engine, store))

    first, second = runs
    assert engine.answered == sum(each.judgments for each in first)
    assert [each.outcome for each in second] == [each.outcome for each in first]
    assert [each.stored for each in first] == [0] * 9
    assert [each.stored for each in second] == [each.judgments for each in second]
    assert [each.judgments for each in second] == [each.judgments for each in first]


def test_a_run_that_was_cut_short_asks_for_the_rest_only(tmp_path: Path) -> None:
    engine = FakeEngine()
    with RunStore(tmp_path / "store") as store:
        cut = play_all(
            examples(10), build("single"), answers(None, engine, store), window=1
        )
        for _ in range(4):
            next(cut)
        cut.close()

    with RunStore(tmp_path / "store") as store:
        run(examples(10), build("single"), None, engine, store)

    assert engine.answered == 10


def test_the_next_run_asks_again_for_what_failed(tmp_path: Path) -> None:
    def fails(shown: Comparison) -> Judgment:
        failed = Judgment.failed(Failure.TRUNCATED)
        return failed if shown.example.id == "example-1" else FIRST

    asked = []
    for decide in (fails, first_wins):
        engine = Holding()
        with RunStore(tmp_path / "store") as store:
            run(examples(3), build("single"), FakeModelJudge(decide), engine, store)
        asked.append(sorted(engine.log))

    assert asked == [["example-0", "example-1", "example-2"], ["example-1"]]


def test_a_failure_of_one_example_leaves_the_others_alone() -> None:
    def decide(shown: Comparison) -> Judgment:
        if shown.example.id == "example-1":
            raise ValueError("no verdict")
        return FIRST

    finished = run(examples(3), build("single"), FakeModelJudge(decide))

    failures = [each.outcome.failure for each in finished]
    assert failures == [None, Failure.JUDGE_ERROR, None]


def test_a_seed_reaches_every_comparison() -> None:
    judge = FakeJudge(first_wins)

    list(play_all([example()], build("both-orders"), answers(judge), seed=42))

    assert {asked.seed for asked in judge.asked} == {42}


def test_deep_nests_are_played_without_recursion() -> None:
    def nested(comparison: Comparison, depth: int) -> Play:
        if depth:
            (value,) = yield [nested(comparison, depth - 1)]
            return value + 1
        yield [comparison]
        return 0

    def outer(comparison: Comparison) -> Play:
        (depth,) = yield [nested(comparison, 5000)]
        return Outcome({0: float(depth)})

    (finished,) = run([example()], Script(outer))

    assert finished.outcome.scores == {0: 5000.0}


def first_there(results: Sequence[object]) -> bool:
    return any(result is not None for result in results)


@dataclass(frozen=True)
class Raced(Strategy):
    """Races samples, as comparisons or as plays, and then asks four others."""

    plays: bool = False
    listed: bool = False

    def play(self, comparison: Comparison) -> Play:
        samples = [comparison.resampled(each) for each in range(4)]
        raced = [self._asked(each) for each in samples] if self.plays else samples
        race = Race(raced, first_there)
        (first,) = (yield [race]) if self.listed else [(yield race)]
        others = yield [comparison.resampled(each) for each in range(10, 14)]
        texts = [None if each is None else int(each.text) for each in others]
        return Outcome({0: 1.0}, notes={"won": len(first)}, order=tuple(texts))

    def _asked(self, comparison: Comparison) -> Play:
        (judgment,) = yield [comparison]
        return judgment

    def cost(self, responses: int) -> int:
        return 8


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("plays", [False, True])
@pytest.mark.parametrize("listed", [False, True])
def test_what_a_race_left_behind_answers_no_later_question(
    seed: int, plays: bool, listed: bool
) -> None:
    outcome = play(
        Raced(plays, listed),
        example(),
        lambda asked: replace(FIRST, text=str(asked.sample)),
        engine=FakeEngine(seed=seed),
    )

    assert outcome.order == (10, 11, 12, 13)


@dataclass
class ShownInOneOrder(FakeModelJudge):
    """Asks about a pair in one order whatever is asked, and says so at sample 9."""

    def render(self, comparison: Comparison) -> Sequence[Request]:
        told = "fast" if comparison.sample == 9 else "pair"
        (request,) = super().render(Comparison.of(example()))
        return [replace(request, messages=(Message("user", told),))]


@dataclass
class FastFirst(FakeEngine):
    """Answers the fast question before all others."""

    def collect(self) -> list[tuple[int, Completion]]:
        ticket = min(
            self.waiting, key=lambda each: self.waiting[each].messages[0].content
        )
        return [(ticket, self.reply(self.waiting.pop(ticket)))]


@dataclass(frozen=True)
class RaceBesideAnother(Strategy):
    """Abandons the given order in a race while the reversed one is waited for."""

    def play(self, comparison: Comparison) -> Play:
        raced = Race(
            [comparison, comparison.resampled(9)], lambda said: said[1] is not None
        )
        _, judgment = yield [raced, self._deep(comparison.reversed())]
        return Outcome(dict(zip((1, 0), judgment.scores, strict=True)))

    def _deep(self, comparison: Comparison) -> Play:
        (judgment,) = yield [comparison]
        return judgment

    def cost(self, responses: int) -> int:
        return 3


def test_who_is_left_waiting_is_told_of_the_own_comparison() -> None:
    judge = ShownInOneOrder(
        lambda asked: Judgment(tuple(float(each == 0) for each in asked.order))
    )
    answers = Answers({"judge": Bench(judge, FastFirst())})

    (finished,) = play_all([example()], RaceBesideAnother(), answers)

    assert finished.outcome.winners == (0,)
