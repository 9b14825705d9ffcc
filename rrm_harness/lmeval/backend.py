"""Our requests to a model of lm-eval's, and its answers as completions.

Where lm-eval is known to go wrong in silence, this says so or goes another way: seeds
of samples, prompts cut from the left, system turns that a template drops, stops at the
first empty line, thoughts that never end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from rrm_harness import chance
from rrm_harness.chat import names_a_token
from rrm_harness.errors import HarnessError, SpecError
from rrm_harness.inputs import Reader
from rrm_harness.records import (
    Completion,
    Failure,
    Message,
    Model,
    Note,
    Request,
)

Arguments = tuple[Any, dict[str, Any]]
"""What lm-eval's `generate_until` is given: a context, and how to write."""
STUB: Arguments = (".", {"until": [], "max_gen_toks": 1, "do_sample": False})
"""Stands for a request that does not fit, whose answer nobody reads."""
PROBE = "rules-of-the-judge"
SEEDED = ("TemplateAPI", "VLLM")
"""Classes of lm-eval's that take a seed with each request; others refuse it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How the answer to a request is read.

    Args:
        opened: The thought that the prompt opened, as R1's template does.
        notes: What the input audit counts.
        refused: Why the request was not sent, if it was not.
    """

    opened: str = ""
    notes: tuple[str, ...] = ()
    refused: Completion | None = None

    def completion(self, text: str) -> Completion:
        """What a model answered, as a completion.

        lm-eval's models answer with what follows the prompt, so what it opened is put
        before that; else a thought that never ends would look like an answer.
        """
        return self.refused or Completion(self.opened + text, notes=self.notes)


@dataclass(frozen=True)
class Backend:
    """A model of lm-eval's, as far as a task knows it.

    Args:
        chat: Its chat template, if one is applied.
        model: The model itself; None where no template leads to it.
        reader: What counts tokens in its place, if anything can.
        seeded: Whether samples are told apart by a seed in each request. Otherwise they
            are drawn from the process's own chance.
    """

    chat: Callable[..., Any] | None = None
    model: Any = None
    reader: Reader | None = None
    seeded: bool = False

    @classmethod
    def of(
        cls, chat: Callable[..., Any] | None, metadata: Mapping[str, Any]
    ) -> Backend:
        """What a task is told of the model: its chat template, and its arguments."""
        model = getattr(chat, "__self__", None)
        if model is not None:
            return cls(chat, model, None, _is_any(model, SEEDED))
        served = "base_url" in metadata
        return cls(chat, None, None if served else _reader(metadata), served)

    def asked(self, request: Request) -> tuple[Arguments, Reading]:
        """What to send for a request, and how to read the answer.

        A prompt that does not fit, which lm-eval would cut from the left, is not sent.

        Raises:
            SpecError: The model's chat template drops the request's system turn, or the
                request asks for what lm-eval's models cannot do.
        """
        refuse_what_none_can(request)
        context = self._context(request)
        refused = self._too_long(context, request)
        if refused:
            return STUB, Reading(refused=refused)
        text = context if isinstance(context, str) else ""
        opened = re.search(r"<think>\s*\Z", text)
        arguments = (context, self._decoding(request))
        return arguments, Reading(opened[0] if opened else "", self._notes(request))

    def _context(self, request: Request) -> Any:
        """The prompt as the model is given it."""
        turns = [*request.messages]
        if self.chat is None:
            return "\n\n".join(turn.content for turn in turns) + request.prefill
        if request.prefill:
            turns.append(Message("assistant", request.prefill))
        if any(turn.role == "system" for turn in turns) and self._drops_system:
            raise SpecError(
                "the model's chat template drops the judge's system turn, and its rules"
                " with it; have them in the user turn: judge=[NAME,no-system=true]"
            )
        return self._rendered(turns, prompt=not request.prefill)

    @cached_property
    def _drops_system(self) -> bool:
        """Whether a system turn is left out, which lm-eval does with a log line."""
        turns = [Message("system", PROBE), Message("user", "question")]
        rendered = self._rendered(turns)
        return isinstance(rendered, str) and PROBE not in rendered

    def _rendered(self, turns: Sequence[Message], *, prompt: bool = True) -> Any:
        chat = [{"role": turn.role, "content": turn.content} for turn in turns]
        try:
            return self.chat(chat, add_generation_prompt=prompt) if self.chat else ""
        except HarnessError:
            raise
        except Exception as error:
            raise SpecError(
                f"the model's chat template does not take the judge's chat ({error});"
                " give the judge a template that the model knows, or no-system=true"
            ) from error

    def _decoding(self, request: Request) -> dict[str, Any]:
        written = {"until": list(request.stop), "max_gen_toks": request.max_tokens}
        if not request.sampled:
            return written | {"do_sample": False, "temperature": 0.0}
        drawn = {"temperature": request.temperature, "top_p": request.top_p}
        if self.seeded:
            return written | drawn | {"seed": request.seed}
        if self.model is None or _is_any(self.model, ("HFLM",)):
            drawn["top_k"] = 0  # transformers' own default cuts to 50
        return written | drawn | {"do_sample": True}

    def _room(self, request: Request) -> int:
        """How many prompt tokens fit beside the reply; 0 if nobody knows."""
        context = self.reader.context if self.reader else 0
        if self._counts():
            context = int(self.model.max_length)
        return max(1, context - request.max_tokens) if context else 0

    def _tokens(self, context: Any) -> int:
        """How many tokens a context has; 0 if nobody knows."""
        if not isinstance(context, str):
            return 0
        if self.reader is not None:
            return len(self.reader.tokenizer(context)["input_ids"])
        found = self.model.tok_encode(context) if self._counts() else ()
        return len(found)

    def _notes(self, request: Request) -> tuple[str, ...]:
        """Whether a text would be read as special tokens, which lm-eval cannot help."""
        source = self.reader or (self.model if self._counts() else None)
        tokenizer = getattr(source, "tokenizer", None)
        named = tokenizer is not None and names_a_token(tokenizer, request)
        return (Note.SPECIAL_TOKEN,) if named else ()

    def _counts(self) -> bool:
        """Whether the model itself can tell tokens: those behind a server cannot."""
        local = _is_any(self.model, ("HFLM", "VLLM", "SGLangLM"))
        return local and hasattr(self.model, "max_length")

    def _too_long(self, context: Any, request: Request) -> Completion | None:
        """The failure of a prompt that does not fit; None if it does."""
        room, tokens = self._room(request), self._tokens(context)
        if not room or tokens <= room:
            return None
        text = f"{tokens} tokens, {room} fit beside {request.max_tokens} to write"
        return Completion(
            text=text, failure=Failure.TOO_LONG, prompt_tokens=tokens, room=room
        )


