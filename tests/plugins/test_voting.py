"""The strategy `voting`: the majority of k, with no vote that cannot matter."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rrm_harness import (
    Comparison,
    Failure,
    Judgment,
    Outcome,
    Play,
    SpecError,
    Strategy,
    host,
)
from rrm_harness.testing import FakeEngine, example, play

Vote = frozenset[int]
"""The responses that a vote goes to; none if it failed."""

FAILED: Vote = frozenset()
FOR_ONE = [frozenset({0}), FAILED]
FOR_TWO = [frozenset({0}), frozenset({1}), frozenset({0, 1}), FAILED]
FOR_THREE = [
    *map(frozenset, [{0}, {1}, {2}, {0, 1}, {0, 2}, {1, 2}, {0, 1, 2}]),
    FAILED,
]
BALLOTS = {1: FOR_ONE, 2: FOR_TWO, 3: FOR_THREE}


@cache
def build(spec: str) -> Strategy:
    return host.default().build("strategies", spec)


def run(playing: Play, answer: Any) -> tuple[Any, list[int]]:
    """Drive a generator by hand; return its value and how much it asked each time."""
    batches = []
    try:
        asked = next(playing)
        while True:
            batches.append(len(asked))
            asked = playing.send(
                [
                    answer(each)
                    if isinstance(each, Comparison)
                    else run(each, answer)[0]
                    for each in asked
                ]
            )
    except StopIteration as stop:
        return stop.value, batches


def cast(votes: Sequence[Vote]) -> Any:
    """A judge whose sample i is vote i."""

    def answer(comparison: Comparison) -> Judgment:
        vote = votes[comparison.sample]
        if not vote:
            return Judgment.failed(Failure.UNPARSABLE)
        return Judgment(tuple(float(index in vote) for index in comparison.order))

    return answer


def poll(spec: str, votes: Sequence[Vote], responses: int) -> Outcome:
    comparison = Comparison.of(example(responses))
    return run(build(spec).play(comparison), cast(votes))[0]


@cache
def majority(votes: tuple[Vote, ...]) -> Vote:
    """Who wins when these are all the votes."""
    tally: dict[int, Fraction] = {}
    for vote in votes:
        for index in vote:
            tally[index] = tally.get(index, Fraction()) + Fraction(1, len(vote))
    best = max(tally.values(), default=Fraction())
    return frozenset(index for index, count in tally.items() if count == best)


@cache
def possible(votes: tuple[Vote, ...], k: int, responses: int) -> frozenset[Vote]:
    """Every majority that some continuation of these votes ends with."""
    if len(votes) == k:
        return frozenset({majority(votes)})
    ordered = tuple(sorted(votes, key=sorted))
    endings = (
        possible(tuple(sorted((*ordered, vote), key=sorted)), k, responses)
        for vote in BALLOTS[responses]
    )
    return frozenset().union(*endings)


@dataclass(frozen=True)
class Election:
    """Votes that could be cast, and what came of them with and without stopping."""

    k: int
    responses: int
    votes: tuple[Vote, ...]
    exact: Outcome
    every: Outcome

    @property
    def asked(self) -> tuple[Vote, ...]:
        return self.votes[: self.exact.notes["votes"]]


@cache
def elections() -> list[Election]:
    """Every sequence of votes for small k and n."""
    return [
        Election(k, responses, votes, *(poll(spec, votes, responses) for spec in specs))
        for responses, largest in ((1, 6), (2, 5), (3, 4))
        for k in range(1, largest + 1)
        for specs in [(f"voting,k={k}", f"voting,k={k},stop=none")]
        for votes in product(BALLOTS[responses], repeat=k)
    ]


def replaced(votes: tuple[Vote, ...], responses: int) -> Iterator[tuple[Vote, ...]]:
    """The votes as they could have been, had none failed."""
    return product(*([vote] if vote else BALLOTS[responses][:-1] for vote in votes))


def test_stopping_early_gives_the_outcome_of_all_votes() -> None:
    differ = [
        (each.k, each.votes)
        for each in elections()
        if (each.exact.scores, each.exact.failure)
        != (each.every.scores, each.every.failure)
    ]

    assert differ == []


@given(
    votes=st.lists(st.frozensets(st.integers(0, 4)), min_size=1, max_size=11),
    stop=st.sampled_from(["exact", "none"]),
)
def test_the_majority_wins(votes: list[Vote], stop: str) -> None:
    outcome = poll(f"voting,k={len(votes)},stop={stop}", votes, responses=5)

    assert frozenset(outcome.winners) == majority(tuple(votes))


def test_a_vote_that_is_decided_stops() -> None:
    wasted = [
        (each.k, each.asked)
        for each in elections()
        if any(
            len(possible(each.asked[:count], each.k, each.responses)) == 1
            for count in range(len(each.asked))
        )
    ]

    assert wasted == []


def test_a_vote_that_is_open_goes_on() -> None:
    premature = [
        (each.k, each.asked)
        for each in elections()
        if len(possible(each.asked, each.k, each.responses)) > 1
    ]

    assert premature == []


def test_votes_that_are_needed_anyway_are_asked_at_once() -> None:
    votes = [frozenset({0}), frozenset({0}), frozenset({1}), frozenset({1})]

    _, batches = run(
        build("voting,k=5").play(Comparison.of(example())),
        cast([*votes, frozenset({0})]),
    )

    assert batches == [3, 1, 1]


def test_all_votes_are_asked_at_once_without_stopping() -> None:
    votes = [frozenset({0})] * 5

    _, batches = run(
        build("voting,k=5,stop=none").play(Comparison.of(example())), cast(votes)
    )

    assert batches == [5]


def test_few_votes_are_the_first_of_many() -> None:
    def samples(spec: str) -> list[int]:
        plays = next(build(spec).play(Comparison.of(example())))
        return [next(running)[0].sample for running in plays]

    few, many = samples("voting,k=4,stop=none"), samples("voting,k=8,stop=none")

    assert few == many[:4] == [0, 1, 2, 3]


def test_votes_of_votes_ask_no_sample_twice() -> None:
    seen = []

    def answer(comparison: Comparison) -> Judgment:
        seen.append(comparison.sample)
        return Judgment((1.0, 0.0))

    play(build("voting,k=3,stop=none of voting,k=4,stop=none"), example(), answer)

    assert sorted(seen) == list(range(12))


def test_a_winner_scores_one() -> None:
    outcome = poll("voting,k=3", [frozenset({1})] * 3, responses=3)

    assert outcome.scores == {0: 0.0, 1: 1.0, 2: 0.0}


def test_a_tied_vote_is_shared() -> None:
    outcome = poll("voting,k=2", [frozenset({0}), frozenset({2})], responses=3)

    assert outcome.scores == {0: 0.5, 1: 0.0, 2: 0.5}


def test_a_vote_for_several_is_split_among_them() -> None:
    votes = [frozenset({0, 1, 2}), frozenset({0, 1}), frozenset({1})]

    outcome = poll("voting,k=3", votes, responses=3)

    assert outcome.winners == (1,)


def test_a_failed_vote_counts_for_nobody() -> None:
    votes = [FAILED, frozenset({1}), FAILED]

    outcome = poll("voting,k=3", votes, responses=2)

    assert outcome.scores == {0: 0.0, 1: 1.0}


def test_a_vote_fails_when_all_fail() -> None:
    kinds = [Failure.TRUNCATED, Failure.REFUSED, Failure.UNPARSABLE]

    outcome = play(
        build("voting,k=3"),
        example(),
        lambda shown: Judgment.failed(kinds[shown.sample]),
    )

    assert outcome.failure is Failure.TRUNCATED


@given(votes=st.lists(st.sampled_from(FOR_TWO), min_size=1, max_size=9))
def test_votes_asked_and_saved_add_up(votes: list[Vote]) -> None:
    comparison = Comparison.of(example())

    outcome, batches = run(
        build(f"voting,k={len(votes)}").play(comparison), cast(votes)
    )

    assert outcome.notes["votes"] == sum(batches)
    assert outcome.notes["votes_saved"] == len(votes) - sum(batches)


@given(
    votes=st.lists(st.sampled_from(FOR_TWO), min_size=1, max_size=6),
    stop=st.sampled_from(["exact", "none"]),
)
@settings(max_examples=200)
def test_failures_that_could_have_turned_the_majority_are_noted(
    votes: list[Vote], stop: str
) -> None:
    k = len(votes)

    outcome = poll(f"voting,k={k},stop={stop}", votes, responses=2)

    asked = tuple(votes[: outcome.notes["votes"]])
    had_none_failed = (possible(each, k, 2) for each in replaced(asked, 2))
    turned = bool(frozenset().union(*had_none_failed) - {majority(asked)})
    noted = outcome.failure is not None or outcome.uncertain
    assert noted == (FAILED in asked and turned)


@pytest.mark.parametrize("k", [0, -1, 10_001, 10**12])
def test_a_number_of_votes_that_nobody_means_is_refused(k: int) -> None:
    with pytest.raises(SpecError, match=f"voting,k={k}: k must be from 1 to 10,000"):
        build(f"voting,k={k}")


@pytest.mark.parametrize("k", [1, 10_000])
def test_from_one_to_ten_thousand_votes_are_taken(k: int) -> None:
    assert build(f"voting,k={k}").cost(2) == k


@pytest.mark.parametrize(
    ("spec", "order"),
    [
        ("voting,k=3", (0, 1, 2)),
        ("voting,k=3 of single,order=reversed", (2, 1, 0)),
        ("voting,k=9,stop=none of single,order=seeded", ()),
        ("voting,k=3 of both-orders", ()),
        ("voting,k=3 of voting,k=2", (0, 1, 2)),
        ("voting,k=3 of knockout", ()),
    ],
)
def test_the_order_shown_is_told_if_it_was_the_same_in_all_votes(
    spec: str, order: tuple[int, ...]
) -> None:
    outcome = play(
        build(spec),
        example(3),
        lambda shown: Judgment(tuple(float(-index) for index in shown.order)),
    )

    assert outcome.order == order


def test_a_vote_that_is_uncertain_makes_the_majority_so() -> None:
    def decide(shown: Comparison) -> Judgment:
        if shown.sample == 1:  # one of two samples of the first vote
            return Judgment.failed(Failure.REFUSED)
        return Judgment((1.0, 0.0))

    spec = "voting,k=3,stop=none of sum-voting,k=2,order=given"
    outcome = play(build(spec), example(), decide)

    assert outcome.winners == (0,)
    assert outcome.uncertain


def test_generators_are_played_with_next_and_send() -> None:
    running = build("voting,k=3").play(Comparison.of(example()))
    first, second = next(running)
    asked = [next(first), next(second)]

    votes = []
    for vote in (first, second):
        with pytest.raises(StopIteration) as stop:
            vote.send([Judgment((0.0, 1.0))])
        votes.append(stop.value.value)
    with pytest.raises(StopIteration) as stop:
        running.send(votes)

    assert [comparison.sample for (comparison,) in asked] == [0, 1]
    assert stop.value.value.winners == (1,)


ENGINE_VOTES = st.lists(st.sampled_from(FOR_TWO), min_size=1, max_size=7)


@given(votes=ENGINE_VOTES, arrival=st.integers(0, 9))
def test_abandoning_votes_gives_the_majority_of_all_in_any_order_of_arrival(
    votes: list[Vote], arrival: int
) -> None:
    engine = FakeEngine(seed=arrival)
    spec = f"voting,k={len(votes)},stop="

    hasty = play(build(f"{spec}abort"), example(), cast(votes), engine=engine)
    whole = poll(f"{spec}none", votes, responses=2)

    assert hasty.winners == whole.winners
    assert hasty.failure == whole.failure


def test_votes_that_no_longer_matter_are_taken_from_the_engine() -> None:
    engine = FakeEngine()

    outcome = play(
        build("voting,k=9,stop=abort"), example(), cast([FOR_TWO[0]] * 9), engine=engine
    )

    assert engine.most == 9
    assert engine.answered == outcome.notes["votes"] == 5
    assert engine.waiting == {}


def test_votes_of_votes_are_abandoned_each_by_itself() -> None:
    engine = FakeEngine()
    spec = "voting,k=2,stop=none of voting,k=3,stop=abort of single,order=given"
    asked = example()

    outcome = play(build(spec), asked, cast([FOR_TWO[0]] * 6), engine=engine)

    assert outcome.winners == (0,)
    assert engine.answered == 4
