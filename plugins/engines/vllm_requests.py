"""Requests and their answers, between the harness's words and vLLM's."""

from __future__ import annotations

import json
import struct
from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rrm_harness import Completion, Request, Route, chat
from rrm_harness.inputs import Reader

from . import in_process


class Row(in_process.Row):
    """A request, and where it goes in the order of prompts."""

    __slots__ = ()

    @property
    def key(self) -> bytes:
        """Sorts rows by their token ids."""
        return struct.pack(f">{len(self.ids)}I", *self.ids)


@dataclass(slots=True)
class Waiting:
    """Rows in the order of their token ids, taken round and round.

    The next row is the one after the last taken, so one that comes later still joins
    those that share its beginning, and none waits for more than a round.
    """

    _rows: dict[int, Row] = field(default_factory=dict)
    _ordered: list[tuple[bytes, int]] = field(default_factory=list)
    _last: tuple[bytes, int] = (b"", -1)

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: Row) -> None:
        """Take a row in."""
        self._rows[row.ticket] = row
        insort(self._ordered, (row.key, row.ticket))

    def take(self) -> Row:
        """Hand out the next row."""
        place = bisect_left(self._ordered, self._last) % len(self._ordered)
        self._last = self._ordered.pop(place)
        return self._rows.pop(self._last[1])

    def remove(self, ticket: int) -> None:
        """Let a row go, if it is here."""
        row = self._rows.pop(ticket, None)
        if row is not None:
            del self._ordered[bisect_left(self._ordered, (row.key, ticket))]


def ends(reader: Reader) -> tuple[int, ...]:
    """The tokens that end a text, as the checkpoint and its tokenizer name them."""
    return in_process.ends(
        _json(reader.place / "generation_config.json").get("eos_token_id"),
        getattr(reader.config, "eos_token_id", None),
        reader.tokenizer.eos_token_id,
    )


def _json(file: Path) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    return found


def sampling(request: Request, stops: Sequence[int]) -> Any:
    """How a request is to be written; nothing is left to anybody's defaults."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    return SamplingParams(
        n=1,
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=0,
        min_p=0.0,
        repetition_penalty=1.0,
        presence_penalty=0.0,
        frequency_penalty=0.0,
        max_tokens=request.max_tokens,
        seed=request.seed,
        stop=list(request.stop),
        stop_token_ids=list(stops),
        logprobs=request.logprobs or None,
        detokenize=bool(request.stop),  # only to find the stops: see `written`
        skip_special_tokens=False,
        spaces_between_special_tokens=False,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


def pooling(route: Route) -> Any:
    """How a request is to be scored: raw, without vLLM's default sigmoid."""
    from vllm import PoolingParams

    task: Any = route.task
    return PoolingParams(task=task, use_activation=False)


def written(reader: Reader, row: Row, output: Any, stops: Sequence[int]) -> Completion:
    """The completion of what vLLM wrote: until the model's end, a stop, or the most.

    The text is read from the token ids, special tokens spelled out, so that it is the
    same as any other engine's for the same tokens.
    """
    (told,) = output.outputs
    ids = list(told.token_ids)
    end = next((at for at, token in enumerate(ids) if token in stops), None)
    text, _ = row.until_stop(chat.continued(reader.tokenizer, row.ids, ids[:end]))
    return Completion(
        text=chat.reply(reader.tokenizer, row.ids, text),
        finish="length" if told.finish_reason == "length" else "stop",
        prompt_tokens=len(row.ids),
        completion_tokens=len(ids),
        logprobs=_alternatives(reader, row, told.logprobs),
        notes=row.notes,
    )


def _alternatives(reader: Reader, row: Row, told: Any) -> Mapping[str, float]:
    """The first token's likeliest alternatives, the likeliest of each spelling."""
    named: dict[str, float] = {}
    if row.request.logprobs and told:
        first = sorted(told[0].items(), key=lambda each: -each[1].logprob)
        for token, said in first[: row.request.logprobs]:
            text = chat.continued(reader.tokenizer, row.ids, [token])
            named.setdefault(text, float(said.logprob))
    return named


def scored(reader: Reader, row: Row, output: Any) -> Completion:
    """The completion of what vLLM's head said, (outputs) or (tokens, outputs)."""
    data = output.outputs.data.float()
    if data.dim() == 1:
        rows = [data.tolist()]
    else:
        rows = data[reader.positions(row.ids)].tolist()
    score = reader.score(rows)
    return Completion(
        scores=tuple(score.values),
        attributes=score.attributes,
        prompt_tokens=len(row.ids),
        notes=row.notes,
    )
