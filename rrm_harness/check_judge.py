"""Look at a judge before it runs: its prompt as tokens, its room, its memory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rrm_harness import checkpoints, models
from rrm_harness.errors import HarnessError
from rrm_harness.inputs import Reader, comparisons, requests
from rrm_harness.records import Dataset, Judge, Model, Request

DECODING = ("kind", "temperature", "top_p", "max_tokens", "bos")


@dataclass(frozen=True, slots=True)
class Looked:
    """What a judge sends for one comparison.

    Args:
        facts: Names and values.
        inputs: Each request, rendered, special tokens between ⟦ and ⟧.
        problems: What would go wrong.
    """

    facts: list[tuple[str, str]]
    inputs: list[str]
    problems: list[str]


def look(judge: Judge, dataset: Dataset) -> Looked:
    """Render a judge's requests for a dataset's first example.

    Without the model's files on this machine the messages are shown as they are sent.

    Raises:
        HarnessError: The judge makes no requests, or no example fits it.
    """
    (comparison,) = comparisons(judge, dataset, 1)
    asked = [request for _, request in requests(judge, comparison)]
    looked = Looked([("example", comparison.example.id)], [], [])
    model = judge.runs_on
    reader = _reader(model, looked) if model else None
    for request in asked:
        _add(looked, reader, request)
    if model is not None:
        looked.facts.extend(_known(model))
    if reader is not None:
        looked.facts.extend(_memory(reader, asked[0], looked))
    return looked


def _reader(model: Model, looked: Looked) -> Reader | None:
    try:
        return Reader.of(model)
    except (HarnessError, ImportError) as error:
        looked.problems.append(f"tokens cannot be shown: {error}")
        return None


def _add(looked: Looked, reader: Reader | None, request: Request) -> None:
    """Add a request to what is shown, and what is wrong with it."""
    named = DECODING if request.kind == "generate" else DECODING[:1]
    decoding = ", ".join(f"{name} {getattr(request, name)}" for name in named)
    if reader is None:
        turns = [f"⟦{each.role}⟧\n{each.content}" for each in request.messages]
        looked.inputs.append("\n".join([f"({decoding})", *turns, request.prefill]))
        return
    encoded = reader.encode(request)
    looked.inputs.append(f"({decoding})\n{reader.shown(encoded.ids)}")
    room = reader.context - request.writes
    count = f"{len(encoded.ids):,} tokens"
    if reader.context:
        count += f"; {max(room, 0):,} fit, {request.writes:,} kept to write"
        count += f", of a context of {reader.context:,}"
    looked.facts.append((f"input {len(looked.inputs)}", count))
    looked.problems.extend(f"input audit: {note}" for note in encoded.notes)
    if reader.context and len(encoded.ids) > room:
        looked.problems.append(
            f"input {len(looked.inputs)} does not fit; from token {max(room, 0):,} on"
            f" it is: {reader.shown(encoded.ids[max(room, 0) :])[:200]}"
        )


def _known(model: Model) -> Iterator[tuple[str, str]]:
    yield "model", f"{model.id} {model.revision}".strip()
    if model.head:
        yield "head", model.head
    card = models.card(model)
    if card is None:
        return
    yield "licence", card.licence + (", gated" if card.gated else "")
    yield "as its card says", f"{card.bf16:g} GB in bf16, {card.fp8:g} GB in fp8"
    for each in card.published:
        of = f" (measured on {each.measured_on})" if each.measured_on else ""
        yield f"published {each.benchmark}", f"{100 * each.value:.2f}{of}"


def _memory(
    reader: Reader, request: Request, looked: Looked
) -> Iterator[tuple[str, str]]:
    """What weights and cache take, against what the machine has."""
    listed = checkpoints.listed(reader.place)
    there = [file for file in listed if file.exists()]
    if 0 < len(there) < len(listed):
        looked.problems.append(
            f"{reader.place} holds {len(there)} of its {len(listed)} files of weights;"
            " finish the download"
        )
    stored = sum(file.stat().st_size for file in there)
    card = models.card(reader.model)
    weights = stored or (card.bf16 * 1e9 if card else 0)
    if not weights:
        looked.problems.append(
            f"the size of the weights is not known: {reader.place} holds none, and"
            f" there is no card of {reader.model.id}"
        )
        return
    tokens = len(reader.encode(request).ids) + request.writes
    cache = tokens * _cache_bytes(reader)
    form = _formats(there) if stored else "bf16, by its card"
    yield "weights", f"{_size(weights)}, {form}"
    yield "cache of one input", f"{_size(cache)} in 16 bit, {tokens:,} tokens"
    have = dict(_machine())
    for name, size in have.items():
        fits = "fits" if weights + cache <= size else "does not fit"
        yield name, f"{_size(size)}: one input at a time {fits}"
    if all(weights + cache > size for size in have.values()):
        looked.problems.append(
            f"{_size(weights + cache)} of weights and cache are more than this machine"
            " has; take fewer bits or several devices"
        )


def _size(count: float) -> str:
    """Bytes as people say them."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def _cache_bytes(reader: Reader) -> int:
    """Bytes of a token's keys and values, two bytes a number."""
    config = reader.text_config
    heads = getattr(config, "num_attention_heads", 1)
    each = getattr(config, "head_dim", None)
    each = each or getattr(config, "hidden_size", 0) // heads
    kept = getattr(config, "num_key_value_heads", None) or heads
    return int(2 * 2 * getattr(config, "num_hidden_layers", 0) * kept * each)


def _formats(files: Sequence[Path]) -> str:
    """The number formats of safetensors files."""
    formats = {
        each["dtype"]
        for file in files
        for name, each in checkpoints.header(file)[0].items()
        if name != "__metadata__"
    }
    return ", ".join(sorted(formats))


def _machine() -> Iterator[tuple[str, int]]:
    """The memories of this machine, in bytes."""
    yield (
        "memory of this machine",
        os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    )
    try:
        import torch
    except ImportError:
        return
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        yield f"memory of GPU {index}", int(properties.total_memory)
