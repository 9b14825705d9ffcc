"""Strategies that keep every promise but the one that their name says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations, count

from rrm_harness import Outcome, Strategy, hookimpl


@dataclass(frozen=True)
class RoundRobin(Strategy):
    """All pairs at once; the sum of a response's scores, beside one for a tie."""

    def play(self, comparison):
        scores = dict.fromkeys(comparison.order, 0.0)
        asked = [comparison.only(*pair) for pair in combinations(comparison.order, 2)]
        judgments = (yield asked) if asked else []
        for pair, judgment in zip(asked, judgments, strict=True):
            if judgment.failure:
                return Outcome(failure=judgment.failure)
            for index, score in zip(pair.order, judgment.scores, strict=True):
                scores[index] += score
        return Outcome(scores)

    def cost(self, responses):
        return responses * (responses - 1) // 2


class CostForecast(RoundRobin):
    """It forecasts that every pair is asked in both orders."""

    def cost(self, responses):
        return responses * (responses - 1)


class AnyOrder(RoundRobin):
    """The later a verdict comes in, the more it counts."""

    def play(self, comparison):
        scores = dict.fromkeys(comparison.order, 0.0)
        pairs = [*combinations(comparison.order, 2)]
        came = count(1)

        def match(pair):
            (judgment,) = yield [comparison.only(*pair)]
            weight = next(came)
            if judgment.failure:
                return judgment.failure
            for index, score in zip(pair, judgment.scores, strict=True):
                scores[index] += weight * score
            return None

        failures = (yield [match(pair) for pair in pairs]) if pairs else []
        failure = next((each for each in failures if each), None)
        return Outcome({} if failure else scores, failure)


class HashSeed(RoundRobin):
    """A tie is broken by Python's hash of a text."""

    def play(self, comparison):
        outcome = yield from super().play(comparison)
        scores = {i: s + hash(f"{i}") % 97 for i, s in outcome.scores.items()}
        return replace(outcome, scores=scores)


class Failures(RoundRobin):
    """Every judgment is taken to have scores."""

    def play(self, comparison):
        scores = dict.fromkeys(comparison.order, 0.0)
        asked = [comparison.only(*pair) for pair in combinations(comparison.order, 2)]
        for pair, judgment in zip(asked, (yield asked) if asked else [], strict=True):
            scores[pair.order[0]] += judgment.scores[0]
            scores[pair.order[1]] += judgment.scores[1]
        return Outcome(scores)


class EveryResponse(RoundRobin):
    """It says who won and nothing of the others."""

    def play(self, comparison):
        outcome = yield from super().play(comparison)
        winners = dict.fromkeys(outcome.winners, 1.0)
        return replace(outcome, scores=winners)


class Questions(RoundRobin):
    """Who has nobody to meet meets itself."""

    def play(self, comparison):
        outcome = yield from super().play(comparison)
        if len(comparison.order) % 2 and len(comparison.order) > 1:
            yield [comparison.only(0, 0)]
        return outcome

    def cost(self, responses):
        return super().cost(responses) + (responses % 2 and responses > 1)


class Resume(RoundRobin):
    """It begins by another question in every play."""

    def play(self, comparison):
        if len(comparison.order) > 1:
            yield [comparison.resampled(next(_PLAYS))]
        return (yield from super().play(comparison))

    def cost(self, responses):
        return super().cost(responses) + (responses > 1)


_PLAYS = count(1000)


class OneResponse(RoundRobin):
    """It takes the first two of the responses."""

    def play(self, comparison):
        _first, _second, *_ = comparison.order
        return (yield from super().play(comparison))


class Ties(RoundRobin):
    """Without a winner there is no outcome."""

    def play(self, comparison):
        outcome = yield from super().play(comparison)
        if len(outcome.winners) > 1:
            return Outcome(dict.fromkeys((), 0.0), failure="unparsable")
        return outcome


@hookimpl
def register_strategies(register):
    register("good-round-robin", RoundRobin)
    register("bad-cost-forecast", CostForecast)
    register("bad-any-order", AnyOrder)
    register("bad-hash-seed", HashSeed)
    register("bad-failures", Failures)
    register("bad-every-response", EveryResponse)
    register("bad-questions", Questions)
    register("bad-strategy-resume", Resume)
    register("bad-one-response", OneResponse)
    register("bad-ties", Ties)
