"""Reward heads: our transformers engine against three other ways, same rows and model.

    python benchmarks/heads.py [PAIRS] [--rounds N] [--venv FOLDER]

- `engine`: our engine, from requests to completions.
- `rewardbench`: the package's own command, batches of eight in the dataset's order. It
  needs transformers 4 and so an environment of its own, made in FOLDER on first use.
  Its seconds are those of its loop over batches alone; its wall has start-up in it.
- `plain loop`: transformers in this process, batches of eight in the dataset's order.
- `limit`: the model alone over as many tokens as the texts have, given as ids in
  batches without any padding. The texts are sorted and cut into batches of so many
  tokens, the number the best of a few, and each row is as long as its batch's mean.
  It computes all of the last layer, and the engine only what the head reads of it.

Two models, float32, no GPU. Every side runs once a round, medians count. Templates and
tokenizing are in the seconds of the engine and of the plain loop, tokenizing in those
of rewardbench, neither in those of the limit. Texts come from the folder
RRM_HARNESS_DATA, or are generated. A score that differs from the engine's by more than
1e-5 stops it.

On a busy machine the clock says little. `--clock processor` counts the processor's time
instead; give it one thread (OMP_NUM_THREADS=1 RAYON_NUM_THREADS=1), since threads that
wait count too.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from heads_texts import Pair, pairs

from rrm_harness import Message, Model, Request, chat, host
from rrm_harness.inputs import completions
from rrm_harness.libraries import quiet_transformers

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import tiny_models

RUNNER = Path(__file__).resolve().parent / "heads_rewardbench.py"
BARS = {  # hidden size: at least so many times as fast
    64: {"rewardbench": 6.0, "plain loop": 3.0, "limit": 0.95},
    256: {"rewardbench": 3.5, "plain loop": 3.0, "limit": 0.95},
}
SHAPES: dict[int, dict[str, int]] = {
    64: {},
    256: {
        "hidden_size": 256,
        "num_hidden_layers": 4,
        "num_attention_heads": 8,
        "num_key_value_heads": 2,
        "intermediate_size": 896,
    },
}
EIGHT = 8
"""Rows of a batch, rewardbench's default."""
LONGEST = 4096
LIMIT_TOKENS = (512, 1024, 1536, 2048, 3072, 4096)
TOLERANCE = 1e-5
PACKAGE = "rewardbench==0.1.4"

CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
Told = tuple[list[float], float]


@dataclass
class Side:
    """One way to score, and what it took.

    `run` returns the scores, chosen and rejected in turn, and the seconds that count.
    """

    name: str
    run: Callable[[], Told]
    settings: str
    computed: int
    """Tokens that the network sees, padding included."""
    scores: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    walls: list[float] = field(default_factory=list)

    def round(self) -> None:
        started = time.perf_counter()
        self.scores, seconds = self.run()
        self.walls.append(time.perf_counter() - started)
        self.seconds.append(seconds)


def timed(clock: str, run: Callable[[], list[float]]) -> Told:
    """What a side returns, and its seconds."""
    started = CLOCKS[clock]()
    scores = run()
    return scores, CLOCKS[clock]() - started


# --- the sides


def messages(turns: Sequence[Message]) -> list[dict[str, str]]:
    """A chat as everybody else has it."""
    return [{"role": each.role, "content": each.content} for each in turns]


def chats(rows: Sequence[Pair]) -> list[tuple[Message, Message]]:
    """Chosen and rejected in turn."""
    return [
        (Message("user", row.prompt), Message("assistant", response))
        for row in rows
        for response in (row.chosen, row.rejected)
    ]


def engine(folder: Path, rows: Sequence[Pair]) -> Any:
    """Our engine with the model loaded, and what it is asked."""
    factory = host.default().lookup("engines", "transformers").thing
    running = factory(Model(str(folder), head="sequence-classifier"), device="cpu")
    asked = [Request(turns, kind="score") for turns in chats(rows)]
    running.tokens(asked[0])
    return running, asked


def by_engine(running: Any, asked: Sequence[Request]) -> list[float]:
    return [each.scores[0] for each in completions(running, asked)]


def classifier(folder: Path) -> Any:
    from transformers import AutoModelForSequenceClassification

    return AutoModelForSequenceClassification.from_pretrained(folder).eval()


def by_eights(network: Any, words: Any, rows: Sequence[Pair]) -> list[float]:
    """The plain loop."""
    import torch

    told = [messages(turns) for turns in chats(rows)]
    scores: list[float] = []
    for start in range(0, len(told), EIGHT):
        batch = words.apply_chat_template(
            told[start : start + EIGHT],
            padding=True,
            return_tensors="pt",
            return_dict=True,
        )
        with torch.inference_mode():
            scores += network(**batch).logits[:, 0].tolist()
    return scores


