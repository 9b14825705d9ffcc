"""One request on its way to a server: what every route to an answer has in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from rrm_harness import Completion, EngineError, Failure, Request, chat
from rrm_harness.inputs import Reader

if TYPE_CHECKING:
    from .openai import OpenAI

Said = Mapping[str, Any]
"""What a server said, read as JSON."""


@dataclass
class Shared:
    """What all routes of a server share.

    `limit` is what it calls the most tokens of a reply, as far as it has said, and
    `neutral` whether it is told to leave its own cuts and penalties out.
    """

    served: str
    options: OpenAI
    reader: Reader | None = None
    limit: str = "max_tokens"
    neutral: bool = False


class Route:
    """One request on its way: a path, what is sent there, and what comes back."""

    path: ClassVar[str]
    kind: ClassVar[str] = "generate"

    def __init__(self, shared: Shared, request: Request) -> None:
        self.shared = shared
        self.request = request

    def body(self) -> dict[str, Any]:
        """What is sent.

        Raises:
            EngineError: This route cannot ask that.
        """
        raise NotImplementedError

    def read(self, said: Any) -> Completion:
        """What came back; a LookupError, TypeError or ValueError if it is not that."""
        raise NotImplementedError

    def mends(self, body: Said, problem: str) -> bool:
        """Whether a server's complaint is understood, so that it can be asked anew."""
        return False

    @cached_property
    def encoded(self) -> chat.Encoded | None:
        """The request in token ids, if there is a tokenizer."""
        return self.shared.reader.encode(self.request) if self.shared.reader else None

    @property
    def notes(self) -> tuple[str, ...]:
        """What the input audit should know."""
        return self.encoded.notes if self.encoded else ()

    def problem(self) -> Completion | None:
        """Why it need not be asked at all: it cannot fit."""
        context = self.shared.options.context
        if self.encoded is None or not context:
            return None
        room, tokens = self.measured(context, 0)
        if tokens <= room:
            return None
        text = f"{tokens} tokens, {room} fit"
        return Completion(
            failure=Failure.TOO_LONG, text=text, room=room, prompt_tokens=tokens
        )

    def measured(self, context: int, tokens: int) -> tuple[int, int]:
        """The room for a prompt and the prompt's tokens, as far as they are known."""
        if self.encoded:
            tokens = tokens or len(self.encoded.ids)
        return max(0, context - self.request.writes), tokens

    def ids(self) -> list[int]:
        """The request's token ids.

        Raises:
            EngineError: There is no tokenizer.
        """
        if self.encoded is None:
            raise EngineError(
                f"the route {type(self).__name__.lower()} takes token ids; give the"
                " engine the model's tokenizer with tokenizer=FOLDER"
            )
        return list(self.encoded.ids)


def messages(request: Request) -> list[dict[str, str]]:
    """A request's chat as the routes that render it take it."""
    return [{"role": each.role, "content": each.content} for each in request.messages]


def usage(said: Said) -> tuple[int, int]:
    """The tokens of a prompt and of what was written, 0 where they are not said."""
    usage = said.get("usage") or {}
    return _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))


def _count(said: Any) -> int:
    """A count of tokens; 0 for what is none, which costs no verdict."""
    return said if type(said) is int and 0 <= said < _MANY else 0


_MANY = 1 << 53
"""No count of tokens; readers of JSON lose digits from here on."""
