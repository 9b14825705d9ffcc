"""A judge and a strategy as a reward: the completions of one prompt, judged as a group.

Reward reasoning models train policies so: the rollouts of a query are compared pair by
pair, and the Elo ratings that follow are their rewards (arXiv 2505.14674).
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from types import TracebackType
from typing import Any, ClassVar, Literal, Self, get_args

from rrm_harness import chance, host
from rrm_harness.answers import Answers, Bench
from rrm_harness.errors import DataError, EngineError, SpecError
from rrm_harness.manifest import describe
from rrm_harness.metrics import Rule
from rrm_harness.outcomes import COINS
from rrm_harness.output import RunDirectory
from rrm_harness.records import BadRow, Dataset, Engine, Example, Judge, Strategy
from rrm_harness.rewards.scale import Scale, scaled
from rrm_harness.rewards.texts import Text, Thinking, Unanswered, answered, chat
from rrm_harness.schedule import Finished, play_all


class GroupReward:
    """Rewards for the completions of a prompt, by any judge under any strategy.

    Called as `reward(prompts, completions)` it is a reward function of TRL's. The
    engine is loaded at the first judgment and lives until `close`. Calls from several
    threads wait for each other; the groups of one call are judged side by side.

    A response meets all others under `elo`, and m sampled ones under
    `elo,opponents=m`. Equal completions are judged once and have equal rewards, and a
    completion's place in its group counts for nothing.

    What could not be judged never has a low reward: such a completion has its group's
    mean, and all completions of a group have one reward, so that the group trains
    nothing, where its outcome failed or hung on a coin.

    Args:
        judge: A spec or a judge; so for strategy and engine.
        strategy: What is asked about a group.
        engine: What runs the judge's requests. One that is given is not closed.
        seed: Every draw comes from it, the prompt and the group's completions.
        output: A directory that keeps every judgment; the same reward again continues.
            Of several processes each needs one of its own. None: kept until `close`.
        reuse: Run directories whose judgments may be used: the output's neighbors
            unless given, none if empty.
        num_generations: How many completions in a row are a group, so that a prompt
            may come twice in a call; unless given, all in a row with equal prompts.
        scale: What the rewards are: see `rewards.scale`.
        thinking: Whether a completion's thought is judged: see `rewards.texts`.
        unanswered: What a completion without an answer is, its thought left out: a text
            to `judge` as any other, or `last`, below all that have one, unasked.
        too_long: What becomes of an input that the model cannot take whole: `fail`
            the judgment, or `truncate` the middle of the prompt.
        patience: The call in a row in which no group could be judged that raises.

    Raises:
        HarnessError: Something the user can mend: a spec, the directory.
    """

    def __init__(
        self,
        judge: str | Judge,
        strategy: str | Strategy = "elo",
        *,
        engine: str | Engine | None = None,
        seed: int = 0,
        output: str | Path | None = None,
        reuse: Sequence[str | Path] | None = None,
        num_generations: int | None = None,
        scale: Scale = "centered",
        thinking: Thinking = "strip",
        unanswered: Unanswered = "judge",
        too_long: Literal["fail", "truncate"] = "fail",
        patience: int = 1,
    ) -> None:
        _refuse_others("scale", scale, get_args(Scale))
        _refuse_others("thinking", thinking, get_args(Thinking))
        _refuse_others("unanswered", unanswered, get_args(Unanswered))
        _refuse_others("too_long", too_long, ("fail", "truncate"))
        named = judge.partition(",")[0] if isinstance(judge, str) else None
        self.__name__ = named or type(judge).__name__
        self.failures: Counter[str] = Counter()
        self.unjudged = 0
        self._seed, self._size, self._scale = seed, num_generations, scale
        self._thinking, self._truncate = thinking, too_long == "truncate"
        self._last = unanswered == "last"
        self._patience, self._lost = patience, 0
        self._lock = Lock()
        self._strategy: Strategy = host.default().made("strategies", strategy)
        with ExitStack() as stack:
            self._bench = _bench(judge, engine, stack)
            benches = {"judge": self._bench}
            run = describe(benches, Rollouts(), self._strategy, seed, None, too_long)
            if output is None:
                kept = stack.enter_context(TemporaryDirectory(prefix="rrm-harness-"))
                output, reuse = Path(kept) / "run", reuse or []
            directory = RunDirectory(Path(output), run["run"], reuse)
            self._store = stack.enter_context(directory).store
            self._close = weakref.finalize(self, stack.pop_all().close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the hardware back; judgments in `output` stay."""
        with self._lock:
            self._close()

    @property
    def needs_a_group(self) -> bool:
        """Whether a completion is judged beside others alone."""
        return self._strategy.relative or self._bench.judge.fewest > 1

    def score(self, prompt: Text, completions: Sequence[Text]) -> list[float]:
        """One reward per completion of one prompt.

        Raises:
            HarnessError: As `score_groups`.
        """
        return self.score_groups([(prompt, completions)])[0]

    def score_groups(
        self, groups: Iterable[tuple[Text, Sequence[Text]]]
    ) -> list[list[float]]:
        """The rewards of several groups, each a prompt and its completions.

        Raises:
            HarnessError: A text is none, the engine failed, or no group of the last
                `patience` calls could be judged.
        """
        made = [
            _Group.of(*each, self._seed, self._thinking, self._last) for each in groups
        ]
        with self._lock:
            if not self._close.alive:
                raise SpecError("this reward was closed; make another one")
            scores = self._judged(made)
        return [scaled(each, self._scale) for each in scores]

    def __call__(
        self, prompts: Sequence[Text], completions: Sequence[Text], **given: Any
    ) -> list[float]:
        """One reward per completion: TRL's reward function.

        Args:
            prompts: One per completion; equal ones in a row are a group, or every
                `num_generations`.
            completions: Strings or lists of messages.
            **given: What else TRL passes. `log_metric` is told the share of
                completions that could not be judged.

        Raises:
            HarnessError: As `score_groups`, or the completions are not whole groups.
        """
        places = grouped(prompts, completions, self._size)
        before = self.unjudged
        groups = [
            (prompts[each[0]], [completions[place] for place in each])
            for each in places
        ]
        rewards = [reward for each in self.score_groups(groups) for reward in each]
        if "log_metric" in given and rewards:
            share = (self.unjudged - before) / len(rewards)
            given["log_metric"](f"{self.__name__}/unjudged", share)
        return rewards

    def _judged(self, groups: Sequence[_Group]) -> list[list[float | None]]:
        """Every completion's score by the strategy, None if it was not judged."""
        asked = [group for group in groups if self._asks(group)]
        played = play_all(
            [group.example for group in asked],
            self._strategy,
            Answers({"judge": self._bench}, self._store),
            self._seed,
            truncate=self._truncate,
        )
        found = {
            id(each): self._read(done) for each, done in zip(asked, played, strict=True)
        }
        self._store.commit()
        self._refuse_an_outage(list(found.values()))
        nothing: dict[int, float] = {}
        scores = [group.spread(found.get(id(group), nothing)) for group in groups]
        for group, each in zip(groups, scores, strict=True):
            self.unjudged += each.count(None) if id(group) in found else 0
        return scores

    def _asks(self, group: _Group) -> bool:
        """Whether the judge has something to say: to a lone response it may not."""
        responses = len(group.example.responses)
        return responses > 1 or (responses == 1 and not self.needs_a_group)

    def _read(self, finished: Finished) -> dict[int, float]:
        """The scores of the responses that were judged; of none if chance decided."""
        failed = [each.failure for _, each in finished.judged if each.failure]
        self.failures.update(map(str, failed))
        outcome = finished.outcome
        if outcome.failure is not None or outcome.notes.get(COINS):
            return {}
        judged = {
            place
            for comparison, judgment in finished.judged
            if judgment.failure is None
            for place in comparison.order
        }
        return {place: outcome.scores[place] for place in judged & {*outcome.scores}}

    def _refuse_an_outage(self, found: Sequence[Mapping[int, float]]) -> None:
        self._lost = self._lost + 1 if found and not any(found) else 0
        if self._lost >= self._patience > 0:
            kinds = ", ".join(f"{kind} {n}" for kind, n in self.failures.most_common())
            raise EngineError(
                f"no group of {len(found)} could be judged (failures so far: {kinds});"
                " mend the judge, and what was judged is kept"
            )


