"""Which route a request takes: the one that is named, or the one that fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rrm_harness import EngineError, Request
from rrm_harness.inputs import Reader

from .openai_route import Route, Shared
from .openai_scoring import Classify, Nemotron, Pooling, Reward
from .openai_writing import Chat, Completions

if TYPE_CHECKING:
    from .openai import OpenAI

ROUTES: Mapping[str, type[Route]] = {
    "chat": Chat,
    "completions": Completions,
    "classify": Classify,
    "pooling": Pooling,
    "reward": Reward,
    "nemotron": Nemotron,
}


class Routes:
    """The route of each request; the tokenizer is loaded when this is made."""

    def __init__(self, options: OpenAI) -> None:
        served, named = options.served or options.model.id, options.tokenized
        read = Reader.of(named) if named else None
        self._shared = Shared(served, options, read, neutral=options.neutralizes)
        self._task = "classify"
        if read and read.head:
            route = read.head.vllm(read.place)
            self._task = route.task if route else ""

    def of(self, request: Request) -> Route:
        """The route of a request.

        Raises:
            EngineError: The route that was named is for the other kind.
        """
        name = self._name(request)
        route = ROUTES[name]
        if route.kind != request.kind:
            does = {"generate": "writes", "score": "scores"}
            raise EngineError(
                f"the judge asks for a model that {does[request.kind]}, and route="
                f"{name} is to one that {does[route.kind]}; leave route out, or name"
                " one that fits"
            )
        return route(self._shared, request)

    def _name(self, request: Request) -> str:
        named = self._shared.options.route
        if named != "auto":
            return named
        if request.kind == "generate":
            return "completions" if self._shared.reader else "chat"
        if not self._task:
            head = self._shared.options.model.head
            raise EngineError(
                f"no server is known to score as the head {head} does; use the engine"
                " transformers, or say how with route=NAME"
            )
        return "pooling" if self._task == "token_classify" else "classify"
