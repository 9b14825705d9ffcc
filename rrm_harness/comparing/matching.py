"""Finished runs read back, and put on the same examples."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from sys import intern
from typing import Any, Self

from rrm_harness import stats
from rrm_harness.comparing.agreement import choice
from rrm_harness.errors import OutputError, SpecError
from rrm_harness.records import Failure
from rrm_harness.result import Result
from rrm_harness.scored import Rows, Scored

SAME = ("dataset", "revision", "rule")
"""What the manifests of runs must share for their numbers to be set side by side."""
SHOWN_IDS = 3

Places = Mapping[str, int]

_DAMAGE = (
    ArithmeticError,
    AttributeError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
)
"""What a line can raise that is not as this version writes it."""


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run, the letter that stands for it, and its examples side by side.

    `choices` are what won each. `asked` are hashes of what tells an example from
    others: its id, subset, prompt, responses' lengths and right responses.
    """

    name: str
    result: Result
    rows: Rows
    choices: Sequence[str | None]
    asked: Sequence[int]

    @classmethod
    def read(cls, name: str, result: Result) -> Self:
        """Read a run's examples.

        Raises:
            OutputError: There are none, or an earlier version wrote them.
        """
        rows, choices, asked = Rows(), list[str | None](), array("q")
        try:
            for line in result.outcomes():
                rows.append(row := _row(line))
                chosen = choice(line)
                choices.append(chosen and intern(chosen))
                asked.append(hash((*row[:3], *line["lengths"], *line["correct"])))
            if stats.distinct(rows.ids) < len(rows):
                raise ValueError("an id occurs twice")
        except _DAMAGE as error:
            raise OutputError(
                f"the outcomes in {result.directory} are damaged or another version's;"
                " run the same command again: no judgment is lost"
            ) from error
        return cls(name, result, rows, choices, asked)

    @property
    def places(self) -> dict[str, int]:
        """Where each example stands, by its id."""
        return {each: place for place, each in enumerate(self.rows.ids)}

    def only(self, places: Sequence[int]) -> Run:
        """The run as if these had been all of its examples, in this order."""
        if places == [*range(len(self.rows))]:
            return self
        return replace(
            self,
            rows=self.rows.taken(places),
            choices=[self.choices[place] for place in places],
            asked=[self.asked[place] for place in places],
        )


def _row(line: Mapping[str, Any]) -> Scored:
    """What an example's line in outcomes.jsonl says; no bounds are asked of it."""
    credit, failure = line["credit"], line["failure"]
    texts = (line["id"], line["subset"], line["cluster"])
    if not all(isinstance(each, str) for each in texts):
        raise TypeError(f"{texts} are no texts")
    if not isfinite(credit or 0.0) or min(line["lengths"], default=0) < 0:
        raise ValueError(f"{line} has no such numbers")
    return Scored(
        *texts,
        credit,
        low=credit or 0.0,
        high=credit or 0.0,
        failure=Failure(failure) if failure is not None else None,
        tied=len(line["winners"]) > 1,
    )


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
    runs = _in_one_order(runs, common=common)
    first = runs[0]
    for other in runs[1:]:
        for each, ours, theirs in zip(
            first.rows.ids, first.asked, other.asked, strict=True
        ):
            if ours != theirs:
                raise SpecError(
                    f"example {each!r:.60} in {other.result.directory} is not the one"
                    f" of that id in {first.result.directory}: its subset, prompt,"
                    " responses or right responses differ; run both on the same data"
                )
    for run in runs:
        if all(each != each for each in run.rows.credits):
            raise SpecError(
                f"no example of {run.result.directory} could be scored, so it cannot"
                " be compared; the same run command asks its failures again"
            )
    return [*runs]


def _in_one_order(runs: Sequence[Run], *, common: bool) -> Sequence[Run]:
    """The runs on the examples that all have, in the order of the first."""
    if runs[0].rows and all(run.rows.ids == runs[0].rows.ids for run in runs):
        return runs
    places = [run.places for run in runs]
    for other, theirs in zip(runs[1:], places[1:], strict=True):
        if not common and theirs.keys() != places[0].keys():
            raise SpecError(_apart(places, runs[0], places[0], other, theirs))
    shared = [each for each in places[0] if all(each in known for known in places)]
    if not shared:
        raise SpecError("the runs have no example in common; compare others")
    return [
        run.only([known[each] for each in shared])
        for run, known in zip(runs, places, strict=True)
    ]


def _apart(
    runs: Sequence[Places], first: Run, ours: Places, other: Run, theirs: Places
) -> str:
    """Say which examples two runs do not share."""
    alone = [each for each in ours if each not in theirs]
    others = [each for each in theirs if each not in ours]
    shared = set(ours).intersection(*runs)
    return (
        f"the runs are not on the same examples: {first.result.directory} alone has"
        f" {_listed(alone)}, {other.result.directory} alone has {_listed(others)};"
        f" give --common to compare the {len(shared):,} that all have"
    )


def _listed(ids: Sequence[str]) -> str:
    if not ids:
        return "none"
    more = ", ..." if len(ids) > SHOWN_IDS else ""
    shown = ", ".join(f"{each!r:.60}" for each in ids[:SHOWN_IDS])
    return f"{len(ids):,} ({shown}{more})"
