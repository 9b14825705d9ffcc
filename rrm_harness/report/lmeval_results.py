"""Runs in the layout of lm-eval's results files, for what reads those.

As lm-eval 0.4.13 writes them: loggers/evaluation_tracker.py and result_schema.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import NormalDist
from typing import Any

from rrm_harness import chance
from rrm_harness.files import write_whole
from rrm_harness.output import RESULTS
from rrm_harness.result import Result
from rrm_harness.stats import LEVEL

FILTER = "none"
"""lm-eval names each metric with the filter that its replies went through."""
LONGEST_NAME = 80
WIDTH = 2 * NormalDist().inv_cdf((1 + LEVEL) / 2)
"""Standard errors in a normal interval."""


def write(folder: Path, runs: Sequence[Result]) -> list[Path]:
    """Write `folder/JUDGE/results_..._TIME.json` for each run, as lm-eval names them.

    TIME is when the run was finished.

    Raises:
        OutputError: The folder cannot be written.
    """
    files = []
    for run in runs:
        finished = _finished(run)
        place = folder / _file_name(str(run.results["judge"]))
        stamp = datetime.fromtimestamp(finished, UTC).replace(tzinfo=None).isoformat()
        content = json.dumps(as_results(run, finished), indent=2, allow_nan=False)
        told = f"{task(run)}_{chance.digest(content).hex()[:8]}"
        file = place / f"results_{_file_name(told)}_{stamp.replace(':', '-')}.json"
        write_whole(file, content + "\n")
        files.append(file)
    return files


def _finished(run: Result) -> float:
    """When the run was finished: seconds since 1970, of its results file."""
    return (run.directory / RESULTS).stat().st_mtime


def _file_name(text: str) -> str:
    """A name that no file system reads as anything else."""
    name = re.sub(r"[^\w.,=+-]+", "__", text, flags=re.ASCII).lstrip(".-")
    return name[:LONGEST_NAME] or "_"


def task(run: Result) -> str:
    """The run's task: our tasks of lm-eval's are named like the datasets."""
    name = str(run.results["dataset"]).partition(",")[0]
    return f"rrm_{name.replace('-', '_')}"


def as_results(run: Result, finished: float) -> dict[str, Any]:
    """A run as lm-eval's results: the headline is a group, its subsets are tasks.

    Args:
        run: The run.
        finished: When it was finished, in seconds since 1970.
    """
    told, name = run.results, task(run)
    subsets = told["subsets"] if len(told["subsets"]) > 1 else {}
    parts: dict[str, Mapping[str, Any]] = {
        name: told,
        **{f"{name}_{subset}": part for subset, part in subsets.items()},
    }
    children = [each for each in parts if each != name]
    results = {each: _metrics(each, part) for each, part in parts.items()}
    results[name] |= dict(_rates(told))
    good = {"accuracy": True, "failure_rate": False, "tie_rate": False}
    return {
        "results": results,
        **({"groups": {name: results[name]}} if children else {}),
        "group_subtasks": {name: children, **{each: [] for each in children}},
        "configs": {each: _config(each, run) for each in parts},
        "versions": {each: told["manifest"]["run"].get("revision") for each in parts},
        "n-shot": dict.fromkeys(parts, 0),
        "higher_is_better": dict.fromkeys(parts, good),
        "n-samples": {
            each: {"original": part["n"], "effective": part["n"]}
            for each, part in parts.items()
        },
        **_general(run, finished),
    }


def _metrics(name: str, part: Mapping[str, Any]) -> dict[str, Any]:
    """A headline or a subset: accuracy, and the standard error of its interval."""
    low, high = part["accuracy_low"], part["accuracy_high"]
    known = part["accuracy"] is not None
    return {
        "name": name,
        "alias": name,
        "sample_len": part["n"],
        f"accuracy,{FILTER}": part["accuracy"] if known else "N/A",
        f"accuracy_stderr,{FILTER}": (high - low) / WIDTH if known else "N/A",
    }


def _rates(told: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    yield f"failure_rate,{FILTER}", told["failed_examples"] / told["examples"]
    yield f"tie_rate,{FILTER}", told["tie_rate"]


def _config(name: str, run: Result) -> dict[str, Any]:
    return {
        "task": name,
        "dataset_path": str(run.results["dataset"]),
        "metadata": {"version": run.results["manifest"]["run"].get("revision")},
    }


def _general(run: Result, finished: float) -> dict[str, Any]:
    """What lm-eval says of the model and of the run as a whole."""
    told = run.results
    asked, versions = told["manifest"]["run"], told["manifest"]["versions"]
    judge = str(told["judge"])
    return {
        "config": {
            "model": "rrm",
            "model_args": f"judge=[{judge}],strategy=[{told['strategy']}]",
            "limit": asked.get("limit"),
            "random_seed": asked.get("seed"),
        },
        "date": finished,
        "lm_eval_version": versions.get("lm-eval"),
        "transformers_version": versions.get("transformers"),
        "model_source": "rrm",
        "model_name": judge,
        "model_name_sanitized": _file_name(judge),
        "task_hashes": {},
        "total_evaluation_time_seconds": str(told["seconds"]),
        "rrm_harness": {
            name: told[name]
            for name in ("bounds", "sections", "failures", "comparisons", "tokens")
        },
    }
