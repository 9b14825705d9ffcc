"""Finished runs asked again, and published figures measured anew."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from rrm_harness import host, models
from rrm_harness.errors import OutputError, SpecError
from rrm_harness.evaluate import evaluate
from rrm_harness.figures.published import HEADLINES
from rrm_harness.figures.runs import dataset_name
from rrm_harness.manifest import LONG
from rrm_harness.models import Published
from rrm_harness.output import RESULTS
from rrm_harness.records import Dataset, Engine, Judge, described
from rrm_harness.result import Result

TOLERANCE = 0.005
"""How far a measured headline may be from the published one: half a point."""
SHOWN = 3
OBJECT = re.compile(r"\w+(\.[\w<>]+)+\(")
"""How a plugin that is an object is described: `package.module.Class(...)`."""


@dataclass(frozen=True, slots=True)
class Replay:
    """A run and the same run asked again.

    Args:
        first: The run as it was.
        again: The run of today.
        manifests: What the manifests do not share: name, then, now.
        differing: The ids of the examples whose outcomes are not the same.
    """

    first: Result
    again: Result
    manifests: Sequence[tuple[str, Any, Any]]
    differing: Sequence[str]

    @property
    def passed(self) -> bool:
        """Whether every outcome is the same."""
        return not self.differing

    def sentences(self) -> Iterator[str]:
        """What came out, and what differs."""
        count = len(self.differing)
        if self.passed:
            yield f"pass: all {self.first.results['examples']:,} outcomes are the same."
        else:
            shown = ", ".join(f"{each!r:.60}" for each in self.differing[:SHOWN])
            more = ", ..." if count > SHOWN else ""
            yield (
                f"fail: {count:,} of {self.first.results['examples']:,} outcomes differ"
                f" ({shown}{more}); the headline was"
                f" {_percent(self.first.accuracy)} and is"
                f" {_percent(self.again.accuracy)}."
            )
        for name, then, now in self.manifests:
            yield f"{name} was {then!r:.120} and is {now!r:.120}."


def replay(
    directory: Path,
    output: Path,
    *,
    engine: str | Engine | None = None,
    **options: Any,
) -> Replay:
    """Ask a finished run again, all of it, and compare the outcomes.

    Args:
        directory: The run.
        output: Where the run of today goes; one that was interrupted there goes on.
        engine: What runs the judge's requests, if it is not what ran them then; also
            those of other roles whose engines are not kept.
        **options: Further ones of `evaluate`.

    Raises:
        OutputError: There is no such run, it does not say how it was asked, or a
            finished one is in `output`.
        HarnessError: As `evaluate`.
    """
    if (output / RESULTS).exists():
        raise OutputError(
            f"{output} holds a finished run, so nothing would be asked; give a new"
            " directory as --output"
        )
    first = Result.read(directory)
    told = first.results
    run = told["manifest"]["run"]
    _refuse_objects(directory, told)
    asked = _roles(directory, told["manifest"].get("asked"), engine)
    again = evaluate(
        told["judge"],
        told["dataset"],
        told["strategy"],
        output=output,
        seed=run["seed"],
        limit=run["limit"],
        too_long=run.get("too long", "fail"),
        reuse=[],
        skip_bad_rows=told["skipped_rows"] > 0,
        baselines=False,
        **asked,
        **options,
    )
    nothing: dict[str, Any] = {}
    pairs = zip_longest(first.outcomes(), again.outcomes(), fillvalue=nothing)
    differing = [str((one or other)["id"]) for one, other in pairs if one != other]
    return Replay(first, again, [*_changed(first, again)], differing)


def _refuse_objects(directory: Path, told: Mapping[str, Any]) -> None:
    """Refuse a run of something that no spec named.

    Raises:
        OutputError: Its judge, dataset or strategy was an object.
    """
    objects = [name for name in ("judge", "strategy") if OBJECT.match(told[name])]
    if not _names(told["dataset"], told["manifest"]["run"]["dataset"]):
        objects.append("dataset")
    for name in objects:
        raise OutputError(
            f"the {name} of {directory} was an object in place of a spec"
            f" ({told[name]!r:.60}); `evaluate` with it asks again"
        )


def _names(dataset: str, identity: str) -> bool:
    """Whether it is a spec; of an object the results have the name alone."""
    try:
        built: Dataset = host.default().build("datasets", dataset)
    except SpecError:
        return "," in dataset  # a spec, and what is wrong with it is told
    same = f"{built.name} = {described(built, paths=False)}"[:LONG] == identity[:LONG]
    return same or built.name != dataset


def _roles(
    directory: Path, asked: Mapping[str, str | None] | None, engine: str | Engine | None
) -> dict[str, Any]:
    """The engines and further judges to ask with, by `evaluate`'s parameters.

    Raises:
        OutputError: One of them is not kept.
    """
    if asked is None:
        raise OutputError(
            f"{directory} does not say what it was asked with; run the same command"
            " again with this version: no judgment is lost"
        )
    for role, named in asked.items():
        if named is not None:
            continue
        if not role.endswith("engine"):
            raise OutputError(
                f"the {role.replace('_', ' ')} of {directory} is not kept (an object,"
                " or of a plugin that gives no `spec`); `evaluate` with it asks again"
            )
        if engine is None:
            raise OutputError(
                f"the {role.replace('_', ' ')} of {directory} is not kept (an object,"
                " or its address may hold a secret); give --engine SPEC"
            )
    kept = {role: named for role, named in asked.items() if named is not None}
    return kept if engine is None else {**kept, "engine": engine}


def _changed(first: Result, again: Result) -> Iterator[tuple[str, Any, Any]]:
    """What the manifests do not share, the versions of libraries included."""
    for part in ("run", "versions"):
        then, now = (each.results["manifest"].get(part, {}) for each in (first, again))
        for name in dict.fromkeys([*then, *now]):
            if then.get(name) != now.get(name):
                yield name, then.get(name), now.get(name)


@dataclass(frozen=True, slots=True)
class Remeasured:
    """A published figure, and the run that measured it anew."""

    published: Published
    result: Result
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the whole benchmark's headline is as near as the tolerance asks."""
        measured = self.result.accuracy
        return (
            measured is not None
            and not self.result.results["missing_subsets"]
            and abs(measured - self.published.value) <= self.tolerance + 1e-9
        )

    def sentences(self) -> Iterator[str]:
        """What was published, what was measured, and how far they are apart."""
        figure, told = self.published, self.result.results
        low, high = self.result.interval or (None, None)
        yield (
            f"published: {_percent(figure.value)} ({figure.protocol}; {figure.source})"
        )
        yield (
            f"measured: {_percent(self.result.accuracy)}"
            f" ({_percent(low)}–{_percent(high)}), {told['n']:,} examples,"
            f" {told['failed_examples']:,} failed, {told['strategy']}"
        )
        if told["missing_subsets"]:
            yield f"fail: there was no example of {', '.join(told['missing_subsets'])}."
        elif self.result.accuracy is None:
            yield "fail: nothing could be scored."
        else:
            apart = 100 * (self.result.accuracy - figure.value)
            inside = low is not None and low <= figure.value <= (high or 0)
            yield (
                f"{'pass' if self.passed else 'fail'}: {apart:+.2f} points apart,"
                f" {100 * self.tolerance:g} are allowed; the published figure lies"
                f" {'in' if inside else 'outside'} the measured interval."
            )


