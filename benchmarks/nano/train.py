r"""Train all nano models: `python benchmarks/nano/train.py [--only NAME ...] [--seed S]`.

For each size three stages, all supervised, on two cores:
1. a solver learns to work questions out (for the smallest of its checkpoints see below);
2. from it the judge learns to check two answers and to box the better one;
3. from it, too, the reward head learns from the same kind of pairs (Bradley-Terry).
The policy `nano-solver` is a solver that was stopped early. Nothing of the held-back
split is drawn. The weights are written where the package ships them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fit import batched, fit, padded
from tokens import VOCABULARY, save
from traces import IDS, Preference, Row, judging, preferring, solving

from rrm_harness.plugins.datasets.arithmetic import problems

WEIGHTS = Path(__file__).parents[2] / "plugins" / "models" / "nano"
PAD, END = IDS["<|pad|>"], IDS["<|end|>"]
IGNORED = -100


@dataclass(frozen=True)
class Plan:
    """A size: its shape, and how many steps each stage takes.

    Args:
        width: Of the hidden states; a head of attention is 32 wide.
        layers: How many.
        solver: Steps of 64 questions.
        judge: Steps of 32 comparisons.
        head: Steps of 32 pairs.
    """

    width: int
    layers: int
    solver: int
    judge: int
    head: int


PLANS = {
    "0.1m": Plan(64, 2, 1000, 1500, 800),
    "0.5m": Plan(96, 4, 800, 1500, 800),
    "2m": Plan(192, 5, 500, 1000, 500),
}
POLICY, POLICY_STEPS = "0.5m", 250
"""The policy: this size, stopped after so many steps."""


def configured(plan: Plan, **changed: Any) -> Any:
    """The Qwen2 configuration of a size."""
    from transformers import Qwen2Config

    heads = plan.width // 32
    return Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=plan.width,
        intermediate_size=(8 * plan.width // 3 + 15) // 16 * 16,
        num_hidden_layers=plan.layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=1024,
        rope_theta=10_000.0,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=END,
        pad_token_id=PAD,
        **changed,
    )


def solver(plan: Plan, steps: int, seed: int) -> Any:
    """Stage 1, from random weights."""
    import torch
    from transformers import Qwen2ForCausalLM

    torch.manual_seed(seed)
    model = Qwen2ForCausalLM(configured(plan))
    fit(model, _rows(solving, 64, seed), _writing_loss, steps)
    return model


def judge(plan: Plan, base: Any, seed: int) -> Any:
    """Stage 2, from a solver."""
    model = _copied(base)
    fit(model, _rows(judging, 32, seed + 1), _writing_loss, plan.judge)
    return model


def head(plan: Plan, base: Any, seed: int) -> Any:
    """Stage 3, from a solver: its last layer's state at the end, and one weight each."""
    import torch
    from transformers import Qwen2ForSequenceClassification

    torch.manual_seed(seed)
    model = Qwen2ForSequenceClassification(configured(plan, num_labels=1))
    model.model.load_state_dict(base.model.state_dict())
    fit(model, _rows(preferring, 32, seed + 2), _preference_loss, plan.head)
    return model


def _copied(base: Any) -> Any:
    from transformers import Qwen2ForCausalLM

    model = Qwen2ForCausalLM(base.config)
    model.load_state_dict(base.state_dict())
    return model


def _rows(make: Any, size: int, seed: int) -> Iterator[Any]:
    drawn = (make(number, problem) for number, _, problem in problems("train", seed))
    return batched(drawn, size, lambda row: sum(map(len, row)))


def _writing_loss(model: Any, batch: list[Row]) -> Any:
    """Cross-entropy of the replies alone."""
    from torch.nn.functional import cross_entropy

    ids = padded([row.prompt + row.reply for row in batch], PAD)
    told = [[IGNORED] * len(row.prompt) + row.reply for row in batch]
    labels = padded(told, IGNORED)[:, 1:]
    logits = model(input_ids=ids).logits[:, :-1]
    return cross_entropy(
        logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED
    )


def _preference_loss(model: Any, batch: list[Preference]) -> Any:
    """Bradley-Terry: the chosen one's score is to be above the rejected one's."""
    from torch.nn.functional import logsigmoid

    chats = [each.chosen for each in batch] + [each.rejected for each in batch]
    ids = padded(chats, PAD)
    scores = model(input_ids=ids, attention_mask=(ids != PAD).long()).logits[:, 0]
    chosen, rejected = scores.chunk(2)
    return -logsigmoid(chosen - rejected).mean()


def write(model: Any, name: str) -> None:
    """Save in bfloat16, with the tokenizer."""
    import torch

    folder = WEIGHTS / name
    model.to(torch.bfloat16).save_pretrained(folder)
    save(folder)
    size = (folder / "model.safetensors").stat().st_size
    print(f"  {name}: {model.num_parameters():,} parameters, {size / 1e6:.2f} MB")


def main() -> None:
    """Train what was asked for."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--only", nargs="*", default=["policy", *PLANS])
    asked.add_argument("--seed", type=int, default=0)
    given = asked.parse_args()
    for name in given.only:
        started = time.monotonic()
        print(name, flush=True)
        if name == "policy":
            write(solver(PLANS[POLICY], POLICY_STEPS, given.seed), "nano-solver")
        else:
            plan = PLANS[name]
            base = solver(plan, plan.solver, given.seed)
            write(judge(plan, base, given.seed), f"rrm-nano-{name}")
            write(head(plan, base, given.seed), f"nano-head-{name}")
        print(f"  {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
