"""What holds for every strategy, whatever it asks and however it is nested."""

import os
import subprocess
import sys
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rrm_harness import Comparison, Failure, Judgment, Outcome, Strategy, chance, host
from rrm_harness.answers import TITLES, Answers, Bench
from rrm_harness.schedule import Finished, play_all
from rrm_harness.testing import FakeEngine, FakeJudge, example, play

LARGEST = 33
NEVER_STOP_EARLY = {
    "single": LARGEST,
    "single,order=reversed": LARGEST,
    "single,order=seeded": LARGEST,
    "both-orders": LARGEST,
    **{f"voting,k={k},stop=none": LARGEST for k in range(1, 6)},
    "knockout": LARGEST,
    "elo": 12,
    "elo,rating=bradley-terry": 12,
    "elo,opponents=1": 12,
    "elo,opponents=3": LARGEST,
    "elo,opponents=4,rating=bradley-terry": LARGEST,
    "best-of-n": LARGEST,
    "sum-voting,k=3": LARGEST,
    "sum-voting,k=3,order=given": LARGEST,
    "sum-voting,k=4,meta=true": LARGEST,
    "sum-voting,k=4,meta=true,keep=3": LARGEST,
    "knockout of both-orders of single": LARGEST,
    "voting,k=2,stop=none of knockout": LARGEST,
    "both-orders of sum-voting,k=2": LARGEST,
    "best-of-n of sum-voting,k=2": LARGEST,
    "elo of both-orders": 8,
    "repeated,k=3": LARGEST,
    "both-orders of repeated,k=2": LARGEST,
    "sampled,n=3": LARGEST,
    "sampled,n=1 of both-orders": LARGEST,
}
"""Each spec and the most responses that it is tried with."""

MAY_STOP_EARLY = {
    **{f"voting,k={k}": LARGEST for k in range(1, 6)},
    "knockout,k=3": LARGEST,
    "knockout of both-orders of voting,k=3": LARGEST,
    "voting,k=3 of both-orders": LARGEST,
    "voting,k=3 of knockout of single,order=seeded": LARGEST,
    "voting,k=3 of voting,k=2": LARGEST,
    "voting,k=3 of sum-voting,k=2": LARGEST,
    "elo of voting,k=3": 8,
    "elo,k=3,rating=bradley-terry": 8,
    "repeated,k=3 of voting,k=3": LARGEST,
    "sampled,n=4 of knockout,k=3": LARGEST,
}
SAMPLES = {"repeated,k=3": 3, "sampled,n=3": 3, "sampled,n=1": 1, "sampled,n=4": 4}
"""How many samples a spec that begins so takes."""
ALL = NEVER_STOP_EARLY | MAY_STOP_EARLY


@dataclass(frozen=True)
class Decide:
    """A judge whose answers depend on the comparison alone, on nothing before it."""

    key: int
    failing: float = 0.0
    tying: float = 0.0
    graded: bool = False

    def __call__(self, comparison: Comparison) -> Judgment:
        shown = (self.key, repr(comparison.order), comparison.sample, comparison.role)
        key = (*shown, comparison.critique, comparison.example.id)
        if chance.uniform("fails", *key) < self.failing:
            kinds = list(Failure)
            kind = kinds[chance.seed("kind", *key) % len(kinds)]
            return Judgment.failed(kind, f"failed {key}")
        return Judgment(self._scores(comparison, key), None, f"critique {key}")

    def _scores(self, comparison: Comparison, key: tuple) -> tuple[float, ...]:
        count = 1 if comparison.role == "meta" else len(comparison.order)
        if chance.uniform("ties", *key) < self.tying:
            return (0.5,) * count
        if self.graded:
            return tuple(chance.uniform(*key, place) - 0.5 for place in range(count))
        best = chance.seed("best", *key) % count
        return tuple(float(place == best) for place in range(count))


@dataclass(frozen=True)
class Case:
    """One drawn situation."""

    share: float
    decide: Decide
    seed: int
    arrival: int

    def responses(self, largest: int) -> int:
        return 1 + int(self.share * (largest - 1))


SEEDS = st.integers(0, 2**32 - 1)
SHARES = st.sampled_from([0.0, 0.02, 0.3, 0.9, 1.0])
CASES = st.builds(
    Case,
    share=st.floats(0, 1),
    decide=st.builds(Decide, SEEDS, SHARES, SHARES, st.booleans()),
    seed=SEEDS,
    arrival=SEEDS,
)


def build(spec: str) -> Strategy:
    return host.default().build("strategies", spec)


def judged(strategy: Strategy, responses: int, decide: Decide, seed: int) -> Finished:
    """Play an example and return all that the scheduler knows about it."""
    benches = dict.fromkeys(TITLES, Bench(FakeJudge(decide)))
    (finished,) = play_all([example(responses)], strategy, Answers(benches), seed)
    return finished


