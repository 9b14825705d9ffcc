"""PPE's pairs and best-of-k questions, on rows in the published schema."""

import itertools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rrm_harness import (
    BadRow,
    DataError,
    Dataset,
    Example,
    Failure,
    Message,
    Outcome,
    Scored,
    SpecError,
    host,
    stats,
)
from rrm_harness.metrics import Numbers

FIRST = Outcome({0: 1.0, 1: 0.0})
SECOND = Outcome({0: 0.0, 1: 1.0})
TIE = Outcome({0: 0.5, 1: 0.5})
FAILED = Outcome(failure=Failure.UNPARSABLE)
SUBSETS = ["mmlu-pro", "math", "gpqa", "ifeval", "mbpp-plus"]


def question(
    number: object = 7,
    scores: Any = (True, False, False, True),
    pairs: Any = ((0, 1), (2, 3), (0, 1)),
    **changed: object,
) -> dict[str, object]:
    responses = {f"response_{n + 1}": f"answer {n}" for n in range(4)}
    return {
        "question_id": number,
        "prompt": "Think first.\nQuestion: what is <problem> two and two? ",
        "model_name": "a-model",
        **responses,
        "scores": scores,
        "sampled_conflict_pairs": pairs,
        **changed,
    }


def preference(winner: object = "model_a", number: int = 1) -> dict[str, object]:
    return {
        "question_id": number,
        "prompt": "Name a color.",
        "response_1": "red",
        "response_2": "blue",
        "model_a": "one",
        "model_b": "other",
        "winner": winner,
    }


def ppe(**options: Any) -> Dataset:
    dataset: Dataset = host.default().lookup("datasets", "ppe").thing(**options)
    return dataset


def write(path: Path, *rows: object) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def load(
    folder: Path, *rows: object, subset: str = "math", **options: Any
) -> list[Any]:
    path = write(folder / "rows.jsonl", *rows)
    return load_all(subset=subset, path=path, **options)


def load_all(**options: Any) -> list[Any]:
    return list(ppe(**options).examples())


def numbers(pairs: Iterable[tuple[Example, Outcome]], **options: Any) -> Numbers:
    rule = ppe(**options).rule
    return rule.numbers([rule.row(example, outcome) for example, outcome in pairs])


def test_each_published_pair_is_an_example(tmp_path: Path) -> None:
    examples = load(tmp_path, question())

    assert [example.responses for example in examples] == [
        ("answer 0", "answer 1"),
        ("answer 2", "answer 3"),
        ("answer 0", "answer 1"),
    ]


def test_scores_say_which_of_a_pair_is_correct(tmp_path: Path) -> None:
    examples = load(tmp_path, question())

    assert [example.correct for example in examples] == [(0,), (1,), (0,)]


def test_a_pair_that_is_published_twice_is_asked_under_two_ids(tmp_path: Path) -> None:
    examples = load(tmp_path, question())

    assert [example.id for example in examples] == [
        "math/7/a-model+0",
        "math/7/a-model+1",
        "math/7/a-model+2",
    ]


@pytest.mark.parametrize("shape", ["pairs", "best-of-k"])
def test_a_question_to_two_models_is_one_cluster_of_two_ids(
    tmp_path: Path, shape: str
) -> None:
    rows = [question(model_name=name, pairs=[[0, 1]]) for name in ("one", "other")]

    one, other = load(tmp_path, *rows, shape=shape)

    assert one.id != other.id
    assert one.cluster == other.cluster != ""


def test_an_id_needs_no_model(tmp_path: Path) -> None:
    (example,) = load(tmp_path, question(model_name=None), shape="best-of-k")

    assert example.id == "math/7"


def test_the_pairs_of_a_question_are_one_cluster(tmp_path: Path) -> None:
    examples = load(tmp_path, question(7), question(8, prompt="Question: three?"))

    clusters = [example.cluster for example in examples]
    assert len({*clusters[:3]}) == len({*clusters[3:]}) == 1
    assert clusters[0] != clusters[3]


