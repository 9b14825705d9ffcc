"""Score each response alone; the highest wins."""

from dataclasses import dataclass, field

from rrm_harness import (
    Comparison,
    Outcome,
    Play,
    Register,
    SpecError,
    Strategy,
    hookimpl,
)
from rrm_harness.outcomes import any_uncertain, first_failure, sum_notes, sum_scores

from .single import Single


@dataclass(frozen=True)
class BestOfN(Strategy):
    """One question a response, for judges that score a response on its own.

    Equal scores stay tied. If one response has no score the outcome fails, for the
    best of a list with a hole in it is not known.
    """

    inner: Strategy = field(default_factory=Single)

    def __post_init__(self) -> None:
        if getattr(self.inner, "relative", False):
            raise SpecError(
                "best-of-n asks about one response at a time, and a vote or a match"
                " needs rivals; nest single, both-orders or sum-voting in it"
            )

    def play(self, comparison: Comparison) -> Play:
        parts = yield [
            self.inner.play(comparison.only(index)) for index in comparison.order
        ]
        failure = first_failure(parts)
        scores = {} if failure else sum_scores(parts)
        return Outcome(
            scores,
            failure,
            uncertain=any_uncertain(parts),
            order=comparison.order,
            notes=sum_notes(parts),
        )

    def cost(self, responses: int) -> int:
        return responses * self.inner.cost(1)


@hookimpl
def register_strategies(register: Register) -> None:
    register("best-of-n", BestOfN)
