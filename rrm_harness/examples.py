"""A dataset's examples, checked before anything is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Self

from rrm_harness.errors import DataError, SpecError
from rrm_harness.records import BadRow, Dataset, Example, Strategy
from rrm_harness.seen import Seen

MOST = 500_000
"""Comparisons of one example: a round robin of 1,000 responses, of which each is held
in memory, about a gigabyte."""


@dataclass(frozen=True, slots=True)
class Examples:
    """The good examples of a dataset; they are read anew each time, never all held."""

    dataset: Dataset
    limit: int | None
    sizes: Mapping[int, int]
    bad: frozenset[int]
    """The numbers of its items that are left out."""

    @classmethod
    def checked(cls, dataset: Dataset, limit: int | None, skip_bad_rows: bool) -> Self:
        """Read everything once.

        Raises:
            DataError: A row is malformed (and bad rows are not to be skipped), or
                no good example is left.
            SpecError: The limit lets none in.
        """
        if limit is not None and limit < 1:
            raise SpecError(f"limit is {limit}; it is 1 or more, or not given")
        sizes: Counter[int] = Counter()
        bad: list[int] = []
        for number, item in enumerate(items(dataset)):
            if isinstance(item, Example):
                sizes[len(item.responses)] += 1
            elif skip_bad_rows:
                bad.append(number)
            else:
                raise DataError(f"{item} (or go on without such rows: --skip-bad-rows)")
            if limit is not None and sizes.total() >= limit:
                break
        if not sizes:
            raise DataError(
                f"{dataset.name} has no usable example ({len(bad)} bad rows); check the"
                " path and the format"
            )
        return cls(dataset, limit, sizes, frozenset(bad))

    @property
    def skipped(self) -> int:
        """How many malformed rows are left out."""
        return len(self.bad)

    def __len__(self) -> int:
        return sum(self.sizes.values())

    def refuse_endless(self, strategy: Strategy) -> None:
        """Refuse a strategy that one example alone would keep busy without end.

        Raises:
            SpecError: It asks more than MOST about the largest.
        """
        size = max(self.sizes, key=strategy.cost)
        if strategy.cost(size) > MOST:
            raise SpecError(
                f"{self.dataset.name} has an example of {size:,} responses, about which"
                f" this strategy asks {strategy.cost(size):,} comparisons, more than"
                f" {MOST:,}; use one that asks fewer, such as knockout or"
                " elo,opponents=4"
            )

    def forecast(self, strategy: Strategy) -> int:
        """The most comparisons that a strategy can ask about them."""
        return sum(count * strategy.cost(size) for size, count in self.sizes.items())

    def __iter__(self) -> Iterator[Example]:
        good = (
            item
            for number, item in enumerate(self.dataset.examples())
            if isinstance(item, Example) and number not in self.bad
        )
        return islice(good, self.limit)


def items(dataset: Dataset) -> Iterator[Example | BadRow]:
    """The dataset's items; an example that breaks the contract becomes a bad row."""
    seen = Seen()
    for number, item in enumerate(dataset.examples(), 1):
        problem = _problem(item, seen) if isinstance(item, Example) else ""
        if problem:
            yield BadRow(f"{dataset.name}, example {number}", problem)
        else:
            yield item


def _problem(example: Example, seen: Seen) -> str:
    if not isinstance(example.id, str):
        return f"the id {example.id!r:.60} is no string"
    if not seen.add(hash(example.id) & _64_BITS):
        return f"the id '{example.id}' is an earlier example's as well"
    if not example.responses:
        return f"example '{example.id}' has no responses"
    correct = example.correct
    if correct and not 0 <= min(correct) <= max(correct) < len(example.responses):
        return f"example '{example.id}' has a correct index out of range"
    return ""


_64_BITS = (1 << 64) - 1
