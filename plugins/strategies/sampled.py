"""Best of n: a policy writes n solutions, a judge chooses among them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from rrm_harness import (
    Comparison,
    Example,
    Judgment,
    Message,
    Outcome,
    Play,
    Register,
    Strategy,
    hookimpl,
)
from rrm_harness.outcomes import first_failure, outcome_of, tally
from rrm_harness.parse import answer
from rrm_harness.recipe import transcript

from .knockout import Knockout
from .voting import refuse_votes


@dataclass(frozen=True)
class Sampled(Strategy):
    """The choice of the best of n solutions, which the policy writes (`--policy`).

    The policy is asked n times which response is right. Its replies, thoughts left out,
    become the responses to the question with its choices, and `inner` finds the best of
    them (`sampled,n=8 of knockout`). A choice scores the share of those best that chose
    it. Replies without a choice are left out and counted in the notes; a lone solution
    is the best without a question to the judge, equal ones are compared all the same.
    The outcome fails when there is no solution or `inner` fails. The policy's samples
    are its parts.
    """

    relative = True

    n: int = 8
    inner: Strategy = field(default_factory=Knockout)

    def __post_init__(self) -> None:
        refuse_votes("sampled", self.n, "n")

    def play(self, comparison: Comparison) -> Play:
        first = comparison.sample * self.n
        asked = [
            replace(comparison, role="policy", sample=first + each)
            for each in range(self.n)
        ]
        judgments: Sequence[Judgment] = yield asked
        samples = tuple(map(outcome_of, asked, judgments))
        solutions = [each for each in judgments if each.failure is None]
        chosen = [each for each in samples if each.failure is None]
        best = yield from self._best(_solved(comparison, solutions, chosen))
        failed = len(samples) - len(chosen)
        return Outcome(
            _shares(comparison, [chosen[index] for index in best.winners]),
            best.failure if chosen else first_failure(samples),
            uncertain=best.uncertain or failed > 0,
            parts=samples,
            notes={**best.notes, "samples_without_answer": failed},
        )

    def _best(self, solved: Comparison) -> Play:
        """Choose among the solutions, if there is a choice."""
        if len(solved.order) < 2:
            return Outcome(dict.fromkeys(solved.order, 1.0))
        return (yield from self.inner.play(solved))

    def cost(self, responses: int) -> int:
        return self.n + (self.inner.cost(self.n) if self.n > 1 else 0)


def _solved(
    comparison: Comparison, solutions: Sequence[Judgment], chosen: Sequence[Outcome]
) -> Comparison:
    """The question with its choices, and the solutions as responses to it."""
    example: Example = replace(
        comparison.example,
        prompt=(Message("user", _question(comparison)),),
        responses=tuple(answer(each.text).strip() for each in solutions),
        correct=tuple(
            place
            for place, each in enumerate(chosen)
            if set(each.winners) <= set(comparison.example.correct)
        ),
    )
    asked = Comparison.of(example, comparison.seed)
    return asked.resampled(comparison.sample)


def _question(comparison: Comparison) -> str:
    """The question, and its choices lettered in the order shown."""
    choices = [
        f"{chr(ord('A') + place)}) {choice}"
        for place, choice in enumerate(comparison.responses)
    ]
    return "\n".join([transcript(comparison.example.prompt), "", *choices])


def _shares(comparison: Comparison, best: Sequence[Outcome]) -> dict[int, float]:
    """Each choice's share of the best solutions; none without any."""
    if not best:
        return {}
    votes = tally(best)
    return {index: float(votes.get(index, 0) / len(best)) for index in comparison.order}


@hookimpl
def register_strategies(register: Register) -> None:
    register("sampled", Sampled)