@dataclass(frozen=True, slots=True)
class _Group:
    """The distinct responses of a group as an example, and where each completion is.

    The place of a completion that comes last unasked is None.
    """

    example: Example
    places: tuple[int | None, ...]

    @classmethod
    def of(
        cls,
        prompt: Text,
        completions: Sequence[Text],
        seed: int,
        thinking: Thinking,
        last: bool,
    ) -> Self:
        """Make a group whose responses' order is drawn, whatever order they came in."""
        messages = chat(prompt)
        texts = [answered(prompt, each, thinking) for each in completions]
        asked = {text for text in texts if text.strip() or not last}
        key = chance.digest(seed, repr(messages)).hex()
        responses = sorted(asked, key=lambda text: chance.digest(key, text))
        name = chance.digest(key, *responses).hex()
        places = {text: place for place, text in enumerate(responses)}
        example = Example(name, messages, tuple(responses), ())
        return cls(example, tuple(map(places.get, texts)))

    def spread(self, scores: Mapping[int, float]) -> list[float | None]:
        """The completions' scores, given the responses'.

        Those that come last have the lowest less the spread, or less 1 without any.
        """
        if None in self.places and len(self.example.responses) == 1:
            scores = {0: 0.0} | dict(scores)  # alone, it was compared with nothing
        least, most = min(scores.values(), default=0.0), max(scores.values(), default=0)
        last = least - ((most - least) or 1.0) if scores else None
        return [last if place is None else scores.get(place) for place in self.places]


