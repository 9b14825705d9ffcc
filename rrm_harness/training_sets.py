"""Rows to train on, out of a finished run: preference pairs, best responses, all.

The layouts are TRL's conversational ones (huggingface.co/docs/trl, dataset formats):
a preference row has `prompt`, `chosen` and `rejected`, a prompt-completion row `prompt`
and `completion`, each a list of messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rrm_harness.errors import DataError
from rrm_harness.outcomes import COINS
from rrm_harness.records import Example, Message
from rrm_harness.report.originals import originals, same
from rrm_harness.result import Result

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scored:
    """An example, and the score that the run gave each of its responses."""

    example: Example
    scores: Mapping[int, float]

    @property
    def ranked(self) -> list[int]:
        """The responses, the best first; equal ones as they are in the data."""
        return sorted(self.scores, key=lambda place: -self.scores[place])


def preferences(scored: Scored, margin: float = 0.0) -> Iterator[Row]:
    """The best response against the worst, if they are further apart than `margin`.

    Not of two that are the same text.
    """
    best, worst = scored.ranked[0], scored.ranked[-1]
    texts = scored.example.responses
    apart = scored.scores[best] - scored.scores[worst] > margin
    if apart and texts[best] != texts[worst]:
        yield _row(
            scored,
            chosen=_said(scored, best),
            rejected=_said(scored, worst),
            score_chosen=scored.scores[best],
            score_rejected=scored.scores[worst],
        )


def best(scored: Scored, margin: float = 0.0) -> Iterator[Row]:
    """The best response alone, as rejection sampling keeps it.

    It must be further above the second best than `margin`; a tie of the best is left
    out.
    """
    first, *others = scored.ranked
    second = scored.scores[others[0]] if others else float("-inf")
    if scored.scores[first] - second > margin:
        yield _row(scored, completion=_said(scored, first), score=scored.scores[first])


def every(scored: Scored, margin: float = 0.0) -> Iterator[Row]:
    """All responses with their scores; the margin is that of best and worst."""
    places = sorted(scored.scores)
    spread = max(scored.scores.values()) - min(scored.scores.values())
    if spread > margin or len(places) == 1:
        yield _row(
            scored,
            completions=[_said(scored, place) for place in places],
            scores=[scored.scores[place] for place in places],
        )


KINDS: Mapping[str, Callable[[Scored, float], Iterator[Row]]] = {
    "dpo": preferences,
    "best": best,
    "all": every,
}


def rows(run: Result, kind: str, margin: float = 0.0) -> Iterator[Row]:
    """Yield the rows that a run gives.

    What failed gives none: nobody said which response is better.

    Args:
        run: A finished run, whose dataset can still be read.
        kind: One of KINDS.
        margin: How far apart in score the responses must be.

    Raises:
        DataError: The run's dataset cannot be read again, or is another one now.
    """
    for scored in _scored(run):
        yield from KINDS[kind](scored, margin)


def _scored(run: Result) -> Iterator[Scored]:
    lines = [
        line
        for line in run.outcomes()
        if line["scores"] and not line["notes"].get(COINS)
    ]
    found, problem = originals(run.results, {line["id"] for line in lines})
    if problem:
        raise DataError(
            f"the responses of {run.directory} cannot be had: {problem}; put the data"
            " back where the run found it"
        )
    for line in lines:
        example = found[line["id"]]
        if not same(example, line):
            raise DataError(
                f"example '{line['id']}' is another one than {run.directory} judged;"
                " run the same command again on the data of today"
            )
        yield Scored(example, _by_place(line["scores"]))


def _by_place(scores: Any) -> dict[int, float]:
    """Scores as outcomes.jsonl has them: one a response, null where there is none."""
    return {
        place: float(score) for place, score in enumerate(scores) if score is not None
    }


def _row(scored: Scored, **told: Any) -> Row:
    prompt = [_message(turn) for turn in scored.example.prompt]
    return {"id": scored.example.id, "prompt": prompt, **told}


def _said(scored: Scored, place: int) -> list[dict[str, str]]:
    return [_message(Message("assistant", scored.example.responses[place]))]


def _message(turn: Message) -> dict[str, str]:
    return {"role": turn.role, "content": turn.content}
