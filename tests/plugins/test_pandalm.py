"""PandaLM's labels, what is agreement with them, and the measures beside it."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import (
    BadRow,
    Dataset,
    Example,
    Failure,
    Message,
    Outcome,
    SpecError,
    host,
)
from rrm_harness.metrics import Numbers

OUTCOMES = {
    1: Outcome({0: 1.0, 1: 0.0}),
    2: Outcome({0: 0.0, 1: 1.0}),
    0: Outcome({0: 0.5, 1: 0.5}),
    None: Outcome(failure=Failure.UNPARSABLE),
}
CORRECT = {0: (0, 1), 1: (0,), 2: (1,)}


def published(*labels: object, **changed: object) -> dict[str, object]:
    labels = labels or (1, 1, 2)
    return {
        "idx": 3,
        "motivation_app": "Grammarly",
        "cmp_key": "bloom-7b_llama-7b",
        "instruction": "Make it shorter.",
        "input": "It is very, very long.",
        "response1": "It is long.",
        "response2": "Long.",
        **{f"annotator{n}": label for n, label in enumerate(labels, 1)},
        **changed,
    }


def pandalm(path: Path, **options: Any) -> Dataset:
    dataset: Dataset = (
        host.default().lookup("datasets", "pandalm").thing(path=path, **options)
    )
    return dataset


def load(folder: Path, *rows: dict[str, object], **options: Any) -> list[Any]:
    path = folder / "testset-v1.json"
    path.write_text(json.dumps(rows))
    return list(pandalm(path, **options).examples())


def labeled(number: int, *annotators: int) -> Example:
    """An example as the data set builds it; the first label is the majority."""
    return Example(
        id=str(number),
        prompt=(Message("user", "Make it shorter."),),
        responses=("It is long.", "Long."),
        correct=CORRECT[annotators[0]],
        metadata={"label": annotators[0], "annotators": annotators},
    )


def numbers(
    labels: Sequence[Sequence[int]], said: Iterable[int | None], **options: Any
) -> Numbers:
    rule = pandalm(Path("unread.json"), **options).rule
    examples = [labeled(number, *each) for number, each in enumerate(labels)]
    pairs = zip(examples, said, strict=True)
    return rule.numbers(
        [rule.row(example, OUTCOMES[label]) for example, label in pairs]
    )


def test_the_prompt_is_the_instruction_and_the_input(tmp_path: Path) -> None:
    (example,) = load(tmp_path, published())

    assert example.prompt == (
        Message("user", "Make it shorter.\n\nIt is very, very long."),
    )


def test_an_empty_input_leaves_the_instruction_alone(tmp_path: Path) -> None:
    (example,) = load(tmp_path, published(input=""))

    assert example.prompt == (Message("user", "Make it shorter."),)


def test_a_response_that_is_published_as_the_value_true_is_its_word(
    tmp_path: Path,
) -> None:
    (example,) = load(tmp_path, published(response2=True))

    assert example.responses == ("It is long.", "True")


@pytest.mark.parametrize(
    ("labels", "correct"),
    [((1, 1, 2), (0,)), ((0, 2, 2), (1,)), ((0, 1, 0), (0, 1)), ((2, 2, 2), (1,))],
)
def test_the_majority_says_what_is_correct(
    tmp_path: Path, labels: tuple[int, ...], correct: tuple[int, ...]
) -> None:
    (example,) = load(tmp_path, published(*labels))

    assert example.correct == correct


def test_three_opinions_are_a_bad_row(tmp_path: Path) -> None:
    (bad,) = load(tmp_path, published(0, 1, 2))

    assert isinstance(bad, BadRow)
    assert "no majority" in bad.problem


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"annotator2": 3}, "annotator2"),
        ({"annotator1": True}, "annotator1"),
        ({"annotator3": None}, "annotator3"),
        ({"response1": None}, "response1"),
        ({"instruction": 5}, "instruction"),
        ({"input": 5}, "input"),
        ({"idx": None}, "idx"),
    ],
)
def test_a_bad_row_names_its_field(
    tmp_path: Path, changed: dict[str, object], field: str
) -> None:
    (bad,) = load(tmp_path, published(**changed))

    assert isinstance(bad, BadRow)
    assert f"'{field}'" in bad.problem


def test_a_folder_with_recorded_replies_is_read_for_the_test_set(
    tmp_path: Path,
) -> None:
    load(tmp_path, published())
    (tmp_path / "pandalm-7b-testset-v1.json").write_text('[{"pandalm_result": 1}]')

    (example,) = pandalm(tmp_path).examples()

    assert isinstance(example, Example)


def test_pairs_of_one_instruction_and_input_are_one_cluster(tmp_path: Path) -> None:
    """The 999 pairs are of 170 prompts."""
    rows = [published(idx=1), published(idx=2, response1="Long!"), published(input="")]

    one, other, another = load(tmp_path, *rows)

    assert one.cluster == other.cluster != another.cluster


def test_without_a_path_the_error_says_where_the_file_is() -> None:
    with pytest.raises(SpecError, match=r"testset-v1\.json of github\.com/WeOpenML"):
        host.default().build("datasets", "pandalm")


@pytest.mark.parametrize("label", [0, 1, 2])
@pytest.mark.parametrize("said", [0, 1, 2, None])
def test_agreement_is_the_same_of_three_labels(label: int, said: int | None) -> None:
    found = numbers([(label,) * 3], [said])

    assert found.accuracy == float(said == label)


def test_drop_leaves_out_what_people_tied(tmp_path: Path) -> None:
    rows = [published(0, 0, 1, idx=1), published(1, 1, 0, idx=2)]

    (example,) = load(tmp_path, *rows, ties="drop")

    assert example.id == "2"


def test_a_judge_without_ties_gets_no_f1_for_them() -> None:
    found = numbers([(0, 0, 0), (1, 1, 1), (2, 2, 2)], [1, 1, 2])

    assert found.extra["macro_recall"] == pytest.approx(2 / 3)
    assert found.extra["macro_precision"] == pytest.approx((0 + 1 / 2 + 1) / 3)
    assert found.extra["macro_f1"] == pytest.approx((0 + 2 / 3 + 1) / 3)


def test_dropped_ties_are_no_label_of_the_macro_means() -> None:
    found = numbers([(1, 1, 1), (2, 2, 2)], [1, 2], ties="drop")

    assert found.extra["macro_f1"] == 1.0


def test_labels_are_counted() -> None:
    found = numbers([(0, 0, 1), (2, 2, 2), (2, 2, 1)], [0, 2, 2])

    assert found.extra["labels"] == {"0": 1, "1": 0, "2": 2}


def test_a_failure_lowers_recall_and_not_precision() -> None:
    found = numbers([(0, 0, 0), (1, 1, 1), (1, 1, 1), (2, 2, 2)], [0, 1, None, 2])

    assert found.extra["macro_precision"] == 1.0
    assert found.extra["macro_recall"] == pytest.approx((1 + 1 / 2 + 1) / 3)


def slow_macro(true: Sequence[int], said: Sequence[int | None]) -> tuple[float, ...]:
    """Precision, recall and F1 from a table of counts."""
    from fractions import Fraction

    sums = [Fraction(0)] * 3
    for label in (0, 1, 2):
        hits = sum(t == s == label for t, s in zip(true, said, strict=True))
        precision = Fraction(hits, list(said).count(label)) if label in said else 0
        recall = Fraction(hits, list(true).count(label)) if label in true else 0
        f1 = 2 * precision * recall / (precision + recall) if hits else 0
        for place, measure in enumerate((precision, recall, f1)):
            sums[place] += Fraction(measure)
    return tuple(float(each / 3) for each in sums)


rows = st.lists(
    st.tuples(st.sampled_from([0, 1, 2]), st.sampled_from([0, 1, 2, None])),
    min_size=1,
    max_size=12,
)


@given(rows)
def test_macro_means_agree_with_a_slow_implementation(
    rows: list[tuple[int, int | None]],
) -> None:
    true, said = zip(*rows, strict=True)

    extra = numbers([(label,) * 3 for label in true], said).extra

    assert (
        extra["macro_precision"],
        extra["macro_recall"],
        extra["macro_f1"],
    ) == pytest.approx(slow_macro(true, said))


@given(rows, st.randoms())
def test_the_order_of_rows_changes_nothing(
    rows: list[tuple[int, int | None]], random: Any
) -> None:
    shuffled = random.sample(rows, len(rows))

    straight, turned = (
        numbers([(label,) * 3 for label, _ in each], [said for _, said in each])
        for each in (rows, shuffled)
    )

    assert turned.accuracy == straight.accuracy
    assert turned.extra["macro_f1"] == pytest.approx(straight.extra["macro_f1"])


def test_kappa_is_agreement_beyond_chance() -> None:
    # 7 of 10 agree; by chance 0.5 · 0.6 + 0.5 · 0.4 would
    labels = [(1, 1, 1)] * 4 + [(1, 2, 1)] + [(2, 2, 2)] * 3 + [(2, 1, 2)] * 2

    kappas = numbers(labels, [1] * 10).extra["annotators_kappa"]

    assert kappas["annotator1 and annotator2"] == pytest.approx((0.7 - 0.5) / 0.5)
    assert kappas["annotator1 and annotator3"] == 1.0


def test_kappa_is_unknown_where_all_say_one_label() -> None:
    kappas = numbers([(1, 1, 1)] * 3, [1] * 3).extra["annotators_kappa"]

    assert set(kappas.values()) == {None}


def test_dropped_ties_leave_no_sample_to_compare_people_on() -> None:
    found = numbers([(1, 1, 1), (2, 2, 1)], [1, 2], ties="drop")

    assert "annotators_kappa" not in found.extra


def test_the_protocol_names_an_installed_strategy() -> None:
    strategy = host.default().build("strategies", pandalm(Path("unread.json")).protocol)

    assert strategy.cost(2) == 1


@pytest.mark.parametrize("label", ["0", "1", "2"])
@pytest.mark.parametrize(
    "outcome",
    [Outcome(failure=Failure.UNPARSABLE), Outcome({0: 1.0, 1: 0.0}, uncertain=True)],
)
def test_what_failed_could_be_worth_nothing_or_all(
    label: str, outcome: Outcome, tmp_path: Path
) -> None:
    told = dict.fromkeys(("annotator1", "annotator2", "annotator3"), label)
    (example,) = load(tmp_path, published(**told))

    rule = pandalm(Path("unread.json")).rule
    assert rule.credit_bounds(example, outcome) == (0.0, 1.0)
