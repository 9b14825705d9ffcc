"""The model's tokenizer, where chats become token ids before a server sees them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rrm_harness import Model, models
from rrm_harness.inputs import Reader

if TYPE_CHECKING:
    from .openai import OpenAI


def reader(options: OpenAI) -> Reader | None:
    """The tokenizer with the model's head, if there is one.

    Raises:
        EngineError: It is named and does not load.
    """
    named = model(options)
    return Reader.of(named) if named else None


def fingerprint(options: OpenAI) -> str:
    """What tells the tokenizer and its template from others; empty without one."""
    named = model(options)
    return models.fingerprint(named, weights=False) if named else ""


def model(options: OpenAI) -> Model | None:
    """Whose tokenizer is used; of a head that is in a folder here, its own.

    None if there is none, so that texts are sent.
    """
    own, name = options.model, options.tokenizer
    if not name and own.head and options.route != "nemotron":
        name = own.id if Path(own.id).expanduser().is_dir() else ""
    if not name:
        return None
    return own if name == own.id else replace(own, id=name, revision="")
