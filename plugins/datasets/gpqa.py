"""GPQA: questions of experts with four choices, for a policy to answer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rrm_harness import (
    BadRow,
    Dataset,
    Example,
    Failure,
    Message,
    Outcome,
    Register,
    Rule,
    Scored,
    chance,
    hookimpl,
    rows,
)
from rrm_harness.outcomes import tally

CHOICES = ("Correct Answer", *(f"Incorrect Answer {each}" for each in (1, 2, 3)))
ID, DOMAIN = "Record ID", "High-level domain"
PLAIN = Rule()
"""One sample's worth: 1 for the right choice, 0 for another or none."""


@dataclass(frozen=True)
class ChoiceRule(Rule):
    """How often a question's right choice was chosen.

    An outcome of several samples is worth the right choice's score, which is its share
    of the answers; any other one is right or wrong. Reported beside it, over the
    samples where there are any: `pass@1`, a sample's chance to be right; `maj@k`, the
    majority's, which leaders share; `oracle@k`, whether any is right; and `unfinished`,
    the share that was cut short. A failed sample is wrong.
    """

    def credit(self, example: Example, outcome: Outcome) -> float | None:
        if not outcome.parts or outcome.failure is not None:
            return super().credit(example, outcome)
        share = sum(outcome.scores[place] for place in example.correct)
        return min(1.0, max(0.0, share))

    def credit_bounds(self, example: Example, outcome: Outcome) -> tuple[float, float]:
        """Of a mean over samples, those that failed alone could have been otherwise."""
        given = sum(outcome.scores.values())
        if not outcome.parts or not 0 < given < 1 - 1e-9:  # failed samples give nothing
            return super().credit_bounds(example, outcome)
        each = [PLAIN.row(example, sample) for sample in outcome.parts]
        return _mean([row.low for row in each]), _mean([row.high for row in each])

    def values(self, example: Example, outcome: Outcome) -> Mapping[str, float]:
        samples = outcome.parts
        if not samples:
            return {}
        worth = [PLAIN.credit(example, sample) or 0.0 for sample in samples]
        votes = {index: float(count) for index, count in tally(samples).items()}
        cut = [sample.failure is Failure.TRUNCATED for sample in samples]
        return {
            "pass@1": _mean(worth),
            "maj@k": PLAIN.credit(example, Outcome(votes)) or 0.0,
            "oracle@k": max(worth),
            "unfinished": _mean(cut),
        }

    def extra(self, rows: Sequence[Scored]) -> dict[str, Any]:
        sampled = [row.values for row in rows if row.values]
        names = sampled[0] if sampled else ()
        return {name: _mean([each[name] for each in sampled]) for name in names}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


@dataclass(frozen=True)
class Gpqa(Dataset):
    """GPQA: 198 (diamond), 448 (main) or 546 (extended) questions with four choices.

    A policy answers them: `--judge solver` for its own pass@1, `--policy solver` with
    the strategy `sampled` for the best of n by a judge. The choices stand in an order
    drawn from the question's text, the same in every run. Where the rows name a domain
    it is the subset; the headline is the mean over questions. The set is gated: accept
    its terms and set HF_TOKEN, or give a file of the published columns with `path`.

    Source: arXiv 2311.12022; Idavidrein/gpqa on the hub.
    """

    split: Literal["diamond", "main", "extended"] = "diamond"
    path: Path | None = None

    protocol = "repeated,k=4"

    @property
    def name(self) -> str:
        return f"gpqa:{self.path.name if self.path else self.split}"

    @property
    def revision(self) -> str:
        return self._source.identity

    @property
    def rule(self) -> Rule:
        return ChoiceRule()

    @property
    def _source(self) -> rows.Source:
        return rows.Source(
            "Idavidrein/gpqa",
            "train",
            config=f"gpqa_{self.split}",
            path=self.path,
            gated=True,
        )

    def examples(self) -> Iterator[Example | BadRow]:
        return rows.convert(self._source.rows(), _to_examples)


def _to_examples(row: rows.Row) -> list[Example]:
    question = rows.text(row, "Question", empty=False).strip()
    choices = [rows.text(row, field, empty=False).strip() for field in CHOICES]
    places = chance.permutation(len(choices), "choices of", question)
    named = row.get(ID) not in (None, "")
    return [
        Example(
            id=rows.identifier(row, ID) if named else chance.digest(question).hex(),
            prompt=(Message("user", question),),
            responses=tuple(choices[place] for place in places),
            correct=(places.index(0),),
            subset=rows.text(row, DOMAIN) if row.get(DOMAIN) else "all",
        )
    ]


@hookimpl
def register_datasets(register: Register) -> None:
    register("gpqa", Gpqa)
