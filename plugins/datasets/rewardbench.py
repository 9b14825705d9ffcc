"""RewardBench: preference pairs in 23 subsets and four sections."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rrm_harness import (
    BadRow,
    DataError,
    Dataset,
    Example,
    Register,
    Rule,
    Scored,
    hookimpl,
)
from rrm_harness.rows import (
    Row,
    Source,
    convert,
    identifier,
    messages,
    text,
    told_apart,
)
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
    papers give in its place, is reported beside it. A tie is wrong, for a score must be
    strictly higher; a failure is worth a half. The published runs of judges that give
    verdicts count a tied verdict as a half too: `tie=half`. `path` is a copy of the
    published rows.

    Source: allenai/reward-bench on the hub; rewardbench/constants.py and
    scripts/run_generative.py of the GitHub repository of that name.
    """

    path: Path | None = None
    tie: Literal["share", "half", "wrong"] = "wrong"
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
            tie=self.tie,
            failure=self.failure,
            sections=sections,
            weights=WEIGHTS,
            average="sections",
        )

    @property
    def _source(self) -> Source:
        return Source("allenai/reward-bench", "filtered", path=self.path)

    def examples(self) -> Iterator[Example | BadRow]:
        return convert(self._source.rows(), told_apart(to_examples))


class RewardBenchRule(Rule):
    """The weighted sections, and the other average that goes by the same name."""

    def extra(self, rows: Sequence[Scored]) -> dict[str, Any]:
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


@hookimpl
def register_datasets(register: Register) -> None:
    register("rewardbench", RewardBench)
