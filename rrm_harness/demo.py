"""The whole story in a few seconds: trivial judges on the bundled sample."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from rrm_harness.baselines import NAMES

if TYPE_CHECKING:
    from rrm_harness.evaluate import Progress

STRATEGIES = ("single,order=seeded", "both-orders of voting,k=5", "knockout")


def demonstrate(progress: Progress | None = None) -> list[Mapping[str, Any]]:
    """Judge the sample with every trivial judge under three strategies."""
    from rrm_harness.evaluate import evaluate

    runs: list[Mapping[str, Any]] = []
    with TemporaryDirectory(prefix="rrm-harness-") as folder:
        for strategy in STRATEGIES:
            for judge in NAMES:
                result = evaluate(
                    judge,
                    "sample",
                    strategy,
                    output=Path(folder) / str(len(runs)),
                    baselines=False,
                )
                runs.append(result.results)
                if progress:
                    progress(len(runs), len(STRATEGIES) * len(NAMES))
    return runs
