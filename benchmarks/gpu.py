"""A judge's real shape with random weights: judgments and tokens a second.

    python benchmarks/real_shape.py [--shape rrm-7b] [--engine vllm,dtype=bfloat16] ...

Speed does not depend on what the weights say, so nothing is downloaded: the model is
made here, in bfloat16, and judged pairs are the bundled sample's, asked as often as it
takes. Random weights never end a reply, so each has --tokens tokens. Loading is not
counted. `--engine` may be given several times: they run one after the other.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from rrm_harness import Comparison, Engine, Example, Judge, Request, host
from rrm_harness.inputs import completions

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import tiny_models

QWEN = {"vocab_size": 152064, "num_hidden_layers": 28, "max_position_embeddings": 32768}
SHAPES: dict[str, dict[str, Any]] = {
    "rrm-7b": QWEN
    | {"hidden_size": 3584, "intermediate_size": 18944}
    | {"num_attention_heads": 28, "num_key_value_heads": 4},
    "1.5b": QWEN
    | {"hidden_size": 1536, "intermediate_size": 8960}
    | {"num_attention_heads": 12, "num_key_value_heads": 2},
    "tiny": {},
}


def made(shape: str, folder: Path) -> Path:
    """Write a Qwen2 of this shape with small random weights."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    if shape == "tiny":
        return tiny_models.qwen2(folder)
    settings = tiny_models.special_ids("r1") | SHAPES[shape]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(device):
        model = Qwen2ForCausalLM(Qwen2Config(**settings))
    torch.set_default_dtype(torch.float32)
    model.save_pretrained(folder)
    tiny_models.tokenizer("r1").save_pretrained(folder)
    return folder


def asked(judge: Judge, count: int, tokens: int) -> list[Request]:
    """The requests of so many comparisons, each sampled anew."""
    examples = host.default().build("datasets", "sample,part=pairs").examples()
    pairs = [Comparison.of(each) for each in examples if isinstance(each, Example)]
    return [
        replace(request, max_tokens=tokens, seed=number)
        for number in range(count)
        for request in judge.render(pairs[number % len(pairs)])
    ]


def run(engine: Engine, requests: list[Request]) -> tuple[float, int, int]:
    """Seconds, prompt tokens and written tokens of all requests."""
    started = time.monotonic()
    done = completions(engine, requests)
    for each in done:
        if each.failure:
            raise SystemExit(f"{each.failure}: {each.text}")
    read = sum(each.prompt_tokens for each in done)
    wrote = sum(each.completion_tokens for each in done)
    return time.monotonic() - started, read, wrote


@click.command()
@click.option("--shape", type=click.Choice(list(SHAPES)), default="rrm-7b")
@click.option("--engine", "engines", multiple=True, default=["transformers", "vllm"])
@click.option("--comparisons", default=256, show_default=True)
@click.option("--tokens", default=512, show_default=True)
def main(shape: str, engines: tuple[str, ...], comparisons: int, tokens: int) -> None:
    """Print a line for each engine."""
    with TemporaryDirectory() as folder:
        place = made(shape, Path(folder))
        judge = host.default().build("judges", f"rrm,model={place}")
        print(f"{shape}, {comparisons} comparisons, {tokens} tokens written for each")
        for spec in engines:
            engine = host.default().engine(spec, judge)
            run(engine, asked(judge, 2, 4))  # loads, and warms up
            seconds, read, wrote = run(engine, asked(judge, comparisons, tokens))
            engine.close()
            print(
                f"{spec}: {seconds:.1f} s, {comparisons / seconds:.2f} judgments/s,"
                f" {read / seconds:,.0f} tokens/s read,"
                f" {wrote / seconds:,.0f} tokens/s written",
                flush=True,
            )


if __name__ == "__main__":
    main()
