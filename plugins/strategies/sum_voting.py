"""Sum the scores of k samples, as DeepSeek-GRM does."""

from dataclasses import dataclass
from typing import Literal

from rrm_harness import (
    Comparison,
    Judgment,
    Outcome,
    Play,
    Register,
    SpecError,
    Strategy,
    hookimpl,
)
from rrm_harness.outcomes import outcome_of, sum_scores

from .voting import refuse_votes


@dataclass(frozen=True)
class SumVoting(Strategy):
    """Scores summed over k samples of all responses at once; the highest sum wins.

    Responses are shown in a new order for every sample (`order=given` keeps them).
    `meta=true` asks the meta judge (`--meta-judge`) to score each sample's text and
    sums only the `keep` best, half of k unless told; equal meta scores keep the
    earlier sample. Failed samples, and samples that the meta judge fails on, are left
    out; the outcome fails when none is left. Equal sums stay tied.

    Source: arXiv 2504.02495, sections 3 and 4 (voting, meta RM guided voting).
    """

    k: int = 8
    order: Literal["seeded", "given"] = "seeded"
    meta: bool = False
    keep: int = 0

    def __post_init__(self) -> None:
        refuse_votes("sum-voting", self.k)
        if not 0 <= self.keep <= self.k:
            raise SpecError(f"sum-voting,keep={self.keep}: keep is 0 to k={self.k}")
        if self.keep and not self.meta:
            raise SpecError(
                "sum-voting,keep=... needs meta=true, which says what to keep"
            )

    def play(self, comparison: Comparison) -> Play:
        first = comparison.sample * self.k
        asked = [comparison.resampled(first + each) for each in range(self.k)]
        if self.order == "seeded":
            asked = [each.shuffled() for each in asked]
        judgments = yield asked
        samples = [
            sample
            for sample in zip(asked, judgments, strict=True)
            if sample[1].failure is None
        ]
        failures = [judgment for judgment in judgments if judgment.failure]
        if self.meta and samples:
            samples, failed = yield from self._filter(samples)
            failures += failed
        notes = {"samples": len(samples)}
        if not samples:
            return Outcome(failure=failures[0].failure, notes=notes)
        scores = sum_scores(outcome_of(*sample) for sample in samples)
        return Outcome(scores, uncertain=bool(failures), notes=notes)

    def _filter(self, samples: list[tuple[Comparison, Judgment]]) -> Play:
        """Keep the samples whose text the meta judge scores highest."""
        from dataclasses import replace

        critiques = yield [
            replace(shown, role="meta", critique=judgment.text)
            for shown, judgment in samples
        ]
        failed = [critique for critique in critiques if critique.failure]
        scored = [
            (critique.scores[0], sample)
            for critique, sample in zip(critiques, samples, strict=True)
            if not critique.failure
        ]
        scored.sort(key=lambda pair: -pair[0])
        keep = self.keep or max(1, self.k // 2)
        return [sample for _, sample in scored[:keep]], failed

    def cost(self, responses: int) -> int:
        return self.k * (2 if self.meta else 1)


@hookimpl
def register_strategies(register: Register) -> None:
    register("sum-voting", SumVoting)
