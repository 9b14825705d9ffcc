"""Ask once."""

from dataclasses import dataclass
from typing import Literal

from rrm_harness import Comparison, Play, Register, Strategy, hookimpl
from rrm_harness.outcomes import outcome_of


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
        return outcome_of(shown, judgment)

    def cost(self, responses: int) -> int:
        return 1


@hookimpl
def register_strategies(register: Register) -> None:
    register("single", Single)