def fingerprint() -> dict[str, str]:
    """What every strategy makes of one example, as text."""
    decide = Decide(key=7, failing=0.1, tying=0.2)
    return {
        spec: repr(play(build(spec), example(7), decide, seed=3))
        for spec in sorted(ALL)
    }


@pytest.mark.parametrize("spec", ALL)
@given(case=CASES)
@settings(max_examples=20)
def test_the_outcome_is_the_same_in_any_order_of_arrival(spec: str, case: Case) -> None:
    asked = example(case.responses(ALL[spec]))
    engine = FakeEngine(seed=case.arrival)

    arrived = play(build(spec), asked, case.decide, engine=engine, seed=case.seed)

    assert arrived == play(build(spec), asked, case.decide, seed=case.seed)


@pytest.mark.parametrize("rating", ["elo", "bradley-terry"])
def test_a_large_round_robin_is_the_same_in_any_order_of_arrival(rating: str) -> None:
    strategy = build(f"elo,rating={rating}")
    decide = Decide(key=1, failing=0.1, tying=0.1)

    arrived = play(strategy, example(33), decide, engine=FakeEngine(seed=5))

    assert arrived == play(strategy, example(33), decide)


@pytest.mark.parametrize("spec", ALL)
@given(case=CASES)
@settings(max_examples=15)
def test_no_strategy_asks_more_than_its_cost(spec: str, case: Case) -> None:
    responses = case.responses(ALL[spec])

    finished = judged(build(spec), responses, case.decide, case.seed)

    assert len(finished.judged) <= build(spec).cost(responses)


@pytest.mark.parametrize("spec", NEVER_STOP_EARLY)
@pytest.mark.parametrize("responses", [1, 2, 3, 8, 13])
def test_cost_is_exact_when_nothing_stops_early(spec: str, responses: int) -> None:
    finished = judged(build(spec), responses, Decide(key=responses), seed=0)

    assert len(finished.judged) == build(spec).cost(responses)


@pytest.mark.parametrize("spec", ALL)
@given(case=CASES)
@settings(max_examples=15)
def test_every_response_has_a_score_or_the_outcome_failed(
    spec: str, case: Case
) -> None:
    responses = case.responses(ALL[spec])

    outcome = play(build(spec), example(responses), case.decide, seed=case.seed)

    scored = set(outcome.scores)
    assert scored == (set() if outcome.failure else set(range(responses)))


@pytest.mark.parametrize("spec", ALL)
@given(case=CASES)
@settings(max_examples=10)
def test_no_failure_without_a_failed_judgment(spec: str, case: Case) -> None:
    decide = Decide(case.decide.key, 0.0, case.decide.tying, case.decide.graded)

    outcome = play(build(spec), example(case.responses(ALL[spec])), decide)

    assert outcome.failure is None
    assert not outcome.uncertain


@pytest.mark.parametrize("spec", ALL)
@given(case=CASES)
@settings(max_examples=10)
def test_the_order_of_an_outcome_is_that_of_all_its_comparisons(
    spec: str, case: Case
) -> None:
    responses = case.responses(min(9, ALL[spec]))

    finished = judged(build(spec), responses, case.decide, case.seed)

    order = finished.outcome.order
    if spec.startswith("best-of-n"):
        assert order == tuple(range(responses))
    elif order:
        assert {each.order for each, _ in finished.judged} == {order}


@pytest.mark.parametrize("spec", ALL)
def test_only_games_in_both_orders_and_samples_are_parts(spec: str) -> None:
    outcome = play(build(spec), example(3), Decide(key=1))

    games = 2 if spec.startswith("both-orders") else 0
    assert len(outcome.parts) == SAMPLES.get(spec.partition(" of ")[0], games)
    assert len(outcome.games) == games


@pytest.mark.parametrize("spec", ALL)
def test_an_outcome_of_failures_alone_has_a_failure(spec: str) -> None:
    outcome = play(build(spec), example(5), lambda _: Judgment.failed(Failure.REFUSED))

    assert outcome.failure is Failure.REFUSED


@pytest.mark.parametrize("spec", ALL)
def test_the_same_seed_gives_the_same_outcome_twice(spec: str) -> None:
    decide = Decide(key=3, failing=0.1, tying=0.2)

    outcomes = [play(build(spec), example(9), decide, seed=11) for _ in range(2)]

    assert isinstance(outcomes[0], Outcome)
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("hash_seed", ["1", "random"])
def test_a_fresh_process_gives_the_same_outcomes(hash_seed: str) -> None:
    code = f"import runpy; print(runpy.run_path({__file__!r})['fingerprint']())"
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}

    fresh = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert fresh.stdout.strip() == repr(fingerprint())
