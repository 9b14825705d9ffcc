r"""Train all nano models: `python benchmarks/nano/train.py [--only NAME ...]`.

All supervised, on two cores, in less than an hour:
1. drills: sums and differences, lines as a thought has them, and which answer is whose;
2. from there a judge of each size: comparisons, among them few questions and drills;
3. from a judge's weights the reward head of its size, on pairs of a right and a wrong
   answer (Bradley-Terry);
4. from drills of sums, too, the policy, `nano-solver`: questions as somebody careless
   works them out, half of the time with a slip, so that it knows more than it shows.
Nothing of the held-back split is drawn. The weights are written where the package
ships them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from multiprocessing import Pool
from pathlib import Path
from typing import Any

from cards import card
from fit import batched, fit, padded
from tokens import VOCABULARY, save
from traces import (
    IDS,
    Preference,
    Row,
    careless,
    drilling,
    judging,
    preferring,
    quoting,
    solving,
)

from rrm_harness.arithmetic import Problem, problems

WEIGHTS = Path(__file__).parents[2] / "plugins" / "models" / "nano"
PAD, END = IDS["<|pad|>"], IDS["<|end|>"]
IGNORED = -100


@dataclass(frozen=True)
class Plan:
    """A size: its shape, and how many steps each stage takes.

    Args:
        width: Of the hidden states.
        heads: Of attention.
        drills: Steps of 48 drills.
        judge: Steps of 32 comparisons, questions and drills.
        head: Steps of 32 pairs.
    """

    width: int
    heads: int
    drills: int
    judge: int
    head: int


PLANS = {
    "0.2m": Plan(64, 2, 800, 1600, 800),
    "0.09m": Plan(40, 2, 800, 1600, 800),
    "0.06m": Plan(32, 2, 800, 1600, 800),
    "0.03m": Plan(24, 2, 800, 1600, 800),
}
LAYERS = 4
POLICY, POLICY_STEPS = Plan(64, 2, 500, 0, 0), 600
"""The policy: its size, and after its drills so many steps of 64 questions."""
HEAD_RATE = 0.5
"""Of the reward head, beside what is before it."""


def configured(plan: Plan, **changed: Any) -> Any:
    """The Qwen2 configuration of a size."""
    from transformers import Qwen2Config

    return Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=plan.width,
        intermediate_size=(8 * plan.width // 3 + 15) // 16 * 16,
        num_hidden_layers=LAYERS,
        num_attention_heads=plan.heads,
        num_key_value_heads=plan.heads,
        max_position_embeddings=1024,
        rope_theta=10_000.0,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=END,
        pad_token_id=PAD,
        **changed,
    )


def drilled(plan: Plan, rows: Iterator[Row], seed: int) -> Any:
    """Stage 1, from random weights."""
    import torch
    from transformers import Qwen2ForCausalLM

    torch.manual_seed(seed)
    model = Qwen2ForCausalLM(configured(plan))
    batches = batched(rows, 48, _length)
    label = f"{plan.width} drills"
    fit(model, batches, _writing_loss, plan.drills, label=label)
    return model


def judge(plan: Plan, seed: int) -> Any:
    """Stage 2: comparisons, and what a drilled model must not forget."""
    model = _copied(drilled(plan, _drills(seed), seed))
    rows = (_mixed(first(seed) + at, problem) for at, _, problem in _problems(seed, 1))
    batches = batched(rows, 32, _length)
    fit(model, batches, _writing_loss, plan.judge, label=f"{plan.width} judge")
    return model


def head(plan: Plan, judged: Path, seed: int) -> Any:
    """Stage 3: the last state's score, above the rejected one's for the chosen."""
    import torch
    from transformers import Qwen2ForSequenceClassification

    torch.manual_seed(seed)
    model = Qwen2ForSequenceClassification.from_pretrained(
        judged, num_labels=1, dtype=torch.float32
    )
    drawn = _problems(seed, 2)
    rows = (preferring(first(seed) + at, problem) for at, _, problem in drawn)
    batches = batched(rows, 32, lambda row: len(row.chosen) + len(row.rejected))
    label = f"{plan.width} head"
    fit(model, batches, _preference_loss, plan.head, rate=HEAD_RATE, label=label)
    return model


def policy(seed: int) -> Any:
    """Stage 4: questions as somebody careless works them out, half of them wrong."""
    drills = map(drilling, count(first(seed)))
    model = _copied(drilled(POLICY, drills, seed))
    drawn = _problems(seed, 3)
    rows = (careless(first(seed) + at, problem) for at, _, problem in drawn)
    fit(model, batched(rows, 64, _length), _writing_loss, POLICY_STEPS, label="policy")
    return model


def _drills(seed: int) -> Iterator[Row]:
    """A judge's drills, either kind in turn."""
    for at, _, problem in _problems(seed, 4):
        number = first(seed) + at
        yield quoting(number, problem) if at % 2 else drilling(number)


