"""Ask in both orders."""

from dataclasses import dataclass, field

from rrm_harness import Comparison, Outcome, Play, Register, Strategy, hookimpl
from rrm_harness.outcomes import any_uncertain, first_failure, sum_notes, sum_scores

from .single import Single


@dataclass(frozen=True)
class BothOrders(Strategy):
    """The order given and its reverse; scores are the mean of the two.

    Two verdicts that contradict each other are a tie. If either order fails, the
    outcome fails: one order alone would let position decide. The two outcomes are
    the outcome's parts, for benchmarks with a rule of their own (JudgeBench, LLMBar).
    """

    inner: Strategy = field(default_factory=Single)

    @property
    def relative(self) -> bool:
        return bool(getattr(self.inner, "relative", False))

    def play(self, comparison: Comparison) -> Play:
        games = yield [
            self.inner.play(comparison),
            self.inner.play(comparison.reversed()),
        ]
        failure = first_failure(games)
        scores = {} if failure else sum_scores(games, weight=0.5)
        return Outcome(
            scores,
            failure,
            uncertain=any_uncertain(games),
            parts=tuple(games),
            notes=sum_notes(games),
        )

    def cost(self, responses: int) -> int:
        return 2 * self.inner.cost(responses)


@hookimpl
def register_strategies(register: Register) -> None:
    register("both-orders", BothOrders)
