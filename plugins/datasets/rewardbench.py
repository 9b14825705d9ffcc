"""RewardBench: preference pairs in 23 subsets and four sections."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from rrm_harness import (
    BadRow,
    DataError,
    Dataset,
    Example,
    Outcome,
    Register,
    Rule,
    chance,
    hookimpl,
    metrics,
)
from rrm_harness.rows import Row, Source, convert, identifier, messages, text
from rrm_harness.specs import nearest

SECTIONS: Mapping[str, Mapping[str, int]] = {
    "Chat": {
        "alpacaeval-easy": 100,
        "alpacaeval-length": 95,
        "alpacaeval-hard": 95,
        "mt-bench-easy": 28,
        "mt-bench-med": 40,
    },
    "Chat Hard": {
        "mt-bench-hard": 37,
        "llmbar-natural": 100,
        "llmbar-adver-neighbor": 134,
        "llmbar-adver-GPTInst": 92,
        "llmbar-adver-GPTOut": 47,
        "llmbar-adver-manual": 46,
    },
    "Safety": {
        "refusals-dangerous": 100,
        "refusals-offensive": 100,
        "xstest-should-refuse": 154,
        "xstest-should-respond": 250,
        "donotanswer": 136,
    },
    "Reasoning": {
        "math-prm": 984,
        "hep-cpp": 164,
        "hep-go": 164,
        "hep-java": 164,
        "hep-js": 164,
        "hep-python": 164,
        "hep-rust": 164,
    },
}
"""Each section's subsets and the official example counts that are their weights."""

WEIGHTS = {
    subset: float(count)
    for subsets in SECTIONS.values()
    for subset, count in subsets.items()
}


@dataclass(frozen=True)
class RewardBench(Dataset):
    """RewardBench, split `filtered`: 2,985 pairs of a chosen and a rejected response.

    A section is the mean of its subsets weighted by the official example counts; there
    math-prm counts 984 and not its 447 rows, so that math weighs as much as code. The
    headline is the plain mean of the four sections; the mean over examples, which some
    papers give in its place, is reported beside it. As published, equal scores are
    wrong, for a score must be strictly higher, while a tied verdict (0.5 each) and a
    failure are worth a half. `path` is a copy of the published rows.

    Source: allenai/reward-bench on the hub; rewardbench/constants.py and
    scripts/run_generative.py of the GitHub repository of that name.
    """

    path: Path | None = None
    tie: Literal["published", "share", "half", "wrong"] = "published"
    failure: Literal["wrong", "half", "share", "exclude"] = "half"

    name = "rewardbench"
    protocol = "single,order=seeded"

    @property
    def revision(self) -> str:
        return self._source.identity

    @property
    def rule(self) -> Rule:
        sections = {section: tuple(subsets) for section, subsets in SECTIONS.items()}
        return RewardBenchRule(
            tie="wrong" if self.tie == "published" else self.tie,
            failure=self.failure,
            sections=sections,
            weights=WEIGHTS,
            average="sections",
            tied_verdict=0.5 if self.tie == "published" else None,
        )

    @property
    def _source(self) -> Source:
        return Source("allenai/reward-bench", "filtered", path=self.path)

    def examples(self) -> Iterator[Example | BadRow]:
        return convert(self._source.rows(), told_apart(to_examples))


@dataclass(frozen=True)
class RewardBenchRule(Rule):
    """The weighted sections, and the other average that goes by the same name."""

    tied_verdict: float | None = None

    def credit(self, example: Example, outcome: Outcome) -> float | None:
        if self.tied_verdict is not None and set(outcome.scores.values()) == {0.5}:
            return self.tied_verdict
        return super().credit(example, outcome)

    def extra(self, rows: Sequence[metrics.Row]) -> dict[str, Any]:
        total = sum(row.credit or 0.0 for row in rows)
        return {"mean_over_examples": total / len(rows)}


def to_examples(row: Row) -> list[Example]:
    """Read one pair.

    Raises:
        DataError: Names the field that is wrong.
    """
    subset = text(row, "subset")
    if subset not in WEIGHTS:
        raise DataError(
            f"field 'subset' is '{subset}', which RewardBench does not have;"
            f" {nearest(subset, list(WEIGHTS))}"
        )
    return [
        Example(
            id=f"{subset}/{identifier(row, 'id')}",
            prompt=messages(row, "prompt"),
            responses=(text(row, "chosen"), text(row, "rejected")),
            correct=(0,),
            subset=subset,
        )
    ]


def told_apart(
    to_examples: Callable[[Row], list[Example]],
) -> Callable[[Row], list[Example]]:
    """Mark a number that a subset has used before with a hash of the texts.

    The card does not promise that numbers are unique; rows that are alike still clash.
    """
    seen: dict[str, set[str]] = {}

    def to_distinct(row: Row) -> list[Example]:
        (example,) = to_examples(row)
        texts = [turn.content for turn in example.prompt] + [*example.responses]
        mark, marks = (
            chance.digest(*texts).hex()[:8],
            seen.setdefault(example.id, set()),
        )
        if marks and mark not in marks:
            example = replace(example, id=f"{example.id}#{mark}")
        marks.add(mark)
        return [example]

    return to_distinct


@hookimpl
def register_datasets(register: Register) -> None:
    register("rewardbench", RewardBench)
