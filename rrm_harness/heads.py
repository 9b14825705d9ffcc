"""Reward heads: how a checkpoint's scores are read, whichever engine runs it.

A head knows its architecture: what to append to a chat, how its weights load, at which
positions it reads, and what it makes of the hidden states there. The engine knows
batches and hardware.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from rrm_harness import chat
from rrm_harness.errors import EngineError
from rrm_harness.records import Request

CONTEXT = (
    "max_position_embeddings",
    "n_positions",
    "max_sequence_length",
    "seq_length",
)
"""What configs call the most tokens that the model can read."""


@dataclass(frozen=True, slots=True)
class Score:
    """What a head says of one input: raw values, and attributes by name."""

    values: tuple[float, ...]
    attributes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Route:
    """How vLLM serves a head's checkpoint.

    Args:
        task: The pooling task, `classify` or `token_classify`.
        overrides: Of the checkpoint's config, such as its architecture.
        renamed: Checkpoint keys that vLLM's class knows by another name; the
            file that holds them is copied with these names for vLLM to load.
    """

    task: str = "classify"
    overrides: Mapping[str, Any] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)


class Head(Protocol):
    """A reward head. Torch is imported in its methods, not by its module.

    `causal` says that a token's hidden state does not depend on what follows it, so
    that inputs with a shared beginning may share its computation.
    """

    causal: bool = True

    def encode(self, tokenizer: Any, config: Any, request: Request) -> chat.Encoded:
        """Turn a request into token ids, with whatever the head appends to be read."""
        return chat.encode(tokenizer, request)

    def load(self, place: Path, **options: Any) -> Any:
        """Load the network; `options` are those of `from_pretrained`.

        The network has `config`, and `hidden(**inputs)`, which returns the last layer's
        hidden states (batch, length, width) after the final norm, and the cache.

        Raises:
            EngineError: Weights are missing, so that part of it would be random.
        """
        ...

    def context(self, config: Any) -> int:
        """The most tokens of an input, by the text's config; 0 if that is not known."""
        return longest(config)

    def positions(self, tokenizer: Any, config: Any, ids: Sequence[int]) -> list[int]:
        """The positions that the head reads, of a whole input."""
        return [len(ids) - 1]

    def read(self, network: Any, hidden: Any) -> Score:
        """Turn the hidden states there, (positions, width), into a score."""
        ...

    def score(self, rows: Sequence[Sequence[float]]) -> Score:
        """Turn the head's raw outputs there, (positions, outputs), into a score.

        It is the end of `read`, for an engine that runs the head's weights itself.

        Raises:
            EngineError: There are several outputs, and this head has one.
        """
        wrong = next((len(row) for row in rows if len(row) != 1), None)
        if wrong is not None:
            raise EngineError(
                f"the model has {wrong} outputs where its head reads one; use the judge"
                " made for it (rrm-harness list models)"
            )
        return Score(tuple(row[0] for row in rows))

    def vllm(self, place: Path) -> Route | None:
        """How vLLM serves it; None if it cannot. Of the folder the config is read.

        Raises:
            EngineError: The checkpoint is none of this head's, as `load` would say.
        """
        return None


def longest(text_config: Any) -> int:
    """The most tokens that a model takes, 0 if its config does not say."""
    said = (getattr(text_config, name, None) for name in CONTEXT)
    return int(next(filter(None, said), 0))


def refuse_random(place: Path, told: Mapping[str, Any]) -> None:
    """Refuse a load that left weights random; `told` is transformers' loading info.

    Raises:
        EngineError: Names the weights.
    """
    missing = sorted(
        {*told.get("missing_keys", ()), *map(str, told.get("mismatched_keys", ()))}
    )
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise EngineError(
            f"{place} lacks the weights {', '.join(missing[:3])}{more}, so they would"
            " be random and every score with them; this checkpoint is of another"
            " architecture: use the judge made for it (rrm-harness list models)"
        )


def refuse_unread(place: Path, told: Mapping[str, Any], head: str) -> None:
    """Refuse a load that left weights of the head out, as a bias that it has not.

    Raises:
        EngineError: Names the weights.
    """
    unread = sorted(
        name for name in told.get("unexpected_keys", ()) if name.startswith(f"{head}.")
    )
    if unread:
        raise EngineError(
            f"{place} has the weights {', '.join(unread[:3])}, which its head would be"
            " read without, so every score would be another; use the judge made for"
            " it (rrm-harness list models)"
        )
