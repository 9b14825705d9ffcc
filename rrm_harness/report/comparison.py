"""A comparison as people and programs read it: terminal, Markdown, JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from rrm_harness import prompts, stats
from rrm_harness.comparing.comparison import Compared, Pair, Standing
from rrm_harness.report.cells import (
    NOTHING,
    add,
    chance,
    interval,
    markdown_cell,
    markdown_cells,
    percent,
    signed,
    table,
)
from rrm_harness.report.signs import visible

if TYPE_CHECKING:
    from rich.console import Console

FORMAT = 1
MOST = 45
"""The most pairs that are read; of more, neighbors in rank are shown."""
RANKED = ("rank", "accuracy", "95 % interval")
PAIRED = (
    "differ",
    "95 % interval",
    "p",
    "p Holm",
    "alone",
    "smallest",
    "kappa",
)


def standing(row: Standing) -> dict[str, str]:
    """A run's line."""
    return {
        "run": row.run.name,
        "judge": str(row.run.result.results["judge"]),
        "strategy": str(row.run.result.results["strategy"]),
        "rank": f"{row.rank}",
        "accuracy": percent(row.accuracy),
        "95 % interval": interval(row.low, row.high),
    }


def pair(row: Pair) -> dict[str, str]:
    """A pair's line."""
    found, apart = row.difference, row.discordance
    smallest, kappa = found.smallest, row.agreement.kappa
    return {
        "pair": f"{row.first}−{row.second}",
        "differ": signed(found.value),
        "95 % interval": f"{signed(found.low)} {signed(found.high)}",
        "p": chance(apart.by_prompt),
        "p Holm": chance(row.corrected),
        "alone": f"{apart.first_only}:{apart.second_only}",
        "smallest": NOTHING if smallest is None else f"{100 * smallest:.2f}",
        "kappa": NOTHING if kappa is None else f"{kappa:.2f}".replace("-", "−"),
    }


def shown_pairs(compared: Compared) -> list[Pair]:
    """All pairs, or where they are too many, the neighbors in the order of ranks."""
    if len(compared.pairs) <= MOST:
        return [*compared.pairs]
    names = [each.run.name for each in compared.standings]
    neighbors = {frozenset(each) for each in pairwise(names)}
    return [row for row in compared.pairs if {row.first, row.second} in neighbors]


def notes(compared: Compared) -> Iterator[tuple[str, str]]:
    """What the columns are, and of what: a name and a sentence each."""
    yield "accuracy", f"Percent of {compared.headline.means}."
    if compared.left_out:
        yield (
            "examples",
            f"Only the {compared.examples:,} that all runs have;"
            f" {compared.left_out:,} others were left out.",
        )
    failed = [
        f"{each.run.name} {count:,}"
        for each in compared.standings
        if (count := each.run.result.results["failed_examples"])
    ]
    if failed:
        yield (
            "failed",
            f"Examples of {', '.join(failed)}; their worth is the benchmark's rule's.",
        )
    if len(compared.pairs) > MOST:
        yield (
            "pairs",
            f"Neighbors in rank alone; all {len(compared.pairs):,} are in the JSON.",
        )
    yield (
        "rank",
        "1 + how many runs are better: higher in accuracy, ahead over all examples,"
        " and p Holm ≤ 0.05. Equal ranks are not told apart.",
    )
    yield (
        "differ",
        "In points, with a 95 % interval: a bootstrap of both runs at once, by prompt"
        f" within subsets, {stats.RESAMPLES:,} draws.",
    )
    yield "alone", "Examples that only the first, only the second has right."
    yield "p", " ".join([_test(compared), *_unused(compared)])
    yield "p Holm", f"The same, corrected over all pairs ({len(compared.pairs):,})."
    yield (
        "smallest",
        "The difference in points that such a comparison finds with a chance of 80 %,"
        " at 5 % two-sided: (1.96 + 0.84) × standard error of the difference.",
    )
    yield (
        "kappa",
        "Cohen's, of the responses that won, numbered anew by chance on each example.",
    )
    alpha = NOTHING if compared.alpha is None else f"{compared.alpha:.3f}"
    yield "alpha", f"Krippendorff's, of all runs: {alpha.replace('-', '−')}."


