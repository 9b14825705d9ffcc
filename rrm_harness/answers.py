"""Answer comparisons: from the store, from the judge itself, or through its engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count, repeat
from typing import Any, NamedTuple

from rrm_harness.errors import (
    EngineError,
    FailuresError,
    HarnessError,
    SpecError,
)
from rrm_harness.keys import Keys, content, seeded
from rrm_harness.reading import broken, plain, read
from rrm_harness.records import (
    Comparison,
    Completion,
    Engine,
    Failure,
    Judge,
    Judgment,
    Request,
)
from rrm_harness.seen import Seen
from rrm_harness.store import RunStore

TITLES = {"judge": "judge", "meta": "meta judge", "policy": "policy"}
"""What each role is called; the option that names it is called the same."""


class Bench(NamedTuple):
    """A judge and the engine that runs its requests."""

    judge: Judge
    engine: Engine | None = None


class Answer(NamedTuple):
    """A judgment; is it the run's first of its content, and was it in the store."""

    judgment: Judgment
    first: bool
    stored: bool = False


@dataclass(slots=True)
class _Job:
    """A comparison under way: what it lacks, and who of which play waits for it."""

    key: bytes
    comparison: Comparison
    completions: list[Completion | None]
    waiters: list[tuple[Any, Comparison, object]]
    tickets: list[int] = field(default_factory=list)


