"""Examples as lm-eval's documents, and back: all that a judge needs is in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rrm_harness.records import Example, Message


def document(example: Example) -> dict[str, Any]:
    """An example as a document, of plain lists, numbers and texts."""
    return {
        "id": example.id,
        "subset": example.subset,
        "cluster": example.cluster,
        "prompt": [
            {"role": turn.role, "content": turn.content} for turn in example.prompt
        ],
        "responses": list(example.responses),
        "correct": list(example.correct),
    }


def example(document: Mapping[str, Any]) -> Example:
    """The example of a document, without what only its rule needs."""
    return Example(
        document["id"],
        tuple(Message(**turn) for turn in document["prompt"]),
        tuple(document["responses"]),
        tuple(document["correct"]),
        document["subset"],
        document["cluster"],
    )
