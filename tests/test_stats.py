"""Intervals: Wilson's formula, the clustered bootstrap, and the same bytes twice."""

from math import sqrt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import stats

numpy = pytest.importorskip("numpy")
pytest.importorskip("scipy.stats")  # loaded here, not within a test's deadline

Z = 1.959963984540054


@st.composite
def proportions(draw: st.DrawFn) -> tuple[int, int]:
    trials = draw(st.integers(1, 10_000))
    return draw(st.integers(0, trials)), trials


def wilson_by_hand(successes: int, trials: int) -> tuple[float, float]:
    share, spread = successes / trials, Z**2 / trials
    center = (share + spread / 2) / (1 + spread)
    half = Z / (1 + spread) * sqrt(share * (1 - share) / trials + spread / trials / 4)
    return center - half, center + half


def naive_bootstrap(values: Any, clusters: Any, resamples: int) -> Any:
    """Redraw whole clusters one by one, the slow way."""
    rng = numpy.random.default_rng(7)
    groups = [values[clusters == each] for each in numpy.unique(clusters)]
    means = []
    for _ in range(resamples):
        drawn = rng.integers(len(groups), size=len(groups))
        means.append(numpy.concatenate([groups[each] for each in drawn]).mean())
    return numpy.array(means)


def draws(values: list[float], clusters: list[str], *key: str) -> Any:
    return stats.resampled_mean(values, clusters, stats.generator("test", *key))


@given(proportions())
def test_wilsons_interval_is_the_textbooks(case: tuple[int, int]) -> None:
    interval = stats.wilson(*case)

    low, high = wilson_by_hand(*case)
    assert interval.low == pytest.approx(low, abs=1e-12)
    assert interval.high == pytest.approx(high, abs=1e-12)


@given(proportions())
def test_wilsons_interval_holds_the_share_and_stays_in_bounds(
    case: tuple[int, int],
) -> None:
    successes, trials = case

    interval = stats.wilson(successes, trials)

    assert 0 <= interval.low <= successes / trials <= interval.high <= 1


@given(proportions())
def test_wilsons_interval_is_mirrored_when_right_and_wrong_swap(
    case: tuple[int, int],
) -> None:
    successes, trials = case

    right, wrong = (
        stats.wilson(successes, trials),
        stats.wilson(trials - successes, trials),
    )

    assert right.low == pytest.approx(1 - wrong.high, abs=1e-12)


def test_wilsons_interval_says_what_it_is() -> None:
    assert stats.wilson(3, 4).method == "Wilson"


def test_the_clustered_bootstrap_agrees_with_the_naive_one() -> None:
    rng = numpy.random.default_rng(1)
    sizes = rng.integers(1, 6, size=60)
    clusters = numpy.repeat(numpy.arange(60), sizes)
    values = (rng.random(len(clusters)) < 0.3 + 0.4 * (clusters % 2)).astype(float)

    ours = draws(list(values), [str(each) for each in clusters])
    naive = naive_bootstrap(values, clusters, 4000)

    assert ours.mean() == pytest.approx(naive.mean(), abs=0.005)
    assert ours.std() == pytest.approx(naive.std(), rel=0.08)


def test_whole_clusters_are_redrawn_together() -> None:
    values = [float(index % 2) for index in range(200) for _ in range(20)]

    together = draws(values, [str(index) for index in range(200) for _ in range(20)])
    alone = draws(values, [str(index) for index in range(4000)])

    assert together.std() == pytest.approx(alone.std() * sqrt(20), rel=0.1)


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=40))
def test_every_draw_lies_between_the_least_and_the_greatest_value(
    values: list[float],
) -> None:
    drawn = draws(values, [str(index) for index in range(len(values))])

    assert min(values) - 1e-12 <= drawn.min()
    assert drawn.max() <= max(values) + 1e-12
    assert drawn.shape == (stats.RESAMPLES,)


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from("abcde")),
        min_size=1,
        max_size=30,
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_of_the_items_does_not_matter(
    items: list[tuple[float, str]], random: object
) -> None:
    shuffled = list(items)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    ours, theirs = (
        draws([value for value, _ in each], [cluster for _, cluster in each])
        for each in (items, shuffled)
    )

    assert ours.tobytes() == theirs.tobytes()


def test_the_same_key_draws_the_same_bytes() -> None:
    values, clusters = [0.0, 1.0, 1.0, 0.5], ["a", "a", "b", "c"]

    first, second = draws(values, clusters), draws(values, clusters)

    assert first.tobytes() == second.tobytes()


def test_another_key_draws_others() -> None:
    values, clusters = [0.0, 1.0, 1.0, 0.5], ["a", "b", "c", "d"]

    first, second = draws(values, clusters, "one"), draws(values, clusters, "two")

    assert first.tobytes() != second.tobytes()


def test_drawing_leaves_numpys_own_state_alone() -> None:
    before = numpy.random.get_state()[1].tobytes()

    draws([0.0, 1.0], ["a", "b"])

    assert numpy.random.get_state()[1].tobytes() == before


def test_draws_of_independent_items_tell_how_many_they_are() -> None:
    values = [1.0] * 700 + [0.0] * 300
    drawn = stats.unbiased(draws(values, [str(n) for n in range(1000)]), 1000)

    found = stats.wilson_of_draws(0.7, drawn, [1000])

    assert found[:2] == pytest.approx(stats.wilson(700, 1000)[:2], abs=0.002)


def test_unbiased_draws_vary_as_the_prompts_do() -> None:
    values, clusters = [0.0, 1.0, 1.0], ["a", "b", "c"]

    found = stats.unbiased(draws(values, clusters), 3).var()

    assert found == pytest.approx(numpy.var(values, ddof=1) / 3, rel=0.1)


def test_the_percentile_interval_is_the_middle_95_percent() -> None:
    interval = stats.percentile_interval(numpy.arange(1001), "bootstrap")

    assert interval.low == pytest.approx(25)
    assert interval.high == pytest.approx(975)
