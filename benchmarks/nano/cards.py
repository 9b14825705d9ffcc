"""The model card that is written beside each nano model's weights."""

from __future__ import annotations

KINDS = {
    "rrm-nano": (
        "A tiny reasoning judge: Qwen2, a token a byte, that works a nano-arithmetic"
        " question out, holds two answers beside its own and boxes the better one.",
        "comparisons with perfect thoughts, after drills of sums and checks",
        "rrm-harness run --judge rrm-nano,size={size} --engine transformers"
        " --dataset nano-arithmetic --output runs/votes",
    ),
    "nano-head": (
        "A tiny reward model: Qwen2 with one label, which scores a worked"
        " nano-arithmetic solution in one pass.",
        "pairs of a right and a wrong solution (Bradley-Terry), after drills of single"
        " sums",
        "rrm-harness run --judge nano-head,size={size} --engine transformers"
        " --dataset nano-arithmetic --output runs/head",
    ),
    "nano-solver": (
        "A tiny policy: Qwen2, a token a byte, that works a nano-arithmetic question"
        " out and is often wrong; what `make post-train` begins with.",
        "a few questions with their working, after drills of single sums",
        "rrm-harness run --judge nano-solver --engine transformers"
        " --dataset nano-arithmetic,shape=answers --output runs/policy",
    ),
}

CARD = """\
---
license: apache-2.0
library_name: transformers
---

# {name}

{what}

- **Size**: {parameters:,} parameters, bfloat16.
- **Trained** by `benchmarks/nano/train.py`, seed {seed}, supervised on {trained}.
  Everything is generated; no text of anyone's is in it, and no question of the
  held-back split was drawn.
- **Use**: `{command}`
- **It knows nothing else**: numbers from 0 to 99, two to four additions and
  subtractions. It is for tests, tutorials and measurements of strategies, not for
  judging anything real.
- **Measured**: docs/nano.md of rrm-harness.
"""


def card(name: str, parameters: int, seed: int) -> str:
    """The card's text, for the folder's README.md."""
    kind = next(each for each in KINDS if name.startswith(each))
    what, trained, command = KINDS[kind]
    size = name.removeprefix(kind).removeprefix("-")
    return CARD.format(
        name=name,
        what=what,
        parameters=parameters,
        seed=seed,
        trained=trained,
        command=command.format(size=size),
    )
