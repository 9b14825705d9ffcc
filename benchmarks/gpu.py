"""Judges of their real shape with random weights, and how near the hardware they come.

    python benchmarks/gpu.py [--shape rrm-7b] [--shape head-8b] [--engine SPEC ...]

Speed does not depend on what the weights say, so nothing is downloaded: models are made
here, in bfloat16. RRM-7B's shape writes, an 8B reward head scores; both judge the pairs
of the bundled sample, padded with words to --words. Random weights never end a reply,
so each has --tokens tokens. Loading is not counted. The `plain loop` is the same
library without our engine: transformers, batch after batch in the order given, padded
to the longest.

Roofline: the most that the GPU's published numbers allow for this work, the slower of
computing (2 FLOPs a parameter and token, and 4 x layers x width a pair of tokens that
attend) at --tflops and of reading at --bandwidth (weights once a step of the batch, and
each sequence's keys and values for every token that it writes). `share` is how much of
it was reached. --tflops 989 --bandwidth 3.35 is an H100 SXM's dense bfloat16, by its
data sheet; without them the column is left out. `--shape tiny` tries the command on any
machine.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from rrm_harness import Comparison, Engine, Example, Judge, Request, host
from rrm_harness.inputs import completions

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import tiny_models

BATCH = 16
"""Rows of the plain loop's batches."""


