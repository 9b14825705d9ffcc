"""What a server's answers mean: a completion, try again, or never ask again."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import TYPE_CHECKING, Any

from rrm_harness import Completion, Failure, Note

if TYPE_CHECKING:
    from .openai_route import Route

SHOWN = 300
"""Characters of a server's message that are passed on."""


class Again(Exception):  # noqa: N818
    """It may work another time; `after` is how many seconds the server wants."""

    def __init__(self, problem: str, after: float | None = None) -> None:
        super().__init__(problem)
        self.after = after


class Gone(Again):
    """Nobody listens there."""


class Rejected(Exception):  # noqa: N818
    """This request will not be answered; another one may be."""


class Refused(Exception):  # noqa: N818
    """No request of this kind will be answered."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, free of the key."""

    status: int
    headers: Mapping[str, str]
    text: str


def completion_of(answer: Answer, route: Route) -> Completion:
    """Read an answer.

    Raises:
        Again: It is worth another try.
        Rejected: It is not.
        Refused: Nor is any other request.
    """
    if answer.status == 200:
        return _read(answer, route)
    problem = f"{answer.status}: {message(answer.text)}"
    if answer.status == 501 or "insufficient_quota" in _reason(answer.text):
        raise Refused(answer.status, problem)
    if answer.status in (408, 409, 425, 429) or answer.status >= 500:
        raise Again(problem, after(answer.headers))
    if answer.status in (400, 413, 422):
        return _of_the_request(answer, route)
    raise Refused(answer.status, problem)


def _read(answer: Answer, route: Route) -> Completion:
    try:
        said = json.loads(answer.text)
    except (ValueError, RecursionError):
        raise Again(f"the answer is no JSON: {message(answer.text)}") from None
    if isinstance(said, dict) and said.get("error"):
        raise Again(f"200 with an error: {message(answer.text)}")
    try:
        completion = route.read(said)
    except (
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ) as error:
        problem = f"{type(error).__name__}: {error}"
        shown = message(answer.text)
        raise Again(
            f"the answer lacks what it should have ({problem}): {shown}"
        ) from None
    if isinstance(said, dict) and _is_another(said.get("model"), route.shared.served):
        completion = replace(completion, notes=(*completion.notes, Note.OTHER_MODEL))
    numbers = [*completion.scores, *completion.attributes.values()]
    if not all(map(isfinite, numbers)):
        text = f"the server's scores are not all finite: {numbers}"
        return Completion(failure=Failure.INVALID_SCORE, text=text)
    return completion


def _is_another(told: Any, asked: str) -> bool:
    """Whether the model that answered is not the one that was asked.

    A server may add a date to its name, or leave its owner or folder out.
    """
    if not isinstance(told, str) or not told:
        return False
    one, other = (name.rstrip("/").rpartition("/")[2].lower() for name in (told, asked))
    return not (one.startswith(other) or other.startswith(one))


def _of_the_request(answer: Answer, route: Route) -> Completion:
    """What is wrong with one request: too long, filtered, or simply not taken."""
    problem = f"{answer.status}: {message(answer.text)}"
    reason = _reason(answer.text)
    context = context_of(reason)
    if context is not None:
        room, tokens = route.measured(*context)
        return Completion(
            failure=Failure.TOO_LONG, text=problem, room=room, prompt_tokens=tokens
        )
    if re.search(r"content_filter|content management policy", reason):
        return Completion(failure=Failure.REFUSED, text=problem)
    raise Rejected(problem)


def _reason(text: str) -> str:
    """An error's own words; what was sent, and some servers repeat, is not in it."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return text
    error = said.get("error", said) if isinstance(said, dict) else said
    if not isinstance(error, dict):
        return str(error)
    return " ".join(str(error[name]) for name in _OWN if name in error)


_OWN = ("message", "code", "type", "error_type")


def message(text: str) -> str:
    """The one sentence in an error's body, whatever its shape, cut to be shown."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = text
    for name in ("error", "message", "detail"):
        if isinstance(said, dict) and said.get(name):
            said = said[name]
    found = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
    found = " ".join(found.split())
    return found if len(found) <= SHOWN else found[:SHOWN] + "..."


def after(headers: Mapping[str, str]) -> float | None:
    """Seconds that `Retry-After` asks for: a number, or a date."""
    said = headers.get("retry-after", "").strip()
    if not said:
        return None
    try:
        seconds = float(said)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(said).timestamp() - time.time()
        except ValueError:
            return None
    return max(0.0, seconds) if isfinite(seconds) else None


_LIMIT = re.compile(
    r"(?:maximum context length|context length|available context size|context size"
    r"|max_model_len|maximum model length)\D{0,12}?(\d+)"
    r"|must be <= (\d+)"
)
_PROMPT = re.compile(
    r"(\d+) (?:input tokens|tokens from the input|tokens? in the (?:messages|prompt))"
    r"|\((\d+) in the (?:messages|prompt)|resulted in (\d+) tokens"
    r"|(?:input|request) \((\d+) tokens\)|Given: (\d+) `inputs`"
)
_TOO_LONG = re.compile(
    r"context[ _]length|context[ _]size|exceed_context|max_model_len|maximum model len"
    r"|prompt is too long|input is too long|`max_new_tokens` must be"
)


def context_of(text: str) -> tuple[int, int] | None:
    """The context and the prompt's tokens, 0 if unsaid; None if length is not why.

    The wordings are those of vLLM, llama.cpp, SGLang, TGI and OpenAI.
    """
    if not _TOO_LONG.search(text):
        return None
    return _first(_LIMIT, text), _first(_PROMPT, text)


def _first(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.search(text)
    return int(next(filter(None, found.groups()))) if found else 0


def told(error: BaseException) -> str:
    """An exception by its name and its text; some have none."""
    return f"{type(error).__name__}: {error}".removesuffix(": ")