def test_a_file_of_pairs_takes_the_place_of_the_published_ones(tmp_path: Path) -> None:
    pairs = tmp_path / "extracted_conflict_pairs.json"
    pairs.write_text(json.dumps([[[3, 2]], [[1, 0]]]))

    examples = load(tmp_path, question(7), question(8), pairs=pairs)

    assert [(each.id, each.responses[0]) for each in examples] == [
        ("math/7/a-model+0", "answer 3"),
        ("math/8/a-model+0", "answer 1"),
    ]


def test_a_folder_of_pairs_has_a_file_for_each_subset(tmp_path: Path) -> None:
    for word, pair in (("MMLU", [0, 1]), ("MATH", [3, 2])):
        path = tmp_path / "pairs" / f"ppe_conflict_pairs_{word}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps([[pair]]))
    for subset in ("mmlu-pro", "math"):
        write(tmp_path / "rows" / f"{subset}.jsonl", question())

    examples = load_all(
        subset="mmlu-pro+math", path=tmp_path / "rows", pairs=tmp_path / "pairs"
    )

    assert [example.metadata["pair"] for example in examples] == [(0, 1), (3, 2)]


def test_a_row_beyond_the_file_of_pairs_is_bad(tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.json"
    pairs.write_text(json.dumps([[[0, 1]]]))

    _, bad = load(tmp_path, question(7), question(8), pairs=pairs)

    assert isinstance(bad, BadRow)
    assert "pairs for 1 rows" in bad.problem


def test_a_broken_line_keeps_its_place_in_the_file_of_pairs(tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.json"
    pairs.write_text(json.dumps([[[0, 1]], [[3, 2]]]))

    _, example = load(tmp_path, "no row", question(8), pairs=pairs)

    assert example.metadata["pair"] == (3, 2)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"response_3": None}, "response_3"),
        ({"response_5": "one too many"}, "scores"),
        ({"scores": [True, False, None, True]}, "scores"),
        ({"scores": [1, 0, 0.5, 1]}, "scores"),
        ({"scores": []}, "scores"),
        ({"scores": "1001"}, "scores"),
        ({"scores": [True, False, False, True, True]}, "response_5"),
        ({"sampled_conflict_pairs": None}, "sampled_conflict_pairs"),
        ({"sampled_conflict_pairs": [[0, 4]]}, "sampled_conflict_pairs"),
        ({"sampled_conflict_pairs": [[0, 1, 2]]}, "sampled_conflict_pairs"),
        ({"sampled_conflict_pairs": [["0", "1"]]}, "sampled_conflict_pairs"),
        ({"sampled_conflict_pairs": ["01"]}, "sampled_conflict_pairs"),
        ({"question_id": None}, "question_id"),
        ({"prompt": 5}, "prompt"),
    ],
)
def test_a_bad_row_names_its_field(
    tmp_path: Path, changed: dict[str, object], field: str
) -> None:
    (bad,) = load(tmp_path, question(**changed))

    assert isinstance(bad, BadRow)
    assert f"'{field}'" in bad.problem


@pytest.mark.parametrize(("pair", "both"), [((0, 3), "right"), ((1, 2), "wrong")])
def test_a_pair_without_conflict_is_a_bad_row(
    tmp_path: Path, pair: tuple[int, int], both: str
) -> None:
    (bad,) = load(tmp_path, question(pairs=[pair]))

    assert isinstance(bad, BadRow)
    assert f"both {both}" in bad.problem


@pytest.mark.parametrize(
    "name",
    ["mmlu-pro.jsonl", "MMLU_Pro.jsonl", "PPE-MMLU-Pro-Best-of-K/train-0.jsonl"],
)
def test_a_folder_is_searched_for_the_name_of_the_subset(
    tmp_path: Path, name: str
) -> None:
    write(tmp_path / name, question())
    write(tmp_path / "math.jsonl", question())

    examples = load_all(subset="mmlu-pro", path=tmp_path)

    assert {example.subset for example in examples} == {"mmlu-pro"}


