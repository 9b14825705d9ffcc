"""A tiny reward model at work: loaded, encoded and run as an engine does it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rrm_harness import Head, Message, Request, Score, chat, host


@dataclass(frozen=True)
class Loaded:
    """A head with its network and tokenizer."""

    head: Head
    network: Any
    tokenizer: Any

    @classmethod
    def of(cls, head: str, folder: Path) -> Loaded:
        """Load by the ordinary path, in float32."""
        import torch

        made: Head = host.default().build("heads", head)
        network = made.load(folder, dtype=torch.float32, trust_remote_code=False)
        return cls(made, network.eval(), chat.load_tokenizer(str(folder)))

    def ids(self, request: Request) -> tuple[int, ...]:
        """A request's token ids."""
        return self.head.encode(self.tokenizer, self.network.config, request).ids

    def score(
        self, *inputs: Sequence[int], pad: Literal["right", "left"] = "right"
    ) -> list[Score]:
        """Score a batch, padded with an ordinary token where the mask is 0."""
        import torch

        longest = max(map(len, inputs))
        rows = [_padded(each, longest, pad) for each in inputs]
        mask = [_padded([1] * len(each), longest, pad, 0) for each in inputs]
        places = (torch.tensor(mask).cumsum(1) - 1).clamp(min=0)
        with torch.inference_mode():
            hidden, _ = self.network.hidden(
                input_ids=torch.tensor(rows),
                attention_mask=torch.tensor(mask),
                position_ids=places,
                past_key_values=None,
                use_cache=False,
            )
        starts = [0 if pad == "right" else longest - len(each) for each in inputs]
        return [
            self.read(hidden[row, start:], each)
            for row, (start, each) in enumerate(zip(starts, inputs, strict=True))
        ]

    def read(self, hidden: Any, ids: Sequence[int]) -> Score:
        """The score of one input's hidden states."""
        import torch

        with torch.inference_mode():
            return self.head.read(self.network, hidden[self.positions(ids)])

    def positions(self, ids: Sequence[int]) -> list[int]:
        """The positions that the head reads."""
        return self.head.positions(self.tokenizer, self.network.config, ids)


def _padded(ids: Sequence[int], length: int, pad: str, filler: int = 7) -> list[int]:
    rest = [filler] * (length - len(ids))
    return [*ids, *rest] if pad == "right" else [*rest, *ids]


def asked(response: str, prompt: str = "What is 2 + 2?") -> Request:
    """A request to score one response."""
    turns = (Message("user", prompt), Message("assistant", response))
    return Request(turns, kind="score")
