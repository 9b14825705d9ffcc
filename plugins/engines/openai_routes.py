"""One class per route: what a request looks like on the wire, and its answer.

A score is always asked for raw. What puts a sigmoid or a softmax on it cannot be told
from its answer alone, so vLLM is told each time not to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from rrm_harness import (
    Completion,
    EngineError,
    Failure,
    Request,
    Score,
    chat,
)
from rrm_harness.inputs import Reader

if TYPE_CHECKING:
    from .openai import OpenAI

Said = Mapping[str, Any]

NEUTRAL = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0, "repeat_penalty": 1.0}
"""What has no effect. vLLM and SGLang take defaults from generation_config.json, and
llama.cpp has its own (top_k=40, min_p=0.05) and the last name for the penalty."""


@dataclass
class Shared:
    """What all routes of a server share.

    `limit` is what it calls the most tokens of a reply, as far as it has said, and
    `neutral` whether it is told to leave its own cuts and penalties out.
    """

    served: str
    options: OpenAI
    reader: Reader | None = None
    limit: str = "max_tokens"
    neutral: bool = False


class Route:
    """One request on its way: a path, what is sent there, and what comes back."""

    path: ClassVar[str]
    kind: ClassVar[str] = "generate"

    def __init__(self, shared: Shared, request: Request) -> None:
        self.shared = shared
        self.request = request

    def body(self) -> dict[str, Any]:
        """What is sent.

        Raises:
            EngineError: This route cannot ask that.
        """
        raise NotImplementedError

    def read(self, said: Any) -> Completion:
        """What came back; a LookupError, TypeError or ValueError if it is not that."""
        raise NotImplementedError

    def mends(self, body: Said, problem: str) -> bool:
        """Whether a server's complaint is understood, so that it can be asked anew."""
        return False

    @cached_property
    def encoded(self) -> chat.Encoded | None:
        """The request in token ids, if there is a tokenizer."""
        return self.shared.reader.encode(self.request) if self.shared.reader else None

    @property
    def notes(self) -> tuple[str, ...]:
        """What the input audit should know."""
        return self.encoded.notes if self.encoded else ()

    def problem(self) -> Completion | None:
        """Why it need not be asked at all: it cannot fit."""
        context = self.shared.options.context
        if self.encoded is None or not context:
            return None
        room, tokens = self.measured(context, 0)
        if tokens <= room:
            return None
        text = f"{tokens} tokens, {room} fit"
        return Completion(
            failure=Failure.TOO_LONG, text=text, room=room, prompt_tokens=tokens
        )

    def measured(self, context: int, tokens: int) -> tuple[int, int]:
        """The room for a prompt and the prompt's tokens, as far as they are known."""
        if self.encoded:
            tokens = tokens or len(self.encoded.ids)
        return max(0, context - self.request.writes), tokens

    def ids(self) -> list[int]:
        """The request's token ids.

        Raises:
            EngineError: There is no tokenizer.
        """
        if self.encoded is None:
            raise EngineError(
                f"the route {type(self).__name__.lower()} takes token ids; give the"
                " engine the model's tokenizer with tokenizer=FOLDER"
            )
        return list(self.encoded.ids)


class Writing(Route):
    """What both routes to a text have in common."""

    def decoding(self) -> dict[str, Any]:
        """How to write."""
        request = self.request
        body: dict[str, Any] = {
            "model": self.shared.served,
            "temperature": request.temperature,
            "top_p": request.top_p,
            self.shared.limit: request.max_tokens,
        }
        body |= NEUTRAL if self.shared.neutral else {}
        body |= {"seed": request.seed} if request.seed is not None else {}
        return body | ({"stop": list(request.stop)} if request.stop else {})

    def mends(self, body: Said, problem: str) -> bool:
        """Newer models of OpenAI's know `max_tokens` by another name.

        Servers that do as OpenAI's does refuse what its API has not.
        """
        if NEUTRAL.keys() & body.keys() and any(name in problem for name in NEUTRAL):
            self.shared.neutral = False
            return True
        if "max_tokens" not in body or "max_completion_tokens" not in problem:
            return False
        self.shared.limit = "max_completion_tokens"
        return True

    def completion(self, said: Said, text: str) -> Completion:
        """The completion of a text."""
        choice = said["choices"][0]
        finish = choice.get("finish_reason")
        if finish in ("error", "abort"):
            raise ValueError(f"it broke off ({finish})")
        refused = finish == "content_filter"
        prompt, written = _usage(said)
        return Completion(
            text=text,
            failure=Failure.REFUSED if refused else None,
            finish="length" if finish == "length" else "stop",
            prompt_tokens=prompt,
            completion_tokens=written,
            logprobs=_first_logprobs(choice.get("logprobs")),
            notes=self.notes,
        )