def by_package(clock: str, python: Path, folder: Path) -> Told:
    """One process of the rewardbench command; the model and the rows are in folder."""
    told = subprocess.run(
        [
            *(python, RUNNER, clock, "seconds.txt"),
            *("--model", "model", "--dataset", "pairs.jsonl", "--load_json"),
            *("--not_quantized", "--torch_dtype", "float32", "--save_all"),
            *("--batch_size", str(EIGHT), "--max_length", str(LONGEST)),
            *("--output_dir", "out/"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    if told.returncode:
        raise SystemExit(f"rewardbench failed:\n{told.stderr[-3000:]}")
    lines = (folder / "out" / "model_all.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in lines]
    scores = [float(pair[key][0]) for pair in told for key in ("chosen", "rejected")]
    return scores, float((folder / "seconds.txt").read_text())


def unpadded(lengths: Sequence[int], tokens: int) -> Iterator[tuple[int, int]]:
    """Batches (rows, length) of as many tokens in all; a few are lost to rounding."""
    batch: list[int] = []
    for length in [*sorted(lengths, reverse=True), 0]:
        if batch and (not length or batch[0] * (len(batch) + 1) > tokens):
            yield len(batch), round(sum(batch) / len(batch))
            batch = []
        batch.append(length)


def by_limit(network: Any, batches: Sequence[Any]) -> list[float]:
    """The model alone."""
    import torch

    with torch.inference_mode():
        for batch in batches:
            network(input_ids=batch)
    return []


def limit(clock: str, network: Any, lengths: Sequence[int]) -> Side:
    """The best of a few batch sizes."""
    import torch

    found: dict[int, tuple[float, list[Any]]] = {}
    for tokens in LIMIT_TOKENS:
        shapes = [*unpadded(lengths, tokens)]
        batches = [torch.randint(20, 2000, shape) for shape in shapes]
        seconds = [
            timed(clock, partial(by_limit, network, batches))[1] for _ in range(2)
        ]
        found[tokens] = min(seconds), batches
    best = min(found, key=lambda tokens: found[tokens][0])
    batches = found[best][1]
    return Side(
        "limit",
        partial(timed, clock, partial(by_limit, network, batches)),
        f"{len(batches)} batches of at most {best:,} tokens, no padding, ids given",
        sum(batch.numel() for batch in batches),
    )


# --- models, rows, environment


def made(hidden: int, folder: Path) -> Path:
    """A random LlamaForSequenceClassification that transformers 4 reads as well."""
    import transformers

    settings = tiny_models.SHAPE | tiny_models.special_ids("llama") | SHAPES[hidden]
    config = transformers.LlamaConfig(**settings, num_labels=1)
    network = transformers.LlamaForSequenceClassification(config)
    folder.mkdir(parents=True)
    tiny_models.save(tiny_models.randomized(network, scale=0.03), folder, "llama")
    template = (folder / "chat_template.jinja").read_text()
    add(
        folder / "tokenizer_config.json",
        tokenizer_class="PreTrainedTokenizerFast",
        model_input_names=["input_ids", "attention_mask"],
        chat_template=template,
    )
    add(folder / "config.json", rope_theta=10000.0, torch_dtype="float32")
    return folder


def write(path: Path, rows: Sequence[Pair]) -> None:
    """The pairs as the hub's preference sets have them."""
    told = [messages(turns) for turns in chats(rows)]
    lines = [
        json.dumps({"chosen": chosen, "rejected": rejected})
        for chosen, rejected in zip(told[::2], told[1::2], strict=True)
    ]
    path.write_text("\n".join(lines))


def add(path: Path, **keys: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | keys))


def environment(folder: Path) -> Path:
    """The Python of rewardbench's own environment; the first call makes it."""
    import torch

    python = folder.resolve() / "bin" / "python"
    if not (folder / "complete").exists():
        print(f"making {folder} for {PACKAGE}; this takes minutes", flush=True)
        run = partial(subprocess.run, check=True)
        run([sys.executable, "-m", "venv", folder])
        version, _, _ = torch.__version__.partition("+")  # an index may lack the rest
        needs = ["setuptools<81", f"torch=={version}", PACKAGE]
        run([python, "-m", "pip", "install", "-q", *needs])
        (folder / "complete").touch()
    return python


# --- the table


def sides(
    clock: str, hidden: int, rows: Sequence[Pair], place: Path, python: Path
) -> tuple[list[Side], int]:
    """All four, ready to run; the tokens of all texts."""
    folder = made(hidden, place / "model")
    write(place / "pairs.jsonl", rows)
    running, asked = engine(folder, rows)
    network, words = classifier(folder), chat.load_tokenizer(str(folder))
    lengths = [len(running.tokens(request)) for request in asked]
    chosen, rejected = lengths[::2], lengths[1::2]
    ready = [
        Side(
            "engine",
            partial(timed, clock, partial(by_engine, running, asked)),
            "device=cpu, nothing else set",
            embedded(partial(by_engine, running, asked)),
        ),
        Side(
            "rewardbench",
            partial(by_package, clock, python, place),
            f"{PACKAGE}, batch {EIGHT}, max_length {LONGEST}, its own process",
            padded(chosen) + padded(rejected),
        ),
        Side(
            "plain loop",
            partial(timed, clock, partial(by_eights, network, words, rows)),
            f"batch {EIGHT} in the dataset's order, padded to the longest",
            padded(lengths),
        ),
        limit(clock, network, lengths),
    ]
    return ready, sum(lengths)


def padded(lengths: Sequence[int]) -> int:
    """Tokens of batches of eight in the order given."""
    starts = range(0, len(lengths), EIGHT)
    eights = [lengths[start : start + EIGHT] for start in starts]
    return sum(max(each) * len(each) for each in eights)


def embedded(run: Callable[[], Any]) -> int:
    """How many tokens go into a network, padding included."""
    from torch.nn import Embedding
    from torch.nn.modules.module import register_module_forward_pre_hook

    seen: list[int] = []

    def look(module: Any, inputs: tuple[Any, ...]) -> None:
        if isinstance(module, Embedding):
            seen.append(inputs[0].numel())

    hook = register_module_forward_pre_hook(look)
    run()
    hook.remove()
    return sum(seen)


def show(all_sides: Sequence[Side], texts: int, tokens: int, hidden: int) -> None:
    """The table of one model, and whether the bars are met."""
    ours, *others = all_sides
    seconds = {side.name: median(side.seconds) for side in all_sides}
    print(
        f"{'':<14}{'texts/s':>9}{'tokens/s':>11}{'padding':>9}{'seconds':>9}{'wall':>8}"
        f"{'engine':>9}"
    )
    for side in all_sides:
        taken = seconds[side.name]
        print(
            f"{side.name:<14}{texts / taken:>9,.1f}{tokens / taken:>11,.0f}"
            f"{max(0, 1 - tokens / side.computed):>9.1%}"
            f"{taken:>9.2f}{median(side.walls):>8.2f}"
            f"{taken / seconds['engine']:>8.2f}x"
        )
    for side in others:
        times, bar = seconds[side.name] / seconds["engine"], BARS[hidden][side.name]
        furthest = apart(ours.scores, side.scores) if side.scores else None
        same = "" if furthest is None else f", scores differ by at most {furthest:.0e}"
        met = "met" if times >= bar else "MISSED"
        print(f"  {side.name}: {times:.2f}, bar {bar:g} {met}{same}")


def apart(ours: Sequence[float], others: Sequence[float]) -> float:
    """The greatest difference of two sides' scores; stops if it is too great."""
    furthest = max(abs(a - b) for a, b in zip(ours, others, strict=True))
    if furthest > TOLERANCE:
        raise SystemExit(f"scores differ by {furthest}")
    return furthest


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", nargs="?", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--venv", type=Path, default=Path(".venv-rewardbench"))
    parser.add_argument("--hidden", type=int, nargs="*", choices=SHAPES, default=SHAPES)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    return parser.parse_args()


def main() -> None:
    """Print a table for each model."""
    import torch
    import transformers

    asked = arguments()
    python = environment(asked.venv)
    rows, what = pairs(asked.pairs)
    print(f"{len(rows)} pairs: {what}")
    print(
        f"torch {torch.__version__}, transformers {transformers.__version__},"
        f" {torch.get_num_threads()} threads, float32, {asked.rounds} rounds,"
        f" {asked.clock} time"
    )
    for hidden in asked.hidden:
        with TemporaryDirectory() as place, quiet_transformers():
            all_sides, tokens = sides(asked.clock, hidden, rows, Path(place), python)
            for _ in range(asked.rounds):
                for side in all_sides:
                    side.round()
            print(f"\nhidden {hidden}")
            for side in all_sides:
                print(f"  {side.name}: {side.settings}")
            show(all_sides, 2 * len(rows), tokens, hidden)


if __name__ == "__main__":
    main()
