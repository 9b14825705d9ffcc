"""PPE's rows: pairs, all responses to a question, human preferences."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rrm_harness import DataError, Example, Message
from rrm_harness.rows import Located, Row, identifier, messages, text

PAIRS = "sampled_conflict_pairs"


def with_pairs(rows: Iterable[Located], path: Path) -> Iterator[Located]:
    """Put the pairs of a file in the place of the published ones, row by row."""
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({error}); give a list of pairs") from error
    if not isinstance(listed, list):
        raise DataError(f"{path}: must hold a list of lists of pairs, one for each row")
    for number, (where, row) in enumerate(rows):
        if isinstance(row, DataError):
            yield where, row
        elif number < len(listed):
            yield where, {**row, PAIRS: listed[number]}
        else:
            problem = (
                f"{path} has pairs for {len(listed)} rows only; give the whole file"
            )
            yield where, DataError(problem)


def to_pairs(subset: str, marker: str, row: Row) -> list[Example]:
    """Read the pairs of a right and a wrong response of one question.

    Raises:
        DataError: Names the field that is wrong.
    """
    responses, right = _responses(row)
    identity = _identity(subset, row)
    prompt = _prompt(row, marker)
    return [
        Example(
            id=f"{identity}+{number}",
            prompt=prompt,
            responses=(responses[one], responses[other]),
            correct=(0,) if one in right else (1,),
            subset=subset,
            metadata={"pair": (one, other)},
        )
        for number, (one, other) in enumerate(_pairs(row, len(responses), right))
    ]


def to_best_of_k(subset: str, marker: str, row: Row) -> list[Example]:
    """Read all responses to one question.

    Raises:
        DataError: Names the field that is wrong.
    """
    responses, right = _responses(row)
    identity = _identity(subset, row)
    return [
        Example(
            id=identity,
            prompt=_prompt(row, marker),
            responses=responses,
            correct=right,
            subset=subset,
        )
    ]


def to_human_pair(subset: str, marker: str, row: Row) -> list[Example]:
    """Read one pair of human preference, or nothing if it is tied.

    Raises:
        DataError: Names the field that is wrong.
    """
    winner = text(row, "winner")
    if winner.startswith("tie"):
        return []
    correct = {"model_a": (0,), "model_b": (1,)}
    if winner not in correct:
        raise DataError(
            f"field 'winner' must be model_a, model_b or a tie; it is '{winner:.60}'"
        )
    return [
        Example(
            id=f"{subset}/{identifier(row, 'question_id')}",
            prompt=_prompt(row, marker),
            responses=(text(row, "response_1"), text(row, "response_2")),
            correct=correct[winner],
            subset=subset,
        )
    ]


READERS = {"pairs": to_pairs, "best-of-k": to_best_of_k, "human": to_human_pair}


def _identity(subset: str, row: Row) -> str:
    """The row's id: a question may be there once for each model."""
    question = f"{subset}/{identifier(row, 'question_id')}"
    model = text(row, "model_name") if row.get("model_name") else ""
    return f"{question}/{model}" if model else question


def _prompt(row: Row, marker: str) -> tuple[Message, ...]:
    """The prompt, or what follows the first marker in it."""
    if not marker:
        return messages(row, "prompt")
    _, found, question = text(row, "prompt").partition(marker)
    if not found:
        raise DataError(f"field 'prompt' has no '{marker}' to trim to; leave out trim")
    return (Message("user", question.strip()),)


def _responses(row: Row) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The responses response_1 … response_K, and which of them are right."""
    scores = row.get("scores")
    if not isinstance(scores, Sequence) or isinstance(scores, str) or not scores:
        raise DataError("field 'scores' must list true or false for each response")
    for score in scores:
        if score not in (0, 1):
            raise DataError(
                f"field 'scores' must be true or false; it has {score!r:.60}"
            )
    if f"response_{len(scores) + 1}" in row:
        raise DataError(
            f"field 'scores' has {len(scores)} scores, and there are more responses"
        )
    responses = [text(row, f"response_{n}") for n in range(1, len(scores) + 1)]
    return tuple(responses), tuple(i for i, score in enumerate(scores) if score)


def _pairs(row: Row, count: int, right: Sequence[int]) -> list[tuple[int, int]]:
    listed = row.get(PAIRS)
    if not isinstance(listed, Sequence) or isinstance(listed, str) or not listed:
        raise DataError(
            f"field '{PAIRS}' must list pairs as [0, 1]; it is {listed!r:.60}"
        )
    pairs = []
    for pair in listed:
        if not _is_pair(pair, count):
            raise DataError(
                f"field '{PAIRS}' must hold pairs of response numbers below {count};"
                f" it has {pair!r:.60}"
            )
        if (pair[0] in right) == (pair[1] in right):
            raise DataError(
                f"field '{PAIRS}' has {list(pair)}, which 'scores' says are both"
                f" {'right' if pair[0] in right else 'wrong'}"
            )
        pairs.append((pair[0], pair[1]))
    return pairs


def _is_pair(pair: object, count: int) -> bool:
    return (
        isinstance(pair, Sequence)
        and len(pair) == 2
        and all(type(number) is int and 0 <= number < count for number in pair)
    )
