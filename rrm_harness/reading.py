"""Read what an engine answered: the judge's judgment, or a failure that says why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite

from rrm_harness import parse
from rrm_harness.errors import EngineError
from rrm_harness.records import Comparison, Completion, Failure, Judge, Judgment


def read(
    judge: Judge, comparison: Comparison, completions: Sequence[Completion]
) -> Judgment:
    """The judge's reading, or a failure; one bad row never ends a run."""
    for completion in completions:
        if completion.failure is not None:
            said = Judgment.failed(completion.failure, completion.text)
            return _failed(said, completions)
    try:
        said = judge.parse(comparison, completions)
        return _checked(said, comparison, tuple(completions))
    except Exception as error:
        return _failed(broken(error), completions)


def _checked(
    said: Judgment, comparison: Comparison, completions: tuple[Completion, ...]
) -> Judgment:
    """The judgment with finite scores, one for each response, or a failure."""
    if not isinstance(said.text, str):
        said = replace(said, text=str(said.text))
    if said.failure is not None:
        return _failed(said, completions)
    expected = 1 if comparison.role == "meta" else len(comparison.order)
    try:
        scores = tuple(map(float, said.scores))
    except (TypeError, ValueError, OverflowError):
        scores = ()
    if len(scores) == expected and all(map(isfinite, scores)):
        return Judgment(scores, None, said.text, completions, said.attributes)
    problem = f"scores {said.scores} for {expected} responses; {said.text}"
    failed = replace(said, failure=Failure.INVALID_SCORE, text=problem)
    return _failed(failed, completions)


def _failed(said: Judgment, completions: Sequence[Completion]) -> Judgment:
    """The failure without scores; what cannot be read because it was cut says so."""
    failure = said.failure
    texts = [said.text, *(completion.text for completion in completions)]
    cut = any(completion.finish == "length" for completion in completions)
    if failure is Failure.UNPARSABLE and (cut or any(map(parse.still_thinking, texts))):
        failure = Failure.TRUNCATED
    return replace(said, scores=(), failure=failure, completions=tuple(completions))


def broken(error: Exception) -> Judgment:
    """The failure of a judge that raised an error."""
    return Judgment.failed(Failure.JUDGE_ERROR, f"{type(error).__name__}: {error}")


def plain(completion: Completion) -> Completion:
    """The completion with numbers and texts of Python's own, as the store keeps them.

    Raises:
        EngineError: They are none.
    """
    said = completion
    numbers = type(said.prompt_tokens) is type(said.completion_tokens) is int
    usual = type(said.text) is str and numbers
    if usual and not (said.scores or said.attributes or said.logprobs):
        return said
    if not isinstance(said.text, str):
        raise EngineError(
            f"the engine answered with the text {said.text!r:.60}, which is none; this"
            " is a fault of the engine's plugin"
        )
    try:
        return replace(
            said,
            scores=tuple(map(float, said.scores)),
            prompt_tokens=int(said.prompt_tokens),
            completion_tokens=int(said.completion_tokens),
            attributes={str(k): float(v) for k, v in said.attributes.items()},
            logprobs={str(k): float(v) for k, v in said.logprobs.items()},
        )
    except (TypeError, ValueError, OverflowError) as error:
        raise EngineError(
            f"the engine answered with what is no number ({error}); this is a fault of"
            " the engine's plugin"
        ) from error
