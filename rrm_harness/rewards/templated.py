"""Prompts that a chat template has made one text of, taken apart again.

Trainers hand such texts over. A judge is measured on messages, and shown the marks of a
policy's template it would judge something else.
"""

from __future__ import annotations

import re

from rrm_harness.records import Message

_ROLES = {"User": "user", "Assistant": "assistant", "model": "assistant"}
_FORMATS = [
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r"<\|im_start\|>(\w+)\n(.*?)<\|im_end\|>",
        r"<\|start_header_id\|>(\w+)<\|end_header_id\|>\n\n(.*?)<\|eot_id\|>",
        r"<start_of_turn>(\w+)\n(.*?)<end_of_turn>",
        r"<｜(User|Assistant)｜>(.*?)(?=<｜)",
    )
]
"""ChatML (Qwen and others), Llama 3, Gemma, DeepSeek: a role and what it says."""

_MARK = r"<\|[^<>|\s]+\|>|<｜[^<>｜\s]+｜>|</?s>|<(?:bos|eos|pad|end_of_turn)>"
_BEGUN = re.compile(rf"\s*(?:{_MARK})*")
_ENDED = re.compile(rf"(?:{_MARK}|\s)+\Z")


def messages(prompt: str) -> tuple[Message, ...] | None:
    """The messages of a prompt that a known chat template wrote, else None."""
    for form in _FORMATS:
        found = list(form.finditer(prompt))
        if not found:
            continue
        before = prompt[: found[0].start()]
        system = before[_BEGUN.match(before).end() :].strip()  # type: ignore[union-attr]
        said = [(_ROLES.get(each[1], each[1]), each[2].strip()) for each in found]
        turns = [("system", system)] * bool(system) + said
        return tuple(Message(*turn) for turn in turns)
    return None


def unmarked(completion: str) -> str:
    """A completion without the special tokens that ended it."""
    return _ENDED.sub("", completion)
