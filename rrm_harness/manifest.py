"""What a run was: enough to defend its numbers and to run it again."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import rrm_harness
from rrm_harness import chance
from rrm_harness.answers import Bench
from rrm_harness.records import Dataset, Strategy, described

LIBRARIES = (
    "evalica",
    "lm-eval",
    "numpy",
    "scipy",
    "torch",
    "transformers",
    "vllm",
)


def describe(
    benches: Mapping[str, Bench],
    dataset: Dataset,
    strategy: Strategy,
    seed: int,
    limit: int | None,
) -> dict[str, Any]:
    """Return the manifest. Its part `run` tells this run from every other one."""
    run: dict[str, Any] = {
        role.replace("meta", "meta judge"): bench.judge.identity
        for role, bench in benches.items()
    }
    engine = benches["judge"].engine
    return {
        "run": {
            **run,
            "engine": engine.identity if engine else None,
            "dataset": dataset.name,
            "revision": dataset.revision,
            "rule": chance.digest(repr(dataset.rule)).hex()[:12],
            "strategy": described(strategy),
            "seed": seed,
            "limit": limit,
        },
        "versions": {
            "rrm-harness": rrm_harness.__version__,
            "python": platform.python_version(),
            **{name: found for name in LIBRARIES if (found := _version(name))},
        },
        "platform": platform.platform(),
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
