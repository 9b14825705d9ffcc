"""What is held is handed out by what its example may still lead to."""

from hypothesis import given
from hypothesis import strategies as st

from rrm_harness.held import Held


@given(st.lists(st.integers(1, 5), max_size=50))
def test_the_longest_comes_first_and_equal_ones_come_as_they_came(
    lengths: list[int],
) -> None:
    held: Held[int] = Held()
    for place, most in enumerate(lengths):
        held.add(place, most)

    taken = [held.take() for _ in range(len(held))]

    assert taken == sorted(range(len(lengths)), key=lambda place: -lengths[place])
    assert not held


def test_questions_need_no_order_of_their_own() -> None:
    held: Held[object] = Held()
    first, second = object(), object()
    held.add(first, 1)
    held.add(second, 1)

    assert [held.take(), held.take()] == [first, second]
