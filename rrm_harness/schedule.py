"""Drive the strategies' generators: a bounded window of examples, no round barrier.

A play is advanced the moment its own answers are in, and whatever it newly asks goes
to the engine at once. Where examples differ in length, an engine that says how much it
can use is given so much, first what the longest ask. Finished examples come out in the
dataset's order.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from rrm_harness.answers import Answer, Answers
from rrm_harness.held import Held
from rrm_harness.parts import Part, in_parts
from rrm_harness.records import (
    Comparison,
    Example,
    Failure,
    Judgment,
    Outcome,
    Play,
    Race,
    Strategy,
)

WINDOW = 1024
BUFFER = 16
REQUESTS = 8192
AHEAD = 4
"""Times as many examples and requests where the longest are to go first: the more are
known, the earlier do those begin, and what is held is no prompt yet."""


_NONE = Outcome()


@dataclass(slots=True)
class Finished:
    """An example with its outcome and every judgment that led to it.

    What was asked before, in this example or in an earlier one, costs nothing and is
    not counted again.
    """

    example: Example
    outcome: Outcome = _NONE
    judged: list[tuple[Comparison, Judgment]] = field(default_factory=list)
    judgments: int = 0
    stored: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    too_long: int = 0
    notes: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    done: bool = False

    def count(self, answer: Answer) -> None:
        """Count an answer's cost."""
        if answer.first:
            judgment = answer.judgment
            self.judgments += 1
            self.stored += answer.stored
            self.too_long += judgment.failure is Failure.TOO_LONG
            for completion in judgment.completions:
                self.prompt_tokens += completion.prompt_tokens
                self.completion_tokens += completion.completion_tokens
            for note in judgment.notes:
                self.notes[note] += 1


@dataclass(slots=True)
class _Running:
    """A play under way, the slot of its parent that it fills, and what it lacks.

    A `raced` one is part of a race, so that it may be abandoned.
    """

    play: Play
    finished: Finished
    parent: _Running | None = None
    slot: int = 0
    comparison: Comparison | None = None
    results: list[Any] = field(default_factory=list)
    missing: int = 0
    race: Race | None = None
    children: list[_Running] = field(default_factory=list)
    raced: bool = False
    abandoned: bool = False

    @property
    def wanted(self) -> bool:
        """Whether neither this play nor one that waits for it was abandoned."""
        running: _Running | None = self
        while running is not None and not running.abandoned:
            running = running.parent
        return running is None


def play_all(
    examples: Iterable[Example],
    strategy: Strategy,
    answers: Answers,
    seed: int = 0,
    window: int = WINDOW,
    *,
    most_owed: int = REQUESTS,
    truncate: bool = False,
) -> Iterator[Finished]:
    """Play every example and yield what was found, in the examples' order.

    With `truncate`, a comparison that does not fit is asked with the middle of its
    prompt left out, the same for all its responses.

    At most `window` examples are unfinished at a time, and at most BUFFER times as many
    wait for an earlier one to finish. No example is begun while the engines owe
    `most_owed` answers. An engine that asks for more than either is given more. Where
    examples differ in length, and the engine says how much it can use, the rest is held
    back and it is AHEAD times as many of both.
    """
    schedule = _Schedule(answers, strategy, most_owed, truncate)
    try:
        yield from _played(examples, strategy, schedule, seed, window)
    finally:
        answers.release()


def _played(
    examples: Iterable[Example],
    strategy: Strategy,
    schedule: _Schedule,
    seed: int,
    window: int,
) -> Iterator[Finished]:
    begun: deque[Finished] = deque()
    waiting = iter(examples)
    more = True
    while more or begun:
        while more and schedule.has_room(len(begun), window):
            example = next(waiting, None)
            more = example is not None
            if example is not None:
                begun.append(Finished(example))
                play = strategy.play(Comparison.of(example, seed))
                schedule.start(_Running(play, begun[-1]))
            if begun and begun[0].done:
                break
        while begun and begun[0].done:
            yield begun.popleft()
        if schedule.outstanding and not (
            more and schedule.has_room(len(begun), window)
        ):
            schedule.collect()


