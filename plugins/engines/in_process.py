"""What engines that run a model in this process have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rrm_harness import (
    Completion,
    EngineError,
    Failure,
    Model,
    Request,
    Score,
    SpecError,
    chat,
    checkpoints,
    models,
)

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
        room = max(0, context - self.request.writes)
        if not context or len(self.ids) <= room:
            return None
        return self.failed(
            Failure.TOO_LONG, f"{len(self.ids)} tokens, {room} fit", room
        )

    def scored(self, score: Score) -> Completion:
        """The completion of what the head says."""
        return Completion(
            scores=tuple(score.values),
            attributes=score.attributes,
            prompt_tokens=len(self.ids),
            notes=self.notes,
        )

    def written(
        self,
        tokenizer: Any,
        tokens: Sequence[int],
        ends: Sequence[int],
        first: Mapping[str, float],
    ) -> Completion:
        """The completion of what was written: until an end, a stop, or the most.

        The text is read from the token ids, special tokens spelled out, so that it is
        the same in every engine. `first` has the first token's alternatives.
        """
        end = next((at for at, token in enumerate(tokens) if token in ends), None)
        whole = chat.continued(tokenizer, self.ids, tokens[:end])
        text, stopped = self._until_stop(whole)
        return Completion(
            text=chat.reply(tokenizer, self.ids, text),
            finish="length" if end is None and not stopped else "stop",
            prompt_tokens=len(self.ids),
            completion_tokens=len(tokens) if end is None else end + 1,
            logprobs=first,
            notes=self.notes,
        )

    def spelled(
        self, tokenizer: Any, alternatives: Mapping[int, float]
    ) -> dict[str, float]:
        """Tokens and their log-probabilities as texts: as many as were asked for.

        Of tokens with one text, the likeliest counts.
        """
        ordered = sorted(alternatives.items(), key=lambda each: -each[1])
        named: dict[str, float] = {}
        for token, value in ordered[: self.request.logprobs]:
            named.setdefault(chat.continued(tokenizer, self.ids, [token]), value)
        return named

    def _until_stop(self, text: str) -> tuple[str, bool]:
        """What was written before the first of the request's stops; if there is one."""
        found = [text.find(stop) for stop in self.request.stop if stop in text]
        return (text[: min(found)], True) if found else (text, False)


def refuse_below(engine: str, name: str, value: int, least: int) -> None:
    """Refuse an option, named as in Python, that is less than it can be.

    Raises:
        SpecError: It is.
    """
    if value < least:
        option = name.replace("_", "-")
        raise SpecError(f"{engine},{option}={value}: give {least} or more")


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
    config = checkpoints.config(models.folder(model, weights=False))
    parts = [config, config.get("text_config") or {}]
    said = {part.get(name) for part in parts for name in ("dtype", "torch_dtype")}
    return "float16" if "float16" in said else "bfloat16"
