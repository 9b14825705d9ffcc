"""A judge at hand: two responses compared, or many ranked, without a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from rrm_harness import host
from rrm_harness.answers import Answers, Bench
from rrm_harness.errors import DataError
from rrm_harness.records import (
    Comparison,
    Engine,
    Example,
    Failure,
    Judge,
    Judgment,
    Message,
    Strategy,
)
from rrm_harness.schedule import play_all

Prompt = str | Sequence[Message | Mapping[str, Any]]
"""What the user says, or a chat of messages."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """What a judge made of a prompt's responses, by their numbers from 0.

    Args:
        scores: One a response, higher is better; empty if it failed.
        failure: Why there is none.
        judged: Every comparison asked with its judgment, texts included.
    """

    scores: tuple[float, ...]
    failure: Failure | None
    judged: Sequence[tuple[Comparison, Judgment]]

    @property
    def order(self) -> tuple[int, ...]:
        """The responses, the best first; equal ones as they were given."""
        places = range(len(self.scores))
        return tuple(sorted(places, key=lambda place: -self.scores[place]))

    @property
    def best(self) -> int | None:
        """The best response; None for a tie of the best and for a failure."""
        highest = max(self.scores, default=0.0)
        best = [place for place in self.order if self.scores[place] == highest]
        return best[0] if len(best) == 1 else None


class OpenJudge:
    """A judge with its engine, loaded at the first question and kept until `close`.

    Args:
        judge: A spec (`name,key=value`) or a judge.
        engine: What runs its requests, for a judge that makes any; a spec or an engine.
            One that is given is not closed.
        seed: Every draw comes from it.

    Raises:
        SpecError: A spec names something unknown or has a wrong option.
    """

    def __init__(
        self,
        judge: str | Judge,
        *,
        engine: str | Engine | None = None,
        seed: int = 0,
    ) -> None:
        plugins = host.default()
        built: Judge = plugins.made("judges", judge)
        self._stack = ExitStack()
        if isinstance(engine, str):
            engine = plugins.engine(engine, built)
            self._stack.callback(engine.close)
        self._bench = Bench(built, engine)
        self._seed = seed

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
        """Give the engine's hardware back."""
        self._stack.close()

    def compare(
        self,
        prompt: Prompt,
        first: str,
        second: str,
        *,
        strategy: str | Strategy = "single,order=given",
    ) -> Ranking:
        """Compare two responses, shown in this order unless the strategy differs.

        Raises:
            HarnessError: As `rank`.
        """
        return self.rank(prompt, [first, second], strategy=strategy)

    def rank(
        self,
        prompt: Prompt,
        responses: Sequence[str],
        *,
        strategy: str | Strategy | None = None,
    ) -> Ranking:
        """Rank responses.

        Args:
            prompt: What they answer.
            responses: Two or more; one will do for a judge that scores each by itself.
            strategy: What is asked. Unless given, each response once of a judge that
                scores each by itself, else every pair, rated by Elo.

        Raises:
            DataError: The prompt or a response is no text.
            EngineError: The engine failed.
            SpecError: The strategy is unknown, or the judge needs an engine.
        """
        example = _example(prompt, responses)
        usual = "single" if self._bench.judge.pointwise else "elo"
        playing = host.default().made("strategies", strategy or usual)
        answers = Answers({"judge": self._bench})
        (done,) = play_all([example], playing, answers, self._seed)
        scores = done.outcome.scores
        found = tuple(scores.get(place, 0.0) for place in range(len(responses)))
        return Ranking(found if scores else (), done.outcome.failure, done.judged)


def rank(
    prompt: Prompt,
    responses: Sequence[str],
    *,
    judge: str | Judge,
    engine: str | Engine | None = None,
    strategy: str | Strategy | None = None,
    seed: int = 0,
) -> Ranking:
    """Rank responses to a prompt; see OpenJudge, which keeps the model for the next.

    Raises:
        HarnessError: Something the user can mend: a spec, a text.
    """
    with OpenJudge(judge, engine=engine, seed=seed) as opened:
        return opened.rank(prompt, responses, strategy=strategy)


def _example(prompt: Prompt, responses: Sequence[str]) -> Example:
    listed = isinstance(responses, Iterable) and not isinstance(responses, str)
    if not listed or not all(isinstance(each, str) for each in responses):
        raise DataError("responses must be a list of strings; give one text each")
    if not responses:
        raise DataError("there is no response to judge; give one or more")
    return Example("asked", _chat(prompt), tuple(responses), ())


def _chat(prompt: Prompt) -> tuple[Message, ...]:
    if isinstance(prompt, str):
        return (Message("user", prompt),)
    if not isinstance(prompt, Iterable):
        raise _no_prompt(prompt)
    return tuple(map(_message, prompt))


def _message(turn: Message | Mapping[str, Any]) -> Message:
    if isinstance(turn, Message):
        return turn
    try:
        role, content = turn["role"], turn["content"]
    except (KeyError, TypeError) as error:
        raise _no_prompt(turn) from error
    if not (isinstance(role, str) and isinstance(content, str)):
        raise _no_prompt(turn)
    return Message(role, content)


def _no_prompt(said: object) -> DataError:
    return DataError(
        "a prompt is a string or a list of messages whose role and content are strings;"
        f" there is {said!r:.60}"
    )
