"""Rows as columns are the rows that were added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import Failure, Rule, Scored, stats
from rrm_harness.scored import Rows, joined

pytest.importorskip("numpy")  # loaded here, not within a test's deadline

SHARE = st.floats(0, 1)
ROW = st.builds(
    Scored,
    id=st.text(max_size=3),
    subset=st.sampled_from(["easy", "hard", ""]),
    cluster=st.sampled_from(["one", "two", "\ud800", ""]),
    credit=st.none() | SHARE,
    low=SHARE,
    high=SHARE,
    failure=st.none() | st.sampled_from([*Failure]),
    tied=st.booleans(),
    values=st.sampled_from([{}, {"margin": 0.5}, {"margin": float("inf")}]),
)
ROWS = st.lists(ROW, max_size=12)


@given(ROWS)
def test_they_are_what_was_added(rows: list[Scored]) -> None:
    columns = Rows(rows)

    assert list(columns) == rows
    assert [columns[place] for place in range(-len(rows), len(rows))] == [*rows, *rows]
    assert columns[1:-1] == rows[1:-1]


@given(ROWS, st.data())
def test_those_taken_are_those_at_the_places(rows: list[Scored], data: Any) -> None:
    places = data.draw(st.lists(st.integers(0, max(len(rows) - 1, 0)))) if rows else []

    assert list(Rows(rows).taken(places)) == [rows[place] for place in places]


@given(ROWS)
def test_columns_are_of_one_length_and_say_what_the_rows_say(
    rows: list[Scored],
) -> None:
    columns = Rows(rows)

    assert list(columns.lows) == [row.low for row in rows]
    assert list(columns.highs) == [row.high for row in rows]
    assert list(columns.ids) == [row.id for row in rows]
    assert list(columns.clusters) == [row.cluster for row in rows]
    named = [columns.subsets[each] for each in columns.subset_of]
    assert named == [row.subset for row in rows]


@given(ROWS)
def test_what_is_counted_is_what_the_rows_say(rows: list[Scored]) -> None:
    columns = Rows(rows)

    assert columns.failed == sum(row.failure is not None for row in rows)
    assert columns.tied == sum(row.tied for row in rows)
    assert columns.prompts == len({row.cluster for row in rows})
    assert columns.worth == sum(row.credit or 0.0 for row in rows)
    assert set(columns.subsets) == {row.subset for row in rows}


@given(ROWS)
def test_what_counts_is_what_has_credit_or_could_have(rows: list[Scored]) -> None:
    columns = Rows(rows)

    credited = [row for row in rows if row.credit is not None]
    failed = [row for row in rows if row.credit is not None or row.failure is not None]
    assert list(columns.counted()) == credited
    assert list(columns.counted(failed=True)) == failed


@given(ROWS)
def test_subsets_are_parts_of_the_rows_in_their_order(rows: list[Scored]) -> None:
    groups = Rows(rows).by_subset()

    assert [*groups] == sorted({row.subset for row in rows})
    for name, group in groups.items():
        assert list(group) == [row for row in rows if row.subset == name]
    whole = [row for name in groups for row in rows if row.subset == name]
    assert list(joined(groups.values())) == whole


def test_the_number_of_prompts_is_counted_anew_once_there_are_more() -> None:
    rows = Rows([Scored("1", "all", "one", 1.0, 1.0, 1.0)])
    assert rows.prompts == 1

    rows.append(Scored("2", "all", "two", 1.0, 1.0, 1.0))

    assert rows.prompts == 2


@given(st.lists(st.sampled_from(["a", "b", "c", "dd"])))
def test_clusters_are_numbered_as_they_come(clusters: list[str]) -> None:
    names = [*dict.fromkeys(clusters)]

    assert stats.numbered(clusters).tolist() == [*map(names.index, clusters)]
    assert stats.distinct(clusters) == len(names)


@dataclass(frozen=True)
class ByRow(Rule):
    """A benchmark's formula that reads rows one by one."""

    def subset_value(self, subset: str, rows: Sequence[Scored]) -> float:
        return max(row.values["margin"] for row in rows)

    def extra(self, rows: Sequence[Scored]) -> dict[str, Any]:
        return {"last": rows[-1].id, "ids": [row.id for row in rows]}


@pytest.mark.parametrize("kind", [list, tuple, Rows])
def test_a_rule_reads_rows_of_any_kind(kind: type) -> None:
    rows = [
        Scored(str(each), "all", str(each), 1.0, 1.0, 1.0, values={"margin": each / 9})
        for each in range(9)
    ]

    numbers = ByRow().numbers(kind(rows))

    assert numbers.accuracy == pytest.approx(8 / 9)
    assert numbers.extra == {"last": "8", "ids": [row.id for row in rows]}
