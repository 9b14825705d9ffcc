"""Runs as people read them: a table in the terminal, a page of Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rrm_harness import prompts
from rrm_harness.report.cells import (
    add,
    interval,
    markdown_cell,
    markdown_cells,
    percent,
    table,
)
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
        f"{failed:,} of {results['comparisons']:,} comparisons have no judgment"
        f" ({kinds}); had they all been right or wrong, the headline would lie between"
        f" {percent(low)} and {percent(high)}.{ASKED_AGAIN}"
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
            f"A judge that always answers 'the first' scores {percent(first)} here:"
            " the order gives the answer away; use order=seeded or both-orders."
        )
    high = results["accuracy_high"]
    for name, baseline in results["baselines"].items():
        if high is not None and baseline is not None and baseline > high:
            yield (
                f"The trivial judge '{name}' scores {percent(baseline)}, above this"
                " one's interval."
            )


def row(results: Results) -> dict[str, str]:
    """A run's line in a table of runs."""
    return {
        "dataset": str(results["dataset"]),
        "judge": str(results["judge"]),
        "strategy": str(results["strategy"]),
        "n": f"{results['n']:,}",
        "accuracy": percent(results["accuracy"]),
        "interval": _interval(results),
        "bounds": "–".join(percent(bound) for bound in results["bounds"]),
        "failed": f"{sum(results['failures'].values()):,}",
        "comparisons": f"{results['comparisons']:,}",
        "cached": _share(results["cached"], results["judgments"]),
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
            yield name, f"{percent(share)} %"
    yield from _position((results.get("bias") or {}).get("position") or {})
    yield from _length((results.get("bias") or {}).get("length") or {})
    yield from _calibration(results.get("calibration") or {})
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
        scored = results["baselines"].items()
        values = [f"{name} {percent(value)}" for name, value in scored]
        yield "trivial judges", ", ".join(values)
    yield "seconds", f"{results['seconds']:,}"


def _position(found: Results) -> Iterator[tuple[str, str]]:
    once, both = found.get("seeded_orders"), found.get("both_orders")
    if once:
        yield (
            "first shown wins (orders drawn)",
            f"{_with_interval(once, 'first_rate')} of {once['n']:,}{_chance(once)}",
        )
    if both:
        yield (
            "verdict changes with the order",
            f"{percent(both['flip_rate'])} % of {both['n']:,} pairs; both for the"
            f" first shown {both['to_first']:,}, for the second"
            f" {both['to_second']:,}{_chance(both)}",
        )


def _length(found: Results) -> Iterator[tuple[str, str]]:
    if not found:
        return
    yield (
        "the longer one is chosen, is right",
        f"{percent(found['longer_chosen'])} %, {percent(found['longer_correct'])} %"
        f" of {found['n']:,} pairs",
    )
    for name in ("longer", "shorter"):
        if found[f"correct_{name}"]:
            said = _with_interval(found[f"correct_{name}"], "accuracy")
            yield f"accuracy where the right one is {name}", said
    if found["controlled"]:
        said = _with_interval(found["controlled"], "accuracy")
        told = f"{said}; effect of length{_chance(found['controlled'])}"
        yield "accuracy at equal length (regression)", told
    if found["length_only"]:
        said = _with_interval(found["length_only"], "accuracy")
        yield "accuracy by length alone (regression)", said


def _calibration(found: Results) -> Iterator[tuple[str, str]]:
    if not found:
        return
    low, high = found["brier_low"], found["brier_high"]
    yield (
        "calibration",
        f"ECE {_with_interval(found, 'ece')}, Brier {found['brier']:.3f}"
        f" ({low:.3f}–{high:.3f}); confidence is the {found['confidence']}",
    )
    parts = found["coverage"]
    shares = ", ".join(f"{100 * part['coverage']:.0f}" for part in parts)
    accuracies = ", ".join(percent(part["accuracy"]) for part in parts)
    yield f"accuracy of the surest {shares} %", accuracies


def _with_interval(found: Results, name: str) -> str:
    """A share and its interval, in percent: 72.00 (68.10–75.31)."""
    low, high = found[f"{name}_low"], found[f"{name}_high"]
    return f"{percent(found[name])} ({percent(low)}–{percent(high)})"


def _chance(found: Results) -> str:
    """How likely chance alone is to give as much, if it was tested: " (p = 0.031)"."""
    p = found["p"]
    if p is None:
        return ""
    return " (p < 0.001)" if p < 0.001 else f" (p = {p:.3f})"


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


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "–"
