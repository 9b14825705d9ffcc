"""Runs as figures show them: named, grouped by judge and strategy, averaged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from glob import glob, has_magic
from itertools import chain
from pathlib import Path
from typing import Any

from rrm_harness.errors import OutputError, SpecError
from rrm_harness.figures.estimates import Estimate, of_one, of_several
from rrm_harness.result import Result
from rrm_harness.specs import Spec

Results = Mapping[str, Any]
Tell = Callable[[str], None]
"""Takes a sentence that the figure's reader should know."""


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run that scored something.

    Args:
        key: The judge, as it is grouped: its spec, or the name that the user gave it.
        judge: The same, short enough to show.
        strategy: Its spec.
        benchmark: The dataset's name and options, without the place of its files.
        accuracy: The headline.
        results: What results.json holds.
    """

    key: str
    judge: str
    strategy: str
    benchmark: str
    accuracy: Estimate
    results: Results

    @property
    def model(self) -> str:
        """The id of the judge's model; empty for a judge without one."""
        roles = self.results.get("manifest", {}).get("models", {})
        return str(roles.get("judge", {}).get("id", ""))


Runs = Sequence[Run]
Groups = Mapping[str, Runs]
"""Runs by the name of the bar that they are drawn as."""


@dataclass(frozen=True, slots=True)
class Point:
    """A judge under a strategy, averaged over its benchmarks, each counting alike."""

    judge: str
    strategy: str
    accuracy: Estimate
    runs: tuple[Run, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All that this point's judge may be called in an option."""
        first = self.runs[0]
        return first.key, first.judge, str(first.results["judge"]), first.model

    def mean(self, measure: Callable[[Results], float]) -> float:
        """A number of the results, averaged as the accuracy is."""
        parts: dict[str, list[float]] = defaultdict(list)
        for run in self.runs:
            parts[run.benchmark].append(measure(run.results))
        return sum(sum(each) / len(each) for each in parts.values()) / len(parts)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which runs are drawn, and what their judges are called.

    Args:
        datasets: Specs; all unless given.
        strategies: Specs; all unless given.
        names: A judge's spec to the name that it is shown by.
    """

    datasets: Sequence[str] = ()
    strategies: Sequence[str] = ()
    names: Mapping[str, str] = field(default_factory=dict)

    def read(
        self,
        directories: Sequence[Path],
        groups: Mapping[str, Sequence[Path]],
        tell: Tell,
    ) -> tuple[Runs, Groups]:
        """Read runs, of which the chosen are kept, and groups, which are kept whole.

        Raises:
            OutputError: A directory holds no finished run, or nothing was scored.
            SpecError: A name or dataset or strategy is chosen that no run has.
        """
        every = [Result.read(each) for each in directories]
        grouped = {name: [*map(Result.read, each)] for name, each in groups.items()}
        self._check([each.results for each in every], _all(grouped))
        chosen = [each for each in every if self._chosen(each.results)]
        if every and not chosen:
            raise SpecError(
                "no run has both a dataset and a strategy that were chosen; leave"
                " --dataset or --strategy out"
            )
        named = _told_apart(
            {
                name: [self._run(each.results) for each in _scored(results, tell)]
                for name, results in {"": chosen, **grouped}.items()
            }
        )
        return named.pop(""), named

    def _check(self, runs: Sequence[Results], grouped: Sequence[Results]) -> None:
        """Refuse a choice that no run answers to; without runs there is none to."""
        names = {str(run["judge"]) for run in (*runs, *grouped)}
        _refuse_unknown("judge", "--name", self.names, names)
        if runs:
            datasets = {dataset_name(str(run["dataset"])) for run in runs}
            asked = map(dataset_name, self.datasets)
            _refuse_unknown("dataset", "--dataset", asked, datasets)
            strategies = {str(run["strategy"]) for run in runs}
            _refuse_unknown("strategy", "--strategy", self.strategies, strategies)

    def _chosen(self, run: Results) -> bool:
        name, names = (
            dataset_name(str(run["dataset"])),
            map(dataset_name, self.datasets),
        )
        return (not self.datasets or name in names) and (
            not self.strategies or run["strategy"] in self.strategies
        )

    def _run(self, results: Results) -> Run:
        spec = str(results["judge"])
        key = self.names.get(spec, spec)
        accuracy = Estimate(
            results["accuracy"], results["accuracy_low"], results["accuracy_high"]
        )
        shown = key if spec in self.names else _without_folders(spec)
        strategy = str(results["strategy"])
        return Run(key, shown, strategy, _benchmark(results), accuracy, results)


def _all(grouped: Mapping[str, Sequence[Result]]) -> list[Results]:
    return [each.results for results in grouped.values() for each in results]


def _refuse_unknown(
    kind: str, option: str, asked: Iterable[str], known: Collection[str]
) -> None:
    for value in asked:
        if value not in known:
            there = ", ".join(sorted(known)) or "none"
            raise SpecError(
                f"no run has the {kind} '{value}' of {option}; there is: {there}"
            )


def _scored(results: Sequence[Result], tell: Tell) -> list[Result]:
    """Those with an accuracy.

    Raises:
        OutputError: None has any.
    """
    scored = [each for each in results if each.accuracy is not None]
    if results and not scored:
        raise OutputError(
            f"nothing was scored in {results[0].directory}"
            f"{' and the runs beside it' if len(results) > 1 else ''}; give other runs"
        )
    for each in results:
        if each.accuracy is None:
            tell(f"{each.directory} is left out: nothing was scored.")
    return scored


def expand(patterns: Sequence[str]) -> list[Path]:
    """The directories that some paths name; each may be a pattern with * or ?.

    Raises:
        OutputError: A pattern names nothing.
    """
    found: list[Path] = []
    for pattern in patterns:
        if Path(pattern).exists() or not has_magic(pattern):
            found.append(Path(pattern))
            continue
        matches = sorted(map(Path, glob(pattern)))
        if not matches:
            raise OutputError(f"nothing is named '{pattern}'; give a run's directory")
        found += matches
    return found


def dataset_name(spec: str) -> str:
    """A dataset as its published figures name it: `ppe math`, `rewardbench`.

    The place of its files is left out, but for a user's own file; other options stay.
    """
    try:
        asked = Spec.parse(spec)
    except SpecError:
        return spec
    options = dict(sorted(asked.options.items()))
    place, subset = options.pop("path", ""), options.pop("subset", "")
    own = Path(place).stem if asked.name == "jsonl" else ""
    name = " ".join(part for part in (asked.name, own, subset) if part)
    return ",".join([name, *(f"{key}={value}" for key, value in options.items())])


def _benchmark(results: Results) -> str:
    limit = results.get("manifest", {}).get("run", {}).get("limit")
    name = dataset_name(str(results["dataset"]))
    return f"{name}, first {limit}" if limit else name


def _without_folders(spec: str) -> str:
    """A spec whose paths are their last parts."""
    parts = []
    for part in spec.split(","):
        key, equals, value = part.partition("=")
        short = Path(value).name if key in ("model", "path") else value
        parts.append(f"{key}{equals}{short}")
    return ",".join(parts)


def _told_apart(groups: Groups) -> dict[str, Runs]:
    """Runs whose names differ where their judges or their data do."""
    keys: dict[str, set[str]] = defaultdict(set)
    revisions: dict[str, set[str]] = defaultdict(set)
    for run in chain(*groups.values()):
        keys[run.judge].add(run.key)
        revisions[run.benchmark].add(_revision(run))

    def told_apart(run: Run) -> Run:
        judge = run.key if len(keys[run.judge]) > 1 else run.judge
        data = f" @{_revision(run)[-8:]}" if len(revisions[run.benchmark]) > 1 else ""
        return replace(run, judge=judge, benchmark=run.benchmark + data)

    return {name: [*map(told_apart, runs)] for name, runs in groups.items()}


def _revision(run: Run) -> str:
    return str(run.results.get("manifest", {}).get("run", {}).get("revision") or "")


def points(runs: Sequence[Run]) -> list[Point]:
    """Average over benchmarks: a point for each judge and strategy.

    A judge with one strategy for each benchmark, as published protocols are, is one
    point.

    Raises:
        SpecError: A judge under some strategy lacks a benchmark that another one has.
    """
    benchmarks = sorted({run.benchmark for run in runs})
    found = {key: _by_benchmark(group) for key, group in _groups(runs).items()}
    for (judge, strategy), parts in found.items():
        missing = [each for each in benchmarks if each not in parts]
        if missing:
            raise SpecError(
                f"judges must be averaged over the same benchmarks, and '{judge}' under"
                f" '{strategy}' has no run of {', '.join(missing)}; give one, or choose"
                " with --dataset and --strategy what is drawn"
            )
    return [
        Point(judge, strategy, _mean(parts), tuple(chain(*parts.values())))
        for (judge, strategy), parts in found.items()
    ]


def _mean(parts: Groups) -> Estimate:
    same = [of_one([run.accuracy for run in runs]) for runs in parts.values()]
    return of_several(same)


def _groups(runs: Sequence[Run]) -> dict[tuple[str, str], list[Run]]:
    """Runs by their judge and its strategy."""
    judges: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        judges[run.key].append(run)
    groups: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for own in judges.values():
        asked = {(run.benchmark, run.strategy): run.strategy for run in own}
        one_each = len({benchmark for benchmark, _ in asked}) == len(asked)
        together = " / ".join(dict.fromkeys(asked.values()))
        for run in own:
            groups[run.judge, together if one_each else run.strategy].append(run)
    return groups


def _by_benchmark(runs: Sequence[Run]) -> dict[str, list[Run]]:
    parts: dict[str, list[Run]] = defaultdict(list)
    for run in sorted(runs, key=lambda each: each.benchmark):
        parts[run.benchmark].append(run)
    return parts


def tell_gaps(runs: Sequence[Run], tell: Tell) -> None:
    """Say which runs are of a part of their benchmark only, or had failures."""
    for run in runs:
        failed = run.results["failed_examples"]
        if failed:
            tell(
                f"{run.judge} under {run.strategy} on {run.benchmark}: {failed:,} of"
                f" {run.results['examples']:,} examples failed; their worth is the"
                " benchmark's rule's."
            )
        if run.results.get("missing_subsets"):
            tell(
                f"{run.judge} on {run.benchmark} is not the whole benchmark: there was"
                f" no example of {', '.join(run.results['missing_subsets'])}."
            )
