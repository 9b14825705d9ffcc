"""Models: where their weights lie, what tells them apart, and what is known of them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from rrm_harness import host
from rrm_harness.errors import EngineError, PluginError
from rrm_harness.records import Model

WHOLE = 1 << 30
"""Folders up to this many bytes are hashed whole; of larger files, pieces are."""
PIECE, PIECES = 1 << 20, 64


@dataclass(frozen=True, slots=True)
class Published:
    """A published figure, with what it was measured on and how.

    Args:
        benchmark: Our dataset's name, with its subset if it is of one.
        value: The headline, 0–1.
        protocol: How it was asked and what a failure was worth.
        source: Where it was published.
        measured_on: The model that it belongs to, if that is not this one.
    """

    benchmark: str
    value: float
    protocol: str
    source: str
    measured_on: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of a published model; never mixed with what was measured.

    Args:
        id: The hub's id, or the name that its service has.
        judge: The judge plugin that runs it.
        licence: As its card declares it.
        parameters: In billions.
        context: The most tokens that prompt and reply may have together.
        source: Where these facts were read.
        revision: The commit that they are about, where one was stated.
        gated: Whether the hub asks for consent first.
        weights: Whether its weights can be downloaded.
        published: Its published figures.
    """

    id: str
    judge: str
    licence: str
    parameters: float
    context: int
    source: str
    revision: str = ""
    gated: bool = False
    weights: bool = True
    published: Sequence[Published] = ()

    @property
    def bf16(self) -> float:
        """GB that the weights take in bfloat16."""
        return 2 * self.parameters

    @property
    def fp8(self) -> float:
        """GB that the weights take in 8-bit floating point."""
        return self.parameters


def cards() -> dict[str, Card]:
    """Return the cards of all registered files, by the model's id.

    Raises:
        PluginError: A file is not what its format says, or two describe one model.
    """
    found: dict[str, Card] = {}
    for entry in host.default().registry("models").values():
        for card in _read(entry.thing, entry.origin):
            if card.id in found:
                raise PluginError(f"two plugins describe the model '{card.id}'")
            found[card.id] = card
    return dict(sorted(found.items()))


def _read(file: Any, origin: str) -> Iterator[Card]:
    try:
        for name, facts in tomllib.loads(file.read_text(encoding="utf-8")).items():
            published = [Published(**each) for each in facts.pop("published", ())]
            yield Card(name, published=tuple(published), **facts)
    except (OSError, TypeError, ValueError) as error:
        raise PluginError(f"plugin {origin}: {file}: {error}") from error


def folder(model: Model, *, weights: bool = True) -> Path:
    """Return the folder of a model's files, downloaded from the hub if need be.

    Without `weights` only its configuration and tokenizer are downloaded.

    Raises:
        EngineError: There is no such folder, and the hub does not give it.
    """
    local = Path(model.id).expanduser()
    if local.is_dir():
        return local
    from huggingface_hub import snapshot_download

    unwanted = ["*.bin", "*.pt", "*.pth", "*.gguf", "original/*", "*.onnx", "*.msgpack"]
    unwanted += [] if weights else ["*.safetensors"]
    try:
        return Path(
            snapshot_download(
                model.id, revision=model.revision or None, ignore_patterns=unwanted
            )
        )
    except Exception as error:
        raise EngineError(
            f"the model '{model.id}' is no folder here and the hub does not give it"
            f" ({type(error).__name__}); check the name, the network and, if it is"
            " gated, your consent and HF_TOKEN; or name a folder with model=FOLDER"
        ) from error


def fingerprint(model: Model) -> str:
    """Return what tells these weights from all others, without loading them.

    That is the hash of a local folder's files, wherever it lies; on the hub the id and
    the commit.
    """
    local = Path(model.id).expanduser()
    return f"weights {_hash(local)}" if local.is_dir() else _on_hub(model)


def _on_hub(model: Model) -> str:
    """The id and the commit; what was asked for if the hub cannot be reached."""
    from huggingface_hub import HfApi, try_to_load_from_cache

    cached = try_to_load_from_cache(
        model.id, "config.json", revision=model.revision or None
    )
    if isinstance(cached, str):
        return f"{model.id}@{Path(cached).parent.name}"
    try:
        found = HfApi().model_info(model.id, revision=model.revision or None)
    except Exception:
        return f"{model.id}@{model.revision or 'main'}"
    return f"{model.id}@{found.sha}"


def _hash(place: Path) -> str:
    files = sorted(
        each
        for each in place.rglob("*")
        if each.is_file() and not each.relative_to(place).parts[0].startswith(".")
    )
    whole = sum(each.stat().st_size for each in files) <= WHOLE
    digest = blake2b(digest_size=16)
    for each in files:
        size = each.stat().st_size
        digest.update(f"{each.relative_to(place).as_posix()}\0{size}\0".encode())
        for piece in _pieces(each, size, whole):
            digest.update(piece)
    return digest.hexdigest()


def _pieces(file: Path, size: int, whole: bool) -> Iterator[bytes]:
    """The file in pieces, or pieces evenly spaced over it."""
    step = PIECE if whole or size <= PIECE * PIECES else size // PIECES
    with file.open("rb") as opened:
        for start in range(0, size, step):
            opened.seek(start)
            yield opened.read(PIECE)


def card(model: Model) -> Card | None:
    """Return the card of a model, if there is one."""
    return cards().get(model.id)


def facts(model: Model) -> Mapping[str, Any]:
    """Return what the manifest says of a judge's model."""
    known = card(model)
    said: dict[str, Any] = {
        "id": model.id,
        "revision": model.revision,
        "head": model.head,
        "trust_remote_code": model.trust_remote_code,
        "licence": known.licence if known else "",
    }
    return {name: value for name, value in said.items() if value}
