"""Preference Proxy Evaluations: verifiable answers and human preference."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

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
    stats,
)
from rrm_harness.rows import (
    Located,
    Row,
    Source,
    convert,
    files,
    fingerprint,
    identifier,
    messages,
    read,
    text,
)
from rrm_harness.specs import nearest


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
PAIRS = "sampled_conflict_pairs"
ORDERS = 100


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
            rows = _with_pairs(rows, pairs)
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


def _with_pairs(rows: Iterable[Located], path: Path) -> Iterator[Located]:
    """Put the pairs of a file in the place of the published ones, row by row."""
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({error}); give a list of pairs") from error
    if not isinstance(listed, list):
        raise DataError(f"{path}: must hold a list of lists of pairs, one for each row")
    for number, (where, row) in enumerate(rows):
        if isinstance(row, DataError):
            yield where, row
        elif number < len(listed):
            yield where, {**row, PAIRS: listed[number]}
        else:
            problem = (
                f"{path} has pairs for {len(listed)} rows only; give the whole file"
            )
            yield where, DataError(problem)


def to_pairs(subset: str, marker: str, row: Row) -> list[Example]:
    """Read the pairs of a right and a wrong response of one question.

    Raises:
        DataError: Names the field that is wrong.
    """
    responses, right = _responses(row)
    question, identity = _names(subset, row)
    prompt = _prompt(row, marker)
    return [
        Example(
            id=f"{identity}+{number}",
            prompt=prompt,
            responses=(responses[one], responses[other]),
            correct=(0,) if one in right else (1,),
            subset=subset,
            cluster=question,
            metadata={"pair": (one, other)},
        )
        for number, (one, other) in enumerate(_pairs(row, len(responses), right))
    ]


def to_best_of_k(subset: str, marker: str, row: Row) -> list[Example]:
    """Read all responses to one question.

    Raises:
        DataError: Names the field that is wrong.
    """
    responses, right = _responses(row)
    question, identity = _names(subset, row)
    return [
        Example(
            id=identity,
            prompt=_prompt(row, marker),
            responses=responses,
            correct=right,
            subset=subset,
            cluster=question,
        )
    ]


def to_human_pair(subset: str, marker: str, row: Row) -> list[Example]:
    """Read one pair of human preference, or nothing if it is tied.

    Raises:
        DataError: Names the field that is wrong.
    """
    winner = text(row, "winner")
    if winner.startswith("tie"):
        return []
    correct = {"model_a": (0,), "model_b": (1,)}
    if winner not in correct:
        raise DataError(
            f"field 'winner' must be model_a, model_b or a tie; it is '{winner:.60}'"
        )
    return [
        Example(
            id=f"{subset}/{identifier(row, 'question_id')}",
            prompt=_prompt(row, marker),
            responses=(text(row, "response_1"), text(row, "response_2")),
            correct=correct[winner],
            subset=subset,
        )
    ]


READERS = {"pairs": to_pairs, "best-of-k": to_best_of_k, "human": to_human_pair}


def _names(subset: str, row: Row) -> tuple[str, str]:
    """The question, and the row: a question may be there once for each model."""
    question = f"{subset}/{identifier(row, 'question_id')}"
    model = text(row, "model_name") if row.get("model_name") else ""
    return question, f"{question}/{model}" if model else question


def _prompt(row: Row, marker: str) -> tuple[Message, ...]:
    """The prompt, or what follows the first marker in it."""
    if not marker:
        return messages(row, "prompt")
    _, found, question = text(row, "prompt").partition(marker)
    if not found:
        raise DataError(f"field 'prompt' has no '{marker}' to trim to; leave out trim")
    return (Message("user", question.strip()),)


def _responses(row: Row) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The responses response_1 … response_K, and which of them are right."""
    scores = row.get("scores")
    if not isinstance(scores, Sequence) or isinstance(scores, str) or not scores:
        raise DataError("field 'scores' must list true or false for each response")
    for score in scores:
        if score not in (0, 1):
            raise DataError(
                f"field 'scores' must be true or false; it has {score!r:.60}"
            )
    if f"response_{len(scores) + 1}" in row:
        raise DataError(
            f"field 'scores' has {len(scores)} scores, and there are more responses"
        )
    responses = [text(row, f"response_{n}") for n in range(1, len(scores) + 1)]
    return tuple(responses), tuple(i for i, score in enumerate(scores) if score)


