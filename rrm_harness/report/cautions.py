"""What a reader should know before believing a run's headline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rrm_harness.report.cells import percent

Results = Mapping[str, Any]
ASKED_AGAIN = " The next run asks them again."


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
    if failed == results["comparisons"]:
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
        "other-model": "answers say that another model gave them than was asked",
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
