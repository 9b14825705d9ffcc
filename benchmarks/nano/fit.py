"""The training loop: length-sorted batches; Muon for matrices, AdamW for the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from rrm_harness import chance

Item = TypeVar("Item")

MATRIX_RATE, OTHER_RATE = 0.02, 0.003
"""Learning rates: of Muon, and of AdamW for embeddings, norms, biases and heads."""
WARM, DECAY, LEAST = 50, 0.6, 0.02
"""Steps of warm-up, the share of the steps that cools down, the rate's last share."""
POOL = 16
"""Batches whose rows are sorted by length together."""
REPORT = 100


def fit(
    model: Any,
    batches: Iterator[Any],
    loss_of: Callable[[Any, Any], Any],
    steps: int,
    *,
    rate: float = 1.0,
    label: str = "",
) -> None:
    """Train for so many steps; `rate` scales both learning rates."""
    import torch

    optimizers = _optimizers(model, rate)
    started, recent = time.monotonic(), []
    model.train()
    for step, batch in enumerate(islice(batches, steps)):
        share = min(1, (step + 1) / WARM, max(LEAST, (steps - step) / (DECAY * steps)))
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * share
            optimizer.zero_grad()
        loss = loss_of(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        recent = [*recent[1 - REPORT :], loss.item()]
        if (step + 1) % REPORT == 0 or step + 1 == steps:
            seconds = time.monotonic() - started
            mean = sum(recent) / len(recent)
            told = f"{step + 1:5d} steps  {seconds:6.0f} s  loss {mean:.4f}"
            print(f"  {label:12} {told}", flush=True)
    model.eval()


def _optimizers(model: Any, rate: float) -> Sequence[Any]:
    import torch

    named = [*model.named_parameters()]
    matrices = [p for name, p in named if _is_matrix(name, p)]
    others = [p for name, p in named if not _is_matrix(name, p)]
    muon = torch.optim.Muon(matrices, lr=rate * MATRIX_RATE, weight_decay=0.01)
    adam = torch.optim.AdamW(
        others, lr=rate * OTHER_RATE, betas=(0.9, 0.98), weight_decay=0.0
    )
    for group in (*muon.param_groups, *adam.param_groups):
        group["initial_lr"] = group["lr"]
    return muon, adam


def _is_matrix(name: str, parameter: Any) -> bool:
    return parameter.ndim == 2 and "embed" not in name and "score" not in name


def batched(
    rows: Iterator[Item], size: int, length: Callable[[Item], int]
) -> Iterator[list[Item]]:
    """Yield batches of rows of about one length, in a drawn order, without end."""
    for pool in iter(lambda: [*islice(rows, POOL * size)], []):
        pool.sort(key=length)
        batches = [pool[at : at + size] for at in range(0, len(pool), size)]
        for place in chance.permutation(len(batches), "batches", length(pool[0])):
            yield batches[place]


def padded(rows: Sequence[Sequence[int]], fill: int) -> Any:
    """Rows of ids as one tensor (rows, longest), filled up on the right."""
    import torch

    longest = max(map(len, rows))
    return torch.tensor([[*row, *[fill] * (longest - len(row))] for row in rows])