def remeasure(
    judge: str,
    dataset: str | None,
    output: Path,
    *,
    protocol: str = "",
    tolerance: float = TOLERANCE,
    **options: Any,
) -> Remeasured:
    """Run a judge on a benchmark that it has a published figure of.

    Args:
        judge: A spec; its model's card has the figures.
        dataset: A spec; None if the card has figures of one benchmark alone.
        output: Where the run goes.
        protocol: Words of the figure's protocol, where the card has several.
        tolerance: How far apart the two may be, 0-1.
        **options: Those of `evaluate`.

    Raises:
        SpecError: No such figure is in the card, or several are and no dataset is
            named.
        HarnessError: As `evaluate`.
    """
    figure = _published(judge, dataset, protocol)
    asked = dataset or spec_of(figure.benchmark)
    result = evaluate(judge, asked, output=output, **options)
    return Remeasured(figure, result, tolerance)


def _published(judge: str, dataset: str | None, protocol: str) -> Published:
    """The card's figure of a benchmark, of the model that the judge runs."""
    built: Judge = host.default().build("judges", judge)
    model = built.runs_on.id if built.runs_on else ""
    card = models.cards().get(model)
    known = [each for each in (card.published if card else ()) if not each.measured_on]
    fitting = [each for each in known if protocol in each.protocol]
    if dataset is not None:
        name = dataset_name(dataset)
        name = HEADLINES.get(name, name)
        fitting = [each for each in fitting if each.benchmark == name]
    if len({each.benchmark for each in fitting}) > 1:
        names = "; ".join(dict.fromkeys(spec_of(each.benchmark) for each in fitting))
        raise SpecError(
            f"of {model} there are figures of several benchmarks; say which with"
            f" --dataset: {names}"
        )
    if not fitting:
        there = "; ".join(f"{each.benchmark} ({each.protocol})" for each in known)
        raise SpecError(
            f"nothing is published of {model or judge}"
            f"{f' on {name}' if dataset is not None else ''}"
            f"{f' by a protocol with {protocol!r}' if protocol else ''};"
            f" there is: {there or 'nothing'}"
        )
    return fitting[0]


def spec_of(benchmark: str) -> str:
    """The dataset that a card's benchmark is: `ppe math` is `ppe,subset=math`."""
    short = (each for each, name in HEADLINES.items() if name == benchmark)
    name, _, subset = next(short, benchmark).partition(" ")
    return f"{name},subset={subset}" if subset else name


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f}"
