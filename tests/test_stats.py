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


def test_a_cluster_of_two_parts_is_drawn_once_for_both() -> None:
    values = [0.0, 1.0, 1.0, 0.5]

    first, second = stats.resampled_means(
        [(values, "abcd"), (values, "abcd")], stats.generator("test")
    )

    assert (first == second).all()
    assert first.std() > 0


def test_a_part_of_which_nothing_was_drawn_stays_at_its_mean() -> None:
    rare = ([0.25], ["z"])
    common = ([0.0, 1.0] * 20, [str(each) for each in range(40)])

    found, _ = stats.resampled_means([rare, common], stats.generator("test"))

    assert (found == 0.25).all()


def test_what_is_drawn_in_pieces_is_what_is_drawn_at_once() -> None:
    rows = numpy.random.default_rng(1).random((50, 2))

    whole = stats.redrawn(rows, stats.generator("test"))
    pieces = stats.redrawn(rows, stats.generator("test"), at_once=50 * 7)

    assert pieces.shape == (stats.RESAMPLES, 2)
    assert pieces == pytest.approx(whole)


def test_the_interval_of_independent_values_is_wilsons() -> None:
    assert stats.mean_interval([1.0, 0.0, 1.0], ["a", "b", "c"]) == stats.wilson(2, 3)


def test_repeating_what_was_said_makes_no_interval_narrower() -> None:
    said = [1.0] * 30 + [0.0] * 20
    names = [str(each) for each in range(50)]

    once = stats.mean_interval(said, names)
    often = stats.mean_interval(said * 9, names * 9)

    assert often.low == pytest.approx(once.low, abs=0.01)
    assert often.high == pytest.approx(once.high, abs=0.01)