def test_a_folder_without_the_subset_says_so(tmp_path: Path) -> None:
    write(tmp_path / "math.jsonl", question())

    with pytest.raises(DataError, match="named after gpqa"):
        list(ppe(subset="math+gpqa", path=tmp_path).examples())


def test_one_file_is_not_several_subsets(tmp_path: Path) -> None:
    file = write(tmp_path / "math.jsonl", question())

    with pytest.raises(DataError, match="one subset"):
        list(ppe(path=file).examples())


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("subset=mmlu", "did you mean 'mmlu-pro'"),
        ("subset=math+", "no subset ''"),
        ("subset=human,shape=best-of-k", "human"),
        ("subset=human,pairs=p.json", "human"),
        ("subset=math,shape=best-of-k,pairs=p.json", "asks no pairs"),
        ("subset=ifeval,trim=true", "no rule for ifeval"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: str, problem: str) -> None:
    with pytest.raises(SpecError, match=problem):
        host.default().build("datasets", f"ppe,{options}")


def test_a_group_stands_for_its_subsets(tmp_path: Path) -> None:
    for subset in SUBSETS:
        write(tmp_path / f"{subset}.jsonl", question())

    examples = load_all(subset="correctness", path=tmp_path)

    assert [subset for subset, _ in itertools.groupby(e.subset for e in examples)] == (
        SUBSETS
    )


@pytest.mark.parametrize(
    ("subset", "trimmed"),
    [
        ("mmlu-pro", "what is <problem> two and two?"),
        ("gpqa", ": what is <problem> two and two?"),
        ("math", "two and two?"),
    ],
)
def test_trim_keeps_what_follows_the_marker(
    tmp_path: Path, subset: str, trimmed: str
) -> None:
    example, *_ = load(tmp_path, question(), subset=subset, trim=True)

    assert example.prompt == (Message("user", trimmed),)


def test_trim_without_the_marker_is_a_bad_row(tmp_path: Path) -> None:
    (bad,) = load(tmp_path, question(prompt="Two and two?"), trim=True)

    assert isinstance(bad, BadRow)
    assert "'prompt'" in bad.problem


def test_human_ties_are_left_out(tmp_path: Path) -> None:
    rows = [preference("tie", 1), preference("tie (bothbad)", 2), preference(number=3)]

    examples = load(tmp_path, *rows, subset="human")

    assert [example.id for example in examples] == ["human/3"]


@pytest.mark.parametrize(("winner", "correct"), [("model_a", (0,)), ("model_b", (1,))])
def test_the_winner_is_the_correct_response(
    tmp_path: Path, winner: str, correct: tuple[int]
) -> None:
    (example,) = load(tmp_path, preference(winner), subset="human")

    assert example.correct == correct


@pytest.mark.parametrize("winner", ["model_c", None, 1])
def test_an_unknown_winner_is_a_bad_row(tmp_path: Path, winner: object) -> None:
    (bad,) = load(tmp_path, preference(winner), subset="human")

    assert isinstance(bad, BadRow)
    assert "'winner'" in bad.problem


@pytest.mark.parametrize(
    ("outcome", "credit"), [(FIRST, 1.0), (SECOND, 0.0), (TIE, 0.5), (FAILED, 0.5)]
)
def test_the_worth_of_a_pair(tmp_path: Path, outcome: Outcome, credit: float) -> None:
    example, *_ = load(tmp_path, question())

    assert numbers([(example, outcome)]).accuracy == credit


def test_the_headline_is_the_plain_mean_of_the_subsets(tmp_path: Path) -> None:
    math = load(tmp_path, question(pairs=[[0, 1]] * 3), subset="math")
    gpqa = load(tmp_path, question(pairs=[[0, 1]]), subset="gpqa")

    found = numbers([(each, FIRST) for each in math] + [(gpqa[0], SECOND)])

    assert found.accuracy == 0.5


