"""What was measured beside the headline, as names and values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rrm_harness.report.cells import bounds, part_of, percent

Results = Mapping[str, Any]


def facts(results: Results) -> Iterator[tuple[str, str]]:
    """What else was measured, as names and values; what was not asked is left out."""
    yield "examples", f"{results['examples']:,}, {results['failed_examples']:,} failed"
    yield "worst–best", bounds(results["bounds"])
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
    cached = f"{part_of(results['cached'], results['judgments'])} from the store"
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
