"""The transformers engine against a plain loop over the same tiny models.

    python benchmarks/engine_transformers.py [PAIRS]

Scoring: texts a second in batches of eight in the order given, padded to the longest,
as most harnesses do; then by the engine, which sorts them into batches of so many
tokens and computes a shared prompt once. Both must give the same scores. Writing:
tokens a second, one request at a time and in the engine's batches. Everything runs in
one process on the CPU in float32, one after the other; the better of two runs counts.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rrm_harness import Message, Model, Request, chat, host
from rrm_harness.inputs import completions

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import tiny_models

HEAD = "sequence-classifier"
SHAPE = {"hidden_size": 256, "num_hidden_layers": 4, "intermediate_size": 512}
TOLERANCE = 1e-5
WORDS = ("the", "answer", "is", "that", "both", "say", "what", "was", "asked", "but")


def words(count: float, source: random.Random) -> str:
    """Text of about this many tokens."""
    return " ".join(source.choices(WORDS, k=max(1, int(count))))


def pairs(count: int) -> list[Request]:
    """Two responses to each prompt, of log-normal lengths, most near 200 tokens."""
    source = random.Random(0)
    return [
        scored(prompt, words(source.lognormvariate(4.7, 0.8), source))
        for _ in range(count)
        for prompt in [words(source.lognormvariate(4.0, 0.8), source)]
        for _ in range(2)
    ]


def best_of(count: int, responses: int) -> list[Request]:
    """Many responses to each long prompt."""
    source = random.Random(1)
    return [
        scored(prompt, words(40, source))
        for _ in range(count)
        for prompt in [words(300, source)]
        for _ in range(responses)
    ]


def scored(prompt: str, response: str) -> Request:
    turns = (Message("user", prompt), Message("assistant", response))
    return Request(turns, kind="score")


def engine(folder: Path, head: str = "", **options: Any) -> Any:
    factory = host.default().lookup("engines", "transformers").thing
    return factory(Model(str(folder), head=head), device="cpu", **options)


def by_eights(folder: Path, requests: Sequence[Request]) -> Callable[[], list[float]]:
    """The plain way; the tokenizing is timed too, as it is in the engine."""
    import torch
    from transformers import AutoModelForSequenceClassification

    network = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = chat.load_tokenizer(str(folder))

    def run() -> list[float]:
        scores: list[float] = []
        ids = [list(chat.encode(tokenizer, each).ids) for each in requests]
        for start in range(0, len(ids), 8):
            batch = tokenizer.pad(
                {"input_ids": ids[start : start + 8]}, return_tensors="pt"
            )
            with torch.inference_mode():
                scores += network(**batch).logits[:, 0].tolist()
        return scores

    return run


def best(run: Callable[[], Any]) -> tuple[Any, float]:
    """What a function returns, and the seconds of the quicker of two runs."""
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        told = run()
        seconds.append(time.perf_counter() - started)
    return told, min(seconds)


def row(label: str, count: float, seconds: float, plain: float) -> None:
    print(
        f"{label:<44}{count / seconds:>12,.0f}{seconds:>10.2f}{plain / seconds:>10.1f}"
    )


def score(folder: Path, label: str, requests: Sequence[Request]) -> None:
    """Two rows of the table; stops if the scores differ."""
    running = engine(folder, HEAD)
    running.tokens(requests[0])  # loads
    expected, plain = best(by_eights(folder, requests))
    told, seconds = best(lambda: completions(running, requests))
    furthest = max(
        abs(one - each.scores[0]) for one, each in zip(expected, told, strict=True)
    )
    if furthest > TOLERANCE:
        raise SystemExit(f"{label}: scores differ by {furthest}")
    row(f"{label}: batches of 8 in order", len(requests), plain, plain)
    row(f"{label}: engine", len(requests), seconds, plain)
    print(f"{'':<4}scores differ by at most {furthest:.1e}")
    running.close()


def write(folder: Path, count: int) -> None:
    source = random.Random(2)
    requests = [
        Request(
            (Message("user", words(source.uniform(5, 200), source)),), max_tokens=64
        )
        for _ in range(count)
    ]
    sampled = [
        Request(each.messages, max_tokens=64, temperature=0.6, top_p=0.95, seed=seed)
        for seed, each in enumerate(requests)
    ]
    plain = 0.0
    for label, asked, options in (
        ("greedy, one at a time", requests, {"batch_size": 1, "batching": "static"}),
        ("greedy, batches", requests, {"batching": "static"}),
        ("greedy, continuous", requests, {"batching": "continuous"}),
        ("temperature 0.6, top-p 0.95, batches", sampled, {}),
    ):
        running = engine(folder, **options)
        running.tokens(asked[0])
        told, seconds = best(
            lambda running=running, asked=asked: completions(running, asked)
        )
        plain = plain or seconds
        row(label, sum(each.completion_tokens for each in told), seconds, plain)
        running.close()


def made(kind: str, folder: Path) -> None:
    """Write a random model; weights of the usual size, so that it is not chaotic."""
    import transformers

    settings = tiny_models.SHAPE | tiny_models.special_ids("llama") | SHAPE
    config = transformers.LlamaConfig(**settings, num_labels=1)
    model = tiny_models.randomized(getattr(transformers, kind)(config), scale=0.03)
    tiny_models.save(model, folder, "llama")


def main() -> None:
    """Print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 48
    with TemporaryDirectory() as place:
        scores, writes = Path(place) / "scores", Path(place) / "writes"
        scores.mkdir()
        writes.mkdir()
        made("LlamaForSequenceClassification", scores)
        made("LlamaForCausalLM", writes)
        print(f"{'scoring':<44}{'texts/s':>12}{'seconds':>10}{'times':>10}")
        score(scores, f"{count} pairs", pairs(count))
        score(scores, "best of 16", best_of(max(1, count // 16), 16))
        print(f"\n{'writing':<44}{'tokens/s':>12}{'seconds':>10}{'times':>10}")
        write(writes, max(8, count // 4))


if __name__ == "__main__":
    main()