@dataclass(frozen=True)
class Shape:
    """A model's sizes, and the judge that runs it."""

    judge: str
    layers: int
    width: int
    inner: int
    heads: int
    cached: int
    vocabulary: int
    classifies: bool = False

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "num_hidden_layers": self.layers,
            "hidden_size": self.width,
            "intermediate_size": self.inner,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.cached,
            "vocab_size": self.vocabulary,
            "max_position_embeddings": 32768,
        }

    @property
    def parameters(self) -> int:
        """Those of the layers and of the output, which every token goes through."""
        own = self.width // self.heads * self.cached
        attention = 2 * self.width * self.width + 2 * self.width * own
        output = self.width * (1 if self.classifies else self.vocabulary)
        return self.layers * (attention + 3 * self.width * self.inner) + output

    @property
    def cache(self) -> int:
        """Bytes of a token's keys and values, in bfloat16."""
        return 2 * 2 * self.layers * (self.width // self.heads) * self.cached


SHAPES = {
    "rrm-7b": Shape("rrm", 28, 3584, 18944, 28, 4, 152064),
    "rrm-1.5b": Shape("rrm", 28, 1536, 8960, 12, 2, 152064),
    "head-8b": Shape("sequence-classifier", 32, 4096, 14336, 32, 8, 128256, True),
    "tiny": Shape("rrm", 2, 64, 128, 2, 1, 2048),
    "tiny-head": Shape("sequence-classifier", 2, 64, 128, 2, 1, 2048, True),
}
ENGINES = ("transformers", "vllm")


@dataclass(frozen=True)
class Run:
    """What a way took for some requests."""

    seconds: float
    read: int
    wrote: int


def made(shape: Shape, folder: Path) -> Path:
    """Write a Qwen2 or a Llama classifier of this shape with small random weights."""
    import torch
    from transformers import (
        LlamaConfig,
        LlamaForSequenceClassification,
        Qwen2Config,
        Qwen2ForCausalLM,
    )

    family = "llama" if shape.classifies else "r1"
    settings = tiny_models.special_ids(family) | shape.settings
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(device):
        model = (
            LlamaForSequenceClassification(LlamaConfig(num_labels=1, **settings))
            if shape.classifies
            else Qwen2ForCausalLM(Qwen2Config(**settings))
        )
    torch.set_default_dtype(torch.float32)
    model.save_pretrained(folder)
    tiny_models.tokenizer(family).save_pretrained(folder)
    return folder


def asked(judge: Judge, count: int, words: int, tokens: int) -> list[Request]:
    """The requests of so many comparisons, each sampled anew."""
    found = host.default().build("datasets", "sample,part=pairs").examples()
    pairs = [_longer(each, words) for each in found if isinstance(each, Example)]
    comparisons = [Comparison.of(each) for each in pairs]
    return [
        replace(request, max_tokens=tokens, seed=number)
        for number in range(count)
        for request in _rendered(judge, comparisons[number % len(comparisons)], number)
    ]


def _longer(example: Example, words: int) -> Example:
    filled = tuple(
        f"{text} {' '.join(['and so on'] * max(0, (words - len(text.split())) // 3))}"
        for text in example.responses
    )
    return replace(example, responses=filled)


def _rendered(judge: Judge, comparison: Comparison, number: int) -> Iterator[Request]:
    """Every request of a comparison; each is another text, so that none is cached."""
    example = replace(
        comparison.example,
        responses=tuple(f"{number}. {text}" for text in comparison.example.responses),
    )
    shown = replace(comparison, example=example)
    for order in (
        [(each,) for each in shown.order] if judge.pointwise else [shown.order]
    ):
        yield from judge.render(shown.only(*order))


def by_engine(spec: str, judge: Judge, requests: Sequence[Request]) -> Run:
    engine: Engine = host.default().engine(spec, judge)
    completions(engine, [replace(each, max_tokens=4) for each in requests[:2]])
    started = time.monotonic()
    done = completions(engine, requests)
    seconds = time.monotonic() - started
    engine.close()
    for each in done:
        if each.failure:
            raise SystemExit(f"{spec}: {each.failure}: {each.text}")
    read = sum(each.prompt_tokens for each in done)
    return Run(seconds, read, sum(each.completion_tokens for each in done))


def by_plain_loop(place: Path, requests: Sequence[Request]) -> Run:
    """Transformers alone: the texts of our own requests, in batches as they come."""
    import torch
    import transformers

    writes = requests[0].kind == "generate"
    kind = "CausalLM" if writes else "SequenceClassification"
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    loaded = getattr(transformers, f"AutoModelFor{kind}").from_pretrained(
        place, dtype=dtype
    )
    model = loaded.to(device).eval()
    words = transformers.AutoTokenizer.from_pretrained(place, padding_side="left")
    words.pad_token = words.pad_token or words.eos_token
    model.config.pad_token_id = words.pad_token_id
    chats = [
        [{"role": m.role, "content": m.content} for m in r.messages] for r in requests
    ]
    read = wrote = 0
    started = time.monotonic()
    with torch.inference_mode():
        for start in range(0, len(chats), BATCH):
            batch = words.apply_chat_template(
                chats[start : start + BATCH],
                add_generation_prompt=writes,
                padding=True,
                return_tensors="pt",
                return_dict=True,
            ).to(device)
            batch.pop("token_type_ids", None)
            read += int(batch["attention_mask"].sum())
            if writes:
                most = requests[0].max_tokens
                out = model.generate(**batch, min_new_tokens=most, max_new_tokens=most)
                wrote += out[:, batch["input_ids"].shape[1] :].numel()
            else:
                model(**batch).logits.tolist()
    seconds = time.monotonic() - started
    del model, loaded
    gc.collect()
    return Run(seconds, read, wrote)


def roofline(
    shape: Shape, run: Run, requests: int, at_once: int, flops: float, bandwidth: float
) -> float:
    """The least seconds that the work can take: computing or reading, the slower.

    Args:
        shape: The model.
        run: What was read and written.
        requests: How many sequences there were.
        at_once: How many are written side by side.
        flops: Of the GPU, a second.
        bandwidth: Bytes a second.
    """
    tokens, read, wrote = (
        run.read + run.wrote,
        run.read / requests,
        run.wrote / requests,
    )
    attended = requests * ((read + wrote) ** 2) / 2
    computing = (
        2 * shape.parameters * tokens + 4 * shape.layers * shape.width * attended
    ) / flops
    steps = wrote * max(1.0, requests / at_once) + 1
    cached = run.wrote * (read + wrote / 2) * shape.cache
    reading = (steps * 2 * shape.parameters + cached) / bandwidth
    return max(computing, reading)


@click.command()
@click.option(
    "--shape",
    "shapes",
    type=click.Choice(list(SHAPES)),
    multiple=True,
    default=["rrm-7b", "head-8b"],
)
@click.option("--engine", "engines", multiple=True, default=ENGINES)
@click.option("--comparisons", default=256, show_default=True)
@click.option("--words", default=200, show_default=True, help="Of a response, about.")
@click.option("--tokens", default=512, show_default=True, help="Of a reply.")
@click.option("--at-once", default=256, show_default=True, help="Sequences of a batch.")
@click.option("--tflops", type=float, help="Of the GPU, dense bfloat16.")
@click.option("--bandwidth", type=float, help="Of its memory, TB a second.")
def main(shapes: tuple[str, ...], engines: tuple[str, ...], **asked_for: Any) -> None:
    """Print a line for each shape and way."""
    print(
        f"{'shape':<10} {'way':<28}{'judgments/s':>12}{'read/s':>12}"
        f"{'written/s':>12}{'share':>8}"
    )
    for name in shapes:
        measure(name, engines, **asked_for)


def measure(
    name: str,
    engines: Sequence[str],
    comparisons: int,
    words: int,
    tokens: int,
    at_once: int,
    tflops: float | None,
    bandwidth: float | None,
) -> None:
    shape = SHAPES[name]
    with TemporaryDirectory() as folder:
        place = made(shape, Path(folder))
        judge = host.default().build("judges", f"{shape.judge},model={place}")
        requests = asked(judge, comparisons, words, tokens)
        ways: dict[str, Callable[[], Run]] = {
            spec: lambda spec=spec: by_engine(spec, judge, requests) for spec in engines
        } | {f"plain loop, batch {BATCH}": lambda: by_plain_loop(place, requests)}
        for way, work in ways.items():
            run = work()
            share = ""
            if tflops and bandwidth:
                least = roofline(
                    shape, run, len(requests), at_once, tflops * 1e12, bandwidth * 1e12
                )
                share = f"{least / run.seconds:.0%}"
            print(
                f"{name:<10} {way:<28}{comparisons / run.seconds:>12.2f}"
                f"{run.read / run.seconds:>12,.0f}{run.wrote / run.seconds:>12,.0f}"
                f"{share:>8}",
                flush=True,
            )


if __name__ == "__main__":
    main()
