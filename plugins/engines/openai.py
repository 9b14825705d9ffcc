"""Judges and reward models behind any OpenAI-compatible server."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rrm_harness import (
    Completion,
    Engine,
    Model,
    Register,
    Request,
    SpecError,
    hookimpl,
    models,
    offline,
)
from rrm_harness.specs import written

from .openai_address import Address

if TYPE_CHECKING:
    from .openai_client import Asked, Client

RouteName = Literal[
    "auto", "chat", "completions", "classify", "pooling", "reward", "nemotron"
]
Prefill = Literal["no", "vllm", "assistant"]


@dataclass
class OpenAI(Engine):
    """Any OpenAI-compatible server: vLLM, SGLang, llama.cpp, NIM or a hosted one.

    Several addresses are servers of the same model: each request goes to the one with
    the least to do, one that is gone is left out until it is back, and what it was
    asked is asked elsewhere.

    With `tokenizer`, chats become token ids here, by the model's own template, and go
    to the completions route: what a response says cannot become a special token, and a
    reply may be prefilled. Without, the server renders the chat as it sees fit.

    Args:
        model: What the judge runs on.
        url: The server's address up to `/v1`, or several with `;` between them;
            OPENAI_BASE_URL, else OpenAI's own.
        key_variable: The environment variable that holds the key, if one is needed.
        route: How to ask. `auto`: for a text `completions` with a tokenizer and `chat`
            without; for a score what the model's head says, else `classify`.
            `reward` is SGLang's `/classify`, `nemotron` NVIDIA's attributes in a chat.
        concurrency: The most requests under way at once, at each address.
        timeout: Seconds for one attempt as a whole, and for waiting where told to.
        retries: How often a request is asked again before it fails.
        backoff: Seconds before the first retry, doubled with each, at most 60.
        served: The name that the server knows the model by; the model's id otherwise.
        tokenizer: The model's folder, or its id on the hub.
        prefill: Without a tokenizer, how the server is told to continue a reply:
            vLLM's `continue_final_message`, or a last assistant message alone.
        context: The most tokens of prompt and reply; 0 leaves it to the server.
        neutral: Whether the server is told to leave out its own cuts and penalties,
            which OpenAI's API does not know: `top_k`, `min_p`, repetition. `auto`: told
            unless it is OpenAI's own, and no more once it complains.

    Raises:
        SpecError: The address is none, or an option is out of its range.
    """

    model: Model
    url: str = field(default="", repr=False)  # may hold a password
    key_variable: str = "OPENAI_API_KEY"
    route: RouteName = "auto"
    concurrency: int = 32
    timeout: float = 600.0
    retries: int = 6
    backoff: float = 0.5
    served: str = ""
    tokenizer: str = ""
    prefill: Prefill = "no"
    context: int = 0
    neutral: Literal["auto", "true", "false"] = "auto"
    _client: Client | None = field(default=None, init=False, repr=False)
    _addresses: list[Address] = field(init=False, repr=False)
    _open: dict[int, Asked] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        self._addresses = Address.read_all(self.url)
        for each in self._addresses:
            offline.refuse_outside(each.name, "openai")
        if self.concurrency < 1 or self.retries < 0 or self.context < 0:
            raise SpecError(
                f"openai,concurrency={self.concurrency},retries={self.retries},"
                f"context={self.context}: concurrency is at least 1, the others at"
                " least 0"
            )
        if self.timeout <= 0 or self.backoff < 0:
            raise SpecError(
                f"openai,timeout={self.timeout},backoff={self.backoff}: timeout is"
                " above 0, backoff at least 0"
            )
        under_way = self.concurrency * len(self._addresses)
        self.capacity = 2 * under_way  # the next is there when one is done

    @property
    def identity(self) -> str:
        """Where it is asked, for what, and how; no key, password or query.

        The tokenizer is told by its files, and the query by a hash. Of several
        addresses the first stands for all: whoever answers, the model is the same, and
        what was judged stays valid when others join or leave.
        """
        read = self.tokenized
        ids = f"ids {models.fingerprint(read, weights=False)}" if read else ""
        how = [self.route, ids or "text"]
        how += [f"prefill={self.prefill}"] if self.prefill != "no" else []
        how += [] if self.neutral == "auto" else [f"neutral={self.neutral}"]
        name = self.served or self.model.id
        name += f"@{self.model.revision}" if self.model.revision else ""
        return f"openai({self._addresses[0].mark}, {name}, {', '.join(how)})"

    @property
    def spec(self) -> str | None:
        """What builds it again, also where the environment says another address.

        None if an address has a name, password or query, which are written nowhere.
        """
        if any(each.query or each.auth for each in self._addresses):
            return None
        asked = replace(self, url=";".join(map(str, self._addresses)))
        return written("openai", asked, hidden=True)

    @property
    def neutralizes(self) -> bool:
        """Whether servers' own cuts and penalties are spoken of at all."""
        if self.neutral == "auto":
            return not any(each.is_openai for each in self._addresses)
        return self.neutral == "true"

    @property
    def tokenized(self) -> Model | None:
        """Whose tokenizer is used; of a head that is in a folder here, its own.

        None if there is none, so that texts are sent.
        """
        own, name = self.model, self.tokenizer
        if not name and own.head and self.route != "nemotron":
            name = own.id if Path(own.id).expanduser().is_dir() else ""
        if not name:
            return None
        return own if name == own.id else replace(own, id=name, revision="")

    def submit(self, ticket: int, request: Request) -> None:
        self._open[ticket] = self._started().ask(ticket, request)

    def collect(self) -> Iterable[tuple[int, Completion]]:
        """Wait for one at least; what is done is handed out before an error is raised.

        Raises:
            EngineError: The key is refused, the model or route unknown, no server
                there, or it stopped answering for good.
        """
        while self._open:
            done = [
                (each.ticket, each.completion)
                for each in self._started().done()
                if self._open.get(each.ticket) is each  # else it was cancelled
            ]
            for ticket, _ in done:
                del self._open[ticket]
            if done:
                return done
        return []

    def cancel(self, ticket: int) -> None:
        """Take a request back; one under way is broken off, so the server may stop."""
        asked = self._open.pop(ticket, None)
        if self._client and asked is not None:
            self._client.cancel(asked)

    def close(self) -> None:
        self._open.clear()
        if self._client:
            self._client.close()
            self._client = None

    def _started(self) -> Client:
        """The client, made at first use."""
        if self._client is None:
            from .openai_client import Client
            from .openai_routes import Routes

            self._client = Client(self._addresses, Routes(self), self)
        return self._client


@hookimpl
def register_engines(register: Register) -> None:
    register("openai", OpenAI)
