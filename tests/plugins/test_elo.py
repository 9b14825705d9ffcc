"""The strategy `elo`: a round robin, rated one match after the other or all at once."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from math import exp, log
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rrm_harness import (
    Comparison,
    Failure,
    Judgment,
    Outcome,
    SpecError,
    Strategy,
    chance,
    host,
)
from rrm_harness.testing import example, play

RATINGS = ["elo", "bradley-terry"]
FAILED = Judgment.failed(Failure.REFUSED)

Pair = tuple[int, int]
Results = dict[Pair, float]
"""What the first of each pair won: 1, 0, or 0.5; failed matches are missing."""


@dataclass(frozen=True)
class Tournament:
    """The results of a round robin, drawn from a key."""

    responses: int
    key: int
    tying: float
    failing: float

    @cached_property
    def results(self) -> Results:
        pairs = combinations(range(self.responses), 2)
        return {
            pair: self._result(pair)
            for pair in pairs
            if chance.uniform(self.key, "fails", *pair) >= self.failing
        }

    def _result(self, pair: Pair) -> float:
        if chance.uniform(self.key, "ties", *pair) < self.tying:
            return 0.5
        return float(chance.coin(self.key, *pair))

    def decide(self, shown: Comparison) -> Judgment:
        pair = tuple(sorted(shown.order))
        if pair not in self.results:
            return FAILED
        won = self.results[pair]
        first = won if shown.order == pair else 1 - won
        return Judgment((first, 1 - first))


TOURNAMENTS = st.builds(
    Tournament,
    responses=st.integers(2, 9),
    key=st.integers(0, 2**32),
    tying=st.sampled_from([0.0, 0.3, 1.0]),
    failing=st.sampled_from([0.0, 0.0, 0.3]),
).filter(lambda tournament: tournament.results)


def build(spec: str) -> Strategy:
    return host.default().build("strategies", spec)


def rate(rating: str, tournament: Tournament, seed: int = 0) -> Outcome:
    asked = example(tournament.responses)
    return play(build(f"elo,rating={rating}"), asked, tournament.decide, seed=seed)


def slow_elo(results: Results, responses: int, order: Sequence[int]) -> list[float]:
    """Rate matches by the published rule: K 4, from 1000, 400 points to a factor 10."""
    ratings = [1000.0] * responses
    matches = list(results.items())
    for (first, second), won in (matches[place] for place in order):
        expected = 1 / (1 + 10 ** ((ratings[second] - ratings[first]) / 400))
        ratings[first] += 4 * (won - expected)
        ratings[second] -= 4 * (won - expected)
    return ratings


def slow_bradley_terry(results: Results, responses: int) -> list[float]:
    """Climb the likelihood of all matches and of a tenth of a draw for every pair."""
    strengths = [0.0] * responses
    for _ in range(1500):
        slopes = [0.0] * responses
        for first, second in combinations(range(responses), 2):
            expected = 1 / (1 + exp(strengths[second] - strengths[first]))
            slope = 0.1 * (0.5 - expected)
            if (first, second) in results:
                slope += results[first, second] - expected
            slopes[first] += slope
            slopes[second] -= slope
        strengths = [
            strength + 2 * slope / responses
            for strength, slope in zip(strengths, slopes, strict=True)
        ]
    return strengths


def prefer(ranking: Sequence[int]) -> Callable[[Comparison], Judgment]:
    return lambda shown: Judgment(tuple(-float(ranking.index(i)) for i in shown.order))


def ordered(outcome: Outcome) -> list[int]:
    return sorted(outcome.scores, key=lambda index: -outcome.scores[index])


@given(tournament=TOURNAMENTS, seed=st.integers(0, 99))
def test_ratings_are_those_of_the_published_rule(
    tournament: Tournament, seed: int
) -> None:
    outcome = rate("elo", tournament, seed)

    results = tournament.results
    order = chance.permutation(len(results), seed, "example", "matches", 0)
    expected = slow_elo(results, tournament.responses, order)
    assert outcome.scores == pytest.approx(dict(enumerate(expected)), abs=1e-9)


@given(tournament=TOURNAMENTS)
@settings(max_examples=15)
def test_bradley_terry_strengths_are_the_most_likely_ones(
    tournament: Tournament,
) -> None:
    outcome = rate("bradley-terry", tournament)

    logs = {index: log(score) for index, score in outcome.scores.items()}
    expected = slow_bradley_terry(tournament.results, tournament.responses)
    assert logs == pytest.approx(dict(enumerate(expected)), abs=1e-5)


@given(tournament=TOURNAMENTS, seeds=st.tuples(st.integers(0, 99), st.integers(0, 99)))
def test_bradley_terry_does_not_depend_on_the_order_of_matches(
    tournament: Tournament, seeds: tuple[int, int]
) -> None:
    outcomes = [rate("bradley-terry", tournament, seed) for seed in seeds]

    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("rating", RATINGS)
@given(ranking=st.permutations(range(7)))
@settings(max_examples=20)
def test_a_transitive_set_is_ranked_right(rating: str, ranking: list[int]) -> None:
    outcome = play(build(f"elo,rating={rating}"), example(7), prefer(ranking))

    assert ordered(outcome) == ranking


@pytest.mark.parametrize("rating", RATINGS)
@pytest.mark.parametrize("responses", [2, 3, 8, 32])
def test_all_ties_leave_all_equal(rating: str, responses: int) -> None:
    outcome = rate(rating, Tournament(responses, key=0, tying=1.0, failing=0.0))

    assert len(outcome.winners) == responses


def test_a_circle_leaves_all_equal_in_bradley_terry() -> None:
    circle = {(0, 1): (1.0, 0.0), (1, 2): (1.0, 0.0), (0, 2): (0.0, 1.0)}

    def decide(shown: Comparison) -> Judgment:
        return Judgment(circle[shown.order])

    strategy = build("elo,rating=bradley-terry of single,order=given")
    outcome = play(strategy, example(3), decide)

    assert outcome.winners == (0, 1, 2)


@pytest.mark.parametrize("rating", RATINGS)
def test_a_response_without_a_result_is_rated_between_the_others(rating: str) -> None:
    def decide(shown: Comparison) -> Judgment:
        return FAILED if 2 in shown.order else prefer([0, 1])(shown)

    outcome = play(build(f"elo,rating={rating}"), example(3), decide)

    assert ordered(outcome) == [0, 2, 1]


@pytest.mark.parametrize("rating", RATINGS)
def test_failed_matches_are_left_out_and_noted(rating: str) -> None:
    def decide(shown: Comparison) -> Judgment:
        return FAILED if set(shown.order) == {0, 2} else prefer([0, 1, 2])(shown)

    outcome = play(build(f"elo,rating={rating}"), example(3), decide)

    assert ordered(outcome) == [0, 1, 2]
    assert outcome.uncertain
    assert outcome.notes == {"matches_left_out": 1}


@pytest.mark.parametrize("rating", RATINGS)
def test_the_outcome_fails_when_no_match_has_a_result(rating: str) -> None:
    outcome = play(build(f"elo,rating={rating}"), example(4), lambda _: FAILED)

    assert outcome.failure is Failure.REFUSED
    assert outcome.scores == {}


@pytest.mark.parametrize("rating", RATINGS)
def test_one_response_wins_without_a_match(rating: str) -> None:
    outcome = play(build(f"elo,rating={rating}"), example(1), lambda _: FAILED)

    assert outcome.winners == (0,)


def test_every_pair_meets_once() -> None:
    plays = next(build("elo").play(Comparison.of(example(6))))

    asked = [next(running)[0].order for running in plays]

    assert {frozenset(order) for order in asked} == {
        frozenset(pair) for pair in combinations(range(6), 2)
    }
    assert len(asked) == 15


def met(spec: str, responses: int, seed: int = 0) -> list[Pair]:
    """The pairs that a spec asks about, each as it is shown."""
    comparison = Comparison.of(example(responses), seed)
    return [next(match)[0].order for match in next(build(spec).play(comparison))]


@given(responses=st.integers(2, 12), opponents=st.integers(1, 13), seed=st.integers(0))
def test_each_response_meets_as_many_opponents_as_asked_for(
    responses: int, opponents: int, seed: int
) -> None:
    pairs = met(f"elo,opponents={opponents}", responses, seed)

    counts = sorted(Counter(index for pair in pairs for index in pair).values())
    asked = min(opponents, responses - 1)
    odd = responses * asked % 2
    assert counts == [asked] * (responses - odd) + [asked + 1] * odd
    assert len({frozenset(pair) for pair in pairs}) == len(pairs)


@given(responses=st.integers(2, 12), opponents=st.integers(1, 13))
def test_opponents_cost_what_they_are_asked(responses: int, opponents: int) -> None:
    strategy = build(f"elo,opponents={opponents},k=3")

    assert strategy.cost(responses) == 3 * len(
        met(f"elo,opponents={opponents}", responses)
    )


def test_every_pair_is_drawn_as_often_as_another() -> None:
    drawn = Counter(
        frozenset(pair)
        for seed in range(3000)
        for pair in met("elo,opponents=2", 6, seed)
    )

    assert len(drawn) == 15
    assert all(1050 < count < 1350 for count in drawn.values())  # 1200 ± 5 sigma


@pytest.mark.parametrize("rating", RATINGS)
@pytest.mark.parametrize("opponents", [2, 3, 6])
def test_the_best_and_the_worst_are_told_by_some_opponents(
    rating: str, opponents: int
) -> None:
    ranking = [3, 0, 5, 1, 6, 2, 4, 7]
    strategy = build(f"elo,rating={rating},opponents={opponents}")

    outcome = play(strategy, example(8), prefer(ranking))

    assert outcome.scores[7] < median(outcome.scores.values()) < outcome.scores[3]


@pytest.mark.parametrize("opponents", [0, -1])
def test_no_opponents_are_refused(opponents: int) -> None:
    with pytest.raises(SpecError, match="a response meets at least one"):
        build(f"elo,opponents={opponents}")


def test_opponents_that_are_all_are_the_round_robin() -> None:
    assert met("elo,opponents=5", 6) == met("elo", 6)


def test_pairs_are_shown_in_a_seeded_order() -> None:
    plays = next(build("elo").play(Comparison.of(example(33))))

    ascending = sum(left < right for left, right in (next(p)[0].order for p in plays))

    assert 200 <= ascending <= 328


def test_an_inner_strategy_says_how_pairs_are_shown() -> None:
    plays = next(build("elo of single").play(Comparison.of(example(9))))

    orders = [next(running)[0].order for running in plays]

    assert orders == list(combinations(range(9), 2))


def test_k_votes_settle_a_match() -> None:
    def decide(shown: Comparison) -> Judgment:
        return prefer([1, 0] if shown.sample == 0 else [0, 1])(shown)

    outcome = play(build("elo,k=3"), example(2), decide)

    assert outcome.winners == (0,)
    assert outcome.notes["votes"] == 3


@pytest.mark.parametrize("k", [0, -2, 10_001, 10**12])
def test_a_number_of_votes_that_nobody_means_is_refused(k: int) -> None:
    with pytest.raises(SpecError, match=f"elo,k={k}: k must be from 1 to 10,000"):
        build(f"elo,k={k}")


@pytest.mark.parametrize(("k", "cost"), [(1, 1), (5, 5), (10_000, 10_000)])
def test_a_copy_with_another_k_asks_that_often(k: int, cost: int) -> None:
    strategy = build("elo,k=3")

    assert replace(strategy) == strategy
    assert replace(strategy, k=k).cost(2) == cost
    assert replace(replace(strategy, k=k), k=3).cost(2) == 3
    assert replace(strategy, k=k) == build(f"elo,k={k}")


def test_a_match_that_was_uncertain_makes_the_outcome_so() -> None:
    def decide(shown: Comparison) -> Judgment:
        return FAILED if shown.sample == 0 else prefer([0, 1, 2])(shown)

    outcome = play(build("elo of sum-voting,k=2"), example(3), decide)

    assert ordered(outcome) == [0, 1, 2]
    assert outcome.uncertain


def test_another_rating_is_refused() -> None:
    with pytest.raises(SpecError, match="bradley-terry"):
        build("elo,rating=glicko")
