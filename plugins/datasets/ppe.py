"""Preference Proxy Evaluations: verifiable answers and human preference."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from rrm_harness import (
    BadRow,
    DataError,
    Dataset,
    Example,
    Outcome,
    Register,
    Rule,
    Scored,
    SpecError,
    hookimpl,
)
from rrm_harness.rows import (
    Located,
    Source,
    convert,
    files,
    fingerprint,
    read,
)
from rrm_harness.specs import nearest

from .ppe_curves import curve_measures, roc_auc
from .ppe_rows import READERS, with_pairs


class Published(NamedTuple):
    """Where a subset is on the hub, and the words before its question."""

    repository: str
    split: str
    revision: str | None
    before_question: str = ""


SUBSETS: Mapping[str, Published] = {
    "mmlu-pro": Published(
        "lmarena-ai/PPE-MMLU-Pro-Best-of-K",
        "train",
        "d3a309b95d5a3a34efdd2b01a9e3ee10565bf0c7",
        "Question:",
    ),
    "math": Published(
        "lmarena-ai/PPE-MATH-Best-of-K",
        "train",
        "c46ce3cda5417fe8d170e992d925f93856b5db40",
        "<problem>",
    ),
    "gpqa": Published(
        "lmarena-ai/PPE-GPQA-Best-of-K",
        "train",
        "2f85cea6481db81daa2c8033c51b7811b7bbf648",
        "Question",
    ),
    "ifeval": Published(
        "lmarena-ai/PPE-IFEval-Best-of-K",
        "train",
        "a4f7fae2443d96529dee6b65863a816a051b3a4d",
    ),
    "mbpp-plus": Published(
        "lmarena-ai/PPE-MBPP-Plus-Best-of-K",
        "train",
        "afa814632c1df94e76b6af2c1d282511114cd2b7",
    ),
    "human": Published("lmarena-ai/PPE-Human-Preference-V1", "test", None),
}
GROUPS = {
    "correctness3": ("mmlu-pro", "math", "gpqa"),
    "correctness": ("mmlu-pro", "math", "gpqa", "ifeval", "mbpp-plus"),
}


@dataclass(frozen=True)
class Ppe(Dataset):
    """PPE: 512 questions a subset with 32 responses each, right or wrong; human pairs.

    `subset` is one of mmlu-pro, math, gpqa, ifeval, mbpp-plus and human, several joined
    by +, or a group: correctness3 (the first three, RRM's and J1's axis) or correctness
    (the first five). The headline is the mean over subsets.

    `shape=pairs` asks the five pairs of a right and a wrong response that are published
    with each question. Some are published twice; they are asked and count twice, as in
    the published denominators. `pairs` is a file of other pairs, in the form of RRM's
    extracted_conflict_pairs.json (for each row, in their order, a list of [i, j]), or a
    folder with such a file for each subset. A failure is worth a half, as in RRM; a tie
    shares the credit. In human, pairs that people tied are left out, as published.

    `shape=best-of-k` asks for the best of all responses, which must be a right one; a
    failure is wrong. Reported beside it, for each subset: the area under the ROC curve
    of scores normalized by question, and the curve of the best of 1 … K over 100 random
    orders, with its maximum, its end and its distance to a perfect judge's.

    `trim=true` cuts the instructions before the question, as RRM does. `path` is a
    folder of files or folders named after the subsets, or the file of one subset.

    Source: arXiv 2410.14872, lmarena-ai/PPE-* on the hub; for RRM's protocol
    microsoft/LMOps@af6bc85, RRM-evaluation/scripts/run_generative.py.
    """

    subset: str = "correctness3"
    shape: Literal["pairs", "best-of-k"] = "pairs"
    path: Path | None = None
    pairs: Path | None = None
    trim: bool = False
    tie: Literal["share", "half", "wrong"] = "share"
    failure: Literal["wrong", "half", "share", "exclude"] | None = None

    def __post_init__(self) -> None:
        for subset in self.subsets:
            if subset not in SUBSETS:
                known = nearest(subset, [*GROUPS, *SUBSETS])
                raise SpecError(f"ppe has no subset '{subset}'; {known}")
            if self.trim and not SUBSETS[subset].before_question:
                raise SpecError(f"ppe,trim=true has no rule for {subset}; leave it out")
        if "human" in self.subsets and (self.pairs or self.shape != "pairs"):
            raise SpecError(
                "ppe,subset=human has its own pairs; leave out pairs, shape"
            )
        if self.pairs and self.shape != "pairs":
            raise SpecError("ppe,shape=best-of-k asks no pairs; leave out pairs=...")

    @property
    def subsets(self) -> tuple[str, ...]:
        """The subsets asked for, groups resolved."""
        parts = self.subset.split("+")
        return tuple(
            dict.fromkeys(each for part in parts for each in GROUPS.get(part, (part,)))
        )

    @property
    def name(self) -> str:
        return f"ppe:{self.subset}" + (":best-of-k" if self.shape != "pairs" else "")

    @property
    def protocol(self) -> str:
        return "single,order=seeded" if self.shape == "pairs" else "knockout"

    @property
    def revision(self) -> str:
        hub = (
            [] if self.path else [self._source(each).identity for each in self.subsets]
        )
        local = [
            file
            for subset in self.subsets
            for file in self._named(self.path, subset) + self._pairs_files(subset)
        ]
        return "+".join([*hub, fingerprint(local)] if local else hub)

    @property
    def rule(self) -> Rule:
        if self.shape == "pairs":
            return Rule(
                self.tie,
                self.failure or "half",
                average="subsets",
                expected=self.subsets,
            )
        return BestOfKRule(
            self.tie,
            self.failure or "wrong",
            average="subsets",
            expected=self.subsets,
        )

    def examples(self) -> Iterator[Example | BadRow]:
        for subset in self.subsets:
            to_examples = READERS["human" if subset == "human" else self.shape]
            marker = SUBSETS[subset].before_question if self.trim else ""
            yield from convert(self._rows(subset), partial(to_examples, subset, marker))

    def _rows(self, subset: str) -> Iterator[Located]:
        rows = self._source(subset).rows() if self.path is None else self._read(subset)
        for pairs in self._pairs_files(subset):
            rows = with_pairs(rows, pairs)
        return rows

    def _read(self, subset: str) -> Iterator[Located]:
        for file in self._named(self.path, subset):
            yield from read(file)

    def _pairs_files(self, subset: str) -> list[Path]:
        """The file of a subset's pairs, if other than the published ones are asked."""
        found = self._named(self.pairs, subset.partition("-")[0], "*pairs*")
        if len(found) > 1:
            names = ", ".join(file.name for file in found)
            raise DataError(f"{self.pairs}: has several files for {subset}: {names}")
        return found

    def _source(self, subset: str) -> Source:
        published = SUBSETS[subset]
        return Source(published.repository, published.split, published.revision)

    def _named(self, path: Path | None, word: str, pattern: str = "*") -> list[Path]:
        """The files of a folder that a word names, or the file of the only subset."""
        if path is None:
            return []
        found = files(path, pattern)
        if path.is_file():
            if len(self.subsets) > 1:
                raise DataError(
                    f"{path} is one file, for one subset; give a folder, or subset=NAME"
                )
            return found
        named = [
            file for file in found if _letters(word) in _letters(file.relative_to(path))
        ]
        if not named:
            raise DataError(
                f"{path}: holds no file named after {word}; rename the file"
            )
        return named


def _letters(name: object) -> str:
    return re.sub(r"[^a-z0-9]", "", str(name).lower())


class BestOfKRule(Rule):
    """The highest of K must be right; PPE's further measures beside it."""

    def values(self, example: Example, outcome: Outcome) -> Mapping[str, float]:
        values = {
            f"truth_{index}": float(index in example.correct)
            for index in range(len(example.responses))
        }
        if len(outcome.scores) == len(example.responses):
            values.update((f"score_{i}", score) for i, score in outcome.scores.items())
        return values

    def extra(self, rows: Sequence[Scored]) -> dict[str, Any]:
        groups: dict[str, list[Scored]] = defaultdict(list)
        for row in rows:
            groups[row.subset].append(row)
        return {
            "best_of_k": {
                subset: {"roc_auc": roc_auc(group), **curve_measures(group)}
                for subset, group in sorted(groups.items())
            }
        }


@hookimpl
def register_datasets(register: Register) -> None:
    register("ppe", Ppe)