def test_best_of_k_asks_all_responses_of_a_question(tmp_path: Path) -> None:
    (example,) = load(tmp_path, question(), shape="best-of-k")

    assert example.responses == ("answer 0", "answer 1", "answer 2", "answer 3")
    assert example.correct == (0, 3)


def test_best_of_k_needs_no_pairs(tmp_path: Path) -> None:
    (example,) = load(tmp_path, question(pairs=None), shape="best-of-k")

    assert isinstance(example, Example)


def best_of_k(number: int, truths: Sequence[bool]) -> Example:
    """An example as the data set builds it."""
    return Example(
        id=f"math/{number}",
        prompt=(Message("user", "Two and two?"),),
        responses=tuple(f"answer {n}" for n in range(len(truths))),
        correct=tuple(n for n, truth in enumerate(truths) if truth),
        subset="math",
    )


def measures(pairs: Iterable[tuple[Example, Outcome]]) -> dict[str, Any]:
    extra = numbers(pairs, shape="best-of-k").extra["best_of_k"]["math"]
    assert isinstance(extra, dict)
    return extra


def scored(*scores: float) -> Outcome:
    return Outcome(dict(enumerate(scores)))


def slow_curves(
    row: Scored, truths: Sequence[bool]
) -> list[tuple[list[bool], list[bool]]]:
    """For each order, who leads after each response and whether any was right."""
    import numpy

    places = numpy.tile(numpy.arange(len(truths)), (100, 1))
    orders = stats.generator("best-of-k", row.id).permuted(places, axis=1)
    curves = []
    for order in orders.tolist():
        leads, any_right = [], []
        for seen in range(1, len(order) + 1):
            scores = [row.values[f"score_{place}"] for place in order[:seen]]
            leads.append(truths[order[scores.index(max(scores))]])
            any_right.append(any(truths[place] for place in order[:seen]))
        curves.append((leads, any_right))
    return curves


def slow_auc(rows: Sequence[tuple[Sequence[bool], Sequence[float]]]) -> float | None:
    """The share of right and wrong responses that are in order, ties half."""
    found = []
    for truths, scores in rows:
        low, span = min(scores), max(scores) - min(scores)
        found += [
            (truth, (score - low) / span if span else 0.5)
            for truth, score in zip(truths, scores, strict=True)
        ]
    right = [score for truth, score in found if truth]
    wrong = [score for truth, score in found if not truth]
    if not right or not wrong:
        return None
    wins = sum((a > b) + (a == b) / 2 for a in right for b in wrong)
    return wins / len(right) / len(wrong)


width = st.shared(st.integers(2, 5))
questions = width.flatmap(
    lambda count: st.lists(
        st.tuples(
            st.lists(st.booleans(), min_size=count, max_size=count),
            st.lists(st.integers(0, 3).map(float), min_size=count, max_size=count),
        ),
        min_size=1,
        max_size=4,
    )
)


@settings(max_examples=30)
@given(questions)
def test_the_curve_agrees_with_a_slow_implementation(
    questions: list[tuple[list[bool], list[float]]],
) -> None:
    rule = ppe(shape="best-of-k").rule
    rows = [
        rule.row(best_of_k(number, truths), scored(*scores))
        for number, (truths, scores) in enumerate(questions)
    ]

    found = rule.numbers(rows).extra["best_of_k"]["math"]

    curves = [
        slow_curves(row, truths)
        for row, (truths, _) in zip(rows, questions, strict=True)
    ]
    ends, highest, losses = [], [], []
    for order in zip(*curves, strict=True):
        judged, oracle = (
            [
                sum(question[which][k] for question in order) / len(order)
                for k in range(n)
            ]
            for which, n in ((0, len(order[0][0])), (1, len(order[0][1])))
        )
        ends.append(judged[-1])
        highest.append(max(judged))
        losses += [(a - b) ** 2 for a, b in zip(judged, oracle, strict=True)]
    assert found["end_score"] == pytest.approx(sum(ends) / 100)
    assert found["max_score"] == pytest.approx(sum(highest) / 100)
    assert found["loss"] == pytest.approx(sum(losses) / len(losses))
    assert found["curve"][-1] == pytest.approx(found["end_score"])


