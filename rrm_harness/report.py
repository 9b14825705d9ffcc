"""Runs as people read them: a table in the terminal, a page of Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rrm_harness import prompts

if TYPE_CHECKING:
    from rich.console import Console

Results = Mapping[str, Any]
COLUMNS = {
    "dataset": "dataset",
    "judge": "judge",
    "strategy": "strategy",
    "n": "n",
    "accuracy": "accuracy",
    "interval": "95 % interval",
    "bounds": "worst–best",
    "failed": "failed",
    "comparisons": "comparisons",
    "cached": "cached",
}


def cautions(results: Results) -> list[str]:
    """Say what a reader should know before believing the headline."""
    found = []
    accuracy, failed = results["accuracy"], sum(results["failures"].values())
    if failed:
        kinds = ", ".join(f"{kind} {n}" for kind, n in results["failures"].items())
        low, high = results["bounds"]
        found.append(
            f"{failed} of {results['comparisons']} comparisons have no judgment"
            f" ({kinds}); had they all been right or wrong, the headline would lie"
            f" between {_percent(low)} and {_percent(high)}. The next run asks them"
            " again."
        )
    if results["missing_subsets"]:
        found.append(
            "The headline is not the whole benchmark's; there was no example of"
            f" {', '.join(results['missing_subsets'])}."
        )
    if results["skipped_rows"]:
        found.append(f"{results['skipped_rows']} malformed rows were skipped.")
    first = results["baselines"].get("first")
    if first is not None and first > 0.9:
        found.append(
            f"A judge that always answers 'the first' scores {_percent(first)} here:"
            " the order gives the answer away; use order=seeded or both-orders."
        )
    for name, baseline in results["baselines"].items():
        if accuracy is not None and baseline is not None and baseline > accuracy:
            found.append(
                f"The trivial judge '{name}' scores {_percent(baseline)}, more than"
                " this one."
            )
    return found


def row(results: Results) -> dict[str, str]:
    """A run's line in a table of runs."""
    return {
        "dataset": str(results["dataset"]),
        "judge": str(results["judge"]),
        "strategy": str(results["strategy"]),
        "n": f"{results['n']:,}",
        "accuracy": _percent(results["accuracy"]),
        "interval": _interval(results),
        "bounds": "–".join(_percent(bound) for bound in results["bounds"]),
        "failed": f"{sum(results['failures'].values()):,}",
        "comparisons": f"{results['comparisons']:,}",
        "cached": _share(results["cached"], results["judgments"]),
    }


def parts(results: Results) -> Iterator[dict[str, str]]:
    """Sections and subsets, each with its interval."""
    for kind in ("sections", "subsets"):
        for name, part in results[kind].items():
            yield {
                "name": f"section {name}" if kind == "sections" else name,
                "n": f"{part['n']:,}",
                "accuracy": _percent(part["accuracy"]),
                "interval": _interval(part),
            }


def facts(results: Results) -> Iterator[tuple[str, str]]:
    """What else was measured, as names and values; what was not asked is left out."""
    yield "examples", f"{results['examples']:,}, {results['failed_examples']:,} failed"
    shares = {
        "tied examples": results["tie_rate"],
        "tied comparisons": results["comparison_tie_rate"],
        "same verdict in both orders": results["order_consistency"],
        "first shown wins (both orders asked)": results["first_position_rate"],
        "longer response wins": results["prefer_longer_rate"],
    }
    yield from ((name, _percent(it)) for name, it in shares.items() if it is not None)
    forecast = f"at most {results['forecast']:,}"
    yield "comparisons", f"{results['comparisons']:,} of {forecast}"
    if results["votes_saved"]:
        yield "votes saved by the exact stop", f"{results['votes_saved']:,}"
    cached = f"{row(results)['cached']} from the store"
    yield "judgments", f"{results['judgments']:,}, {cached}"
    tokens = results["tokens"]
    if any(tokens.values()):
        yield "tokens", f"{tokens['prompt']:,} prompt, {tokens['completion']:,} written"
    yield from flat(results["extra"])
    if results["baselines"]:
        yield (
            "trivial judges",
            ", ".join(
                f"{name} {_percent(value)}"
                for name, value in results["baselines"].items()
            ),
        )
    yield "seconds", f"{results['seconds']:,}"


def flat(extra: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """A benchmark's own numbers, one to a line; long lists are left to the file."""
    for name, value in extra.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name} ")
        elif isinstance(value, float):
            yield prefix + name, f"{value:.4f}"
        elif isinstance(value, int | str):
            yield prefix + name, str(value)


def markdown(runs: Sequence[Results]) -> str:
    """All runs as a page of Markdown."""
    return prompts.render(
        "report/runs.md.jinja",
        runs=[
            {
                **{name: value.replace("|", "\\|") for name, value in row(run).items()},
                "parts": list(parts(run)),
                "facts": list(facts(run)),
                "cautions": cautions(run),
            }
            for run in runs
        ],
    )


def show(runs: Sequence[Results], console: Console) -> None:
    """Print the table of runs; for one run alone also its parts and facts."""
    from rich.table import Table

    table = Table(*COLUMNS.values(), box=None, pad_edge=False)
    for run in runs:
        table.add_row(*(row(run)[name] for name in COLUMNS))
    console.print(table)
    for run in runs:
        if len(runs) == 1:
            _show_details(run, console)
        for caution in cautions(run):
            console.print(f"! {caution}", style="yellow", markup=False)


def _show_details(run: Results, console: Console) -> None:
    from rich.table import Table

    details = Table("part", "n", "accuracy", "95 % interval", box=None, pad_edge=False)
    for part in parts(run):
        details.add_row(*part.values())
    measured = Table(box=None, pad_edge=False, show_header=False)
    for name, value in facts(run):
        measured.add_row(name, value)
    for table in (details, measured):
        console.print()
        console.print(table)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f}"


def _interval(results: Results) -> str:
    low, high = results["accuracy_low"], results["accuracy_high"]
    return f"{_percent(low)}–{_percent(high)}"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "–"