def seeds(requests: Sequence[Request], seed: int) -> list[Request]:
    """The requests, the first sample of each with one seed, the second with another.

    lm-eval sends requests with the same settings side by side, so with a seed of its
    own for each a server would be asked one by one.
    """
    met: dict[Request, int] = {}
    seeded = []
    for request in requests:
        same = replace(request, seed=None)
        met[same] = number = met.get(same, -1) + 1
        drawn = chance.seed(seed, "lm-eval", number) if request.sampled else None
        seeded.append(replace(request, seed=drawn))
    return seeded


def refuse_what_none_can(request: Request) -> None:
    """Refuse what lm-eval's own models cannot be asked.

    Raises:
        SpecError: It is; names the model that can.
    """
    if request.kind == "score":
        what = "scores with a reward head"
    elif request.logprobs:
        what = "reads probabilities of tokens"
    elif request.bos != "single" or request.chat_options:
        what = "sends token ids or options of the chat template"
    else:
        return
    raise SpecError(
        f"this judge {what}, which lm-eval's own models cannot do; use --model rrm"
        " --model_args judge=...,model=...,engine=... (rrm-harness list engines)"
    )


def _reader(metadata: Mapping[str, Any]) -> Reader | None:
    """What reads tokens as a model that is named but not at hand; None if it cannot."""
    place = metadata.get("pretrained") or metadata.get("model")
    if not isinstance(place, str):
        return None
    try:
        return Reader.of(Model(place, str(metadata.get("revision", ""))))
    except HarnessError:
        return None


def _is_any(model: Any, names: tuple[str, ...]) -> bool:
    """Whether a model is of a class of lm-eval's, told without importing it."""
    return any(kind.__name__ in names for kind in type(model).__mro__)
