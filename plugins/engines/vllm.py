"""vLLM's offline engine, driven step by step: who is done is answered at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from tempfile import TemporaryDirectory
from typing import Any

from rrm_harness import (
    Completion,
    Engine,
    EngineError,
    Failure,
    Model,
    Register,
    Request,
    Route,
    SpecError,
    hookimpl,
    models,
)
from rrm_harness.inputs import Reader
from rrm_harness.libraries import refuse_missing

from .in_process import Dtype, precision, refuse_below, refuse_wrong_kind
from .vllm_checkpoint import adapted
from .vllm_requests import Row, Waiting, pooling, sampling, scored, written
from .vllm_running import Running, on_gpu, refusals, start

MOST = 1024
"""The most requests that vLLM runs at once if not told, on any hardware."""
SUPPLY = 2
"""How many times as many requests as it runs vLLM is given."""


@dataclass
class Vllm(Engine):
    """Runs a model with vLLM: writes, or scores by a reward head that vLLM serves.

    What is submitted waits here, sorted by its token ids, and vLLM is kept supplied
    from there: prompts with a shared beginning come one after the other, so that it is
    computed once. Reward heads run in float32, whatever the model's dtype, and without
    the activation that vLLM puts on them unless told.

    The model loads at the first `collect`. How much memory a CPU's cache takes is
    VLLM_CPU_KVCACHE_SPACE, and whether vLLM runs in this process is
    VLLM_ENABLE_V1_MULTIPROCESSING=0; its log is shown from VLLM_LOGGING_LEVEL on.

    Args:
        model: What to run.
        dtype: Of the weights; `auto` is float32 on a CPU, and on a GPU bfloat16, or
            float16 if the checkpoint's are.
        tensor_parallel: How many GPUs share each layer.
        pipeline_parallel: How many groups of GPUs have layers of their own.
        gpu_memory: The share of a GPU's memory to take, 0-1; vLLM's default if 0.
        context: The most tokens of prompt and reply; the model's if 0.
        max_sequences: The most requests of a batch; vLLM's default if 0.
        quantization: Vllm's name of a method, such as fp8; the checkpoint's if empty.
        eager: Whether to do without compilation: quicker to start, slower to run.
        prefix_caching: Whether shared beginnings are computed once.
        kv_cache_dtype: What keys and values are kept in; the model's dtype if `auto`.

    Attributes:
        cached_tokens: How many prompt tokens were not computed, but found computed.
    """

    model: Model
    dtype: Dtype = "auto"
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    gpu_memory: float = 0.0
    context: int = 0
    max_sequences: int = 0
    quantization: str = ""
    eager: bool = False
    prefix_caching: bool = True
    kv_cache_dtype: str = "auto"
    cached_tokens: int = field(default=0, init=False, repr=False)
    _fresh: list[Row] = field(default_factory=list, init=False, repr=False)
    _waiting: Waiting = field(default_factory=Waiting, init=False, repr=False)
    _asked: dict[str, Row] = field(default_factory=dict, init=False, repr=False)
    _names: count[int] = field(default_factory=count, init=False, repr=False)
    _running: Running | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        least = {"tensor_parallel": 1, "pipeline_parallel": 1}
        for name in (*least, "context", "max_sequences"):
            refuse_below("vllm", name, getattr(self, name), least.get(name, 0))
        if not 0 <= self.gpu_memory <= 1:
            raise SpecError(
                f"vllm,gpu-memory={self.gpu_memory}: give the share of a GPU's memory"
                " to take, above 0 and at most 1"
            )
        self.capacity = SUPPLY * (self.max_sequences or MOST)

    @cached_property
    def identity(self) -> str:
        """The weights, the head and every precision; not the hardware, nor vLLM's age.

        How requests are batched moves float32 scores by 1e-6.
        """
        said = {
            "head": self.model.head,
            "dtype": self._precision,
            "trust-remote-code": "true" if self.model.trust_remote_code else "",
            "quantization": self.quantization,
            "cache": "" if self.kv_cache_dtype == "auto" else self.kv_cache_dtype,
        }
        options = [f"{name} {value}" for name, value in said.items() if value]
        return " ".join(["vllm", models.fingerprint(self.model), *options])

    @cached_property
    def _precision(self) -> str:
        if self.dtype != "auto":
            return self.dtype
        refuse_missing("vllm", "vllm")
        return precision(self.model, self.dtype, on_gpu=on_gpu())

    @cached_property
    def _reader(self) -> Reader:
        refuse_missing("vllm", "vllm")
        return Reader.of(self.model)

    @cached_property
    def _ends(self) -> tuple[int, ...]:
        return self._reader.ends()

    @cached_property
    def _route(self) -> Route | None:
        """How vLLM serves the model's head; None without one.

        Raises:
            EngineError: It has one that vLLM cannot serve.
        """
        if self._reader.head is None:
            return None
        route: Route | None = self._reader.head.vllm(self._reader.place)
        if route is None:
            raise EngineError(
                f"vLLM cannot serve this head ({self.model.head} of {self.model.id});"
                " use --engine transformers"
            )
        return route

    def submit(self, ticket: int, request: Request) -> None:
        """Encode a request and let it wait.

        Raises:
            EngineError: VLLM is missing, or the model cannot do what is asked.
        """
        headed = self._route is not None
        refuse_wrong_kind(request.kind, self.model, headed=headed)
        encoded = self._reader.encode(request)
        self._fresh.append(Row(ticket, request, encoded.ids, encoded.notes))

    def collect(self) -> Iterable[tuple[int, Completion]]:
        """Let vLLM work until a request is done.

        Raises:
            EngineError: VLLM does not start with this model.
        """
        running = self._at_work()
        done: list[tuple[int, Completion]] = []
        for row in self._fresh:
            too_long = row.too_long(running.context)
            if too_long:
                done.append((row.ticket, too_long))
            else:
                self._waiting.add(row)
        self._fresh.clear()
        done += self._supply(running)
        while not done and self._asked:
            done = [self._finished(output) for output in running.step(self._asked)]
            done += self._supply(running)
        return done

    def _supply(self, running: Running) -> list[tuple[int, Completion]]:
        """Keep vLLM in work; what it has no use for yet stays sorted.

        Returns:
            What vLLM refuses to do, with its words.
        """
        refused = []
        while self._waiting and len(self._asked) < SUPPLY * running.most:
            row, name = self._waiting.take(), str(next(self._names))
            try:
                running.add(name, row.ids, self._how(row.request))
            except refusals() as error:
                failed = row.failed(Failure.ENGINE_ERROR, f"vLLM: {error}")
                refused.append((row.ticket, failed))
            else:
                self._asked[name] = row
        return refused

    def _how(self, request: Request) -> Any:
        """VLLM's parameters of a request."""
        if self._route is None:
            return sampling(request, self._ends)
        return pooling(self._route)

    def _finished(self, output: Any) -> tuple[int, Completion]:
        row = self._asked.pop(output.request_id)
        self.cached_tokens += getattr(output, "num_cached_tokens", None) or 0
        if row.request.kind == "generate":
            return row.ticket, written(self._reader, row, output, self._ends)
        return row.ticket, scored(self._reader, row, output)

    def cancel(self, ticket: int) -> None:
        """Forget a request, wherever it is."""
        self._fresh = [row for row in self._fresh if row.ticket != ticket]
        self._waiting.remove(ticket)
        for name in [name for name, row in self._asked.items() if row.ticket == ticket]:
            del self._asked[name]
            if self._running is not None:
                self._running.abort(name)

    def close(self) -> None:
        """Forget everything and give the memory back."""
        self._fresh, self._waiting, self._asked = [], Waiting(), {}
        if self._running is not None:
            self._running.close()
            self._running = None

    def tokens(self, request: Request) -> tuple[int, ...]:
        """The token ids that a request is read as.

        Raises:
            EngineError: The model's chat template does not take the chat.
        """
        return self._reader.encode(request).ids

    def _at_work(self) -> Running:
        """VLLM with the model; the first call starts it."""
        if self._running is None:
            with TemporaryDirectory(prefix="rrm-harness-") as folder:
                place = adapted(models.folder(self.model), self._route, folder)
                told = self._arguments | {"model": str(place)}
                self._running = start(self.model.id, told, self._route)
            self.capacity = SUPPLY * self._running.most
        return self._running

    @property
    def _arguments(self) -> dict[str, Any]:
        """What vLLM is told, apart from the model's folder and the head."""
        always: dict[str, Any] = {
            "dtype": self._precision,
            "trust_remote_code": self.model.trust_remote_code,
            "tensor_parallel_size": self.tensor_parallel,
            "pipeline_parallel_size": self.pipeline_parallel,
            "enforce_eager": self.eager,
            "enable_prefix_caching": self.prefix_caching,
            "kv_cache_dtype": self.kv_cache_dtype,
        }
        if_given: dict[str, Any] = {
            "gpu_memory_utilization": self.gpu_memory,
            "max_model_len": self.context,
            "max_num_seqs": self.max_sequences,
            "quantization": self.quantization,
        }
        return always | {name: value for name, value in if_given.items() if value}


@hookimpl
def register_engines(register: Register) -> None:
    register("vllm", Vllm)
