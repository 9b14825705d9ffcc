"""The strategy `repeated`: the mean of k samples, none of them forgotten."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import (
    Comparison,
    Failure,
    Judgment,
    Outcome,
    SpecError,
    Strategy,
    host,
)
from rrm_harness.testing import FakeEngine, example, play

Vote = frozenset[int]
"""The responses that a sample chooses; none if it failed."""
FAILED: Vote = frozenset()
VOTES = st.lists(st.frozensets(st.integers(0, 3)), min_size=1, max_size=8)


def build(spec: str) -> Strategy:
    strategy: Strategy = host.default().build("strategies", spec)
    return strategy


def repeat(votes: Sequence[Vote], spec: str = "") -> Outcome:
    """The outcome of samples that go to these responses."""

    def decide(comparison: Comparison) -> Judgment:
        vote = votes[comparison.sample]
        if not vote:
            return Judgment.failed(Failure.TRUNCATED)
        return Judgment(tuple(3.0 * (index in vote) for index in comparison.order))

    return play(build(spec or f"repeated,k={len(votes)}"), example(4), decide)


@given(votes=VOTES)
def test_a_response_scores_its_mean_share_of_all_samples(votes: list[Vote]) -> None:
    outcome = repeat(votes)

    shares = [
        sum(1 / len(vote) for vote in votes if index in vote) / len(votes)
        for index in range(4)
    ]
    if any(votes):
        assert [outcome.scores[i] for i in range(4)] == pytest.approx(shares)
    else:
        assert outcome.scores == {}


@given(votes=VOTES)
def test_it_fails_when_all_do_and_is_uncertain_when_some_do(votes: list[Vote]) -> None:
    outcome = repeat(votes)

    assert (outcome.failure is None) == any(votes)
    assert outcome.uncertain == (FAILED in votes)


@given(votes=VOTES)
def test_the_samples_are_the_parts_in_their_order(votes: list[Vote]) -> None:
    outcome = repeat(votes)

    assert [frozenset(each.winners) for each in outcome.parts] == votes


def test_all_samples_are_asked_at_once() -> None:
    asked = next(build("repeated,k=6").play(Comparison.of(example())))

    assert len(asked) == 6


def test_few_samples_are_the_first_of_many() -> None:
    def samples(spec: str) -> list[int]:
        plays = next(build(spec).play(Comparison.of(example())))
        return [next(each)[0].sample for each in plays]

    assert samples("repeated,k=4") == samples("repeated,k=8")[:4] == [0, 1, 2, 3]


def test_repeated_votes_ask_no_sample_twice() -> None:
    seen = []

    def decide(comparison: Comparison) -> Judgment:
        seen.append(comparison.sample)
        return Judgment((1.0, 0.0))

    play(build("repeated,k=3 of voting,k=4,stop=none"), example(), decide)

    assert sorted(seen) == list(range(12))


def test_what_it_nests_is_asked_k_times() -> None:
    votes = [frozenset({0}), frozenset({0}), frozenset({1}), frozenset({0})] * 2

    outcome = repeat(votes, "repeated,k=8 of single")

    assert outcome.scores == {0: 0.75, 1: 0.25, 2: 0.0, 3: 0.0}


def test_the_order_of_arrival_changes_nothing() -> None:
    def decide(comparison: Comparison) -> Judgment:
        return Judgment(tuple(float(i == comparison.sample) for i in comparison.order))

    outcomes = [
        play(build("repeated,k=4"), example(4), decide, engine=FakeEngine(seed=seed))
        for seed in range(5)
    ]

    assert all(each == outcomes[0] for each in outcomes)


@pytest.mark.parametrize("k", [0, -1, 10_001])
def test_a_number_of_samples_that_nobody_means_is_refused(k: int) -> None:
    with pytest.raises(SpecError, match=f"repeated,k={k}: k must be from 1 to 10,000"):
        build(f"repeated,k={k}")


@pytest.mark.parametrize("dataset", ["judgebench", "llmbar,path=x"])
def test_two_samples_are_not_the_two_games_of_a_pair(dataset: str) -> None:
    rule = host.default().build("datasets", dataset).rule
    pair = example()
    right = play(build("repeated,k=2"), pair, lambda _: Judgment((1.0, 0.0)))

    row = rule.row(pair, right)

    assert (row.credit, row.values) == (1.0, {})
