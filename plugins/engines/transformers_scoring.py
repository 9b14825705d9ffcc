"""Scoring with a reward head: batches by length, beginnings computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile
from typing import Any

from rrm_harness import Completion, Head, Score

from . import transformers_packed
from .transformers_loading import Loaded
from .transformers_rows import Answered, Row, Waiting, answered, padded

LEAST_MATES = 3
"""Fewer rows with one beginning are as fast without sharing it; measured."""
LEAST_SHARED = 64
"""Tokens of a beginning that is worth a pass of its own."""
LEAST_SAVED = 1 / 3
"""Of a group's tokens, so that sharing pays for its second pass."""
CACHED = 4
"""Tokens in the cache that weigh as much memory as one token being computed."""


@dataclass(slots=True)
class Scorer:
    """Scores what waits, one batch at a time.

    A batch has at most `budget` tokens, padding included; where the network packs
    texts there is none. Causal networks see padding on the right in no position that is
    read, so they are given no mask.
    """

    loaded: Loaded
    budget: int
    waiting: Waiting = field(default_factory=Waiting)
    packed: Any = field(init=False)
    """The decoder of a network that packs texts."""

    def __post_init__(self) -> None:
        head = self.loaded.reader.head
        self.packed = head and transformers_packed.decoder(self.loaded.network, head)

    def step(self) -> Answered:
        """Score the longest row that waits, with those that go well with it."""
        rows, shared = self._next()
        done = answered(
            self.waiting, rows, lambda some: self._completions(some, shared)
        )
        if len(done) < len(rows):  # memory did not suffice: remember what did
            self.budget = len(done) * _weight(rows[0], shared)
        return done

    def _next(self) -> tuple[list[Row], int]:
        """A batch, and how many tokens all of it begin with; 0 to share none."""
        longest = next(self.waiting.longest_first())
        mates = self.waiting.mates(longest) if self._causal else []
        far = any(map(self._turns_far, mates))  # then their beginning turns otherwise
        shared = 0 if far else beginning([row.ids for row in mates])
        most = self.budget // _weight(longest, shared)
        if shared and most >= LEAST_MATES:
            return mates[:most], shared
        most = max(1, self.budget // _weight(longest, 0))
        far = self._turns_far(longest)
        alike = filter(
            lambda row: self._turns_far(row) == far, self.waiting.longest_first()
        )
        return list(islice(alike, most)), 0

    @property
    def _causal(self) -> bool:
        """Whether a token's state depends on nothing behind it, by head and config."""
        config = self.loaded.network.config.get_text_config()
        both_ways = getattr(config, "use_bidirectional_attention", None)
        return bool(
            self._head.causal and getattr(config, "is_causal", True) and not both_ways
        )

    def _turns_far(self, row: Row) -> bool:
        """Whether all positions of the row's batch turn as those of long texts do."""
        config = self.loaded.network.config.get_text_config()
        rope = getattr(config, "rope_parameters", None) or {}
        if rope.get("rope_type") != "longrope":
            return False
        return len(row.ids) > int(rope["original_max_position_embeddings"])

    @property
    def _head(self) -> Head:
        head = self.loaded.reader.head
        assert head is not None  # noqa: S101 - the engine asks no scores without one
        return head

    def _completions(self, rows: Sequence[Row], shared: int) -> list[Completion]:
        texts = [row.ids for row in rows]
        scores = self.scores(texts, shared if len(rows) >= LEAST_MATES else 0)
        return [row.scored(score) for row, score in zip(rows, scores, strict=True)]

    def scores(self, texts: Sequence[Sequence[int]], shared: int = 0) -> list[Score]:
        """Score token ids in one batch; `shared` is how many all begin with."""
        read = [self.loaded.reader.positions(text) for text in texts]
        hidden = self._shared(texts, read, shared) if shared else None
        if hidden is None and self.packed:
            hidden = transformers_packed.hidden(self.packed, texts, read)
        if hidden is None:
            whole, _ = self._hidden(texts)
            hidden = [whole[row, at] for row, at in enumerate(read)]
        return [self._head.read(self.loaded.network, each) for each in hidden]

    def alone(
        self, text: Sequence[int], positions: Sequence[int] | None = None
    ) -> Score:
        """Score token ids by the network's own forward pass and nothing of ours.

        `positions` are read instead of those that the head would choose.
        """
        whole, _ = self._hidden([text])
        read = list(positions or self.loaded.reader.positions(text))
        return self._head.read(self.loaded.network, whole[0, read])

    def _shared(
        self, texts: Sequence[Sequence[int]], read: Sequence[Sequence[int]], shared: int
    ) -> Sequence[Any] | None:
        """The hidden states read of each text; None if this cache cannot be shared."""
        import torch

        before, cache = self._hidden([texts[0][:shared]], keep=True)
        parts = (cache, *getattr(cache, "layers", ()))  # linear attention's cannot
        if not all(hasattr(each, "batch_repeat_interleave") for each in parts):
            return None
        cache.batch_repeat_interleave(len(texts))
        after, _ = self._hidden([text[shared:] for text in texts], cache, shared)
        return [
            torch.stack(
                [
                    before[0, place] if place < shared else after[row, place - shared]
                    for place in places
                ]
            )
            for row, places in enumerate(read)
        ]

    def _hidden(
        self,
        texts: Sequence[Sequence[int]],
        cache: Any = None,
        start: int = 0,
        *,
        keep: bool = False,
    ) -> tuple[Any, Any]:
        """Hidden states (texts, longest, width) from token `start` on; the cache."""
        import torch

        ids, mask = padded(texts, left=False)
        longest, device = ids.shape[1], self.loaded.device
        hidden, kept = self.loaded.network.hidden(
            input_ids=ids.to(device),
            attention_mask=None if self._causal else mask.to(device),
            position_ids=torch.arange(start, start + longest, device=device)[None],
            past_key_values=cache,
            use_cache=keep or cache is not None,
        )
        return hidden, kept


def _weight(row: Row, shared: int) -> int:
    """Tokens that a row takes of the budget, the first of them shared."""
    return max(1, len(row.ids) - shared + shared // CACHED)


def beginning(texts: Sequence[tuple[int, ...]]) -> int:
    """How many tokens all texts begin with; 0 where sharing them would not pay.

    Each text keeps a token of its own.
    """
    if len(texts) < LEAST_MATES:
        return 0
    pairs = zip(min(texts), max(texts), strict=False)  # the two that differ soonest
    alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    shared = min(alike, min(map(len, texts)) - 1)
    saved = shared * (len(texts) - 1) / sum(map(len, texts))
    return shared if shared >= LEAST_SHARED and saved >= LEAST_SAVED else 0
