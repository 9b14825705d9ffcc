"""Starting vLLM, stepping it, and taking it down without a trace."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rrm_harness import EngineError, Route
from rrm_harness.libraries import library

QUIET = {"VLLM_LOGGING_LEVEL": "ERROR", "VLLM_LOGGING_STREAM": "ext://sys.stderr"}
"""Unless the user says otherwise: standard output is for the report."""
SPAWNED = {"VLLM_WORKER_MULTIPROC_METHOD": "spawn"}
"""A GPU that this process has looked at cannot be used by one that it forks."""
LONGEST = 300
"""Characters of vLLM's own words in an error."""


def on_gpu() -> bool:
    """Whether there is a GPU; to count them begins nothing on them."""
    import torch

    return bool(torch.cuda.device_count())


@dataclass(frozen=True, slots=True)
class Before:
    """What this process was like before vLLM."""

    environment: Mapping[str, str]
    records: Any

    @classmethod
    def now(cls) -> Before:
        """Take note."""
        return cls(dict(os.environ), logging.getLogRecordFactory())

    def restore(self) -> None:
        """Undo what vLLM leaves behind: it preloads libraries into child processes."""
        for name in set(os.environ) - set(self.environment):
            del os.environ[name]
        os.environ.update(self.environment)
        logging.setLogRecordFactory(self.records)


@dataclass(slots=True)
class Running:
    """A vLLM engine with a model.

    Args:
        engine: Its LLMEngine, in this process or in one of its own.
        before: What to restore at the end.
    """

    engine: Any
    before: Before

    @property
    def context(self) -> int:
        """The most tokens of prompt and reply together."""
        return int(self.engine.model_config.max_model_len)

    @property
    def most(self) -> int:
        """The most requests that run at a time."""
        return int(self.engine.vllm_config.scheduler_config.max_num_seqs)

    def add(self, name: str, ids: Sequence[int], params: Any) -> None:
        """Hand a request over."""
        self.engine.add_request(name, {"prompt_token_ids": list(ids)}, params)

    def step(self, wanted: Collection[str]) -> list[Any]:
        """Advance by a step; return the outputs that are complete and wanted."""
        with quiet():
            outputs = self.engine.step()
        return [each for each in outputs if each.finished and each.request_id in wanted]

    def abort(self, name: str) -> None:
        """Take a request back."""
        self.engine.abort_request([name])

    def close(self) -> None:
        """Stop vLLM, free its memory, and leave the process as it was."""
        with quiet():
            self.engine.engine_core.shutdown()
            self.engine = None
            clean_up(self.before)


def start(name: str, arguments: Mapping[str, Any], route: Route | None) -> Running:
    """Start vLLM with a model.

    Args:
        name: The model's, for errors.
        arguments: Of vLLM's EngineArgs.
        route: How it serves the model's head; None if the model is to write.

    Raises:
        EngineError: VLLM is missing, or does not start.
    """
    before = Before.now()
    for variable, value in (QUIET | (SPAWNED if on_gpu() else {})).items():
        os.environ.setdefault(variable, value)
    with quiet():
        try:
            vllm = library("vllm", "vllm")
        except EngineError:
            before.restore()
            raise
        told = {**_always(route), **arguments}
        offline = library("vllm.usage.usage_lib", "vllm").UsageContext.LLM_CLASS
        try:
            engine = vllm.LLMEngine.from_engine_args(
                vllm.EngineArgs(**told),
                usage_context=offline,  # with it come the large batches
            )
        except Exception as error:
            clean_up(before)
            raise _does_not_start(name, error) from error
    return Running(engine, before)


def _always(route: Route | None) -> dict[str, Any]:
    """What vLLM is told whatever the options are."""
    told: dict[str, Any] = {
        "generation_config": "vllm",  # the checkpoint's sampling is not ours
        "load_format": "safetensors",
        "max_logprobs": -1,
        "disable_log_stats": True,
        "use_tqdm_on_load": False,
    }
    if route is None:
        return told | ({"enable_chunked_prefill": False} if _on_cpu() else {})
    pooler = library("vllm.config", "vllm").PoolerConfig
    read = "LAST" if route.task == "classify" else "ALL"
    return told | {
        "runner": "pooling",
        "skip_tokenizer_init": True,  # we hand token ids over
        "pooler_config": pooler(pooling_type=read, use_activation=False),
    }


def _on_cpu() -> bool:
    """Whether vLLM runs on a CPU.

    There it dies of a seeded request whose prompt it reads in several steps ("CPU
    Generator does not use offset"), so each prompt is read in one.
    """
    from vllm.platforms import current_platform

    return bool(current_platform.is_cpu())


def refusals() -> tuple[type[Exception], ...]:
    """What vLLM raises when a request is at fault, and not itself."""
    from vllm import exceptions

    return ValueError, getattr(exceptions, "VLLMClientError", ValueError)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the warnings of vLLM and of what it imports off the screen."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def clean_up(before: Before) -> None:
    """Free what a stopped engine leaves in this process."""
    from vllm.distributed.parallel_state import cleanup_dist_env_and_memory

    cleanup_dist_env_and_memory()
    before.restore()


def _does_not_start(name: str, error: Exception) -> EngineError:
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    said = " ".join(f"{type(cause).__name__}: {cause}".split())
    said = said if len(said) <= LONGEST else f"{said[:LONGEST]}..."
    return EngineError(f"vLLM does not start with {name} ({said}); {_advice(said)}")


def _advice(said: str) -> str:
    """What most likely helps."""
    if "max_model_len" in said and "KV cache" not in said:
        return "give context=N, the most tokens of prompt and reply"
    if "KV cache" in said or "cache blocks" in said or "memory" in said.lower():
        return (
            "lower context=N, or give it more memory with gpu-memory=SHARE, on a CPU"
            " with VLLM_CPU_KVCACHE_SPACE=GB"
        )
    if "trust_remote_code" in said:
        return "let the code that comes with it run with trust-remote-code=true"
    return "VLLM_LOGGING_LEVEL=INFO shows what it was doing"