class Chat(Writing):
    """`/chat/completions`: the server renders the chat by its own template."""

    path = "chat/completions"

    def body(self) -> dict[str, Any]:
        request = self.request
        if request.bos == "double":
            raise EngineError(
                "bos=double is only exact in token ids; give the engine the model's"
                " tokenizer with tokenizer=FOLDER"
            )
        body = self.decoding() | {"messages": _messages(self.request)}
        if request.logprobs:
            body |= {"logprobs": True, "top_logprobs": request.logprobs}
        if request.chat_options:
            body["chat_template_kwargs"] = dict(request.chat_options)
        return body | (self._prefilled(body) if request.prefill else {})

    def _prefilled(self, body: Said) -> dict[str, Any]:
        if self.shared.options.prefill == "no":
            raise EngineError(
                "this judge begins the reply, and not every server continues it; give"
                " the engine the model's tokenizer with tokenizer=FOLDER, or say how"
                " with prefill=vllm or prefill=assistant"
            )
        begun = {"role": "assistant", "content": self.request.prefill}
        continued: dict[str, Any] = {"messages": [*body["messages"], begun]}
        if self.shared.options.prefill == "vllm":
            continued |= {
                "continue_final_message": True,
                "add_generation_prompt": False,
            }
        return continued

    def read(self, said: Any) -> Completion:
        choice = said["choices"][0]
        message = choice["message"]
        if message.get("refusal"):
            return Completion(failure=Failure.REFUSED, text=str(message["refusal"]))
        content = message.get("content") or ""
        thought = message.get("reasoning_content") or message.get("reasoning")
        if thought:
            cut = choice.get("finish_reason") == "length" and not content
            content = f"<think>{thought}{'' if cut else '</think>'}{content}"
        if not isinstance(content, str):
            raise TypeError("the content is no text")
        if self.shared.options.prefill == "assistant":  # llama.cpp repeats it
            content = content.removeprefix(self.request.prefill)
        return self.completion(said, content)


class Completions(Writing):
    """`/completions`: the prompt goes out as token ids."""

    path = "completions"

    def body(self) -> dict[str, Any]:
        body = self.decoding() | {"prompt": self.ids()}
        wanted = self.request.logprobs
        return body | ({"logprobs": wanted} if wanted else {})

    def read(self, said: Any) -> Completion:
        text = said["choices"][0]["text"]
        if not isinstance(text, str):
            raise TypeError("the text is none")
        if self.shared.reader:
            text = chat.reply(self.shared.reader.tokenizer, self.ids(), text)
        return self.completion(said, text)


class Scoring(Route):
    """What the routes to a score have in common."""

    kind = "score"

    def scored(self, said: Any, rows: Sequence[Sequence[Any]]) -> Completion:
        """The completion of raw outputs, (positions, outputs)."""
        values = [tuple(map(_number, row)) for row in rows]
        if not values or not all(values):
            raise ValueError("no score")
        found = (
            self.shared.reader.score(values) if self.shared.reader else Score(values[0])
        )
        prompt, _ = _usage(said)
        return Completion(
            scores=tuple(found.values),
            attributes=dict(found.attributes),
            prompt_tokens=prompt,
            notes=self.notes,
        )


class Classify(Scoring):
    """vLLM's `/classify`, raw; without a tokenizer the server renders the chat."""

    path = "/classify"

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self.shared.served, "use_activation": False}
        if self.encoded is None and not self.shared.options.model.head:
            if self.request.chat_options:
                body["chat_template_kwargs"] = dict(self.request.chat_options)
            return body | {"messages": _messages(self.request)}
        return body | {"input": self.ids()}

    def read(self, said: Any) -> Completion:
        probs = _only(said["data"])["probs"]
        if len(probs) > 1 and min(probs) >= 0 and abs(sum(probs) - 1) < 1e-6:
            raise EngineError(
                "the server squashes its scores, though told use_activation=false:"
                " they sum to 1; a vLLM that heeds it is needed, or start it with"
                """ --pooler-config '{"use_activation": false}'"""
            )
        return self.scored(said, [probs])


