"""Prompts and completions as trainers hand them over: strings, or lists of messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rrm_harness import parse
from rrm_harness.errors import DataError
from rrm_harness.records import Message
from rrm_harness.rewards import templated

Text = str | Sequence[Mapping[str, Any]]
"""A string, or a chat as a list of `{"role": ..., "content": ...}`."""


def chat(prompt: Text) -> tuple[Message, ...]:
    """A prompt as messages; a string is what the user says, or a template wrote.

    Raises:
        DataError: It is neither a string nor a list of messages of text.
    """
    if isinstance(prompt, str):
        return templated.messages(prompt) or (Message("user", prompt),)
    return tuple(Message(str(each["role"]), _content(each)) for each in _turns(prompt))


Thinking = Literal["strip", "begun", "keep"]
Unanswered = Literal["judge", "last"]
"""What becomes of a completion's thought: it is left out, or judged as well. `begun`
says that the policy's chat template opens it, so that a text which does not close it
is a thought that was cut, and no answer."""


def answered(prompt: Text, completion: Text, thinking: Thinking) -> str:
    """The text of a completion that is judged.

    Of several messages that is the last of the assistant. Without the thought it is
    `parse.answer`'s; a prompt that is a string may show that it began the thought.

    Raises:
        DataError: As `chat`.
    """
    text = completion if isinstance(completion, str) else _last(completion)
    if thinking == "keep":
        return text
    begun = isinstance(prompt, str) and prompt.rstrip().endswith("<think>")
    begun = begun or thinking == "begun"
    return parse.answer("<think>" + text if begun else text).strip()


def checked(text: Text) -> None:
    """Refuse what is no text.

    Raises:
        DataError: As `chat`.
    """
    for message in [] if isinstance(text, str) else _turns(text):
        _content(message)


def _last(completion: Sequence[Mapping[str, Any]]) -> str:
    said = [each for each in _turns(completion) if each["role"] == "assistant"]
    return _content(said[-1]) if said else ""


def _turns(messages: Any) -> Sequence[Mapping[str, Any]]:
    turns: list[Any] = [*messages] if isinstance(messages, list | tuple) else [None]
    if all(isinstance(each, Mapping) and "role" in each for each in turns):
        return turns
    raise DataError(
        f"a prompt or completion is {messages!r:.80}; give a string, or a list of"
        " messages with role and content"
    )


def _content(message: Mapping[str, Any]) -> str:
    """A message's text; without any, as where a tool is called, it is empty."""
    content = message.get("content")
    if content is None or isinstance(content, str):
        return content or ""
    parts = content if isinstance(content, Sequence) else [content]
    if not all(isinstance(each, Mapping) and "text" in each for each in parts):
        raise DataError(
            f"a message's content is {content!r:.80} and only text can be judged; give"
            " a string, or parts of type text"
        )
    return "".join(str(each["text"]) for each in parts)
