"""PandaLM's test set: pairs that three people labeled, ties included."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from rrm_harness import (
    BadRow,
    DataError,
    Dataset,
    Example,
    Message,
    Outcome,
    Register,
    Rule,
    Scored,
    SpecError,
    hookimpl,
)
from rrm_harness.rows import (
    Row,
    choice,
    convert,
    files,
    fingerprint,
    identifier,
    read,
    text,
)

ANNOTATORS = ("annotator1", "annotator2", "annotator3")
LABELS = (0, 1, 2)
CORRECT: Mapping[int, tuple[int, ...]] = {0: (0, 1), 1: (0,), 2: (1,)}
"""The responses that are correct under each label; 0 is a tie."""


@dataclass(frozen=True)
class PandaLM(Dataset):
    """PandaLM's human-labeled test set: 999 pairs, labeled by a majority of three.

    The prompt is the instruction and, after a blank line, the input if there is one.
    With `ties=three-way` the headline is the agreement with the labels 0 (tie), 1 and
    2; a judge says tie by giving both responses its highest score, and one that cannot
    reaches at most 0.895. `ties=drop` leaves out the 105 pairs that people tied; RRM
    does not say which of the two it used. Macro precision, recall and F1 over the
    labels stand beside it, and the annotators' agreement with each other (Cohen's
    kappa). A failure is no label, and wrong.

    Source: data/testset-v1.json of github.com/WeOpenML/PandaLM; the measures are those
    of judgelm/llm_judge/eval_model_judgement.py of github.com/baaivision/JudgeLM.
    """

    path: Path | None = None
    ties: Literal["three-way", "drop"] = "three-way"
    failure: Literal["wrong", "half", "share", "exclude"] = "wrong"

    protocol = "single,order=seeded"

    def __post_init__(self) -> None:
        if self.path is None:
            raise SpecError(
                "pandalm needs path=FILE; the file is data/testset-v1.json of"
                " github.com/WeOpenML/PandaLM"
            )

    @property
    def name(self) -> str:
        return "pandalm" if self.ties == "three-way" else "pandalm:drop"

    @property
    def revision(self) -> str:
        return fingerprint(self._files)

    @property
    def rule(self) -> Rule:
        labels = LABELS if self.ties == "three-way" else LABELS[1:]
        return PandaLMRule("wrong", self.failure, labels=labels)

    @property
    def _files(self) -> list[Path]:
        return files(self.path or Path(), "testset-v1.*")

    def examples(self) -> Iterator[Example | BadRow]:
        for file in self._files:
            for example in convert(read(file), to_examples):
                tied = isinstance(example, Example) and len(example.correct) == 2
                if self.ties == "three-way" or not tied:
                    yield example


def to_examples(row: Row) -> list[Example]:
    """Read one labeled pair.

    Raises:
        DataError: Names the field that is wrong.
    """
    labels = tuple(int(choice(row, field, LABELS)) for field in ANNOTATORS)
    label, votes = Counter(labels).most_common(1)[0]
    if votes == 1:
        raise DataError(
            f"fields {', '.join(ANNOTATORS)} have no majority: {labels}; drop the row"
        )
    prompt = text(row, "instruction")
    if row.get("input"):
        prompt = f"{prompt}\n\n{text(row, 'input')}"
    return [
        Example(
            id=identifier(row, "idx"),
            prompt=(Message("user", prompt),),
            responses=(_response(row, "response1"), _response(row, "response2")),
            correct=CORRECT[label],
            metadata={"label": label, "annotators": labels},
        )
    ]


def _response(row: Row, field: str) -> str:
    """The response; six of the published ones are the JSON value true."""
    return str(row[field]) if row.get(field) is True else text(row, field)


@dataclass(frozen=True)
class PandaLMRule(Rule):
    """Agreement with the label, and the macro means over the labels."""

    labels: Sequence[int] = LABELS

    def credit(self, example: Example, outcome: Outcome) -> float | None:
        if outcome.failure is not None:
            return self.failure_credit(len(example.responses))
        return float(outcome.winners == example.correct)

    def credit_bounds(self, example: Example, outcome: Outcome) -> tuple[float, float]:
        if outcome.failure is not None or outcome.uncertain:
            return 0.0, 1.0  # a label of a tie can be missed too
        return super().credit_bounds(example, outcome)

    def values(self, example: Example, outcome: Outcome) -> Mapping[str, float]:
        annotators = zip(ANNOTATORS, example.metadata["annotators"], strict=True)
        values = {"label": float(example.metadata["label"])}
        values.update((name, float(label)) for name, label in annotators)
        for label, winners in CORRECT.items():
            if outcome.winners == winners:
                values["predicted"] = float(label)
        return values

    def extra(self, rows: Sequence[Scored]) -> dict[str, Any]:
        people = {
            f"{one} and {other}": cohen_kappa(
                [row.values[one] for row in rows], [row.values[other] for row in rows]
            )
            for one, other in combinations(ANNOTATORS, 2)
        }
        labels = Counter(int(row.values["label"]) for row in rows)
        return {
            **macro_means(rows, self.labels),
            "labels": {str(label): labels[label] for label in self.labels},
            **({"annotators_kappa": people} if 0 in self.labels else {}),
        }


def macro_means(rows: Sequence[Scored], labels: Sequence[int]) -> dict[str, float]:
    """Precision, recall and F1 of each label, averaged; nothing divided by 0 is 0."""
    measures = []
    for label in labels:
        said = [row.values.get("predicted") == label for row in rows]
        true = [row.values["label"] == label for row in rows]
        both = sum(map(min, said, true))
        measures.append(
            (
                both / max(sum(said), 1),
                both / max(sum(true), 1),
                2 * both / max(sum(said) + sum(true), 1),
            )
        )
    names = ("macro_precision", "macro_recall", "macro_f1")
    columns = zip(*measures, strict=True)
    return {
        name: sum(column) / len(labels)
        for name, column in zip(names, columns, strict=True)
    }


def cohen_kappa(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Agreement of two annotators beyond chance; None when both use one label only."""
    first, second = Counter(one), Counter(other)
    chance = sum(first[label] * second[label] for label in first) / len(one) ** 2
    if chance == 1:
        return None
    agreed = sum(a == b for a, b in zip(one, other, strict=True)) / len(one)
    return (agreed - chance) / (1 - chance)


@hookimpl
def register_datasets(register: Register) -> None:
    register("pandalm", PandaLM)
