"""A model of lm-eval's as an engine: `--model rrm --model_args backend=hf,...`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from rrm_harness import models
from rrm_harness.chance import digest
from rrm_harness.errors import EngineError
from rrm_harness.records import Completion, Engine, Model, Request
from rrm_harness.rows import fingerprint

from .arguments import LM_EVAL
from .backend import Backend, Reading

UNNAMED = (*LM_EVAL, "num_concurrent", "max_retries", "timeout", "auth_token")
"""Arguments that change no answer, or that are secret."""

CHUNK = 256
"""Requests that lm-eval is given at once; it says nothing before all are answered."""
DEVICE = "cuda:0"
"""As lm-eval's command line has it; its models go elsewhere where there is none."""


@dataclass
class Wrapped(Engine):
    """Runs requests on a model that lm-eval loads, so many at once.

    Args:
        name: lm-eval's name of it: hf, vllm, local-chat-completions, ...
        options: Its arguments.
        wishes: What lm-eval's command line adds: batch size, device.
    """

    name: str
    options: Mapping[str, Any]
    wishes: Mapping[str, Any] = field(default_factory=dict)
    _waiting: dict[int, Request] = field(default_factory=dict, repr=False)

    @cached_property
    def identity(self) -> str:
        """The model's name and arguments, and what its local folders hold."""
        return identity(self.name, self.options)

    @cached_property
    def _backend(self) -> Backend:
        """The model, loaded at first use."""
        import lm_eval.models  # noqa: F401 - names all models, before one is looked up
        from lm_eval.api.registry import get_model

        try:
            wishes = {"device": DEVICE, **self.wishes}
            model = get_model(self.name).create_from_arg_obj(dict(self.options), wishes)
        except Exception as error:
            raise EngineError(
                f"lm-eval's {self.name} does not start ({type(error).__name__}:"
                f" {error}); mend its arguments"
            ) from error
        return Backend.of(model.apply_chat_template, {})

    def submit(self, ticket: int, request: Request) -> None:
        """Keep the request."""
        self._waiting[ticket] = request

    def collect(self) -> Iterable[tuple[int, Completion]]:
        """Have the first that wait answered, so that a killed run loses few.

        Raises:
            HarnessError: The model cannot do what is asked.
        """
        waiting = dict(islice(self._waiting.items(), CHUNK))
        for ticket in waiting:
            del self._waiting[ticket]
        done: list[tuple[int, Completion]] = []
        sent: dict[int, tuple[Any, Reading]] = {}
        for ticket, request in waiting.items():
            arguments, reading = self._backend.asked(request)
            if reading.refused:
                done.append((ticket, reading.refused))
            else:
                sent[ticket] = (arguments, reading)
        return done + self._written(sent)

    def _written(
        self, sent: Mapping[int, tuple[Any, Reading]]
    ) -> list[tuple[int, Completion]]:
        if not sent:
            return []
        from lm_eval.api.instance import Instance

        instances = [
            Instance("generate_until", {}, arguments, ticket)
            for ticket, (arguments, _) in sent.items()
        ]
        texts = self._backend.model.generate_until(instances, disable_tqdm=True)
        pairs = zip(sent.items(), texts, strict=True)
        return [(ticket, each[1].completion(text)) for (ticket, each), text in pairs]

    def cancel(self, ticket: int) -> None:
        """Forget a request."""
        self._waiting.pop(ticket, None)

    def close(self) -> None:
        """Let the model go."""
        self._waiting.clear()
        self.__dict__.pop("_backend", None)


def identity(name: str, options: Mapping[str, Any]) -> str:
    """What tells a model of lm-eval's, with its arguments, from all others.

    An argument that names a folder or a file counts by what that holds.
    """
    told = {
        key: _content(str(value))
        for key, value in options.items()
        if key not in UNNAMED
    }
    return f"lm-eval {name} {digest(repr(sorted(told.items()))).hex()}"


def _content(value: str) -> str:
    place = Path(value).expanduser()
    if place.is_dir():
        return models.fingerprint(Model(str(place)))
    return fingerprint([place]) if place.is_file() else value
