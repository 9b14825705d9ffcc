"""Ranks that noise does not decide."""

from __future__ import annotations

from collections.abc import Callable


def ranks(count: int, better: Callable[[int, int], bool]) -> list[int]:
    """Rank each of `count` runs: one more than how many are better than it.

    Args:
        count: How many there are.
        better: Whether the first of two is better than the second, beyond noise. It
            need not be transitive: who has nobody above is first, with all others
            such.
    """
    return [
        1 + sum(better(other, each) for other in range(count) if other != each)
        for each in range(count)
    ]
