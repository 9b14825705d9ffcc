"""Keys that were seen: the same answers as a set, in less memory."""

from hypothesis import given
from hypothesis import strategies as st

from rrm_harness.seen import Seen


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 50), max_size=200))
def test_numbers_are_new_once(numbers: list[int]) -> None:
    known: set[int] = set()
    counted = Seen(recent=7)

    for number in numbers:
        assert counted.add(number) is (number not in known)
        known.add(number)

    assert len(counted) == len(known)
    assert all(number in counted for number in known)
    assert 2**64 - 1 not in counted or 2**64 - 1 in known
