"""What examples count for: one as a row, all of a run as columns."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import NamedTuple, Self, overload

from rrm_harness import stats
from rrm_harness.records import Failure
from rrm_harness.texts import Texts

NO_VALUES: Mapping[str, float] = MappingProxyType({})
"""One for all rows: of a million, each would be an object of its own."""
_NAN = float("nan")
_FAILURES: list[Failure | None] = [None, *Failure]
_CODES = {failure: code for code, failure in enumerate(_FAILURES)}


class Scored(NamedTuple):
    """What one example counts for.

    `credit` is None when the rule leaves the example out. `low` and `high` are the
    least and the most it could be worth had nothing failed. `values` holds whatever
    else the benchmark's formula needs.
    """

    id: str
    subset: str
    cluster: str
    credit: float | None
    low: float
    high: float
    failure: Failure | None = None
    tied: bool = False
    values: Mapping[str, float] = NO_VALUES


class Rows(Sequence[Scored]):
    """Rows of a run as columns, in some thirty bytes a row; more can be added.

    A rule of a benchmark may read them row by row, as any sequence. Those that could be
    worth something else than their credit, as where something failed, take as many
    bytes again.

    Attributes:
        ids: Each row's.
        clusters: Each row's; the ids themselves while no row has another.
        subset_of: Each row's subset, as its place in `subsets`.
        credits: Each row's, NaN where it has none.
    """

    def __init__(self, rows: Iterable[Scored] = ()) -> None:
        self.ids = Texts()
        self.clusters = self.ids
        self._subsets: dict[str, int] = {}
        self.subset_of = array("I")
        self.credits = array("d")
        self._unsure = array("Q")
        self._least = array("d")
        self._most = array("d")
        self._failures = bytearray()
        self._ties = bytearray()
        self._values: dict[int, Mapping[str, float]] = {}
        self._prompts = (0, 0)
        for row in rows:
            self.append(row)

    @classmethod
    def of(cls, rows: Iterable[Scored]) -> Self:
        """The rows as columns; they themselves if they are."""
        return rows if isinstance(rows, cls) else cls(rows)

    def append(self, row: Scored) -> None:
        """Add a row."""
        name, subset, cluster, worth, low, high, failure, tied, values = row
        if values:
            self._values[len(self._ties)] = values
        if not low == worth == high:
            self._unsure.append(len(self._ties))
            self._least.append(low)
            self._most.append(high)
        if cluster != name and self.clusters is self.ids:
            self.clusters = Texts(self.ids)
        self.ids.append(name)
        if self.clusters is not self.ids:
            self.clusters.append(cluster)
        self.subset_of.append(self._subsets.setdefault(subset, len(self._subsets)))
        self.credits.append(_NAN if worth is None else worth)
        self._failures.append(_CODES[failure])
        self._ties.append(tied)

    def __len__(self) -> int:
        return len(self._ties)

    def __iter__(self) -> Iterator[Scored]:
        names = [*self._subsets]
        columns = zip(
            self.ids,
            self.subset_of,
            self.clusters,
            self.credits,
            self.lows,
            self.highs,
            self._failures,
            self._ties,
            strict=True,
        )
        for place, (name, subset, cluster, worth, low, high, failed, tied) in enumerate(
            columns
        ):
            yield Scored(
                name,
                names[subset],
                cluster,
                worth if worth == worth else None,
                low,
                high,
                _FAILURES[failed],
                bool(tied),
                self._values.get(place, NO_VALUES),
            )

    @overload
    def __getitem__(self, place: int) -> Scored: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Scored]: ...

    def __getitem__(self, place: int | slice) -> Scored | Sequence[Scored]:
        if isinstance(place, slice):
            return [self[each] for each in range(len(self))[place]]
        place = range(len(self))[place]
        low = high = worth = self.credits[place]
        ends = bisect_left(self._unsure, place)
        if self._unsure[ends : ends + 1] == array("Q", [place]):
            low, high = self._least[ends], self._most[ends]
        return Scored(
            self.ids[place],
            self.subsets[self.subset_of[place]],
            self.clusters[place],
            worth if worth == worth else None,
            low,
            high,
            _FAILURES[self._failures[place]],
            bool(self._ties[place]),
            self._values.get(place, NO_VALUES),
        )

    @property
    def subsets(self) -> list[str]:
        """The names of their subsets."""
        return [*self._subsets]

    @property
    def lows(self) -> array[float]:
        """The least that each row could be worth, put together anew each time."""
        return self._bounds(self._least)

    @property
    def highs(self) -> array[float]:
        """The most that each row could be worth, put together anew each time."""
        return self._bounds(self._most)

    def _bounds(self, unsure: array[float]) -> array[float]:
        found = self.credits[:]
        for place, worth in zip(self._unsure, unsure, strict=True):
            found[place] = worth
        return found

    @property
    def failed(self) -> int:
        """How many failed."""
        return len(self) - self._failures.count(0)

    @property
    def tied(self) -> int:
        """How many are tied."""
        return self._ties.count(1)

    @property
    def prompts(self) -> int:
        """How many clusters they are of."""
        if self._prompts[0] != len(self):
            self._prompts = (len(self), stats.distinct(self.clusters))
        return self._prompts[1]

    @property
    def worth(self) -> float:
        """The sum of their credits."""
        return sum(each for each in self.credits if each == each)

    def counted(self, *, failed: bool = False) -> Rows:
        """Those with a credit, or also those that have none because they failed."""
        if not any(each != each for each in self.credits):
            return self
        return Rows(
            row
            for row in self
            if row.credit is not None or (failed and row.failure is not None)
        )

    def taken(self, places: Iterable[int]) -> Rows:
        """The rows at these places, in this order."""
        return Rows(map([*self].__getitem__, places))

    def by_subset(self) -> dict[str, Rows]:
        """The rows of each subset, by its name."""
        if len(self._subsets) == 1:
            return dict.fromkeys(self._subsets, self)
        groups: dict[str, Rows] = {name: Rows() for name in sorted(self._subsets)}
        for row in self:
            groups[row.subset].append(row)
        return groups


def joined(groups: Iterable[Rows]) -> Rows:
    """The rows of several, one after another."""
    parts = [*groups]
    return parts[0] if len(parts) == 1 else Rows(chain.from_iterable(parts))
