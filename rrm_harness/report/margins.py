"""Accuracy against margin: is a judge right more often where it is surer?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rrm_harness import stats
from rrm_harness.report.glance import Glance

BINS = 10
LEAST = 20
"""Items of a bin, where margins differ; with fewer the chart would show noise."""

_Item = tuple[float, float, str]
"""An absolute margin, the credit and the prompt."""


def margins(glances: Iterable[Glance]) -> list[dict[str, Any]]:
    """Return accuracy by absolute margin, smallest margin first.

    Each bin has `low` and `high` margins, `n` items, their mean credit and its 95 %
    interval, in which items of a prompt are not independent. Margins of few different
    sizes, as verdicts have, are a bin each; others make BINS bins of about equal n, or
    fewer of LEAST. Empty if no margin was counted.
    """
    counted = sorted(
        (abs(glance.margin), glance.credit, glance.cluster)
        for glance in glances
        if glance.margin is not None and glance.credit is not None
    )
    return [_bin(group) for group in _groups(counted)]


def _groups(counted: list[_Item]) -> Iterator[list[_Item]]:
    sizes = sorted({margin for margin, *_ in counted})
    if len(sizes) <= BINS:
        for size in sizes:
            yield [each for each in counted if each[0] == size]
        return
    start, bins = 0, max(1, min(BINS, len(counted) // LEAST))
    for number in range(1, bins + 1):
        end = max(start, round(len(counted) * number / bins))
        while 0 < end < len(counted) and counted[end][0] == counted[end - 1][0]:
            end += 1  # equal margins stay together
        if end > start:
            yield counted[start:end]
        start = end


def _bin(group: list[_Item]) -> dict[str, Any]:
    worth = [credit for _, credit, _ in group]
    clusters = [cluster for *_, cluster in group]
    interval = stats.mean_interval(worth, clusters, "margins")
    return {
        "low": group[0][0],
        "high": group[-1][0],
        "n": len(group),
        "accuracy": sum(worth) / len(group),
        "accuracy_low": interval.low,
        "accuracy_high": interval.high,
    }