class Pooling(Scoring):
    """vLLM's `/pooling` of each token; the head says which tokens count.

    The server runs with `--runner pooling --pooler-config '{"pooling_type": "ALL"}'`.
    """

    path = "/pooling"

    def body(self) -> dict[str, Any]:
        return {
            "model": self.shared.served,
            "input": self.ids(),
            "task": "token_classify",
            "use_activation": False,
            "encoding_format": "float",
        }

    def read(self, said: Any) -> Completion:
        rows = _only(said["data"])["data"]
        ids = self.ids()
        if len(rows) != len(ids):
            raise EngineError(
                f"the server gives {len(rows)} rows for {len(ids)} tokens, so nobody"
                " knows which tokens they are of; start it with --runner pooling"
                """ --pooler-config '{"pooling_type": "ALL"}'"""
            )
        places = self.shared.reader.positions(ids) if self.shared.reader else []
        return self.scored(said, [rows[place] for place in places])


class Reward(Scoring):
    """SGLang's own `/classify`, raw (its `/v1/classify` applies a softmax).

    Source: docs.sglang.io, native API; sgl-project/sglang pull request 19709.
    """

    path = "/classify"

    def body(self) -> dict[str, Any]:
        return {"model": self.shared.served, "input_ids": self.ids()}

    def read(self, said: Any) -> Completion:
        answer = _only(said) if isinstance(said, list) else said
        values = answer["embedding"]
        values = values if isinstance(values, list) else [values]
        return self.scored({"usage": answer.get("meta_info")}, [values])


class Nemotron(Route):
    """NVIDIA's attribute models: a chat in, attributes by name out.

    They come as the log-probabilities of tokens with the attributes' names, or as the
    text `name:value,...`. What they are worth together is the judge's to say.

    Source: docs.nvidia.com/nim, large language models, reward models.
    """

    path = "chat/completions"
    kind = "score"

    def body(self) -> dict[str, Any]:
        return {"model": self.shared.served, "messages": _messages(self.request)}

    def read(self, said: Any) -> Completion:
        choice = said["choices"][0]
        tokens = (choice.get("logprobs") or {}).get("content") or []
        named = {str(each["token"]): float(each["logprob"]) for each in tokens}
        if not named:
            pairs = choice["message"]["content"].split(",")
            split = [pair.rsplit(":", 1) for pair in pairs]
            named = {name.strip(): float(value) for name, value in split}
        prompt, written = _usage(said)
        return Completion(
            attributes=named, prompt_tokens=prompt, completion_tokens=written
        )


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


def _messages(request: Request) -> list[dict[str, str]]:
    return [{"role": each.role, "content": each.content} for each in request.messages]


def _only(answers: Any) -> Any:
    """The answer to the one input that there was; two, or another's, are none.

    Raises:
        ValueError: It is not that.
    """
    (answer,) = answers
    if answer.get("index") not in (None, 0):
        raise ValueError(f"it is of input {answer['index']!r}, and there is one alone")
    return answer


def _number(said: Any) -> float:
    """A score; a text or a truth that looks like one is none.

    Raises:
        TypeError: It is not that.
    """
    if type(said) not in (int, float):
        raise TypeError(f"a score that is {said!r:.40}")
    return float(said)


def _usage(said: Said) -> tuple[int, int]:
    usage = said.get("usage") or {}
    return _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))


def _count(said: Any) -> int:
    """A count of tokens; 0 for what is none, which costs no verdict."""
    return said if type(said) is int and 0 <= said < _MANY else 0


_MANY = 1 << 53
"""No count of tokens; readers of JSON lose digits from here on."""


def _first_logprobs(said: Any) -> dict[str, float]:
    """The alternatives of the first token, in the shape of either route."""
    if not said:
        return {}
    if said.get("content"):
        listed = said["content"][0].get("top_logprobs") or []
        pairs = [(each["token"], each["logprob"]) for each in listed]
    else:
        pairs = list(((said.get("top_logprobs") or [None])[0] or {}).items())
    found: dict[str, float] = {}
    for token, logprob in pairs:  # two tokens may have one text: the likelier counts
        found[token] = max(float(logprob), found.get(token, float(logprob)))
    return found
