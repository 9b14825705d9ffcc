"""Ask k times and take the majority."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from rrm_harness import (
    Comparison,
    Outcome,
    Play,
    Race,
    Register,
    SpecError,
    Strategy,
    hookimpl,
)
from rrm_harness.outcomes import (
    any_uncertain,
    common_order,
    first_failure,
    sum_notes,
    tally,
)

from .single import Single

MOST = 10_000


def refuse_votes(name: str, k: int, option: str = "k") -> None:
    """Refuse a number of votes that nobody means.

    Raises:
        SpecError: It is not from 1 to 10,000.
    """
    if not 1 <= k <= MOST:
        raise SpecError(f"{name},{option}={k}: {option} must be from 1 to {MOST:,}")


@dataclass(frozen=True)
class Voting(Strategy):
    """The majority of k votes: 1 for the winner, shared when the vote is tied.

    A vote goes to the response that it scores highest and is split when several share
    that. A failed vote counts for nobody; the outcome fails when all votes do.
    `stop=exact` asks no vote that cannot matter: it ends when the rest cannot change
    the majority, so the outcome is the one that all k would give. `stop=none` asks all.
    `stop=abort` asks all at once and abandons those that no longer matter: the outcome
    is the same and comes sooner, but which votes it took depends on the engine's pace.
    """

    relative = True

    k: int = 5
    stop: Literal["exact", "none", "abort"] = "exact"
    inner: Strategy = field(default_factory=Single)

    def __post_init__(self) -> None:
        refuse_votes("voting", self.k)

    def play(self, comparison: Comparison) -> Play:
        if self.stop == "abort":
            votes = yield from self._race(comparison)
        else:
            votes = yield from self._ask_in_turn(comparison)
        notes = {**sum_notes(votes), "votes": len(votes)}
        notes["votes_saved"] = notes.get("votes_saved", 0) + self.k - len(votes)
        cast = tally(votes)
        if not cast:
            failure, order = first_failure(votes), common_order(votes)
            return Outcome(failure=failure, order=order, notes=notes)
        best = max(cast.values())
        leaders = [index for index, count in cast.items() if count == best]
        scores = {
            index: 1 / len(leaders) if index in leaders else 0.0
            for index in comparison.order
        }
        return Outcome(
            scores,
            uncertain=any_uncertain(votes) or self._could_turn(votes),
            order=common_order(votes),
            notes=notes,
        )

    def _ask_in_turn(self, comparison: Comparison) -> Play:
        """Ask the fewest votes that could settle it, until it is settled."""
        votes: list[Outcome] = []
        while needed := self._needed(votes, len(comparison.order)):
            samples = range(len(votes), len(votes) + needed)
            votes += yield [self._vote(comparison, each) for each in samples]
        return votes

    def _race(self, comparison: Comparison) -> Play:
        """Ask all votes at once, until those that are in settle it."""

        def decided(votes: Sequence[Outcome | None]) -> bool:
            cast = [vote for vote in votes if vote is not None]
            return not self._needed(cast, len(comparison.order))

        plays = [self._vote(comparison, each) for each in range(self.k)]
        votes = yield Race(plays, decided)
        return [vote for vote in votes if vote is not None]

    def _vote(self, comparison: Comparison, number: int) -> Play:
        sample = comparison.sample * self.k + number
        return self.inner.play(comparison.resampled(sample))

    def _could_turn(self, votes: Sequence[Outcome]) -> bool:
        """Whether failed votes, had they been cast, could have changed the majority."""
        failed = sum(vote.failure is not None for vote in votes)
        first, second, *_ = [*sorted(tally(votes).values(), reverse=True), 0, 0]
        unasked = self.k - len(votes)  # votes for a rival would have had it asked
        return failed > 0 and failed + unasked >= first - second

    def _needed(self, votes: Sequence[Outcome], responses: int) -> int:
        """The fewest further votes after which the majority could be settled."""
        rest = self.k - len(votes)
        if self.stop == "none" or not rest:
            return rest
        first, second, *_ = [*sorted(tally(votes).values(), reverse=True), 0, 0]
        if responses == 1:  # without a rival, one vote that did not fail settles it
            return 0 if first else 1
        lead = first - second
        if lead > rest:
            return 0
        return min(rest, (rest - lead) // 2 + 1)

    def cost(self, responses: int) -> int:
        return self.k * self.inner.cost(responses)


@hookimpl
def register_strategies(register: Register) -> None:
    register("voting", Voting)