def _test(compared: Compared) -> str:
    if compared.shared_prompts:
        return (
            "The exact chance of parting so far, had the two judges been swapped on"
            " prompts at random. Several examples share a prompt; McNemar's p, which"
            " takes them as independent, is in the JSON."
        )
    if any(row.discordance.ties for row in compared.pairs):
        return (
            "The exact chance of parting so far, had the two judges been swapped on"
            " examples at random; a tie counts half. McNemar's p, which leaves ties"
            " out, is in the JSON."
        )
    return "McNemar's exact test."


def _unused(compared: Compared) -> Iterator[str]:
    """Name the pairs whose test has not all examples."""
    reasons = {
        "ties": "Tied, a credit being neither 0 nor 1",
        "unscored": "Left out, one of the two having no credit",
    }
    for name, reason in reasons.items():
        counts = [
            f"{row.first}−{row.second} {count:,}"
            for row in shown_pairs(compared)
            if (count := getattr(row.discordance, name))
        ]
        if counts:
            yield f"{reason}: {', '.join(counts)}."


def show(compared: Compared, console: Console) -> None:
    """Print the runs by rank, the pairs, and what the numbers are."""
    dataset = visible(str(compared.standings[0].run.result.results["dataset"]))
    console.print(f"{dataset}, {compared.examples:,} examples", markup=False)
    console.print()
    ranked = table(("run", "judge", "strategy"), RANKED)
    for each in compared.standings:
        add(ranked, standing(each).values())
    console.print(ranked)
    console.print()
    paired = table((), ("pair", *PAIRED))
    for each_pair in shown_pairs(compared):
        add(paired, pair(each_pair).values())
    console.print(paired)
    console.print()
    legend = table(("", ""), ())
    for note in notes(compared):
        add(legend, note)
    legend.show_header = False
    console.print(legend)


def markdown(compared: Compared) -> str:
    """The same as a page of Markdown."""
    return prompts.render(
        "report/comparison.md.jinja",
        dataset=markdown_cell(str(compared.standings[0].run.result.results["dataset"])),
        examples=f"{compared.examples:,}",
        standings=[
            [*markdown_cells(standing(each)).values()] for each in compared.standings
        ],
        pairs=[
            [*markdown_cells(pair(each)).values()] for each in shown_pairs(compared)
        ],
        notes=[*notes(compared)],
    )


def as_json(compared: Compared) -> str:
    """The same with all digits."""
    content = {
        "format": FORMAT,
        "headline": compared.headline.means,
        "official": compared.headline.official,
        "examples": compared.examples,
        "left_out": compared.left_out,
        "alpha": compared.alpha,
        "runs": [_run(each) for each in compared.standings],
        "pairs": [_pair(each) for each in compared.pairs],
        "notes": dict(notes(compared)),
    }
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def _run(row: Standing) -> dict[str, Any]:
    results = row.run.result.results
    return {
        "run": row.run.name,
        "directory": str(row.run.result.directory),
        **{name: results[name] for name in ("dataset", "judge", "strategy")},
        "rank": row.rank,
        "accuracy": row.accuracy,
        "accuracy_low": row.low,
        "accuracy_high": row.high,
    }


def _pair(row: Pair) -> dict[str, Any]:
    return {
        "first": row.first,
        "second": row.second,
        "difference": row.difference.value,
        "difference_low": row.difference.low,
        "difference_high": row.difference.high,
        "standard_error": row.difference.error,
        "smallest": row.difference.smallest,
        "first_only": row.discordance.first_only,
        "second_only": row.discordance.second_only,
        "ties": row.discordance.ties,
        "unscored": row.discordance.unscored,
        "mcnemar": row.discordance.by_example,
        "p": row.discordance.by_prompt,
        "p_holm": row.corrected,
        "better": row.better(),
        "agreement": asdict(row.agreement),
    }
