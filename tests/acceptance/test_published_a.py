"""Published figures of RewardBench, PandaLM and PPE from recorded results."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rrm_harness import Dataset, Example, Failure, Outcome, host
from rrm_harness.metrics import Numbers

pytestmark = pytest.mark.acceptance

Recorded = Callable[[str], Path]
SECTIONS = ("Chat", "Chat Hard", "Safety", "Reasoning")
ROWS = {"math-prm": 447}
"""Where RewardBench has other row counts than weights."""
OUTCOMES = {
    "0": Outcome({0: 0.5, 1: 0.5}),
    "1": Outcome({0: 1.0, 1: 0.0}),
    "2": Outcome({0: 0.0, 1: 1.0}),
}


def dataset(name: str, **options: Any) -> Dataset:
    built: Dataset = host.default().lookup("datasets", name).thing(**options)
    return built


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def subset_accuracies(recorded: Mapping[str, Any]) -> dict[str, float]:
    weights = dataset("rewardbench").rule.weights
    return {subset: recorded[subset] for subset in weights}


def row_counts() -> dict[str, int]:
    weights = dataset("rewardbench").rule.weights
    return {subset: ROWS.get(subset, int(count)) for subset, count in weights.items()}


@pytest.mark.parametrize(("size", "published"), [("7b", 82.19), ("32b", 91.21)])
def test_rrm_scores_what_it_published_on_rewardbench(
    recorded_data: Recorded, size: str, published: float
) -> None:
    folder = recorded_data("rrm-official") / "recorded_results"
    recorded = read(folder / f"{size}_RewardBench_result.json")
    rule = dataset("rewardbench").rule

    sections = rule.section_values(subset_accuracies(recorded), row_counts())
    headline = rule.headline(subset_accuracies(recorded), row_counts())

    for section in SECTIONS:
        exact = pytest.approx(recorded["leaderboard"][section], abs=1e-9)
        assert sections[section] == exact
    four = sum(recorded["leaderboard"][section] for section in SECTIONS) / 4
    assert headline == pytest.approx(four, abs=1e-9)
    assert round(100 * headline, 2) == published


@pytest.mark.parametrize(
    ("model", "macro", "micro"),
    [
        ("RM-R1-Qwen2.5-Instruct-32B", 91.37, 92.93),
        ("RM-R1-DeepSeek-Distilled-Qwen-32B", 90.85, 92.46),
    ],
)
def test_rm_r1_has_two_averages_on_rewardbench(
    recorded_data: Recorded, model: str, macro: float, micro: float
) -> None:
    folder = recorded_data("rm-r1-results") / model / "reward_bench" / "score_result"
    recorded = read(folder / "each_small_section_score.json")
    main = read(folder / "main_score.json")
    rule = dataset("rewardbench").rule
    accuracies, counts = subset_accuracies(recorded), row_counts()

    sections = rule.section_values(accuracies, counts)
    headline = rule.headline(accuracies, counts)
    over_examples = replace(rule, average="examples").headline(accuracies, counts)

    assert sections == pytest.approx({each: main[each] for each in SECTIONS}, abs=1e-9)
    assert headline == pytest.approx(main["avg_Result_each_section"], abs=1e-9)
    assert over_examples == pytest.approx(main["absoluate_Result"], abs=1e-9)
    assert (round(100 * headline, 2), round(100 * over_examples, 2)) == (macro, micro)


def pandalm(recorded_data: Recorded, said: Mapping[str, str]) -> Numbers:
    """Score a label for each pair; what is no label is a failure."""
    source = dataset("pandalm", path=recorded_data("pandalm"))
    failed = Outcome(failure=Failure.UNPARSABLE)
    rows = []
    for example in source.examples():
        assert isinstance(example, Example)
        outcome = OUTCOMES.get(said.get(example.id, ""), failed)
        rows.append(source.rule.row(example, outcome))
    return source.rule.numbers(rows)


def test_pandalm_has_its_published_labels(recorded_data: Recorded) -> None:
    found = pandalm(recorded_data, {})

    assert found.n == 999
    assert found.extra["labels"] == {"0": 105, "1": 422, "2": 472}


def test_pandalm_has_its_published_agreement_of_people(recorded_data: Recorded) -> None:
    kappas = pandalm(recorded_data, {}).extra["annotators_kappa"]

    assert {names: round(kappa, 3) for names, kappa in kappas.items()} == {
        "annotator1 and annotator2": 0.852,
        "annotator1 and annotator3": 0.879,
        "annotator2 and annotator3": 0.862,
    }


@pytest.mark.parametrize(
    ("file", "field", "measures"),
    [
        ("gpt-3.5-turbo", "gpt_result", (69.77, 53.65, 53.24, 52.74)),
        ("pandalm-7b", "pandalm_result", (66.77, 57.38, 57.50, 57.43)),
    ],
)
def test_recorded_labels_score_as_recomputed_for_pandalm(
    recorded_data: Recorded, file: str, field: str, measures: tuple[float, ...]
) -> None:
    lines = read(recorded_data("pandalm") / f"{file}-testset-v1.json")
    said = {str(line["idx"]): str(line[field]).replace("Tie", "0") for line in lines}

    found = pandalm(recorded_data, said)

    names = ("macro_precision", "macro_recall", "macro_f1")
    values = (found.accuracy, *(found.extra[name] for name in names))
    assert tuple(round(100 * value, 2) for value in values) == measures


@pytest.mark.parametrize(
    ("subset", "word", "repeated"),
    [("mmlu-pro", "MMLU", 18), ("math", "MATH", 46), ("gpqa", "GPQA", 26)],
)
def test_rrm_pairs_take_the_place_of_the_published_ones(
    recorded_data: Recorded, tmp_path: Path, subset: str, word: str, repeated: int
) -> None:
    pairs = recorded_data("rrm-official") / f"ppe_conflict_pairs_{word}.json"
    listed = read(pairs)
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(row(number, five) for number, five in enumerate(listed)))

    examples = list(dataset("ppe", subset=subset, path=rows, pairs=pairs).examples())

    kept = [each for each in examples if isinstance(each, Example)]
    asked: dict[str, list[tuple[int, int]]] = {}
    for example in kept:
        question = example.id.partition("+")[0]
        asked.setdefault(question, []).append(example.metadata["pair"])
    assert len(examples) == len(kept) == 2560
    assert list(asked.values()) == [[tuple(pair) for pair in five] for five in listed]
    assert sum(len(set(five)) < 5 for five in asked.values()) == repeated


def row(number: int, pairs: list[list[int]]) -> str:
    """A row of PPE whose scores fit the pairs; the real scores are not recorded."""
    scores: list[bool | None] = [None] * 32
    for start in range(32):
        waiting = [(start, True)] if scores[start] is None else []
        while waiting:
            place, score = waiting.pop()
            scores[place] = score
            for pair in (pair for pair in pairs if place in pair):
                other = pair[pair[0] == place]
                if scores[other] is None:
                    waiting.append((other, not score))
    responses = {f"response_{n}": f"answer {n}" for n in range(1, 33)}
    line = {"question_id": number, "prompt": "?", **responses, "scores": scores}
    return json.dumps({**line, "sampled_conflict_pairs": []}) + "\n"


@pytest.mark.parametrize(("size", "mean"), [("7b", 72.07), ("32b", 81.05)])
def test_rrm_scores_what_it_recorded_on_one_round_of_ppe(
    recorded_data: Recorded, size: str, mean: float
) -> None:
    folder = recorded_data("rrm-official") / "recorded_results"
    words = {"mmlu-pro": "MMLU", "math": "MATH", "gpqa": "GPQA"}
    accuracies = {
        subset: read(folder / f"{size}_{word}_result.json")[word]
        for subset, word in words.items()
    }

    headline = dataset("ppe").rule.headline(accuracies, dict.fromkeys(words, 512))

    assert round(100 * headline, 2) == mean
