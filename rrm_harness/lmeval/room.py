"""What a model of lm-eval's has room for: more it would cut off, from the left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rrm_harness.errors import HarnessError
from rrm_harness.inputs import Reader
from rrm_harness.records import Model

LOCAL = ("HFLM", "VLLM", "SGLangLM")
"""Classes of lm-eval's that read tokens in this process."""
SERVED_CONTEXT = 2048
"""Tokens that lm-eval takes a server's model to read, unless told."""
LENGTHS = ("max_length", "max_model_len")
"""Arguments that say how many tokens a model reads."""


@dataclass(frozen=True)
class Room:
    """A tokenizer, and how many tokens prompt and reply may have together."""

    tokenizer: Any
    context: int
    model: Any = None

    @classmethod
    def of_model(cls, model: Any) -> Room | None:
        """The room of a model at hand; None if it cannot tell, as behind a chat."""
        tokenized = is_any(model, ("TemplateAPI",)) and model.tokenized_requests
        context = getattr(model, "max_length", None)
        if not context or not (tokenized or is_any(model, LOCAL)):
            return None
        return cls(getattr(model, "tokenizer", None), int(context), model)

    @classmethod
    def of_arguments(cls, given: Mapping[str, Any]) -> Room | None:
        """The room of a model that is named; None if its files cannot be read."""
        place = given.get("tokenizer") or given.get("pretrained") or given.get("model")
        if not isinstance(place, str):
            return None
        try:
            reader = Reader.of(Model(place, str(given.get("revision", ""))))
        except HarnessError:
            return None
        said = [int(given[key]) for key in LENGTHS if given.get(key)]
        if "base_url" in given:
            return cls(reader.tokenizer, (said or [SERVED_CONTEXT])[0] - 1)
        known = [*said, *filter(None, [reader.context])]
        return cls(reader.tokenizer, min(known)) if known else None

    def tokens(self, text: str) -> int:
        """How many tokens a text has."""
        if self.model is None:
            return len(self.tokenizer.encode(text))
        found = self.model.tok_encode(text)
        return len(found[0] if found and isinstance(found[0], list) else found)


def is_any(model: Any, names: tuple[str, ...]) -> bool:
    """Whether a model is of a class of lm-eval's, told without importing it."""
    return any(kind.__name__ in names for kind in type(model).__mro__)
