"""Ask k times and take the mean."""

from dataclasses import dataclass, field

from rrm_harness import Comparison, Outcome, Play, Register, Strategy, hookimpl
from rrm_harness.outcomes import (
    any_uncertain,
    common_order,
    first_failure,
    sum_notes,
    tally,
)

from .single import Single
from .voting import refuse_votes


@dataclass(frozen=True)
class Repeated(Strategy):
    """The share of k samples that chose each response: pass@1, where one is right.

    A sample that several responses win is split among them; a failed one gives nobody
    anything. The outcome fails when all samples do. The samples are its parts.
    """

    relative = True

    k: int = 4
    inner: Strategy = field(default_factory=Single)

    def __post_init__(self) -> None:
        refuse_votes("repeated", self.k)

    def play(self, comparison: Comparison) -> Play:
        first = comparison.sample * self.k
        asked = [comparison.resampled(first + each) for each in range(self.k)]
        samples = yield [self.inner.play(each) for each in asked]
        chosen = tally(samples)
        scores = {i: float(chosen.get(i, 0) / self.k) for i in comparison.order}
        failure = first_failure(samples)
        return Outcome(
            scores if chosen else {},
            None if chosen else failure,
            uncertain=any_uncertain(samples) or failure is not None,
            order=common_order(samples),
            parts=tuple(samples),
            notes=sum_notes(samples),
        )

    def cost(self, responses: int) -> int:
        return self.k * self.inner.cost(responses)


@hookimpl
def register_strategies(register: Register) -> None:
    register("repeated", Repeated)
