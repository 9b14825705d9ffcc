"""The strategy `sum-voting`: scores summed over samples, with a meta judge or not."""

from collections.abc import Callable
from sys import float_info

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import Comparison, Failure, Judgment, SpecError, Strategy, host
from rrm_harness.answers import Answers, Bench
from rrm_harness.schedule import Finished, play_all
from rrm_harness.testing import FakeJudge, example, play

GRADES = st.integers(1, 10).map(float)
FAILED = Judgment.failed(Failure.UNPARSABLE)


def build(spec: str) -> Strategy:
    return host.default().build("strategies", spec)


def by_sample(judgments: list[Judgment]) -> Callable[[Comparison], Judgment]:
    return lambda shown: judgments[shown.sample]


def graded(rows: list[tuple[float, ...]]) -> list[Judgment]:
    return [Judgment(row, text=f"critique {i}") for i, row in enumerate(rows)]


def filtered(
    spec: str, judgments: list[Judgment], meta: Callable[[Comparison], Judgment]
) -> Finished:
    """Play one example with a meta judge of its own."""
    benches = {
        "judge": Bench(FakeJudge(by_sample(judgments))),
        "meta": Bench(FakeJudge(meta)),
    }
    (finished,) = play_all([example()], build(spec), Answers(benches))
    return finished


def meta_scores(*scores: float) -> Callable[[Comparison], Judgment]:
    return lambda asked: Judgment((scores[asked.sample],))


@given(rows=st.lists(st.tuples(GRADES, GRADES, GRADES), min_size=1, max_size=8))
def test_scores_are_summed_over_the_samples(
    rows: list[tuple[float, float, float]],
) -> None:
    strategy = build(f"sum-voting,k={len(rows)},order=given")

    outcome = play(strategy, example(3), by_sample(graded(rows)))

    totals = [sum(column) for column in zip(*rows, strict=True)]
    assert outcome.scores == dict(enumerate(totals))


def test_a_sum_past_the_largest_number_is_that_number() -> None:
    rows = [(1e308, -1e308), (1e308, -1e308), (0.0, 1.0)]

    outcome = play(
        build("sum-voting,k=3,order=given"), example(2), by_sample(graded(rows))
    )

    assert outcome.scores == {0: float_info.max, 1: -float_info.max}
    assert outcome.winners == (0,)


def test_scores_follow_the_responses_through_shuffled_orders() -> None:
    worth = {0: 1.0, 1: 5.0, 2: 3.0}

    outcome = play(
        build("sum-voting,k=4"),
        example(3),
        lambda shown: Judgment(tuple(worth[index] for index in shown.order)),
    )

    assert outcome.scores == {0: 4.0, 1: 20.0, 2: 12.0}


def test_every_sample_is_shown_in_an_order_of_its_own() -> None:
    asked = next(build("sum-voting,k=32").play(Comparison.of(example(2))))

    assert [each.sample for each in asked] == list(range(32))
    assert {each.order for each in asked} == {(0, 1), (1, 0)}


def test_the_order_given_is_kept() -> None:
    comparison = Comparison.of(example(3)).only(2, 1, 0)

    asked = next(build("sum-voting,order=given").play(comparison))

    assert {each.order for each in asked} == {(2, 1, 0)}


def test_equal_sums_stay_tied() -> None:
    rows = graded([(1.0, 2.0), (2.0, 1.0)])

    outcome = play(build("sum-voting,k=2,order=given"), example(), by_sample(rows))

    assert outcome.winners == (0, 1)


def test_failed_samples_are_left_out() -> None:
    rows = [*graded([(1.0, 9.0)]), FAILED]

    outcome = play(build("sum-voting,k=2,order=given"), example(), by_sample(rows))

    assert outcome.scores == {0: 1.0, 1: 9.0}
    assert outcome.uncertain
    assert outcome.notes == {"samples": 1}


def test_the_outcome_fails_when_no_sample_is_left() -> None:
    outcome = play(build("sum-voting,k=3"), example(), lambda _: FAILED)

    assert outcome.failure is Failure.UNPARSABLE