@given(questions)
def test_the_area_agrees_with_counting_pairs(
    questions: list[tuple[list[bool], list[float]]],
) -> None:
    found = measures(
        (best_of_k(number, truths), scored(*scores))
        for number, (truths, scores) in enumerate(questions)
    )

    expected = slow_auc(questions)

    assert found["roc_auc"] == (expected and pytest.approx(expected))


def test_the_curve_is_the_mean_over_random_orders() -> None:
    truths, scores = [True, False, False, True], [1.0, 4.0, 2.0, 3.0]
    orders = list(itertools.permutations(range(4)))

    found = measures((best_of_k(n, truths), scored(*scores)) for n in range(20))

    for k in range(1, 5):
        leads = [truths[max(order[:k], key=scores.__getitem__)] for order in orders]
        assert found["curve"][k - 1] == pytest.approx(sum(leads) / 24, abs=0.05)


def test_a_perfect_judge_loses_nothing() -> None:
    found = measures([(best_of_k(1, [True, False, False]), scored(1.0, 0.0, 0.0))])

    assert (found["loss"], found["roc_auc"], found["end_score"]) == (0.0, 1.0, 1.0)


def test_the_curve_ends_at_the_headline_where_no_scores_are_equal() -> None:
    pairs = [
        (best_of_k(1, [True, False, False]), scored(3.0, 2.0, 1.0)),
        (best_of_k(2, [True, False, False]), scored(1.0, 2.0, 3.0)),
    ]

    assert measures(pairs)["end_score"] == 0.5
    assert numbers(pairs, shape="best-of-k").accuracy == 0.5


def test_a_failed_question_is_wrong_along_the_whole_curve() -> None:
    pairs = [
        (best_of_k(1, [True, True]), scored(1.0, 2.0)),
        (best_of_k(2, [True, True]), FAILED),
    ]

    assert measures(pairs)["curve"] == [0.5, 0.5]
    assert numbers(pairs, shape="best-of-k").accuracy == 0.5


def test_the_area_is_unknown_where_nothing_was_judged() -> None:
    assert measures([(best_of_k(1, [True, False]), FAILED)])["roc_auc"] is None


def test_a_shorter_question_keeps_its_end() -> None:
    pairs = [
        (best_of_k(1, [True, True]), scored(1.0, 2.0)),
        (best_of_k(2, [False, False, False]), scored(1.0, 2.0, 3.0)),
    ]

    assert measures(pairs)["curve"] == [0.5, 0.5, 0.5]


@given(questions, st.randoms())
def test_the_order_of_rows_changes_nothing(
    questions: list[tuple[list[bool], list[float]]], random: Any
) -> None:
    pairs = [
        (best_of_k(number, truths), scored(*scores))
        for number, (truths, scores) in enumerate(questions)
    ]

    straight, turned = measures(pairs), measures(random.sample(pairs, len(pairs)))

    assert turned == {name: approximately(value) for name, value in straight.items()}


def approximately(value: Any) -> Any:
    return value if value is None else pytest.approx(value)


@pytest.mark.parametrize(("shape", "cost"), [("pairs", 1), ("best-of-k", 1)])
def test_the_protocol_names_an_installed_strategy(shape: str, cost: int) -> None:
    strategy = host.default().build("strategies", ppe(shape=shape).protocol)

    assert strategy.cost(2) == cost


def test_the_revision_follows_rows_and_pairs(tmp_path: Path) -> None:
    rows = write(tmp_path / "math.jsonl", question())
    pairs = tmp_path / "pairs.json"
    pairs.write_text("[[[0, 1]]]")

    revisions = {
        ppe(subset="math", path=rows).revision,
        ppe(subset="math", path=rows, pairs=pairs).revision,
        ppe(subset="math", path=write(rows, question(8))).revision,
    }

    assert len(revisions) == 3
