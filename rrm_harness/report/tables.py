"""Runs as people read them: a table in the terminal, a page of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rrm_harness import prompts

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

Results = Mapping[str, Any]
TEXTS = ("dataset", "judge", "strategy")
NUMBERS = ("n", "accuracy", "interval", "failed", "bounds", "comparisons", "cached")
COLUMNS = {name: name for name in NUMBERS} | {
    "interval": "95 % interval",
    "bounds": "worst–best",
}
ASKED_AGAIN = " The next run asks them again."
WIDE = 110
"""The columns of a terminal that has room for all numbers."""


def cautions(results: Results) -> list[str]:
    """Say what a reader should know before believing the headline."""
    return [
        *_failures(results),
        *_gaps(results),
        *_audit(results),
        *_baselines(results),
    ]


def _failures(results: Results) -> Iterator[str]:
    failed = sum(results["failures"].values())
    if not failed:
        return
    if results["failed_examples"] == results["examples"]:
        yield (
            "Nothing was judged: the headline is only what the benchmark's rule pays"
            " for failures."
        )
    kinds = ", ".join(f"{kind} {n}" for kind, n in results["failures"].items())
    low, high = results["bounds"]
    yield (
        f"{failed} of {results['comparisons']} comparisons have no judgment ({kinds});"
        " had they all been right or wrong, the headline would lie between"
        f" {_percent(low)} and {_percent(high)}.{ASKED_AGAIN}"
    )
    for kind, first in results["first_failures"].items():
        yield f"The first {kind}: {first}"


def _gaps(results: Results) -> Iterator[str]:
    if results["missing_subsets"]:
        yield (
            "The headline is not the whole benchmark's; there was no example of"
            f" {', '.join(results['missing_subsets'])}."
        )
    if results["skipped_rows"]:
        yield f"{results['skipped_rows']} malformed rows were skipped."


def _audit(results: Results) -> Iterator[str]:
    """What the input audit found; nothing for runs from before there was one."""
    said = {
        "over-length": "judgments were asked more than the model can take",
        "truncated-prompt": "of them were asked with the middle of the prompt left out",
        "double-bos": "inputs begin with the beginning-of-sequence token twice",
        "no-bos": "inputs lack the beginning of sequence that the tokenizer would add",
        "special-token": "inputs hold a text that their model reads as special tokens",
        "no-generation-prompt": "inputs do not say that the assistant's turn begins",
        "empty-responses": "responses are empty",
    }
    audit = results.get("audit", {})
    for name, text in said.items():
        if audit.get(name):
            yield f"Input audit: {audit[name]:,} {text} ({name})."


def _baselines(results: Results) -> Iterator[str]:
    first = results["baselines"].get("first")
    if first is not None and first > 0.9:
        yield (
            f"A judge that always answers 'the first' scores {_percent(first)} here:"
            " the order gives the answer away; use order=seeded or both-orders."
        )
    high = results["accuracy_high"]
    for name, baseline in results["baselines"].items():
        if high is not None and baseline is not None and baseline > high:
            yield (
                f"The trivial judge '{name}' scores {_percent(baseline)}, above this"
                " one's interval."
            )


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
    yield COLUMNS["bounds"], row(results)["bounds"]
    shares = {
        "tied examples": results["tie_rate"],
        "tied comparisons of two": results["comparison_tie_rate"],
        "same verdict in both orders": results["order_consistency"],
        "first shown wins (both orders asked)": results["first_position_rate"],
        "longer response wins": results["prefer_longer_rate"],
    }
    for name, share in shares.items():
        if share is not None:
            yield name, f"{_percent(share)} %"
    forecast = f"at most {results['forecast']:,}"
    yield "comparisons", f"{results['comparisons']:,} of {forecast}"
    if results["votes_saved"]:
        yield "votes saved by the exact stop", f"{results['votes_saved']:,}"
    cached = f"{row(results)['cached']} from the store"
    yield "judgments", f"{results['judgments']:,} different ones, {cached}"
    audit = results.get("audit")
    if audit is not None:
        found = ", ".join(f"{name} {n:,}" for name, n in audit.items() if n)
        yield "input audit", found or "nothing found"
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
            yield (prefix + name).replace("_", " "), f"{value:.4f}"
        elif isinstance(value, int | str):
            yield (prefix + name).replace("_", " "), str(value)


def markdown(runs: Sequence[Results]) -> str:
    """All runs as a page of Markdown."""
    return prompts.render(
        "report/runs.md.jinja",
        runs=[
            {
                **_cells(row(run)),
                "parts": [_cells(part) for part in parts(run)],
                "facts": [(_cell(name), _cell(value)) for name, value in facts(run)],
                "cautions": [_cell(caution) for caution in cautions(run)],
            }
            for run in runs
        ],
    )


def _cells(named: Mapping[str, str]) -> dict[str, str]:
    return {name: _cell(value) for name, value in named.items()}


def _cell(value: str) -> str:
    """A text that cannot end its cell of a Markdown table."""
    return " ".join(value.split()).replace("|", "\\|")


def show(runs: Sequence[Results], console: Console) -> None:
    """Print the table of runs; for one run alone also its parts and facts."""
    numbers = NUMBERS if console.width >= WIDE else NUMBERS[:4]
    table = _table(TEXTS, [COLUMNS[name] for name in numbers])
    for run in runs:
        _add(table, [row(run)[name] for name in (*TEXTS, *numbers)])
    console.print(table)
    for run in runs:
        if len(runs) == 1:
            _show_details(run, console)
        of = f"{run['dataset']}, {run['strategy']}: " if len(runs) > 1 else ""
        for caution in cautions(run):
            console.print(f"! {of}{caution}", style="yellow", markup=False)


def _show_details(run: Results, console: Console) -> None:
    details = _table(["part"], ["n", "accuracy", "95 % interval"])
    for part in parts(run):
        _add(details, part.values())
    measured = _table(["measured", ""], [])
    for fact in facts(run):
        _add(measured, fact)
    for table in (details, measured):
        console.print()
        console.print(table)


def _table(texts: Sequence[str], numbers: Sequence[str]) -> Table:
    """A plain table whose texts fold where it is narrow; its numbers are never cut."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in texts:
        table.add_column(name, overflow="fold")
    for name in numbers:
        table.add_column(name, no_wrap=True, justify="right", min_width=len(name))
    return table


def _add(table: Table, cells: Iterable[str]) -> None:
    from rich.text import Text

    table.add_row(*map(Text, cells))  # as text: a cell's brackets are no markup


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f}"


def _interval(results: Results) -> str:
    low, high = results["accuracy_low"], results["accuracy_high"]
    return f"{_percent(low)}–{_percent(high)}"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "–"