class _Schedule:
    """The plays that can go on now, and what is held; the rest waits in `answers`."""

    def __init__(
        self, answers: Answers, strategy: Strategy, most_owed: int, truncate: bool
    ) -> None:
        self._answers = answers
        self._strategy = strategy
        self._most_owed = most_owed
        self._truncate = truncate
        self._capacity = answers.capacity
        self._lengths: set[int] | None = set() if self._capacity else None
        self._holds = False
        self._held: Held[tuple[_Running, int, Comparison]] = Held()
        self._ready: deque[_Running] = deque()
        self._unfinished = 0
        self._abandoned = False

    @property
    def outstanding(self) -> int:
        """How many requests the engines still owe."""
        return self._answers.outstanding

    def has_room(self, begun: int, window: int) -> bool:
        """Whether another example may begin."""
        ahead = AHEAD if self._holds else 1
        asked = self._answers.outstanding + len(self._held)
        if asked >= max(ahead * self._most_owed, self._capacity):
            return False
        if begun >= BUFFER * window + self._capacity:
            return False
        return self._unfinished < max(ahead * window, self._capacity)

    def start(self, running: _Running) -> None:
        if self._lengths is not None and not self._holds:
            self._lengths.add(self._length(running))
            self._holds = len(self._lengths) > 1
        self._unfinished += 1
        self._ready.append(running)
        self._advance_ready()

    def collect(self) -> None:
        for (running, slot, comparison), answer in self._answers.collect():
            if not self._abandoned or running.wanted:
                self._answer(running, slot, comparison, answer)
        self._capacity = self._answers.capacity  # some know only when they have started
        self._advance_ready()

    def _advance_ready(self) -> None:
        """Let the plays go on, and ask what is held while there is room for it."""
        while self._ready or (self._held and not self._is_full):
            if self._ready:
                self._advance(self._ready.popleft())
            else:
                self._put(*self._held.take())

    def _length(self, running: _Running) -> int:
        """The most comparisons that a play's example can take."""
        return self._strategy.cost(len(running.finished.example.responses))

    @property
    def _is_full(self) -> bool:
        return self._holds and 0 < self._capacity <= self._answers.outstanding

    def _advance(self, running: _Running) -> None:
        """Resume a play with its results and ask what it asks next."""
        if self._abandoned and not running.wanted:
            running.play.close()
            return
        try:
            asked = running.play.send(running.results or None)  # type: ignore[arg-type]
        except StopIteration as stop:
            self._finish(running, stop.value)
            return
        running.race = asked if isinstance(asked, Race) else None
        asked = [*map(_as_play, asked.plays)] if isinstance(asked, Race) else asked
        running.results = [None] * len(asked)
        running.missing = len(asked)
        if not asked:
            raise RuntimeError(f"{running.play} yielded an empty list: nothing to wait")
        for slot, item in enumerate(asked):
            if isinstance(item, Comparison):
                self._ask(running, slot, item)
            elif isinstance(item, Part):
                self._ask_as_it_is(running, slot, item.comparison)
            else:
                play = _as_play(item) if isinstance(item, Race) else item
                self._begin(_Running(play, running.finished, running, slot))

    def _begin(self, child: _Running) -> None:
        parent = child.parent
        if parent is not None:
            child.raced = parent.raced or parent.race is not None
            if parent.race is not None:
                parent.children.append(child)
        self._ready.append(child)

    def _ask(self, running: _Running, slot: int, comparison: Comparison) -> None:
        pointwise = self._answers.pointwise(comparison)
        if not pointwise and not self._truncate:
            self._ask_as_it_is(running, slot, comparison)
            return
        play = in_parts(comparison, pointwise, self._truncate, running.finished)
        self._begin(_Running(play, running.finished, running, slot, comparison))

    def _ask_as_it_is(
        self, running: _Running, slot: int, comparison: Comparison
    ) -> None:
        """Ask, or hold it back until it is its turn.

        With a second role there may be a second engine: then nothing is held, or one
        would wait until the other has less to do.
        """
        if comparison.role != "judge":
            self._lengths, self._holds = None, False
        if self._holds:
            self._held.add((running, slot, comparison), self._length(running))
        else:
            self._put(running, slot, comparison)

    def _put(self, running: _Running, slot: int, comparison: Comparison) -> None:
        if self._abandoned and not running.wanted:  # while it was held
            return
        waiter = (running, slot, comparison)
        play = running.finished if running.raced else None
        answer = self._answers.ask(comparison, waiter, play)
        if answer is not None:
            self._answer(running, slot, comparison, answer)

    def _answer(
        self, running: _Running, slot: int, comparison: Comparison, answer: Answer
    ) -> None:
        finished = running.finished
        if not self._truncate or answer.judgment.failure is not Failure.TOO_LONG:
            finished.count(answer)
        if running.comparison is None:  # not one response of a split comparison
            finished.judged.append((comparison, answer.judgment))
        self._fill(running, slot, answer.judgment)

    def _fill(self, running: _Running, slot: int, result: Any) -> None:
        running.results[slot] = result
        running.missing -= 1
        if running.race is not None and running.missing:
            if not running.race.decided(running.results):
                return
            self._abandon_rest(running)
        if not running.missing:
            self._ready.append(running)

    def _abandon_rest(self, running: _Running) -> None:
        """End a race: forget the plays that have no result, and what they asked."""
        for child in running.children:
            child.abandoned = running.results[child.slot] is None
        running.children.clear()
        running.missing = 0
        self._abandoned = True
        self._answers.abandon(lambda waiter: not waiter[0].wanted, running.finished)

    def _finish(self, running: _Running, result: Any) -> None:
        if running.comparison is not None:
            running.finished.judged.append((running.comparison, result))
        if running.parent is not None:
            self._fill(running.parent, running.slot, result)
            return
        running.finished.outcome = result
        running.finished.done = True
        self._unfinished -= 1
        if len(running.finished.judged) > 1:
            running.finished.judged.sort(key=_place)


def _as_play(item: Any) -> Play:
    """A comparison, or a race, as a play of its own, which can be abandoned alone."""
    return _alone(item) if isinstance(item, Comparison | Race) else item


def _alone(item: Comparison | Race) -> Play:
    if isinstance(item, Race):
        return (yield item)
    (judgment,) = yield [item]
    return judgment


def _place(judged: tuple[Comparison, Judgment]) -> tuple[str, tuple[int, ...], int]:
    """The order of an example's judgments on paper, whatever order they came in."""
    return judged[0].role, judged[0].order, judged[0].sample
