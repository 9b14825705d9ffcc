"""What engines that run a model in this process have in common."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from rrm_harness import Completion, EngineError, Failure, Model, Request, models

Dtype = Literal["auto", "float32", "bfloat16", "float16"]


@dataclass(frozen=True, slots=True)
class Row:
    """A request under way: its token ids, and what the input audit should know."""

    ticket: int
    request: Request
    ids: tuple[int, ...]
    notes: tuple[str, ...] = ()

    def failed(self, failure: Failure, text: str, room: int = 0) -> Completion:
        """The completion that says why there is none."""
        return Completion(
            text=text,
            failure=failure,
            prompt_tokens=len(self.ids),
            notes=self.notes,
            room=room,
        )

    def too_long(self, context: int) -> Completion | None:
        """The failure of a prompt that does not fit beside its reply, if it does not.

        A context of 0 tokens is one that nobody knows.
        """
        writes = self.request.max_tokens if self.request.kind == "generate" else 0
        room = max(0, context - writes)
        if not context or len(self.ids) <= room:
            return None
        return self.failed(
            Failure.TOO_LONG, f"{len(self.ids)} tokens, {room} fit", room
        )

    def until_stop(self, text: str) -> tuple[str, bool]:
        """What was written before the first of the request's stops; if there is one."""
        found = [text.find(stop) for stop in self.request.stop if stop in text]
        return (text[: min(found)], True) if found else (text, False)


def ends(*said: Any) -> tuple[int, ...]:
    """The tokens that end a text, named by configs as one, as several, or not at all.

    Llama 3's turns end in one that only generation_config.json lists. Nothing else is
    taken from there: a published temperature or nucleus is not what was asked for.
    """
    listed = [each if isinstance(each, list | tuple) else [each] for each in said]
    return tuple(sorted({end for each in listed for end in each if end is not None}))


def refuse_wrong_kind(kind: str, model: Model, *, headed: bool) -> None:
    """Refuse what a model cannot do: with a head it scores, without one it writes.

    Raises:
        EngineError: It was asked for the other.
    """
    if kind == "score" and not headed:
        raise EngineError(
            f"{model.id} was loaded to write and is asked for a score; the"
            " judge's model must name a head (rrm-harness list heads)"
        )
    if kind == "generate" and headed:
        raise EngineError(
            f"{model.id} was loaded with a reward head and is asked to write;"
            " use an engine of its own for each judge"
        )


def precision(model: Model, dtype: str, *, on_gpu: bool) -> str:
    """What `auto` is: float32 on a CPU; on a GPU bfloat16, or float16 as the weights.

    Only the checkpoint's config is read.

    Raises:
        EngineError: It has none that can be read.
    """
    if dtype != "auto":
        return dtype
    if not on_gpu:
        return "float32"
    file = models.folder(model, weights=False) / "config.json"
    try:
        config = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise EngineError(
            f"{file} cannot be read ({error}); name a folder with the model's own files"
        ) from error
    parts = [config, config.get("text_config") or {}]
    said = {part.get(name) for part in parts for name in ("dtype", "torch_dtype")}
    return "float16" if "float16" in said else "bfloat16"
