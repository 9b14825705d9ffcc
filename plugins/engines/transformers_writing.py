"""Writing text: batches through `generate`, each row with its own way to decode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from math import inf
from typing import Any

from rrm_harness import Completion, chance, chat
from rrm_harness.libraries import library

from .transformers_loading import EXTRA, Loaded
from .transformers_rows import Answered, Row, Waiting, answered, padded

MORE = 8
"""Tokens that are looked through for a stop beyond its bytes: some write nothing."""


@dataclass(slots=True)
class Writer:
    """Writes what waits, at most `batch` rows at a time.

    Once memory did not suffice, a batch has at most `tokens`: its rows, each as long
    as the longest.
    """

    loaded: Loaded
    batch: int
    tokens: float = inf
    waiting: Waiting = field(default_factory=Waiting)

    def step(self) -> Answered:
        """Write the rows that take longest."""
        rows = self._next()
        done = answered(self.waiting, rows, self._completions)
        failed = len(done) == 1 and done[0][1].failure  # that says nothing of others
        if len(done) < len(rows) and not failed:
            self.tokens = _weight(rows[: len(done)])
        return done

    def _next(self) -> list[Row]:
        """The rows that take longest, as many as memory allows; one at least."""
        rows: list[Row] = []
        for row in islice(self.waiting.longest_first(), self.batch):
            if rows and _weight([*rows, row]) > self.tokens:
                break
            rows.append(row)
        return rows

    def _completions(self, rows: Sequence[Row]) -> list[Completion]:
        ids, mask = padded([row.ids for row in rows], left=True)
        longest = ids.shape[1]
        steps = Steps(self.loaded, rows, longest)
        written = self.loaded.network.generate(
            ids.to(self.loaded.device),
            attention_mask=mask.to(self.loaded.device),
            generation_config=decoding(self.loaded, rows),
            logits_processor=[steps.choose],
            stopping_criteria=[steps.done],
        )
        return [
            row.written(
                self.loaded.reader.tokenizer,
                tokens[: steps.ended.get(number, row.request.max_tokens)],
                self.loaded.ends,
                steps.first.get(number, {}),
            )
            for number, (row, tokens) in enumerate(
                zip(rows, written[:, longest:].tolist(), strict=True)
            )
        ]


def _weight(rows: Sequence[Row]) -> int:
    """Tokens that rows take together in a batch, padding and replies included."""
    longest = max(len(row.ids) for row in rows)
    return len(rows) * (longest + max(row.request.max_tokens for row in rows))


def decoding(loaded: Loaded, rows: Sequence[Row]) -> Any:
    """Greedy until the model ends the text: sampled tokens are forced by `Steps`."""
    return library("transformers", EXTRA).GenerationConfig(
        max_new_tokens=max(row.request.max_tokens for row in rows),
        do_sample=False,
        eos_token_id=list(loaded.ends) or None,
        pad_token_id=0,
    )


class Steps:
    """A batch being written: chooses each row's next token, and says who is done.

    A row's draws depend on its seed and on how much it has written, not on who shares
    the batch.

    Attributes:
        first: Row number to the first token's alternatives, where they were asked for.
        ended: Row number to how many tokens it had when it wrote one of its stops.
    """

    def __init__(self, loaded: Loaded, rows: Sequence[Row], start: int) -> None:
        self._loaded, self._rows, self._start = loaded, rows, start
        self._most = [row.request.max_tokens for row in rows]
        self._sampled = [
            number for number, row in enumerate(rows) if row.request.sampled
        ]
        self.first: dict[int, Mapping[str, float]] = {}
        self.ended: dict[int, int] = {}

    def choose(self, ids: Any, scores: Any) -> Any:
        """Leave each sampled row only the token drawn; greedy rows stay as they are."""
        step = ids.shape[1] - self._start
        if step == 0:
            self._note_alternatives(scores)
        if not self._sampled:
            return scores
        drawn = draw(
            scores[self._sampled],
            [self._rows[number].request for number in self._sampled],
            step,
        )
        only = scores.new_full((len(self._sampled), scores.shape[1]), float("-inf"))
        scores = scores.clone()
        scores[self._sampled] = only.scatter_(1, drawn, 0.0)
        return scores

    def _note_alternatives(self, scores: Any) -> None:
        for number, row in enumerate(self._rows):
            if row.request.logprobs:
                logs = scores[number].double().log_softmax(-1)
                best = logs.topk(min(row.request.logprobs, len(logs)))
                tokens, values = best.indices.tolist(), best.values.tolist()
                told = dict(zip(tokens, values, strict=True))
                self.first[number] = row.spelled(self._loaded.reader.tokenizer, told)

    def done(self, ids: Any, scores: Any) -> Any:
        """Tell which rows have all their tokens, or have written one of their stops."""
        import torch

        count = ids.shape[1] - self._start
        for number, row in enumerate(self._rows):
            padded_out = count > row.request.max_tokens
            if row.request.stop and not padded_out and number not in self.ended:
                written = ids[number, self._start :]
                if self._stopped(row, written.tolist()):
                    self.ended[number] = count
        done = [
            count >= most or number in self.ended
            for number, most in enumerate(self._most)
        ]
        return torch.tensor(done, device=ids.device)

    def _stopped(self, row: Row, written: Sequence[int]) -> bool:
        """Whether the newest tokens complete a stop; looks back as far as one can go.

        A token has at least a byte, but at a character's end; the whole text decides.
        """
        stops = row.request.stop
        reach = max(len(stop.encode()) for stop in stops) + MORE
        tokenizer = self._loaded.reader.tokenizer
        newest = chat.continued(
            tokenizer, (*row.ids, *written[:-reach]), written[-reach:]
        )
        if not any(stop in newest for stop in stops):
            return False
        text = chat.continued(tokenizer, row.ids, written)
        return any(stop in text for stop in stops)


def draw(scores: Any, requests: Sequence[Any], step: int) -> Any:
    """Draw a token for each row (rows, 1), by its temperature, nucleus and seed.

    The nucleus is the smallest set of the likeliest tokens that has at least top_p of
    the probability (https://arxiv.org/abs/1904.09751).
    """
    import torch

    def column(values: list[float]) -> Any:
        return torch.tensor(values, dtype=torch.float64, device=scores.device)[:, None]

    temperature = column([request.temperature for request in requests])
    chances = (scores.double() / temperature).softmax(-1)
    top_p = [request.top_p for request in requests]
    if min(top_p) < 1:
        ordered, places = chances.sort(dim=-1, descending=True, stable=True)
        likelier = ordered.cumsum(-1) - ordered
        ordered = ordered.masked_fill(likelier >= column(top_p), 0.0)
        chances = torch.zeros_like(chances).scatter_(1, places, ordered)
    reached = chances.cumsum(-1)
    drawn = column([chance.uniform(request.seed or 0, step) for request in requests])
    found = torch.searchsorted(reached, drawn * reached[:, -1:], right=True)
    return found.clamp_(max=scores.shape[1] - 1)
