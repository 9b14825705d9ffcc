"""Our requests to a model of lm-eval's, and its answers as completions.

Where lm-eval is known to go wrong in silence, this says so or goes another way: seeds
of samples, prompts cut from the left, system turns that a template drops, stops at the
first empty line, thoughts that never end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from rrm_harness import chance
from rrm_harness.chat import names_a_token
from rrm_harness.errors import HarnessError, SpecError
from rrm_harness.records import Completion, Failure, Message, Note, Request

from .room import Room, is_any

Arguments = tuple[Any, dict[str, Any]]
"""What lm-eval's `generate_until` is given: a context, and how to write."""
STUB: Arguments = (".", {"until": [], "max_gen_toks": 1, "do_sample": False})
"""Stands for a request that does not fit, whose answer nobody reads."""
GREEDY: dict[str, Any] = {"do_sample": False, "temperature": 0.0}
NEUTRAL: dict[str, Any] = {"repetition_penalty": 1.0}
"""What a checkpoint's own generation settings would otherwise decide; transformers also
samples from the 50 likeliest tokens unless told."""
REPLY_LENGTHS = (
    "max_gen_toks",
    "max_new_tokens",
    "max_tokens",
    "max_completion_tokens",
)
"""lm-eval's names of the most tokens to write, the one that counts first."""
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
        served: Whether a server renders the chat and reads the reply.
    """

    opened: str = ""
    notes: tuple[str, ...] = ()
    refused: Completion | None = None
    served: bool = False

    def completion(self, text: str) -> Completion:
        """What a model answered, as a completion.

        lm-eval's models answer with what follows the prompt, so what it opened is put
        before that; else a thought that never ends would look like an answer. Where a
        server keeps the thought for itself, no text is a thought that did not end.
        """
        if self.refused is not None:
            return self.refused
        cut = self.served and not text
        return Completion(
            self.opened + text, finish="length" if cut else "stop", notes=self.notes
        )


@dataclass(frozen=True)
class Backend:
    """A model of lm-eval's, as far as a task knows it.

    Args:
        chat: Its chat template, if one is applied.
        model: The model itself; None where no template leads to it.
        room: How many tokens it reads, if anything can tell.
        seeded: Whether samples are told apart by a seed in each request. Otherwise they
            are drawn from the process's own chance.
        changed: How `--gen_kwargs` has texts written.
    """

    chat: Callable[..., Any] | None = None
    model: Any = None
    room: Room | None = None
    seeded: bool = False
    changed: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        chat: Callable[..., Any] | None,
        given: Mapping[str, Any],
        changed: Mapping[str, Any] | None = None,
    ) -> Backend:
        """What a task is told of the model: its chat template, and its arguments."""
        model = getattr(chat, "__self__", None)
        if model is None:
            room, seeded = Room.of_arguments(given), "base_url" in given
        else:
            room, seeded = Room.of_model(model), is_any(model, SEEDED)
        return cls(chat, model, room, seeded, changed or {})

    @property
    def is_known(self) -> bool:
        """Whether it can be told how samples are told apart."""
        return self.model is not None or self.seeded or self.room is not None

    def asked(self, request: Request) -> tuple[Arguments, Reading]:
        """What to send for a request, and how to read the answer.

        A prompt that does not fit, which lm-eval would cut from the left, is not sent.

        Raises:
            SpecError: The model's chat template drops the request's system turn, or the
                request asks for what lm-eval's models cannot do.
        """
        refuse_what_none_can(request)
        context = self._context(request)
        decoding = {**self._decoding(request), **self.changed}
        if not isinstance(context, str):
            return (context, decoding), Reading(served=True)
        refused = self._too_long(context, decoding)
        if refused:
            return STUB, Reading(refused=refused)
        opened = re.search(r"<think>\s*\Z", context)
        notes = self._notes(request)
        return (context, decoding), Reading(opened[0] if opened else "", notes)

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
        sampled = {"temperature": request.temperature, "top_p": request.top_p}
        if self.seeded:
            drawn = sampled | {"seed": request.seed} if request.sampled else GREEDY
            return written | drawn
        local = is_any(self.model, ("HFLM",)) or (self.model is None and self.room)
        own = NEUTRAL if local else {}
        if not request.sampled:
            return written | GREEDY | own
        return (
            written
            | sampled
            | {"do_sample": True}
            | own
            | ({"top_k": 0} if own else {})
        )

    def _notes(self, request: Request) -> tuple[str, ...]:
        """Whether a text would be read as special tokens, which lm-eval cannot help."""
        tokenizer = self.room.tokenizer if self.room else None
        if not hasattr(tokenizer, "added_tokens_decoder"):
            return ()
        return (Note.SPECIAL_TOKEN,) if names_a_token(tokenizer, request) else ()

    def _too_long(self, context: str, decoding: Mapping[str, Any]) -> Completion | None:
        """The failure of a prompt that does not fit; None if it does."""
        if self.room is None:
            return None
        named = [decoding[key] for key in REPLY_LENGTHS if key in decoding]
        writes, tokens = int(named[0]), self.room.tokens(context)
        fits = max(0, self.room.context - writes)
        if tokens <= fits:
            return None
        text = f"{tokens} tokens, {fits} fit beside {writes} to write"
        return Completion(
            text=text, failure=Failure.TOO_LONG, prompt_tokens=tokens, room=fits
        )


def all_differ(requests: Sequence[Request]) -> bool:
    """Whether no two requests are samples of the same."""
    return len({replace(each, seed=None) for each in requests}) == len(requests)


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