def test_the_meta_judge_sees_the_text_of_each_sample() -> None:
    seen = []

    def meta(asked: Comparison) -> Judgment:
        seen.append((asked.role, asked.order, asked.critique))
        return Judgment((1.0,))

    rows = graded([(1.0, 2.0)] * 2)
    filtered("sum-voting,k=2,order=given,meta=true", rows, meta)

    assert seen == [("meta", (0, 1), "critique 0"), ("meta", (0, 1), "critique 1")]


def test_the_better_half_of_the_samples_is_summed() -> None:
    rows = graded([(1.0, 0.0), (0.0, 1.0), (1.0, 0.0), (0.0, 1.0)])
    meta = meta_scores(0.1, 0.9, 0.2, 0.8)

    finished = filtered("sum-voting,k=4,order=given,meta=true", rows, meta)

    assert finished.outcome.scores == {0: 0.0, 1: 2.0}


def test_keep_says_how_many_samples_are_summed() -> None:
    rows = graded([(1.0, 0.0), (0.0, 1.0), (1.0, 0.0), (0.0, 1.0)])
    meta = meta_scores(0.1, 0.9, 0.2, 0.8)

    finished = filtered("sum-voting,k=4,order=given,meta=true,keep=3", rows, meta)

    assert finished.outcome.scores == {0: 1.0, 1: 2.0}


def test_one_sample_is_kept_of_one() -> None:
    rows = graded([(1.0, 0.0)])

    finished = filtered("sum-voting,k=1,order=given,meta=true", rows, meta_scores(0.0))

    assert finished.outcome.scores == {0: 1.0, 1: 0.0}


def test_equal_meta_scores_keep_the_earlier_samples() -> None:
    rows = graded([(1.0, 0.0), (1.0, 0.0), (0.0, 1.0), (0.0, 1.0)])
    meta = meta_scores(0.5, 0.5, 0.5, 0.5)

    finished = filtered("sum-voting,k=4,order=given,meta=true", rows, meta)

    assert finished.outcome.scores == {0: 2.0, 1: 0.0}


def test_samples_that_the_meta_judge_fails_on_are_left_out() -> None:
    rows = graded([(1.0, 0.0), (0.0, 1.0)])

    def meta(asked: Comparison) -> Judgment:
        return FAILED if asked.sample == 0 else Judgment((0.0,))

    finished = filtered("sum-voting,k=2,order=given,meta=true,keep=2", rows, meta)

    assert finished.outcome.scores == {0: 0.0, 1: 1.0}
    assert finished.outcome.uncertain


def test_the_outcome_fails_when_the_meta_judge_fails_on_all() -> None:
    rows = graded([(1.0, 0.0), (0.0, 1.0)])

    finished = filtered("sum-voting,k=2,meta=true", rows, lambda _: FAILED)

    assert finished.outcome.failure is Failure.UNPARSABLE


def test_the_meta_judge_is_not_asked_about_failed_samples() -> None:
    rows = [FAILED, *graded([(1.0, 0.0)])]
    meta = FakeJudge(lambda _: Judgment((1.0,)))
    benches = {"judge": Bench(FakeJudge(by_sample(rows))), "meta": Bench(meta)}

    list(play_all([example()], build("sum-voting,k=2,meta=true"), Answers(benches)))

    assert [asked.sample for asked in meta.asked] == [1]


def test_nested_samples_do_not_repeat() -> None:
    strategy = build("both-orders of sum-voting,k=3,order=given")
    comparison = Comparison.of(example()).resampled(2)

    plays = next(strategy.play(comparison))

    samples = [[each.sample for each in next(running)] for running in plays]
    assert samples == [[6, 7, 8], [6, 7, 8]]


@pytest.mark.parametrize(
    "options", ["k=2,keep=3", "k=2,keep=-1", "k=2,meta=true,keep=3", "k=2,keep=1"]
)
def test_an_impossible_number_to_keep_is_refused(options: str) -> None:
    with pytest.raises(SpecError, match="keep"):
        build(f"sum-voting,{options}")


@pytest.mark.parametrize("k", [0, -1, 10_001, 10**12])
def test_a_number_of_samples_that_nobody_means_is_refused(k: int) -> None:
    match = f"sum-voting,k={k}: k must be from 1 to 10,000"
    with pytest.raises(SpecError, match=match):
        build(f"sum-voting,k={k}")
