"""The reference engine: any transformers model in this process, exact on a CPU too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from rrm_harness import (
    Completion,
    Engine,
    EngineError,
    Model,
    Register,
    Request,
    Score,
    hookimpl,
    models,
)
from rrm_harness.libraries import library, quiet_transformers

from .in_process import Dtype, refuse_below, refuse_wrong_kind
from .transformers_continuous import Continuous
from .transformers_loading import EXTRA, Loaded, Placing, load
from .transformers_rows import Answered, Row, free_memory
from .transformers_scoring import Scorer
from .transformers_writing import Writer

TOKENS = {"cpu": 2048, "gpu": 32768}
"""Tokens of a batch to score: a CPU gains nothing from more, and pays for padding."""
ROWS = {"cpu": 32, "gpu": 64}
"""Rows of a batch to write."""


@dataclass(frozen=True, slots=True)
class Crew:
    """A loaded model and those who work with it."""

    loaded: Loaded
    scorer: Scorer
    writer: Writer
    continuous: Continuous | None

    def add(self, row: Row) -> None:
        """Give a row to the one who takes it."""
        if row.request.kind == "score":
            self.scorer.waiting.add(row)
        elif self.continuous is not None and self.continuous.takes(row):
            self.continuous.add(row)
        else:
            self.writer.waiting.add(row)

    def step(self) -> Answered:
        """Have one batch done."""
        if self.scorer.waiting:
            return self.scorer.step()
        with quiet_transformers():  # slow: it empties every logger's cache
            return self._write()

    def _write(self) -> Answered:
        if self.continuous:
            done, refused = self.continuous.step()
            for row in refused:
                self.writer.waiting.add(row)
            words, ends = self.loaded.reader.tokenizer, self.loaded.ends
            return [
                (row.ticket, row.written(words, ids, ends, {})) for row, ids in done
            ]
        return self.writer.step() if self.writer.waiting else []

    def remove(self, ticket: int) -> None:
        """Let a row go, whoever has it."""
        self.scorer.waiting.remove(ticket)
        self.writer.waiting.remove(ticket)
        if self.continuous is not None:
            self.continuous.remove(ticket)


@dataclass
class Transformers(Engine):
    """Runs a model in this process with transformers: writes, or scores by its head.

    Args:
        model: What to run.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, or `spread` over all GPUs.
        dtype: Of the weights; `auto` is float32 on a CPU, and on a GPU bfloat16, or
            float16 if the checkpoint's are.
        attention: Transformers' name of an implementation; its choice if `auto`.
        batch_tokens: The most tokens of a batch to score; 0 for the device's default.
        batch_size: The most rows of a batch to write; 0 for the device's default.
        context: The most tokens of prompt and reply; 0 for the model's.
        batching: How greedy requests are written: `continuous` admits a row whenever
            another is done, `static` writes batch by batch. Sampled ones are always
            written by batch, for their seeds' sake. `auto` is continuous on a GPU.
    """

    model: Model
    device: str = "auto"
    dtype: Dtype = "auto"
    attention: str = "auto"
    batch_tokens: int = 0
    batch_size: int = 0
    context: int = 0
    batching: Literal["auto", "static", "continuous"] = "auto"
    _asked: dict[int, Request] = field(default_factory=dict, init=False, repr=False)
    _crew: Crew | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("batch_tokens", "batch_size", "context"):
            refuse_below("transformers", name, getattr(self, name), 0)

    @cached_property
    def identity(self) -> str:
        """The weights, the head, the precision and the way of attention.

        The size of a batch is not part of it: it changes float32 scores by 1e-6.
        """
        parts = [f"transformers {models.fingerprint(self.model)}"]
        if self.model.head:
            parts.append(f"head {self.model.head}")
        parts.append(self._placing.dtype)
        if self._placing.attention:
            parts.append(f"attention {self._placing.attention}")
        if self.model.trust_remote_code:
            parts.append("trust-remote-code true")
        return " ".join(parts)

    @cached_property
    def _placing(self) -> Placing:
        return Placing.resolved(self.model, self.device, self.dtype, self.attention)

    def _at_work(self) -> Crew:
        """The model and its crew; the first call loads it."""
        if self._crew is None:
            library("transformers", EXTRA)
            kind = "cpu" if self._placing.device == "cpu" else "gpu"
            rows = self.batch_size or ROWS[kind]
            automatic = self.batching == "auto" and kind == "gpu"
            continues = automatic or self.batching == "continuous"
            loaded = load(self.model, self._placing)
            self._refuse_context_beyond(loaded.reader.context)
            continues = continues and Continuous.serves(loaded)
            self._crew = Crew(
                loaded,
                Scorer(loaded, self.batch_tokens or TOKENS[kind]),
                Writer(loaded, rows),
                Continuous(loaded, rows) if continues else None,
            )
        return self._crew

    def _refuse_context_beyond(self, context: int) -> None:
        if 0 < context < self.context:
            raise EngineError(
                f"transformers,context={self.context}: {self.model.id} reads at most"
                f" {context} tokens; give no more, or leave context out"
            )

    def submit(self, ticket: int, request: Request) -> None:
        """Queue a request; the first one loads the model.

        Raises:
            EngineError: The model does not load, or cannot do what is asked.
        """
        self._able(request.kind)
        self._asked[ticket] = request

    def collect(self) -> Iterable[tuple[int, Completion]]:
        """Encode what was asked, run one batch and return what is done.

        Raises:
            EngineError: The model's template does not take what was asked.
        """
        if self._crew is None:
            return []
        done = self._taken(self._crew)
        if done:
            return done
        import torch

        with torch.inference_mode():
            return self._crew.step()

    def _taken(self, crew: Crew) -> Answered:
        """Give the crew what was asked; what is too long is done."""
        done: Answered = []
        context = self.context or crew.loaded.reader.context
        encoded = crew.loaded.reader.encode_all([*self._asked.values()])
        for (ticket, request), each in zip(self._asked.items(), encoded, strict=True):
            row = Row(ticket, request, each.ids, each.notes)
            too_long = row.too_long(context)
            if too_long:
                done.append((ticket, too_long))
            else:
                crew.add(row)
        self._asked = {}
        return done

    def cancel(self, ticket: int) -> None:
        """Forget a request."""
        self._asked.pop(ticket, None)
        if self._crew is not None:
            self._crew.remove(ticket)

    def close(self) -> None:
        """Forget everything and give the memory back."""
        crew, self._crew, self._asked = self._crew, None, {}
        if crew is None:
            return
        if crew.continuous is not None:
            with quiet_transformers():
                crew.continuous.close()
        del crew
        free_memory()

    def tokens(self, request: Request) -> tuple[int, ...]:
        """The token ids that a request is read as.

        Raises:
            EngineError: As `submit`.
        """
        return self._able(request.kind).loaded.reader.encode(request).ids

    def score_ids(
        self, ids: Sequence[int], *, positions: Sequence[int] | None = None
    ) -> Score:
        """Score token ids by themselves, with nothing batched, shared or padded.

        Args:
            ids: The whole input, special tokens included.
            positions: Read these, instead of those that the head would choose.

        Raises:
            EngineError: The model has no head.
        """
        import torch

        scorer = self._able("score").scorer
        with torch.inference_mode(), quiet_transformers():
            return scorer.alone(ids, positions)

    def _able(self, kind: str) -> Crew:
        """The crew, if the model can do that: with a head it scores, else it writes."""
        crew = self._at_work()
        headed = crew.loaded.reader.head is not None
        refuse_wrong_kind(kind, self.model, headed=headed)
        return crew


@hookimpl
def register_engines(register: Register) -> None:
    register("transformers", Transformers)
