"""Writing greedily with transformers' continuous batching: no row waits for another."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from math import ceil
from typing import Any

from rrm_harness.libraries import library

from .transformers_loading import EXTRA, Loaded, capped
from .transformers_rows import Row

_log = logging.getLogger(__name__)

PAGE = 32
"""Tokens to a page of the cache on a CPU."""
PATIENCE = 1.0
"""Seconds that one look for results may take."""
SHARE = 0.8
"""Of a GPU's free memory for the cache; its own 0.9 leaves little for the logits of a
large vocabulary, and for whoever else is on the GPU."""
INTERFACE = {
    "auto_switch_to_flash",
    "max_batch_tokens",
    "max_memory_percent",
    "max_requests_per_batch",
    "num_blocks",
    "page_size",
}
"""What transformers' scheduler takes since the version that this was written for."""
UNABLE = (RuntimeError, ValueError, TypeError, AttributeError)
"""Raised where it lacks this model's attention, or memory, or is another than known."""
UNEQUAL = ("diffllama",)
"""Kinds of models that say that their attention takes pages, and yet mix rows."""


@dataclass(slots=True)
class Continuous:
    """Rows in transformers' own scheduler, which admits one whenever another is done.

    It takes no seeds, stops or log-probabilities; see `takes`. A row that it cannot
    serve is handed back.
    """

    loaded: Loaded
    batch: int
    rows: dict[int, Row] = field(default_factory=dict)
    _later: dict[int, Row] = field(default_factory=dict)
    _manager: Any = None
    _room: int = 0
    _broken: bool = False
    _attention: str = ""

    @staticmethod
    def serves(loaded: Loaded) -> bool:
        """Whether its attention is the model's, and the version's scheduler known.

        The scheduler leaves caps on logits out. A network that does not hand its
        attention's arguments on, as old ones and ones with code of their own do not,
        would let rows read each other.
        """
        network = loaded.network
        if loaded.reader.head is not None or capped(network):
            return False
        handed_on = getattr(network, "_supports_attention_backend", False)
        theirs = type(network).__module__.startswith("transformers.models.")
        kind = network.config.model_type
        return bool(handed_on and theirs and kind not in UNEQUAL and _is_known())

    def takes(self, row: Row) -> bool:
        """Whether the scheduler can answer this row as it was asked."""
        request = row.request
        special = request.sampled or request.stop or request.logprobs
        return not (special or self._broken)

    def add(self, row: Row) -> None:
        """Take a row in; it starts with the next `step`."""
        self._later[row.ticket] = row

    def __len__(self) -> int:
        return len(self.rows) + len(self._later)

    def remove(self, ticket: int) -> None:
        """Let a row go, also one that is being written."""
        self._later.pop(ticket, None)
        if self.rows.pop(ticket, None) is not None and self._manager is not None:
            self._manager.cancel_request(str(ticket))
            if not self.rows:
                self.close()  # batches cannot run while it holds the model

    def step(self) -> tuple[list[tuple[Row, Sequence[int]]], list[Row]]:
        """Wait a while; the rows that are done with their tokens, and those refused."""
        done: list[tuple[Row, Sequence[int]]] = []
        refused: list[Row] = []
        try:
            self._start()
        except UNABLE as error:
            return [], self._given_up(f"{type(error).__name__}: {error}")
        told = self._manager.get_result(timeout=PATIENCE)
        while told is not None:
            row = self.rows.get(int(told.request_id))
            if row is not None and told.is_finished():
                del self.rows[row.ticket]
                if told.error is None:
                    done.append((row, told.generated_tokens))
                else:
                    refused.append(row)
            told = self._manager.get_result(timeout=0.001)
        if not self._manager.is_running():  # it died: nothing more will come
            return done, refused + self._given_up("it ended by itself")
        if not self.rows:
            self.close()
        return done, refused

    def _given_up(self, why: str) -> list[Row]:
        """All rows, now and from now on, for somebody else."""
        _log.warning(
            "transformers' continuous batching cannot go on (%s); replies are written"
            " in batches, which takes longer and changes none",
            " ".join(why.split()),
        )
        rows = [*self.rows.values(), *self._later.values()]
        self._broken = True
        self._later.clear()
        self.close()
        network = self.loaded.network
        if self._attention and network.config._attn_implementation != self._attention:
            network.set_attn_implementation(self._attention)  # it had begun to switch
        return rows

    def _start(self) -> None:
        """Give the scheduler all rows that its cache has room for."""
        if self._manager is None:
            self._open()
        fitting = [row for row in self._later.values() if self._fits(row)]
        for row in sorted(fitting, key=lambda each: each.order, reverse=True):
            self.rows[row.ticket] = self._later.pop(row.ticket)
            self._manager.add_request(
                list(row.ids),
                request_id=str(row.ticket),
                max_new_tokens=row.request.max_tokens,
                eos_token_id=list(self.loaded.ends) or -1,
            )

    def _fits(self, row: Row) -> bool:
        return not self._room or _needs(row) <= self._room

    def _open(self) -> None:
        """Start a scheduler whose cache fits what waits; on a GPU it sizes itself."""
        transformers = library("transformers", EXTRA)
        self._attention = self.loaded.network.config._attn_implementation
        sizes: dict[str, Any] = {"max_memory_percent": SHARE}
        if self.loaded.device.type == "cpu":
            self._room = max(map(_needs, self._later.values()))
            rows = min(self.batch, len(self._later) + 1)  # more may come
            sizes = {
                "page_size": PAGE,
                "num_blocks": rows * (ceil(self._room / PAGE) + 1),
                "max_batch_tokens": max(256, PAGE * rows),
            }
        self._manager = self.loaded.network.init_continuous_batching(
            generation_config=transformers.GenerationConfig(
                do_sample=False, eos_token_id=list(self.loaded.ends) or -1
            ),
            continuous_batching_config=transformers.ContinuousBatchingConfig(
                auto_switch_to_flash=False,
                max_requests_per_batch=self.batch,
                **sizes,
            ),
        )
        self._manager.start()

    def close(self) -> None:
        """Stop the scheduler and give its cache back; what it had is forgotten."""
        manager, self._manager = self._manager, None
        self.rows.clear()
        if manager is not None:
            manager.stop(block=True, hard_stop=True)
            manager.destroy()


def _is_known() -> bool:
    config = getattr(library("transformers", EXTRA), "ContinuousBatchingConfig", None)
    return config is not None and {each.name for each in fields(config)} >= INTERFACE


def _needs(row: Row) -> int:
    return len(row.ids) + row.request.max_tokens
