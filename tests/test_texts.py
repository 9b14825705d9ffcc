"""Texts in blocks are the texts that were added, whatever they say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness.texts import BETWEEN, BLOCK, Texts

SOME = st.sampled_from(["", "a", BETWEEN, f"b{BETWEEN}", "\ud800", "é", "\x00", "\n"])


def filler(count: int, *, odd: str) -> list[str]:
    """So many texts of which one is odd, so that blocks are full."""
    return [odd if number == 7 else str(number) for number in range(count)]


@given(SOME, st.lists(SOME, max_size=5), st.integers(1, 2))
def test_they_are_what_was_added(odd: str, more: list[str], blocks: int) -> None:
    told = [*filler(blocks * BLOCK, odd=odd), *more]
    texts = Texts(told)

    assert list(texts) == told
    assert len(texts) == len(told)
    for place in (0, 7, BLOCK - 1, len(told) - 1, -1, -len(told)):
        assert texts[place] == told[place]


@given(SOME, SOME, st.lists(SOME, max_size=3), st.lists(SOME, max_size=3))
def test_they_are_equal_as_lists_are(
    odd: str, other: str, one: list[str], two: list[str]
) -> None:
    first, second = [*filler(BLOCK, odd=odd), *one], [*filler(BLOCK, odd=other), *two]

    assert (Texts(first) == Texts(second)) is (first == second)
    assert Texts(one) != one


@pytest.mark.parametrize("place", [-5001, 5000])
def test_a_place_beyond_them_is_an_index_error(place: int) -> None:
    with pytest.raises(IndexError):
        Texts(map(str, range(5000)))[place]
