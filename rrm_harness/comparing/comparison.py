"""Several finished runs on the same examples, each pair set against each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from rrm_harness.comparing import paired
from rrm_harness.comparing.agreement import Agreement, agreement, alpha
from rrm_harness.comparing.headline import Headline
from rrm_harness.comparing.matching import (
    Run,
    letters,
    matched,
    refuse_others,
    refuse_twins,
)
from rrm_harness.comparing.paired import SIGNIFICANT, Difference, Discordance
from rrm_harness.comparing.ranks import ranks
from rrm_harness.result import Result
from rrm_harness.scored import Rows


@dataclass(frozen=True, slots=True)
class Standing:
    """A run among others: its rank, and the headline with its 95 % interval."""

    run: Run
    rank: int
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Pair:
    """Two runs set against each other, by their names.

    `corrected` is the test's p after Holm's correction over all pairs.
    """

    first: str
    second: str
    difference: Difference
    discordance: Discordance
    corrected: float
    agreement: Agreement

    def better(self) -> str | None:
        """The name of the run that is better beyond noise, if one is."""
        if self.corrected > SIGNIFICANT or not self.difference.value:
            return None
        wins = self.difference.value > 0
        one_sided = self.discordance.apart > 0
        return (self.first if wins else self.second) if wins == one_sided else None


@dataclass(frozen=True, slots=True)
class Compared:
    """All that a comparison found.

    Args:
        standings: The runs, best rank first.
        pairs: Every pair of them, in the order given.
        alpha: Krippendorff's alpha over all runs, if it is defined.
        headline: What the accuracies and differences are of.
        examples: How many each run has, or shares with all others.
        left_out: How many examples not all runs have, which were left out.
        shared_prompts: Whether some prompt has several examples.
    """

    standings: Sequence[Standing]
    pairs: Sequence[Pair]
    alpha: float | None
    headline: Headline
    examples: int
    left_out: int
    shared_prompts: bool


def compare(directories: Sequence[Path], *, common: bool = False) -> Compared:
    """Set finished runs on the same examples against each other.

    Args:
        directories: The runs' directories, two or more.
        common: Take the examples that all have, where they have not the same ones.

    Raises:
        SpecError: The runs cannot be compared; the message says what differs.
        OutputError: A directory holds no finished run.
    """
    results = [Result.read(directory) for directory in directories]
    refuse_twins(directories)
    for other in results[1:]:
        refuse_others(results[0], other, common=common)
    runs = [Run.read(letters(n), result) for n, result in enumerate(results)]
    headline = Headline.of([(run.result.results, run.rows) for run in runs])
    whole, runs = runs, matched(runs, common=common)
    left_out = _left_out(whole, rows := runs[0].rows)
    pairs = list(corrected(_pairs(runs, headline)))
    return Compared(
        _standings(runs, pairs, headline, whole=not left_out),
        pairs,
        alpha([run.choices for run in runs]),
        headline,
        len(rows),
        left_out,
        rows.prompts < len(rows),
    )


def _left_out(runs: Sequence[Run], shared: Rows) -> int:
    """How many of the runs' examples are not among those that all share."""
    if all(len(run.rows) == len(shared) for run in runs):
        return 0
    return len({each for run in runs for each in run.rows.ids}) - len(shared)


def _pairs(runs: Sequence[Run], headline: Headline) -> Iterator[Pair]:
    """Every pair of runs; its p is not yet corrected."""
    for first, second in combinations(runs, 2):
        found = paired.discordance(first.rows, second.rows)
        yield Pair(
            first.name,
            second.name,
            paired.difference(headline.rule, first.rows, second.rows),
            found,
            found.by_prompt,
            agreement(first.choices, second.choices),
        )


def corrected(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """Correct the pairs' p values over all of them."""
    found = list(pairs)
    for pair, value in zip(
        found, paired.holm([pair.corrected for pair in found]), strict=True
    ):
        yield replace(pair, corrected=value)


def _standings(
    runs: Sequence[Run], pairs: Sequence[Pair], headline: Headline, *, whole: bool
) -> list[Standing]:
    """Rank the runs; their numbers are the results' own where those are the same."""
    above = {
        (winner, pair.first if winner == pair.second else pair.second)
        for pair in pairs
        if (winner := pair.better())
    }
    places = ranks(len(runs), lambda a, b: (runs[a].name, runs[b].name) in above)
    found = []
    for run, rank in zip(runs, places, strict=True):
        told = run.result.results
        if whole and headline.official:
            ends = (told["accuracy_low"], told["accuracy_high"])
            found.append(Standing(run, rank, told["accuracy"], *ends))
        else:
            numbers = headline.rule.numbers(run.rows)
            ends = (numbers.interval.low, numbers.interval.high)
            found.append(Standing(run, rank, numbers.accuracy, *ends))
    return sorted(found, key=lambda each: (each.rank, -each.accuracy))