@dataclass(frozen=True)
class Rollouts(Dataset):
    """What a policy wrote: there is no telling what is right."""

    name: ClassVar[str] = "rollouts"
    revision: ClassVar[str] = ""
    rule: ClassVar[Rule] = Rule()

    def examples(self) -> Iterator[Example | BadRow]:
        """Yield nothing: groups come as they are written."""
        return iter(())


def grouped(
    prompts: Sequence[Text], completions: Sequence[Text], size: int | None = None
) -> list[list[int]]:
    """The places of each group: `size` in a row, or all in a row with equal prompts.

    Raises:
        DataError: There are more prompts than completions or fewer, or a group of
            `size` is not whole.
    """
    if len(prompts) != len(completions):
        raise DataError(
            f"there are {len(prompts)} prompts and {len(completions)} completions;"
            " give one prompt for each completion"
        )
    places: list[list[int]] = []
    for place, prompt in enumerate(prompts):
        full = size is not None and place % size == 0
        another = place > 0 and prompt != prompts[place - 1]
        if size and another and not full:
            raise _torn(size)
        if not places or full or another:
            places.append([])
        places[-1].append(place)
    if size and len(prompts) % size:
        raise _torn(size)
    return places


def _refuse_others(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise SpecError(f"{name}={value}: say one of {', '.join(known)}")


def _torn(size: int) -> DataError:
    return DataError(
        f"the completions do not come in whole groups of num_generations={size}; make"
        " the batch of each process a multiple of it"
    )


def _bench(judge: str | Judge, engine: str | Engine | None, stack: ExitStack) -> Bench:
    """Make a judge and its engine; an engine made here is closed by the stack."""
    built: Judge = host.default().made("judges", judge)
    if not isinstance(engine, str):
        return Bench(built, engine)
    running = host.default().engine(engine, built)
    stack.callback(running.close)
    return Bench(built, running)
