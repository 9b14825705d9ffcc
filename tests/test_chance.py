"""Chance is a keyed hash: the same draw on every machine, whatever Python's own."""

import os
import subprocess
import sys
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import chance

PARTS = st.integers() | st.text(st.characters(exclude_categories=[]), max_size=8)
KEYS = st.lists(PARTS, max_size=5)
DRAWS = (
    "chance.digest('a', 1).hex(), chance.seed('a', 1), chance.uniform('a', 1),"
    " chance.coin('a', 1), chance.permutation(9, 'a', 1), chance.seed('\\ud800é')"
)


@pytest.mark.parametrize("hash_seed", ["0", "1", "random"])
def test_draws_are_the_same_in_every_process(hash_seed: str) -> None:
    code = f"from rrm_harness import chance; print(({DRAWS}))"

    fresh = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )

    assert fresh.stdout.strip() == repr(eval(DRAWS))  # noqa: S307


def test_draws_are_the_same_in_every_version() -> None:
    drawn = (chance.seed("a", 1), chance.permutation(5, "a", 1), chance.coin("a", 1))

    assert drawn == (520756146, (1, 2, 0, 3, 4), True)


@given(key=KEYS)
def test_a_seed_has_32_bits(key: list) -> None:
    assert 0 <= chance.seed(*key) < 2**32


@given(begun=KEYS, key=KEYS)
def test_a_key_that_is_begun_once_gives_the_same(begun: list, key: list) -> None:
    prefix = chance.Prefix(*begun)

    assert prefix.digest(*key) == chance.digest(*begun, *key)
    assert prefix.seed(*key) == chance.seed(*begun, *key)


@given(key=KEYS)
def test_a_uniform_draw_lies_between_0_and_1(key: list) -> None:
    assert 0 <= chance.uniform(*key) < 1


@given(count=st.integers(0, 50), key=KEYS)
def test_a_permutation_has_every_number_once(count: int, key: list) -> None:
    drawn = chance.permutation(count, *key)

    assert sorted(drawn) == list(range(count))


def test_a_coin_is_fair() -> None:
    heads = sum(chance.coin("coin", number) for number in range(2000))

    assert 900 <= heads <= 1100


def test_uniform_draws_fill_the_interval_evenly() -> None:
    tenths = [int(10 * chance.uniform("uniform", number)) for number in range(2000)]

    assert all(150 <= tenths.count(tenth) <= 250 for tenth in range(10))


def test_every_permutation_of_three_is_as_likely() -> None:
    drawn = [chance.permutation(3, "permutation", number) for number in range(1200)]

    assert len(set(drawn)) == 6
    assert all(150 <= drawn.count(order) <= 250 for order in set(drawn))


def test_draws_for_different_purposes_are_independent() -> None:
    both = [
        (chance.coin("a", number), chance.coin("b", number)) for number in range(800)
    ]

    assert all(
        150 <= both.count(pair) <= 250 for pair in product((True, False), repeat=2)
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a", "bc"), ("ab", "c")),
        (("a", ""), ("a",)),
        (("", "a"), ("a", "")),
        ((), ("",)),
        ((1, 23), (12, 3)),
        ((-1,), (1,)),
        (("a\0", "b"), ("a", "\0b")),
        (("\ud800",), ("?",)),
        (("é",), ("e\u0301",)),
    ],
)
def test_different_keys_do_not_run_together(one: tuple, other: tuple) -> None:
    assert chance.digest(*one) != chance.digest(*other)


@given(one=KEYS, other=KEYS)
def test_keys_that_differ_have_digests_that_differ(one: list, other: list) -> None:
    same = list(map(str, one)) == list(map(str, other))

    assert (chance.digest(*one) == chance.digest(*other)) == same


def test_seeds_of_neighboring_keys_do_not_collide() -> None:
    seeds = {chance.seed("seed", number) for number in range(5000)}

    assert len(seeds) == 5000
