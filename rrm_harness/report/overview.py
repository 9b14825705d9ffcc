"""What the page says of whole runs: tables, comparisons, the charts' numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from rrm_harness.report import leaderboard, tables
from rrm_harness.report.cautions import cautions
from rrm_harness.report.facts import facts
from rrm_harness.report.glance import RIGHT, Glance
from rrm_harness.report.judgments import Key
from rrm_harness.report.margins import margins
from rrm_harness.result import Result

Results = Mapping[str, Any]
Seen = Sequence[Mapping[Key, Glance]]
PAIRED = 6
"""The most runs whose pairs are set side by side."""


def labels(runs: Sequence[Result]) -> list[str]:
    """A short name for each run: its directory's, numbered where two share one."""
    names = [run.directory.absolute().name or "run" for run in runs]
    count = Counter(names)
    return [
        name if count[name] == 1 else f"{name} ({number})"
        for number, name in enumerate(names, 1)
    ]


def title(runs: Sequence[Result]) -> str:
    """The page's title."""
    if len(runs) == 1:
        return f"{runs[0].results['judge']} on {runs[0].results['dataset']}"
    datasets = list(dict.fromkeys(str(run.results["dataset"]) for run in runs))
    on = datasets[0] if len(datasets) == 1 else f"{len(datasets)} datasets"
    return f"{len(runs)} runs on {on}"


def told(run: Result, label: str) -> dict[str, Any]:
    """All that the overview says of a run, as texts."""
    results = run.results
    return {
        "label": label,
        **tables.row(results),
        "parts": list(tables.parts(results)),
        "facts": list(facts(results)),
        "cautions": cautions(results),
        "failures": [
            (kind, f"{count:,}", results["first_failures"].get(kind, ""))
            for kind, count in results["failures"].items()
        ],
        "further": [
            ("Calibration", list(_leaves(results.get("calibration")))),
            ("Bias", list(_leaves(results.get("bias")))),
        ],
        "manifest": list(_leaves(results["manifest"])),
    }


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Whatever is nested, a line each; lists of objects are left to the file."""
    if isinstance(value, Mapping):
        for each in value:
            yield from _leaves(value[each], f"{name} {each}".strip())
    elif isinstance(value, list | tuple):
        if not any(isinstance(each, Mapping | list) for each in value):
            yield name, " – ".join(map(_leaf, value))
    elif value is not None or name:
        yield name.replace("_", " "), _leaf(value)


def _leaf(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def boards(runs: Sequence[Result], named: Sequence[str]) -> list[dict[str, Any]]:
    """The leaderboards of several runs, a benchmark each, with how to read them."""
    names = {id(run): name for run, name in zip(runs, named, strict=True)}
    return [
        {
            "dataset": board.dataset,
            "notes": board.notes if len(board.places) > 1 else [],
            "rows": [
                {
                    **tables.row(place.result.results),
                    **leaderboard.row(board, place),
                    "label": names[id(place.result)],
                }
                for place in board.places
            ],
        }
        for board in leaderboard.boards(runs)
    ]


def pairs(seen: Seen) -> Iterator[dict[str, Any]]:
    """For two runs each: on how many items both, one or none of them is right."""
    for one, other in combinations(range(min(len(seen), PAIRED)), 2):
        shared = seen[one].keys() & seen[other].keys()
        counts = Counter(
            (seen[one][key].kind == RIGHT, seen[other][key].kind == RIGHT)
            for key in shared
        )
        if shared:
            yield {
                "one": one,
                "other": other,
                "n": len(shared),
                "both": counts[True, True],
                "first": counts[True, False],
                "second": counts[False, True],
                "neither": counts[False, False],
            }


def left_out(seen: Seen, chosen: Sequence[Key]) -> Iterator[str]:
    """Say what cannot be read in the page, if anything."""
    every = {key for run in seen for key in run}
    if len(chosen) < len(every):
        yield (
            f"{len(chosen):,} of {len(every):,} items can be read here, the failed and"
            " the wrong ones first (--items N for more); the numbers are of all."
        )


def charts(runs: Sequence[Result], seen: Seen) -> dict[str, Any]:
    """What the charts draw, in numbers 0–1; a list has an entry for each run."""
    return {
        "parts": _parts(runs),
        "kinds": [Counter(each.kind for each in run.values()) for run in seen],
        "margins": [margins(run.values()) for run in seen],
        "calibration": [run.results.get("calibration") for run in runs],
    }


def _parts(runs: Sequence[Result]) -> list[dict[str, Any]]:
    """The headline, the sections and the subsets, each as every run has it."""
    names: dict[tuple[str, str], None] = {("", "all"): None}
    for run in runs:
        for kind in ("sections", "subsets"):
            names |= dict.fromkeys((kind, name) for name in run.results[kind])
    return [
        {
            "kind": kind,
            "name": name,
            "runs": [
                _part_of(run.results[kind].get(name) if kind else run.results)
                for run in runs
            ],
        }
        for kind, name in names
    ]


def _part_of(part: Results | None) -> dict[str, Any] | None:
    if part is None or part["accuracy"] is None:
        return None
    wanted = ("n", "accuracy", "accuracy_low", "accuracy_high")
    return {name: part[name] for name in wanted}
