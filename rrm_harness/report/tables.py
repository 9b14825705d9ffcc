"""Runs as people read them: a table in the terminal, a page of Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rrm_harness import prompts
from rrm_harness.report.cautions import cautions
from rrm_harness.report.cells import (
    add,
    bounds,
    interval,
    markdown_cell,
    markdown_cells,
    part_of,
    percent,
    table,
)
from rrm_harness.report.facts import facts
from rrm_harness.report.signs import visible

if TYPE_CHECKING:
    from rich.console import Console

Results = Mapping[str, Any]
TEXTS = ("dataset", "judge", "strategy")
NUMBERS = ("n", "accuracy", "interval", "failed", "bounds", "comparisons", "cached")
COLUMNS = {name: name for name in NUMBERS} | {
    "interval": "95 % interval",
    "bounds": "worst–best",
}
WIDE = 110
"""The columns of a terminal that has room for all numbers."""


def row(results: Results) -> dict[str, str]:
    """A run's line in a table of runs."""
    return {
        "dataset": str(results["dataset"]),
        "judge": str(results["judge"]),
        "strategy": str(results["strategy"]),
        "n": f"{results['n']:,}",
        "accuracy": percent(results["accuracy"]),
        "interval": _interval(results),
        "bounds": bounds(results["bounds"]),
        "failed": f"{sum(results['failures'].values()):,}",
        "comparisons": f"{results['comparisons']:,}",
        "cached": part_of(results["cached"], results["judgments"]),
    }


def trivial(results: Results) -> Iterator[dict[str, str]]:
    """The trivial judges' lines, to stand under the run's own in its table."""
    for name, accuracy in results["baselines"].items():
        yield {
            **dict.fromkeys((*TEXTS, *NUMBERS), ""),
            "judge": f"{name} (trivial)",
            "accuracy": percent(accuracy),
        }


def parts(results: Results) -> Iterator[dict[str, str]]:
    """Sections, subsets and a judge's attributes, each with its interval."""
    kinds = {"sections": "section ", "subsets": "", "attributes": "by attribute "}
    for kind, title in kinds.items():
        for name, part in results.get(kind, {}).items():
            yield {
                "name": title + name,
                "n": f"{part['n']:,}",
                "accuracy": percent(part["accuracy"]),
                "interval": _interval(part),
            }


def markdown(runs: Sequence[Results]) -> str:
    """All runs as a page of Markdown."""
    return prompts.render(
        "report/runs.md.jinja",
        runs=[
            {
                **markdown_cells(row(run)),
                "trivial": [markdown_cells(each) for each in _beside(run, runs)],
                "parts": [markdown_cells(part) for part in parts(run)],
                "facts": [
                    (markdown_cell(name), markdown_cell(value))
                    for name, value in facts(run)
                ],
                "cautions": [markdown_cell(caution) for caution in cautions(run)],
            }
            for run in runs
        ],
    )


def _beside(run: Results, runs: Sequence[Results]) -> list[dict[str, str]]:
    """What stands under a run in the table: the trivial judges, if it is alone."""
    return [*trivial(run)] if len(runs) == 1 else []


def show(runs: Sequence[Results], console: Console) -> None:
    """Print the table of runs; for one alone also trivial judges and details."""
    numbers = NUMBERS if console.width >= WIDE else NUMBERS[:4]
    shown = table(TEXTS, [COLUMNS[name] for name in numbers])
    for run in runs:
        for line in (row(run), *_beside(run, runs)):
            add(shown, [line[name] for name in (*TEXTS, *numbers)])
    console.print(shown)
    for run in runs:
        if len(runs) == 1:
            _show_details(run, console)
        named = f"{run['dataset']}, {run['judge']}, {run['strategy']}: "
        for caution in cautions(run):
            told = visible(f"! {named if len(runs) > 1 else ''}{caution}")
            console.print(told, style="yellow", markup=False)


def _show_details(run: Results, console: Console) -> None:
    details = table(["part"], ["n", "accuracy", "95 % interval"])
    for part in parts(run):
        add(details, part.values())
    measured = table(["measured", ""], [])
    for fact in facts(run):
        add(measured, fact)
    for shown in (details, measured):
        console.print()
        console.print(shown)


def _interval(results: Results) -> str:
    return interval(results["accuracy_low"], results["accuracy_high"])
