"""The vllm engine at work on tiny models: tokens and scores a second.

    python benchmarks/engine_vllm.py [PROMPTS]

Three responses to each prompt are asked about, in an order that keeps no two of a
prompt together; with prefix caching a prompt should be computed once. `cached` is the
share of prompt tokens that were not computed. Everything runs in float32, one engine
after the other; the model's start is not timed. On a CPU, set VLLM_CPU_KVCACHE_SPACE=1
(GB) and VLLM_ENABLE_V1_MULTIPROCESSING=0 (vLLM in this process).
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rrm_harness import Message, Model, Request, host
from rrm_harness.inputs import completions

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import tiny_models

SHAPE = {"hidden_size": 256, "num_hidden_layers": 4, "intermediate_size": 512}
WORDS = ("the", "answer", "is", "that", "both", "say", "what", "was", "asked", "but")


def words(count: int, source: random.Random) -> str:
    """Text of about this many tokens."""
    return " ".join(source.choices(WORDS, k=count))


def requests(prompts: int, kind: Any) -> list[Request]:
    """Three requests to each prompt, all first ones before all second ones."""
    source = random.Random(0)
    asked = [words(300, source) for _ in range(prompts)]
    role = "assistant" if kind == "score" else "user"
    return [
        Request(
            (Message("user", prompt), Message(role, words(40, source))),
            kind=kind,
            max_tokens=32,
        )
        for _ in range(3)
        for prompt in asked
    ]


def timed(engine: Any, asked: Sequence[Request]) -> tuple[float, int, int]:
    """Seconds, tokens read and tokens written; the first request starts the engine."""
    completions(engine, asked[:1])
    started = time.perf_counter()
    done = completions(engine, asked)
    seconds = time.perf_counter() - started
    read = sum(each.prompt_tokens for each in done)
    return seconds, read, sum(each.completion_tokens for each in done)


def row(folder: Path, head: str, asked: Sequence[Request], caching: bool) -> None:
    factory = host.default().lookup("engines", "vllm").thing
    engine = factory(
        Model(str(folder), head=head),
        dtype="float32",
        eager=True,
        context=1024,
        prefix_caching=caching,
    )
    seconds, read, wrote = timed(engine, asked)
    label = (
        f"{'scores' if head else 'writes'}, {'' if caching else 'no '}prefix caching"
    )
    print(
        f"{label:<28}{len(asked) / seconds:>12.1f}{read / seconds:>12,.0f}"
        f"{wrote / seconds:>12,.0f}{engine.cached_tokens / read:>9.0%}"
    )
    engine.close()


def main() -> None:
    """Print the table."""
    prompts = int(sys.argv[1]) if len(sys.argv) > 1 else 32
    print(f"{'':<28}{'requests/s':>12}{'read tok/s':>12}{'written/s':>12}{'cached':>9}")
    with TemporaryDirectory() as place:
        writer, scorer = Path(place) / "writer", Path(place) / "scorer"
        tiny_models.llama(writer, **SHAPE)
        tiny_models.llama_classifier(scorer, **SHAPE)
        for caching in (False, True):
            row(writer, "", requests(prompts, "generate"), caching)
            row(scorer, "sequence-classifier", requests(prompts, "score"), caching)


if __name__ == "__main__":
    main()
