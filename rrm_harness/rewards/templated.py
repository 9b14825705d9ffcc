"""Prompts that a chat template has made one text of, taken apart again.

Trainers hand such texts over. A judge is measured on messages, and shown the marks of a
policy's template it would judge something else.
"""

from __future__ import annotations

import re

from rrm_harness.records import Message

_ROLES = {"User": "user", "Assistant": "assistant", "model": "assistant"}
_FORMATS = [
    (re.compile(r"<\|im_start\|>(\w{1,32})\n"), "<|im_end|>"),
    (
        re.compile(r"<\|start_header_id\|>(\w{1,32})<\|end_header_id\|>\n\n"),
        "<|eot_id|>",
    ),
    (re.compile(r"<start_of_turn>(\w{1,32})\n"), "<end_of_turn>"),
    (re.compile(r"<｜(User|Assistant)｜>"), "<｜end▁of▁sentence｜>"),
]
"""ChatML (Qwen's), Llama 3, Gemma, DeepSeek: what begins a turn and what ends it."""

_MARK = (
    r"<\|[^<>|\s]{1,64}\|>|<｜[^<>｜\s]{1,64}｜>|</?s>|<(?:bos|eos|pad|end_of_turn)>"
)
_BEGUN = re.compile(rf"\s*(?:{_MARK})*")
_ENDED = re.compile(rf"(?:{_MARK})\Z")
_LONGEST = 68


def messages(prompt: str) -> tuple[Message, ...] | None:
    """The messages of a prompt that a known chat template wrote, else None.

    What the template wrote to make the policy answer is none.
    """
    for begins, ends in _FORMATS:
        before, *rest = begins.split(prompt)
        turns = [
            Message(_ROLES.get(role, role), text.partition(ends)[0].strip())
            for role, text in zip(rest[::2], rest[1::2], strict=True)
        ]
        if turns and turns[-1].role == "assistant":
            turns.pop()
        begun = _BEGUN.match(before)
        marks = begun.group() if begun else ""
        system = before[len(marks) :].strip()
        if turns and (marks.strip() or not system):  # else it tells of a template
            return (*[Message("system", system)] * bool(system), *turns)
    return None


def unmarked(completion: str) -> str:
    """A completion without the special tokens, and the blanks, that ended it."""
    end = len(completion)
    while True:
        while end and completion[end - 1].isspace():
            end -= 1
        mark = _ENDED.search(completion, max(0, end - _LONGEST), end)
        if mark is None:
            return completion[:end]
        end = mark.start()
