"""The model's tokenizer, where chats become token ids before a server sees them."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from rrm_harness import EngineError, Model, Request, Score, chat, host, models

if TYPE_CHECKING:
    from rrm_harness import Head

    from .openai import OpenAI

FILES = (
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "config.json",
    "*.jinja",
    "*.model",
    "vocab.*",
    "merges.txt",
    "*.tiktoken",
    "*.py",
)
"""What of a folder decides which token ids a chat becomes."""


class TokenIds:
    """A model's tokenizer, and its head where it has one."""

    def __init__(self, model: Model, place: Path) -> None:
        _refuse_without_transformers()
        from transformers import PreTrainedConfig

        self._tokenizer = chat.load_tokenizer(
            str(place), trust_remote_code=model.trust_remote_code
        )
        self._config = PreTrainedConfig.from_pretrained(place)
        self._head: Head | None = None
        self.task = "classify"
        if model.head:
            self._head = host.default().lookup("heads", model.head).thing()
            served = self._head.vllm(place)
            self.task = served.task if served else ""

    def of(self, request: Request) -> chat.Encoded:
        """A request's ids, with whatever the head appends."""
        if self._head and request.kind == "score":
            return self._head.encode(self._tokenizer, self._config, request)
        return chat.encode(self._tokenizer, request)

    def reply(self, ids: Sequence[int], text: str) -> str:
        """A reply to these ids, with the thought that they opened."""
        return chat.reply(self._tokenizer, ids, text)

    def positions(self, ids: Sequence[int]) -> list[int]:
        """The positions that the head reads; the last one without a head."""
        if self._head is None:
            return [len(ids) - 1]
        return self._head.positions(ids, self._config)

    def score(self, rows: Sequence[tuple[float, ...]]) -> Score:
        """What the head makes of its raw outputs; without one, the first row's."""
        return self._head.score(rows) if self._head else Score(rows[0])


def named(options: OpenAI) -> str:
    """Whose tokenizer is used; of a head that is in a folder here, its own.

    Empty if there is none, so that texts are sent.
    """
    model = options.model
    if options.tokenizer or not model.head or options.route == "nemotron":
        return options.tokenizer
    return model.id if Path(model.id).expanduser().is_dir() else ""


def place(options: OpenAI) -> Path | None:
    """The folder of the tokenizer, if there is one."""
    name = named(options)
    if not name:
        return None
    local = Path(name).expanduser()
    return local if local.is_dir() else _fetched(name, _revision(options))


def fingerprint(options: OpenAI) -> str:
    """What tells the tokenizer and its template from others: a hash of their files.

    On the hub it is the id and the commit.
    """
    name = named(options)
    folder = Path(name).expanduser()
    if not folder.is_dir():
        return models.fingerprint(Model(name, revision=_revision(options)))
    digest = blake2b(digest_size=16)
    found = {each for kind in FILES for each in folder.rglob(kind)}
    for file in sorted(each for each in found if each.is_file()):
        content = file.read_bytes()
        told = f"{file.relative_to(folder).as_posix()}\0{len(content)}\0"
        digest.update(told.encode() + content)
    return digest.hexdigest()


def _revision(options: OpenAI) -> str:
    model = options.model
    return model.revision if named(options) == model.id else ""


def _fetched(name: str, revision: str) -> Path:
    """The folder of a model's small files, from the hub."""
    from huggingface_hub import snapshot_download

    wanted = ["*.json", "*.jinja", "*.model", "*.txt", "*.tiktoken", "*.py"]
    try:
        return Path(
            snapshot_download(name, revision=revision or None, allow_patterns=wanted)
        )
    except Exception as error:
        raise EngineError(
            f"the tokenizer '{name}' is no folder here and the hub does not give it"
            f" ({type(error).__name__}); name the model's folder with tokenizer=FOLDER"
        ) from error


def _refuse_without_transformers() -> None:
    try:
        import transformers  # noqa: F401
    except ImportError as error:
        raise EngineError(
            "tokenizer= needs transformers; pip install 'rrm-harness[transformers]'"
        ) from error
