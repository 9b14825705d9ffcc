"""The items of finished runs with their texts: what the page's browser shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rrm_harness import host
from rrm_harness.errors import HarnessError
from rrm_harness.output import STORE
from rrm_harness.records import Example
from rrm_harness.report.bracket import final
from rrm_harness.report.glance import KINDS, Glance
from rrm_harness.report.ladder import ladder
from rrm_harness.report.originals import originals, same
from rrm_harness.report.replies import Replies
from rrm_harness.result import Result
from rrm_harness.specs import Spec
from rrm_harness.store import Kept, kept

Line = Mapping[str, Any]
Results = Mapping[str, Any]
Key = tuple[str, str]
"""A dataset with its revision, and an example's id: the same item in several runs."""


@dataclass(frozen=True, slots=True)
class Played:
    """What one run made of an item.

    Args:
        line: The item's line of outcomes.jsonl.
        judged: The line's comparisons, each with the `Reply`s that were found.
        final: A knockout's last match with all before it.
        ladder: A round robin's standings.
    """

    line: Line
    judged: Sequence[tuple[Line, Sequence[Any]]]
    final: Any = None
    ladder: Any = None


@dataclass(frozen=True, slots=True)
class Item:
    """An example as the runs have it; without its texts if they cannot be had."""

    key: Key
    example: Example | None
    runs: Sequence[Played | None]

    @property
    def line(self) -> Line:
        """The first run's line: what is the example's is the same in all."""
        return next(played.line for played in self.runs if played)


@dataclass(frozen=True, slots=True)
class Browsed:
    """The items that were chosen, and what a reader should know about them."""

    items: Sequence[Item]
    cautions: Sequence[str]
    parsers: Sequence[str]


def glances(result: Result) -> dict[Key, Glance]:
    """Look at every example of a run."""
    place = _dataset(result.results)
    return {(place, line["id"]): Glance.of(line) for line in result.outcomes()}


def choose(each: Sequence[Mapping[Key, Glance]], most: int) -> list[Key]:
    """Choose the items to show, in the runs' order: the failed and wrong ones first."""
    ranks: dict[Key, int] = {}
    for run in each:
        for key, glance in run.items():
            rank = KINDS.index(glance.kind)
            ranks[key] = min(rank, ranks.get(key, rank))
    chosen = set(sorted(ranks, key=ranks.__getitem__)[:most])
    return [key for key in ranks if key in chosen]


def browse(runs: Sequence[Result], chosen: Sequence[Key]) -> Browsed:
    """Gather the chosen items with every text that is still to be had."""
    cautions: dict[str, None] = {}
    told: list[dict[Key, Played]] = []
    examples: dict[Key, Example] = {}
    for result in runs:
        place = _dataset(result.results)
        wanted = {name for where, name in chosen if where == place}
        lines = {line["id"]: line for line in result.outcomes() if line["id"] in wanted}
        found, problem = originals(result.results, lines.keys())
        found = {name: each for name, each in found.items() if same(each, lines[name])}
        if problem:
            cautions[f"Prompts and responses are not shown in full: {problem}."] = None
        examples |= {(place, name): each for name, each in found.items()}
        rows = _rows(result, cautions)
        replies = Replies.of((row for row in rows if row.example in wanted), found)
        played = _played(result.results, lines, replies)
        told.append({(place, name): each for name, each in played})
    items = [
        Item(key, examples.get(key), [run.get(key) for run in told]) for key in chosen
    ]
    return Browsed(items, list(cautions), [_parser(run.results) for run in runs])


def _rows(result: Result, cautions: dict[str, None]) -> Iterator[Kept]:
    """The store's rows; where it cannot be read, a caution."""
    try:
        yield from kept(result.directory / STORE)
    except HarnessError as error:
        cautions[f"What the judge wrote is not shown in full: {error}."] = None


def _played(
    results: Results, lines: Mapping[str, Line], replies: Replies
) -> Iterator[tuple[str, Played]]:
    strategy = _strategy(results)
    for name, line in lines.items():
        compared = line["comparisons"]
        judges = [each for each in compared if each.get("role", "judge") == "judge"]
        yield (
            name,
            Played(
                line,
                [(each, [*replies.to(name, each)]) for each in compared],
                final(line["scores"], judges) if strategy == "knockout" else None,
                ladder(line["scores"], judges) if strategy == "elo" else None,
            ),
        )


def _dataset(results: Results) -> str:
    run = results["manifest"]["run"]
    return f"{run['dataset']}, revision {run['revision']}"


def _strategy(results: Results) -> str:
    """The outermost strategy's name, as far as the results tell it."""
    outermost: str = results["strategy"].partition(" of ")[0]
    return outermost.partition(",")[0].strip()


def _parser(results: Results) -> str:
    """The name of the parser that read the judge's texts, if there was one."""
    try:
        named = Spec.parse(results["judge"]).options.get("parser")
        judge = named or host.default().made("judges", results["judge"])
    except Exception:  # whatever the making of a plugin can raise: nothing is marked
        return ""
    return named or str(getattr(judge, "parser", ""))