class Answers:
    """Judgments for comparisons, each content asked at most once.

    A failure is handed out again within the run and asked again in the next. Once
    `most_failures` have failed, nothing more is asked; an input that is too long is no
    such failure, for it says nothing of the judge.
    """

    def __init__(
        self,
        benches: Mapping[str, Bench],
        store: RunStore | None = None,
        most_failures: int | None = None,
    ) -> None:
        if most_failures is not None and most_failures < 1:
            raise SpecError(
                f"max_failures is {most_failures}; it is 1 or more, or not given"
            )
        self._most_failures = most_failures
        self._failures = 0
        self._benches = benches
        self._store = store
        self._empty = store is not None and store.is_empty
        self._keys = Keys(
            {
                role: (judge.identity, engine.identity if engine else "")
                for role, (judge, engine) in benches.items()
            }
        )
        self._jobs: dict[bytes, _Job] = {}
        self._of_play: dict[int, dict[bytes, _Job]] = {}
        self._tickets: dict[int, tuple[_Job, int]] = {}
        self._engines = {  # one engine may serve several roles
            id(bench.engine): bench.engine
            for bench in benches.values()
            if bench.engine is not None
        }
        self._outstanding = dict.fromkeys(self._engines, 0)
        self._failed: dict[bytes, Judgment] = {}
        self._answered = Seen()

    @property
    def outstanding(self) -> int:
        """How many requests the engines still owe."""
        return len(self._tickets)

    @property
    def capacity(self) -> int:
        """How many requests the largest engine asks for at once."""
        sizes = [getattr(each, "capacity", 0) for each in self._engines.values()]
        return max(sizes, default=0)

    def pointwise(self, comparison: Comparison) -> bool:
        """Tell whether the comparison is to be asked one response at a time."""
        judge = self._bench(comparison).judge
        several = len(comparison.order) > 1 and comparison.role == "judge"
        return judge.pointwise and several

    def ask(
        self, comparison: Comparison, waiter: Any, play: object = None
    ) -> Answer | None:
        """Return the answer if it is at hand, else submit; `collect` will bring it.

        Args:
            comparison: What is asked.
            waiter: Whom `collect` gives the answer to.
            play: What `abandon` can be told to look at; None if it never will be.

        Raises:
            SpecError: The judge cannot take this number of responses, or the judge
                needs an engine and none was given.
            FailuresError: As many have failed as may.
        """
        self.refuse_more_failures()
        bench = self._bench(comparison)
        _refuse_wrong_number(bench.judge, comparison)
        try:
            requests = tuple(bench.judge.render(comparison))
            contents = [*map(content, requests)]
        except HarnessError:
            raise
        except Exception as error:
            key = self._keys.of(comparison, ())
            if key in self._failed:
                return Answer(self._failed[key], first=False)
            return self._finish(key, comparison, broken(error))
        sampled = True in [request.sampled for request in requests]
        key = self._keys.of(comparison, contents, sampled)
        if key in self._jobs:
            self._wait(self._jobs[key], waiter, comparison, play)
            return None
        if key in self._failed:
            return Answer(self._read_failed(key, comparison), first=False)
        known = self._stored(key, comparison)
        if known is not None:
            judgment = read(bench.judge, comparison, known.completions)
            if judgment.failure is None:
                return Answer(judgment, self._is_first(key), stored=True)
        if not requests:
            return self._finish(key, comparison, read(bench.judge, comparison, ()))
        job = _Job(key, comparison, [None] * len(requests), [])
        self._wait(job, waiter, comparison, play)
        self._submit(job, map(seeded, requests, contents, repeat(comparison)))
        return None

    def collect(self) -> Iterator[tuple[Any, Answer]]:
        """Advance the engines; yield every waiter whose answer came in."""
        if self._store is not None:
            self._store.commit()  # engines take their time: wait with nothing to lose
        for engine in self._engines.values():
            if self._outstanding[id(engine)]:
                for ticket, completion in _collected(engine):
                    yield from self._take(engine, ticket, completion)
        self.refuse_more_failures()

    def end(self) -> None:
        """Keep all that was judged: what is made of it now may take its time.

        Raises:
            FailuresError: As many have failed as may.
        """
        if self._store is not None:
            self._store.commit()
        self.refuse_more_failures()

    def refuse_more_failures(self) -> None:
        """End the run once as many judgments have failed as may.

        Raises:
            FailuresError: They have.
        """
        if self._most_failures is None or self._failures < self._most_failures:
            return
        last = [*self._failed.values()][-1]
        text = " ".join(f"{last.failure}: {last.text}".split())[:_SHOWN]
        raise FailuresError(
            f"{self._failures} judgments failed and --max-failures is"
            f" {self._most_failures}; the last is '{text}'; every judgment is kept:"
            " mend what failed, and the same command continues"
        )

    def abandon(self, unwanted: Callable[[Any], bool], play: object) -> None:
        """Forget a play's waiters; what nobody waits for is taken from its engine."""
        for job in [*self._of_play.get(id(play), {}).values()]:
            gone = [each for each in job.waiters if unwanted(each[0])]
            job.waiters = [each for each in job.waiters if not unwanted(each[0])]
            self._forget(job, gone)
            if not job.waiters:
                self._cancel(job)

    def release(self) -> None:
        """Take what is still under way from the engines, which may serve other runs."""
        _UNWANTED.update(self._tickets)
        with suppress(EngineError):  # an engine that is past help has nothing to take
            for job in [*self._jobs.values()]:
                self._cancel(job)

    def _cancel(self, job: _Job) -> None:
        """Take a job's requests from its engine."""
        del self._jobs[job.key]
        engine = self._bench(job.comparison).engine
        for ticket in job.tickets:
            if engine is None or self._tickets.pop(ticket, None) is None:
                continue
            self._outstanding[id(engine)] -= 1
            _UNWANTED.add(ticket)
            try:
                engine.cancel(ticket)
            except HarnessError:
                raise
            except Exception as error:
                raise _engine_failed(error) from error

    def _wait(
        self, job: _Job, waiter: Any, comparison: Comparison, play: object
    ) -> None:
        job.waiters.append((waiter, comparison, play))
        if play is not None:
            self._of_play.setdefault(id(play), {})[job.key] = job

    def _forget(
        self, job: _Job, waiters: Iterable[tuple[Any, Comparison, object]]
    ) -> None:
        """Let plays have a job no longer, unless another waiter of theirs has it."""
        for *_, play in waiters:
            if play is None or any(play is other for *_, other in job.waiters):
                continue
            jobs = self._of_play.get(id(play), {})
            jobs.pop(job.key, None)
            if not jobs:
                self._of_play.pop(id(play), None)

    def _take(
        self, engine: Engine, ticket: int, completion: Completion
    ) -> Iterator[tuple[Any, Answer]]:
        if ticket in _UNWANTED:  # perhaps of an earlier run on this engine
            _UNWANTED.discard(ticket)
            return
        if ticket not in self._tickets:
            raise EngineError(
                f"the engine answered ticket {ticket}, which it was not given;"
                " this is a fault of the engine's plugin"
            )
        if not isinstance(completion, Completion):
            raise EngineError(
                f"the engine answered with {completion!r:.60}, which is no Completion;"
                " this is a fault of the engine's plugin"
            )
        job, place = self._tickets.pop(ticket)
        self._outstanding[id(engine)] -= 1
        job.completions[place] = plain(completion)
        completions = tuple([done for done in job.completions if done is not None])
        if len(completions) < len(job.completions):
            return
        del self._jobs[job.key]
        waiters, job.waiters = job.waiters, []
        self._forget(job, waiters)
        judge = self._bench(job.comparison).judge
        judgment = read(judge, job.comparison, completions)
        first = self._finish(job.key, job.comparison, judgment).first
        for waiter, comparison, _ in waiters:
            own = comparison is job.comparison
            said = judgment if own else read(judge, comparison, completions)
            yield waiter, Answer(said, first)
            first = False

    def _read_failed(self, key: bytes, comparison: Comparison) -> Judgment:
        """Read what failed for another comparison with the same requests."""
        failed = self._failed[key]
        if not failed.completions:
            return failed
        return read(self._bench(comparison).judge, comparison, failed.completions)

    def _bench(self, comparison: Comparison) -> Bench:
        if comparison.role not in self._benches:
            title = TITLES[comparison.role]
            raise SpecError(
                f"the strategy asks a {title} and none was given;"
                f" add --{title.replace(' ', '-')} SPEC"
            )
        return self._benches[comparison.role]

    def _stored(self, key: bytes, comparison: Comparison) -> Judgment | None:
        """What the store holds; one that began empty holds what this run put there."""
        if self._store is None or (self._empty and _short(key) not in self._answered):
            return None
        return self._store.get(key, comparison)

    def _is_first(self, key: bytes) -> bool:
        return self._answered.add(_short(key))

    def _submit(self, job: _Job, requests: Iterable[Request]) -> None:
        engine = self._bench(job.comparison).engine
        if engine is None:
            raise SpecError(
                "this judge runs a model and no engine was given; add --engine SPEC"
                " (rrm-harness list engines)"
            )
        self._jobs[job.key] = job
        for place, request in enumerate(requests):
            ticket = next(_TICKETS)
            job.tickets.append(ticket)
            self._tickets[ticket] = (job, place)
            self._outstanding[id(engine)] += 1
            try:
                engine.submit(ticket, request)
            except HarnessError:
                raise
            except Exception as error:
                raise _engine_failed(error) from error

    def _finish(self, key: bytes, comparison: Comparison, judgment: Judgment) -> Answer:
        if judgment.failure is not None:
            self._failed[key] = judgment
            self._failures += judgment.failure is not Failure.TOO_LONG
        if self._store is not None:
            self._store.put(key, comparison, judgment)
        return Answer(judgment, self._is_first(key))