def _pairs(row: Row, count: int, right: Sequence[int]) -> list[tuple[int, int]]:
    listed = row.get(PAIRS)
    if not isinstance(listed, Sequence) or isinstance(listed, str) or not listed:
        raise DataError(
            f"field '{PAIRS}' must list pairs as [0, 1]; it is {listed!r:.60}"
        )
    pairs = []
    for pair in listed:
        if not _is_pair(pair, count):
            raise DataError(
                f"field '{PAIRS}' must hold pairs of response numbers below {count};"
                f" it has {pair!r:.60}"
            )
        if (pair[0] in right) == (pair[1] in right):
            raise DataError(
                f"field '{PAIRS}' has {list(pair)}, which 'scores' says are both"
                f" {'right' if pair[0] in right else 'wrong'}"
            )
        pairs.append((pair[0], pair[1]))
    return pairs


def _is_pair(pair: object, count: int) -> bool:
    return (
        isinstance(pair, Sequence)
        and len(pair) == 2
        and all(type(number) is int and 0 <= number < count for number in pair)
    )


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


def _arrays(row: Scored) -> tuple[Any, Any]:
    """A row's scores, None if some are missing, and truths."""
    import numpy

    count = sum(name.startswith("truth_") for name in row.values)
    truths = numpy.array([row.values[f"truth_{index}"] for index in range(count)])
    if "score_0" not in row.values:
        return None, truths
    return numpy.array([row.values[f"score_{i}"] for i in range(count)]), truths


def roc_auc(rows: Sequence[Scored]) -> float | None:
    """The area under the curve of scores brought to 0–1 in each question.

    A question whose scores are all equal is at 0.5; one without scores is left out.
    None if all responses are right, or none.
    """
    import numpy
    from scipy.stats import rankdata

    scores, truths = [], []
    for own, truth in map(_arrays, rows):
        if own is not None:
            span = own.max() - own.min()
            scores.append((own - own.min()) / span if span else own * 0 + 0.5)
            truths.append(truth)
    right = numpy.concatenate(truths) == 1 if truths else numpy.zeros(0, dtype=bool)
    if right.all() or not right.any():
        return None
    ranks = rankdata(numpy.concatenate(scores))[right]
    pairs = len(ranks) * (len(right) - len(ranks))
    return float((ranks.sum() - len(ranks) * (len(ranks) + 1) / 2) / pairs)


def curve_measures(rows: Sequence[Scored]) -> dict[str, Any]:
    """The mean over questions and orders of the leader's truth after 1 … K responses.

    `max_score` is the mean over orders of the curve's maximum, `end_score` its end and
    `loss` its mean squared distance to the curve of a judge that is always right.
    """
    import numpy

    width = max(sum(name.startswith("truth_") for name in row.values) for row in rows)
    sums = numpy.zeros((2, ORDERS, width))
    for row in rows:
        curves = best_of_k_curves(row)
        missing = width - curves.shape[2]
        sums += numpy.pad(curves, ((0, 0), (0, 0), (0, missing)), mode="edge")
    judged, oracle = sums / len(rows)
    return {
        "curve": judged.mean(axis=0).tolist(),
        "max_score": float(judged.max(axis=1).mean()),
        "end_score": float(judged[:, -1].mean()),
        "loss": float(((judged - oracle) ** 2).mean()),
    }


def best_of_k_curves(row: Scored) -> Any:
    """The truth of the leader after 1 … K responses, the judge's and the oracle's.

    Shape (2, ORDERS, K). The first of equal scores leads. A question without scores is
    worth its credit throughout.
    """
    import numpy

    scores, truths = _arrays(row)
    places = numpy.arange(len(truths))
    generator = stats.generator("best-of-k", row.id)
    orders = generator.permuted(numpy.tile(places, (ORDERS, 1)), axis=1)
    shown = truths[orders]
    oracle = numpy.maximum.accumulate(shown, axis=1)
    if scores is None:
        return numpy.stack([numpy.full(shown.shape, row.credit), oracle])
    highest = numpy.maximum.accumulate(scores[orders], axis=1)
    rises = numpy.zeros(shown.shape, dtype=int)
    rises[:, 1:] = (highest[:, 1:] > highest[:, :-1]) * places[1:]
    leaders = numpy.maximum.accumulate(rises, axis=1)
    return numpy.stack([numpy.take_along_axis(shown, leaders, axis=1), oracle])


@hookimpl
def register_datasets(register: Register) -> None:
    register("ppe", Ppe)
