"""Models: where their weights lie, what tells them apart, and what is known of them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import Any

from rrm_harness import checkpoints, host, hub
from rrm_harness.errors import EngineError, PluginError
from rrm_harness.records import Model

SMALL = ("*.json", "*.jinja", "*.model", "*.txt", "*.tiktoken", "*.py")
"""The files of a model that are no weights: config, tokenizer, template, code."""
WEIGHTS = "*.safetensors"
"""The only weights that are ever loaded."""
OTHERS = ("consolidated*", "original/*", "onnx/*")
"""The same weights once more, for other programs."""
READERS = 8
"""How many files are hashed at a time."""


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
        folder: Where its files came along with the plugin: in its TOML file a path from
            that file's own place. Empty for a model of the hub.
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
    folder: str = ""
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
            if "folder" in facts:
                facts["folder"] = str(Path(str(file)).parent / facts["folder"])
            yield Card(name, published=tuple(published), **facts)
    except (AttributeError, OSError, RecursionError, TypeError, ValueError) as error:
        raise PluginError(f"plugin {origin}: {file}: {error}") from error


def folder(model: Model, *, weights: bool = True) -> Path:
    """Return the folder of a model's files, downloaded from the hub if need be.

    Without `weights` only its configuration and tokenizer are downloaded.

    Raises:
        EngineError: There is no such folder, and the hub does not give it.
    """
    local = _local(model)
    if local is not None:
        return local
    from huggingface_hub import snapshot_download

    wanted = [*SMALL, WEIGHTS] if weights else [*SMALL]
    try:
        return Path(
            snapshot_download(
                model.id,
                revision=commit(model) or None,
                allow_patterns=wanted,
                ignore_patterns=list(OTHERS),
            )
        )
    except Exception as error:
        raise EngineError(
            f"'{model.id}' is no folder here and the hub does not give it"
            f" ({type(error).__name__}); check the name, the network and, if it is"
            " gated, your consent and HF_TOKEN; or name a folder in its place"
        ) from error


def _local(model: Model) -> Path | None:
    """The folder that the id names, or that came along with the model's card."""
    known = card(model)
    places = [Path(model.id).expanduser()]
    places += [Path(known.folder)] if known and known.folder else []
    return next((place for place in places if place.is_dir()), None)


def fingerprint(model: Model, *, weights: bool = True) -> str:
    """Return what tells these weights from all others, without loading them.

    That is the hash of what a local folder holds to be loaded, wherever it lies (a
    second or so for each gigabyte); on the hub the id and the commit. Without `weights`
    it is that of the other files, which decide what token ids a chat becomes.
    """
    local = _local(model)
    if local is not None:
        return ("weights " if weights else "") + _hash(local, weights=weights)
    return f"{model.id}@{commit(model) or 'unknown'}"


def commit(model: Model) -> str:
    """Return the hub's commit that a model's revision is now, the same all through.

    What is in the cache is used if the hub does not answer; empty if there is nothing.
    """
    return hub.commit("model", model.id, model.revision) or model.revision


def _hash(place: Path, *, weights: bool) -> str:
    """The hash of a folder's small files, and of its weights, by name and content.

    What else lies in folders inside it is not loaded and may be a run's output.
    """
    kinds = (*SMALL, WEIGHTS) if weights else SMALL
    found = {each for kind in kinds for each in place.glob(kind)}
    found |= set(checkpoints.listed(place)) if weights else set()
    files = sorted(
        each for each in found if each.is_file() and not each.name.startswith(".")
    )
    digest = blake2b(digest_size=16)
    with ThreadPoolExecutor(READERS) as pool:
        for each, content in zip(files, pool.map(_content, files), strict=True):
            name = each.relative_to(place).as_posix()
            digest.update(f"{name}\0{content}\0".encode())
    return digest.hexdigest()


def _content(file: Path) -> str:
    """The hash of a file's content; computed once while the file stays as it is."""
    status = file.stat()
    return _hashed(file, status.st_size, status.st_mtime_ns, status.st_ino)


@cache
def _hashed(file: Path, *_: int) -> str:
    with file.open("rb") as opened:
        return file_digest(opened, "blake2b").hexdigest()


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
