"""Requests and their answers, between the harness's words and vLLM's."""

from __future__ import annotations

import struct
from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rrm_harness import Completion, Request, Route
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
    """The completion of what vLLM wrote."""
    (told,) = output.outputs
    first = told.logprobs[0] if row.request.logprobs and told.logprobs else {}
    named = {token: float(said.logprob) for token, said in first.items()}
    spelled = row.spelled(reader.tokenizer, named)
    return row.written(reader.tokenizer, list(told.token_ids), stops, spelled)


def scored(reader: Reader, row: Row, output: Any) -> Completion:
    """The completion of what vLLM's head said, (outputs) or (tokens, outputs)."""
    data = output.outputs.data.float()
    if data.dim() == 1:
        rows = [data.tolist()]
    else:
        rows = data[reader.positions(row.ids)].tolist()
    return row.scored(reader.score(rows))
