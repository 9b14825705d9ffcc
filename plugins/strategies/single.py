"""Ask once."""

from dataclasses import dataclass
from typing import Literal

from rrm_harness import Comparison, Outcome, Play, Register, Strategy, hookimpl


@dataclass(frozen=True)
class Single(Strategy):
    """One comparison of all responses, in the order given, reversed, or seeded.

    A tie stays a tie; a failure is the outcome's failure. `seeded` draws the order
    from the seed, the example and the sample, as RRM's published runs draw theirs.
    """

    order: Literal["given", "reversed", "seeded"] = "given"

    def play(self, comparison: Comparison) -> Play:
        shown = comparison
        if self.order == "reversed":
            shown = comparison.reversed()
        elif self.order == "seeded":
            shown = comparison.shuffled()
        (judgment,) = yield [shown]
        if judgment.failure is not None:
            return Outcome(failure=judgment.failure, order=shown.order)
        scores = dict(zip(shown.order, judgment.scores, strict=True))
        return Outcome(scores, order=shown.order)

    def cost(self, responses: int) -> int:
        return 1


@hookimpl
def register_strategies(register: Register) -> None:
    register("single", Single)
