"""Finished runs read back, and put on the same examples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from rrm_harness.comparing.agreement import choice
from rrm_harness.errors import OutputError, SpecError
from rrm_harness.records import Failure
from rrm_harness.result import Result
from rrm_harness.scored import Scored

SAME = ("dataset", "revision", "rule")
"""What the manifests of runs must share for their numbers to be set side by side."""
SHOWN_IDS = 3


@dataclass(frozen=True, slots=True)
class Item:
    """One example in one run: its row, what was chosen, and what tells it from others.

    `asked` is its subset, prompt, responses' lengths and right responses.
    """

    row: Scored
    choice: str | None
    asked: tuple[object, ...]

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> Self:
        """Read a line of outcomes.jsonl."""
        credit, failure = line["credit"], line["failure"]
        row = Scored(
            line["id"],
            line["subset"],
            line["cluster"],
            credit,
            low=0.0,  # no bounds are asked of rows that were read back
            high=1.0,
            failure=Failure(failure) if failure is not None else None,
            tied=len(line["winners"]) > 1,
        )
        asked = (row.subset, row.cluster, *line["lengths"], *line["correct"])
        return cls(row, choice(line), asked)


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run, its examples by id, and the letter that stands for it."""

    name: str
    result: Result
    items: Mapping[str, Item]

    @classmethod
    def read(cls, name: str, result: Result) -> Self:
        """Read a run's examples.

        Raises:
            OutputError: There are none, or an earlier version wrote them.
        """
        try:
            items = {item.row.id: item for item in map(Item.of, result.outcomes())}
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise OutputError(
                f"the outcomes in {result.directory} are damaged or another version's;"
                " run the same command again: no judgment is lost"
            ) from error
        return cls(name, result, items)

    @property
    def rows(self) -> list[Scored]:
        """All rows, in the order of the run."""
        return [item.row for item in self.items.values()]

    @property
    def choices(self) -> list[str | None]:
        """All choices, in the order of the run."""
        return [item.choice for item in self.items.values()]

    def only(self, ids: Iterable[str]) -> Run:
        """The run as if these had been all of its examples, in this order."""
        return replace(self, items={each: self.items[each] for each in ids})


def letters(number: int) -> str:
    """Name runs as spreadsheets name columns: A to Z, then AA."""
    head, last = divmod(number, 26)
    return (letters(head - 1) if head else "") + chr(ord("A") + last)


def refuse_twins(directories: Sequence[Path]) -> None:
    """Refuse a directory that is given twice."""
    seen = set()
    for directory in directories:
        place = directory.resolve()
        if place in seen:
            raise SpecError(f"{directory} is given twice; name each run once")
        seen.add(place)


def refuse_others(first: Result, other: Result, *, common: bool) -> None:
    """Refuse runs under another rule, and of other data but where parts will do."""
    one, two = (each.results["manifest"]["run"] for each in (first, other))
    for key in ("rule",) if common else SAME:
        if one.get(key) != two.get(key):
            told = [_told(each, key) for each in (first, other)]
            raise SpecError(
                f"the {key} of {first.directory} is {told[0]} and that of"
                f" {other.directory} is {told[1]}; compare runs of the same"
                f" {', '.join(SAME[:-1])} and {SAME[-1]}{_or_parts(key)}"
            )


def _told(run: Result, key: str) -> str:
    """What the user asked for where it is known, else what the manifest has."""
    asked = run.results.get(key) if key == "dataset" else None
    return f"{asked or run.results['manifest']['run'].get(key)!r:.200}"


def _or_parts(key: str) -> str:
    if key == "rule":
        return ""
    return ", or give --common to compare the examples that are in both"


def matched(runs: Sequence[Run], *, common: bool) -> list[Run]:
    """Put the runs' examples into one order; narrow them to the common ones if asked.

    Raises:
        SpecError: They differ and that was not asked, or none is left, or an example
            has other responses in one run than in another.
    """
    first = runs[0]
    for other in runs[1:]:
        if not common and first.items.keys() != other.items.keys():
            raise SpecError(_apart(runs, first, other))
    shared = [
        each for each in first.items if all(each in run.items for run in runs[1:])
    ]
    if not shared:
        raise SpecError("the runs have no example in common; compare others")
    for other in runs[1:]:
        for each in shared:
            if first.items[each].asked != other.items[each].asked:
                raise SpecError(
                    f"example {each!r:.60} in {other.result.directory} is not the one"
                    f" of that id in {first.result.directory}: its subset, prompt,"
                    " responses or right responses differ; run both on the same data"
                )
    narrowed = [run.only(shared) for run in runs]
    for run in narrowed:
        if all(row.credit is None for row in run.rows):
            raise SpecError(
                f"no example of {run.result.directory} could be scored, so it cannot"
                " be compared; the same run command asks its failures again"
            )
    return narrowed


def _apart(runs: Sequence[Run], first: Run, other: Run) -> str:
    """Say which examples two runs do not share."""
    ours = [each for each in first.items if each not in other.items]
    theirs = [each for each in other.items if each not in first.items]
    shared = set(first.items).intersection(*(run.items for run in runs))
    return (
        f"the runs are not on the same examples: {first.result.directory} alone has"
        f" {_listed(ours)}, {other.result.directory} alone has {_listed(theirs)};"
        f" give --common to compare the {len(shared):,} that all have"
    )


def _listed(ids: Sequence[str]) -> str:
    if not ids:
        return "none"
    more = ", ..." if len(ids) > SHOWN_IDS else ""
    shown = ", ".join(f"{each!r:.60}" for each in ids[:SHOWN_IDS])
    return f"{len(ids):,} ({shown}{more})"