def _mixed(number: int, problem: Problem) -> Row:
    """In sixteen rows a drill of each kind, a question and thirteen comparisons."""
    other = {
        0: lambda: drilling(number),
        4: lambda: quoting(number, problem),
        8: lambda: solving(problem),
    }
    return other.get(number % 16, lambda: judging(number, problem))()


def _problems(seed: int, stage: int) -> Iterator[tuple[int, str, Problem]]:
    return problems("train", 10 * seed + stage)


def first(seed: int) -> int:
    """The number of a seed's first row."""
    return seed * 10**9


def _length(row: Row) -> int:
    return len(row.prompt) + len(row.reply)


def _copied(base: Any) -> Any:
    from transformers import Qwen2ForCausalLM

    model = Qwen2ForCausalLM(base.config)
    model.load_state_dict(base.state_dict())
    return model


def _writing_loss(model: Any, batch: list[Row]) -> Any:
    """Cross-entropy of what is to be learnt."""
    from torch.nn.functional import cross_entropy

    ids = padded([row.prompt + row.reply for row in batch], PAD)
    labels = padded([_labels(row) for row in batch], IGNORED)[:, 1:]
    logits = model(input_ids=ids).logits[:, :-1]
    return cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED)


def _labels(row: Row) -> list[int]:
    told = zip(row.reply, row.learnt, strict=True)
    return [IGNORED] * len(row.prompt) + [each if by else IGNORED for each, by in told]


def _preference_loss(model: Any, batch: list[Preference]) -> Any:
    """Bradley-Terry: the chosen one's score is to be above the rejected one's."""
    from torch.nn.functional import logsigmoid

    chats = [each.chosen for each in batch] + [each.rejected for each in batch]
    ids = padded(chats, PAD)
    scores = model(input_ids=ids, attention_mask=(ids != PAD).long()).logits[:, 0]
    chosen, rejected = scores.chunk(2)
    return -logsigmoid(chosen - rejected).mean()


def write(model: Any, name: str, seed: int, place: Path = WEIGHTS) -> None:
    """Save in bfloat16, with the tokenizer and the model card."""
    import torch

    folder = place / name
    model.to(torch.bfloat16).save_pretrained(folder)
    save(folder)
    text = card(name, model.num_parameters(), seed)
    (folder / "README.md").write_text(text, encoding="utf-8")
    size = (folder / "model.safetensors").stat().st_size
    print(f"{name}: {model.num_parameters():,} parameters, {size / 1e6:.2f} MB")


def train(name: str, seed: int) -> None:
    """Train one model by its name and write it."""
    import torch

    torch.set_num_threads(1)  # so that the weights are the same on any number of cores
    started = time.monotonic()
    if name == "nano-solver":
        write(policy(seed), name, seed)
    elif name.startswith("nano-head-"):
        size = name.removeprefix("nano-head-")
        write(head(PLANS[size], WEIGHTS / f"rrm-nano-{size}", seed), name, seed)
    else:
        size = name.removeprefix("rrm-nano-")
        write(judge(PLANS[size], seed), name, seed)
    print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)


def main() -> None:
    """Train what was asked for, two side by side."""
    first_ones = [*(f"rrm-nano-{size}" for size in PLANS), "nano-solver"]
    then = [f"nano-head-{size}" for size in PLANS]
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--only", nargs="*", default=first_ones + then)
    asked.add_argument("--seed", type=int, default=0)
    given = asked.parse_args()
    started = time.monotonic()
    for names in (first_ones, then):
        jobs = [(name, given.seed) for name in names if name in given.only]
        with Pool(2, maxtasksperchild=1) as pool:
            pool.starmap(train, jobs, chunksize=1)
    print(f"all: {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