def _short(key: bytes) -> int:
    return int.from_bytes(key[:8])


_SHOWN = 200
"""Characters of a failure that are told when a run ends over it."""


def _collected(engine: Engine) -> Iterator[tuple[int, Completion]]:
    """What the engine has done, one by one: what it says before it fails is kept."""
    try:
        yield from engine.collect()
    except HarnessError:
        raise
    except Exception as error:
        raise _engine_failed(error) from error


def _engine_failed(error: Exception) -> EngineError:
    return EngineError(
        f"the engine failed ({type(error).__name__}: {error}); every judgment so"
        " far is kept: mend it, and the same command continues"
    )


_TICKETS = count()
"""Numbers of requests, never used twice: an engine may serve several runs."""
_UNWANTED: set[int] = set()
"""Numbers of requests whose answers, if they still come, nobody waits for."""


def _refuse_wrong_number(judge: Judge, comparison: Comparison) -> None:
    shown = len(comparison.order)
    if judge.most is not None and shown > judge.most:
        advice = "asks for fewer at a time, such as knockout or elo"
    elif shown < judge.fewest:
        advice = "shows more at a time, such as single, knockout or elo"
    else:
        return
    raise SpecError(
        f"example '{comparison.example.id}' shows {shown} responses at once and the"
        f" judge takes {judge.fewest} to {judge.most or 'any number'}; use a strategy"
        f" that {advice}"
    )
