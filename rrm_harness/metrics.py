"""Benchmark rules: from outcomes to the numbers a benchmark publishes.

A rule is data: what a tie and a failure are worth, how subsets are weighted into
sections and sections into the headline. A benchmark with a formula of its own
overrides one method.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from rrm_harness import stats
from rrm_harness.errors import DataError
from rrm_harness.records import Example, Outcome
from rrm_harness.scored import NO_VALUES, Rows, Scored, joined

Tie = Literal["share", "half", "wrong"]
OnFailure = Literal["wrong", "half", "share", "exclude"]
EVERY_FAILED = stats.Interval(0.0, 1.0, "every example failed")


@dataclass(frozen=True, slots=True)
class Numbers:
    """A benchmark's result: headline, interval, bounds and parts, all in 0–1."""

    n: int
    accuracy: float
    interval: stats.Interval
    bounds: tuple[float, float]
    subsets: Mapping[str, Mapping[str, float]]
    sections: Mapping[str, Mapping[str, float]]
    extra: Mapping[str, Any]


@dataclass(frozen=True)
class Rule:
    """How outcomes become numbers.

    Args:
        tie: The worth of an example whose highest score is shared by a correct and a
            wrong response: `share` the correct ones' part of those that share it,
            `half` a half, `wrong` nothing.
        failure: The worth of an example without an outcome: nothing, a half, one in n
            responses (`share`), or left out (`exclude`).
        sections: Section to its subsets; empty when the benchmark has none.
        weights: Subset to its weight in its section; its number of examples if absent.
        average: What the headline is the plain mean of.
        expected: The subsets of the whole benchmark; those of the sections if absent.
    """

    tie: Tie = "share"
    failure: OnFailure = "wrong"
    sections: Mapping[str, Sequence[str]] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    average: Literal["examples", "subsets", "sections"] = "examples"
    expected: Sequence[str] = ()

    def missing(self, subsets: Collection[str]) -> list[str]:
        """The benchmark's subsets that are not among these."""
        listed = [each for parts in self.sections.values() for each in parts]
        return [each for each in self.expected or listed if each not in subsets]

    def row(self, example: Example, outcome: Outcome) -> Scored:
        """Score one example."""
        credit = self.credit(example, outcome)
        low, high = self.credit_bounds(example, outcome)
        return Scored(
            example.id,
            example.subset,
            example.cluster or example.id,
            credit,
            low,
            high,
            outcome.failure,
            len(outcome.winners) > 1,
            self.values(example, outcome),
        )

    def credit(self, example: Example, outcome: Outcome) -> float | None:
        """The worth of an outcome, 0–1; None leaves the example out."""
        if outcome.failure is not None:
            return self.failure_credit(len(example.responses))
        winners = outcome.winners
        if len(winners) == 1:
            return 1.0 if winners[0] in example.correct else 0.0
        right = len({*winners} & {*example.correct})
        if right in (0, len(winners)):
            return float(bool(right))
        worth = {"share": right / len(winners), "half": 0.5, "wrong": 0.0}
        return worth[self.tie]

    def credit_bounds(self, example: Example, outcome: Outcome) -> tuple[float, float]:
        """The least and the most the example could be worth had nothing failed."""
        unsure = outcome.failure is not None or outcome.uncertain
        credit = self.credit(example, outcome)
        if not unsure and credit is not None:
            return credit, credit
        right = len(example.correct)
        return float(right == len(example.responses)), float(right > 0)

    def failure_credit(self, responses: int) -> float | None:
        """The worth of an example that could not be judged."""
        worth = {"wrong": 0.0, "half": 0.5, "share": 1 / responses, "exclude": None}
        return worth[self.failure]

    def values(self, example: Example, outcome: Outcome) -> Mapping[str, float]:
        """What `extra` or `subset_value` will need besides the credit."""
        return NO_VALUES

    def subset_value(self, subset: str, rows: Sequence[Scored]) -> float:
        """A subset's accuracy: the mean credit."""
        return Rows.of(rows).worth / len(rows)

    def is_mean(self, subset: str) -> bool:
        """Whether the subset's accuracy is its mean credit, as Wilson asks."""
        return True

    def subset_bound(
        self, subset: str, rows: Sequence[Scored], end: Literal["low", "high"]
    ) -> float:
        """A subset's accuracy with every row at its lowest or highest worth."""
        columns = Rows.of(rows)
        return sum(columns.lows if end == "low" else columns.highs) / len(rows)

    def subset_draws(self, subset: str, rows: Sequence[Scored]) -> Any:
        """Bootstrap draws of a subset's accuracy, shape (stats.RESAMPLES,)."""
        columns = Rows.of(rows)
        rng = stats.generator("bootstrap", subset)
        return stats.resampled_mean(columns.credits, columns.clusters, rng)

    def extra(self, rows: Sequence[Scored]) -> dict[str, Any]:
        """Further published numbers of the benchmark."""
        return {}

    def section_values(
        self, accuracies: Mapping[str, Any], counts: Mapping[str, int]
    ) -> dict[str, Any]:
        """Weighted mean of each section's subsets, over the subsets that are there."""
        values = {}
        for section, subsets in self.sections.items():
            present = [subset for subset in subsets if subset in accuracies]
            weights = [self.weights.get(each, counts.get(each, 0)) for each in present]
            if sum(weights):
                weighted = zip(weights, present, strict=True)
                total = sum(weight * accuracies[each] for weight, each in weighted)
                values[section] = total / sum(weights)
        return values

    def headline(self, accuracies: Mapping[str, Any], counts: Mapping[str, int]) -> Any:
        """Combine subset accuracies (numbers, or arrays of draws) into the headline."""
        if self.average == "sections":
            values = list(self.section_values(accuracies, counts).values())
            if not values:
                raise DataError(
                    "no example is of any section that the benchmark's rule names"
                    f" ({', '.join(self.sections)}); check the subsets"
                )
            return sum(values) / len(values)
        if self.average == "subsets":
            return sum(accuracies.values()) / len(accuracies)
        total = sum(counts[subset] for subset in accuracies)
        return sum(counts[each] * accuracies[each] for each in accuracies) / total

    def accuracy(self, rows: Sequence[Scored]) -> float | None:
        """The headline alone; None when no row has credit."""
        counted = Rows.of(rows).counted().by_subset()
        if not counted:
            return None
        counts = {subset: len(group) for subset, group in counted.items()}
        means = {s: self.subset_value(s, group) for s, group in counted.items()}
        return float(self.headline(means, counts))

    def numbers(self, rows: Sequence[Scored]) -> Numbers:
        """Turn all rows, at least one with credit, into the benchmark's result."""
        columns = Rows.of(rows)
        credited = columns.counted()
        counted = credited.by_subset()
        counts = {subset: len(group) for subset, group in counted.items()}
        accuracies = {
            subset: self.subset_value(subset, group)
            for subset, group in counted.items()
        }
        draws = self._draws(counted)
        varied = self._varied(counted, draws)
        return Numbers(
            n=sum(counts.values()),
            accuracy=float(self.headline(accuracies, counts)),
            interval=self._interval(counted, varied, accuracies),
            bounds=self._bounds(columns),
            subsets={
                subset: _part(
                    counts[subset],
                    accuracies[subset],
                    self._part_interval(group, accuracies[subset], draws[subset]),
                )
                for subset, group in counted.items()
            },
            sections=self._sections(counted, varied, accuracies),
            extra=self.extra(credited),
        )

    def _draws(self, counted: Mapping[str, Rows]) -> dict[str, Any]:
        """Bootstrap draws of every subset; prompts of several are drawn for all."""
        if _shared(counted.values()) and all(map(self.is_mean, counted)):
            parts = [(group.credits, group.clusters) for group in counted.values()]
            rng = stats.generator("bootstrap", *counted)
            drawn = dict(zip(counted, stats.resampled_means(parts, rng), strict=True))
        else:
            drawn = {each: self.subset_draws(each, counted[each]) for each in counted}
        return {
            subset: stats.unbiased(draws, counted[subset].prompts)
            for subset, draws in drawn.items()
        }

    def _varied(
        self, counted: Mapping[str, Rows], draws: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Draws to combine: a subset that came out alike is no surer for it."""
        varied = dict(draws)
        for subset, group in counted.items():
            alike = draws[subset].var() < stats.NO_VARIANCE
            if alike and len(counted) > 1 and self.is_mean(subset):
                share = float(draws[subset][0])
                varied[subset] = stats.spread(share, group.prompts, subset)
        return varied

    def _sections(
        self,
        counted: Mapping[str, Rows],
        draws: Mapping[str, Any],
        accuracies: Mapping[str, float],
    ) -> dict[str, dict[str, float]]:
        counts = {subset: len(group) for subset, group in counted.items()}
        drawn = self.section_values(draws, counts)
        found = {}
        for section, value in self.section_values(accuracies, counts).items():
            subsets = self.sections[section]
            rows = joined(counted[each] for each in subsets if each in counted)
            interval = _by_prompt(value, drawn[section], rows)
            found[section] = _part(len(rows), value, interval)
        return found

    def _interval(
        self,
        counted: Mapping[str, Rows],
        draws: Mapping[str, Any],
        accuracies: Mapping[str, float],
    ) -> stats.Interval:
        counts = {subset: len(group) for subset, group in counted.items()}
        rows = joined(counted.values())
        value = float(self.headline(accuracies, counts))
        combined = self.headline(draws, counts)
        if self.average == "examples" or len(counted) == 1:
            return self._part_interval(rows, value, combined)
        return _by_prompt(value, combined, rows)

    def _part_interval(self, rows: Rows, value: float, draws: Any) -> stats.Interval:
        """Wilson's where the rows are independent, else told by the bootstrap."""
        if rows.failed == len(rows):
            return EVERY_FAILED
        if rows.prompts == len(rows) and all(map(self.is_mean, rows.subsets)):
            return stats.wilson(rows.worth, len(rows))
        return _by_prompt(value, draws, rows)

    def _bounds(self, rows: Rows) -> tuple[float, float]:
        """The headline if every failure had been wrong, and if right."""
        groups = rows.counted(failed=True).by_subset()
        counts = {subset: len(group) for subset, group in groups.items()}
        low, high = (
            {s: self.subset_bound(s, group, "low") for s, group in groups.items()},
            {s: self.subset_bound(s, group, "high") for s, group in groups.items()},
        )
        return float(self.headline(low, counts)), float(self.headline(high, counts))


def _by_prompt(value: float, draws: Any, rows: Rows) -> stats.Interval:
    """The interval of a number that is not the mean of independent examples."""
    if rows.failed == len(rows):
        return EVERY_FAILED
    groups = rows.by_subset().values()
    prompts = [rows.prompts] if _shared(groups) else [each.prompts for each in groups]
    low, high, method = stats.wilson_of_draws(value, draws, prompts)
    return stats.Interval(min(low, value), max(high, value), method)


def _shared(groups: Collection[Rows]) -> bool:
    """Whether some prompt is in several groups."""
    if len(groups) == 1:
        return False
    return joined(groups).prompts < sum(group.prompts for group in groups)


def _part(n: int, accuracy: float, interval: stats.Interval) -> dict[str, float]:
    return {
        "n": n,
        "accuracy": float(accuracy),
        "accuracy_low": interval.low,
        "accuracy_high": interval.high,
    }
