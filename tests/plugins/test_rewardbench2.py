"""The published rule of RewardBench 2, its Ties formula above all."""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import BadRow, Dataset, Example, Failure, Message, Outcome, host
from rrm_harness.metrics import Numbers
from rrm_harness.stats import RESAMPLES

Pairs = Sequence[tuple[Example, Outcome]]
FAILED = Outcome(failure=Failure.UNPARSABLE)


def row(
    number: object = "12",
    subset: object = "Math",
    right: int = 1,
    wrong: int = 3,
    **changes: object,
) -> dict[str, object]:
    return {
        "id": number,
        "prompt": "Name a color.",
        "chosen": [f"right {n}" for n in range(right)],
        "rejected": [f"wrong {n}" for n in range(wrong)],
        "num_correct": right,
        "num_incorrect": wrong,
        "total_completions": right + wrong,
        "models": ["a-model"],
        "subset": subset,
        "additional_metadata": None,
        **changes,
    }


def rewardbench2(**options: Any) -> Dataset:
    dataset: Dataset = (
        host.default().lookup("datasets", "rewardbench2").thing(**options)
    )
    return dataset


def load(folder: Path, *rows: dict[str, object]) -> list[Any]:
    path = folder / "test.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))
    return list(rewardbench2(path=path).examples())


def scored(*scores: float) -> Outcome:
    return Outcome(dict(enumerate(scores)))


def tie(form: str, prompt: int, right: int, responses: int) -> Example:
    """An example of Ties, as the data set builds it."""
    return Example(
        id=f"Ties/{form}:{prompt}",
        prompt=(Message("user", "Name a color."),),
        responses=tuple(f"response {n}" for n in range(responses)),
        correct=tuple(range(right)),
        subset="Ties",
        cluster=f"Ties/{prompt}",
        metadata={"tied": form == "tied"},
    )


def numbers(pairs: Iterable[tuple[Example, Outcome]], **options: Any) -> Numbers:
    rule = rewardbench2(**options).rule
    return rule.numbers([rule.row(example, outcome) for example, outcome in pairs])


def test_chosen_responses_come_first_and_are_correct(tmp_path: Path) -> None:
    (example,) = load(tmp_path, row(right=2, wrong=1))

    assert example.responses == ("right 0", "right 1", "wrong 0")
    assert example.correct == (0, 1)


def test_the_two_forms_of_a_tie_share_their_cluster(tmp_path: Path) -> None:
    rows = [row("ref:3", "Ties"), row("tied:3", "Ties", right=5)]

    ref, tied = load(tmp_path, *rows)

    assert ref.cluster == tied.cluster
    assert ref.id != tied.id


def test_the_loaded_rows_of_a_tie_score_as_the_formula_says(tmp_path: Path) -> None:
    rows = [row("ref:3", "Ties", wrong=1), row("tied:3", "Ties", right=2, wrong=1)]
    outcomes = [scored(9.0, 1.0), scored(8.0, 7.0, 1.0)]

    found = numbers(zip(load(tmp_path, *rows), outcomes, strict=True))

    assert found.accuracy == pytest.approx(1.0 + 0.01 * 0.9999092)


def test_a_subset_in_other_case_is_known(tmp_path: Path) -> None:
    (example,) = load(tmp_path, row(subset="precise if"))

    assert example.subset == "Precise IF"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"subset": "Maths"}, "subset"),
        ({"subset": "Ties"}, "id"),
        ({"chosen": "right"}, "chosen"),
        ({"rejected": []}, "rejected"),
        ({"num_correct": 2}, "num_correct"),
        ({"prompt": None}, "prompt"),
        ({"id": None}, "id"),
    ],
)
def test_a_bad_row_names_its_field(
    tmp_path: Path, changes: dict[str, Any], field: str
) -> None:
    (bad,) = load(tmp_path, row(**changes))

    assert isinstance(bad, BadRow)
    assert f"'{field}'" in bad.problem


@pytest.mark.parametrize(
    ("scores", "credit"),
    [
        ((4, 3, 2, 1), 1.0),
        ((4, 4, 2, 1), 1 / 2),
        ((4, 4, 4, 1), 1 / 3),
        ((4, 4, 4, 4), 1 / 4),
        ((3, 4, 1, 1), 0.0),
    ],
)
def test_the_right_response_shares_the_highest_score(
    tmp_path: Path, scores: tuple[float, ...], credit: float
) -> None:
    (example,) = load(tmp_path, row())

    assert numbers([(example, scored(*scores))]).accuracy == pytest.approx(credit)


def test_a_failure_is_worth_one_in_four(tmp_path: Path) -> None:
    (example,) = load(tmp_path, row())

    assert numbers([(example, FAILED)]).accuracy == 0.25


def test_the_headline_is_the_plain_mean_of_the_subsets(tmp_path: Path) -> None:
    rows = [row("1"), row("2"), row("3"), row("4", "Focus")]
    examples = load(tmp_path, *rows)
    outcomes = [scored(0, 1, 1, 1)] * 3 + [scored(1, 0, 0, 0)]

    found = numbers(zip(examples, outcomes, strict=True))

    assert found.accuracy == 0.5


def slow_ties(pairs: Pairs) -> float:
    """The published formula, by prompt and with numpy's division."""
    import numpy

    gaps: dict[tuple[str, str], tuple[float, float]] = {}
    accurate: dict[str, list[bool]] = {"ref": [], "tied": []}
    for example, outcome in pairs:
        form, prompt = example.id.removeprefix("Ties/").split(":")
        right = [outcome.scores[n] for n in example.correct]
        wrong = [v for n, v in outcome.scores.items() if n not in example.correct]
        gaps[form, prompt] = (min(right) - max(wrong), max(right) - min(right))
        accurate[form].append(gaps[form, prompt][0] > 0)
    easy, hard, distance = [], [], []
    for form, prompt in gaps:
        if form == "tied" and ("ref", prompt) in gaps:
            margin, spread = map(numpy.float64, gaps[form, prompt])
            least = min(margin, numpy.float64(gaps["ref", prompt][0]))
            easy.append(margin > spread)
            hard.append(least > spread)
            with numpy.errstate(all="ignore"):
                distance.append(numpy.nan_to_num(numpy.tanh(least / spread - 1)))
    weights: list[tuple[float, list[Any]]] = [
        (0.3, accurate["tied"]),
        (0.3, accurate["ref"]),
        (0.2, easy),
        (0.2, hard),
        (0.01, distance),
    ]
    return float(sum(w * sum(terms) / len(terms) for w, terms in weights if terms))


scores = st.integers(-3, 3).map(float)


@st.composite
def tie_rows(draw: Callable[..., Any], some_failed: bool = False) -> Pairs:
    """Rows of Ties: prompts in one or both forms, with some scores equal."""
    pairs = []
    for prompt in range(draw(st.integers(1, 6))):
        forms = draw(st.sampled_from([("ref", "tied"), ("ref",), ("tied",)]))
        for form in forms:
            right = 1 if form == "ref" else draw(st.integers(2, 4))
            responses = right + draw(st.integers(1, 3))
            values = draw(st.lists(scores, min_size=responses, max_size=responses))
            failed = some_failed and draw(st.booleans())
            example = tie(form, prompt, right, responses)
            pairs.append((example, FAILED if failed else scored(*values)))
    return pairs


@given(tie_rows())
def test_ties_agree_with_a_slow_implementation(pairs: Pairs) -> None:
    assert numbers(pairs).subsets["Ties"]["accuracy"] == pytest.approx(slow_ties(pairs))


@given(tie_rows(some_failed=True))
def test_ties_lie_within_their_bounds(pairs: Pairs) -> None:
    found = numbers(pairs)

    low, high = found.bounds

    assert low - 1e-12 <= found.accuracy <= high + 1e-12


@given(tie_rows(some_failed=True), st.randoms())
def test_the_order_of_rows_changes_nothing(pairs: Pairs, random: Any) -> None:
    shuffled = random.sample(pairs, len(pairs))

    assert numbers(shuffled).accuracy == pytest.approx(numbers(pairs).accuracy)


@given(tie_rows(some_failed=True))
def test_bounds_meet_where_nothing_failed(pairs: Pairs) -> None:
    whole = [pair for pair in pairs if pair[1] is not FAILED]
    if whole:
        found = numbers(whole)

        assert found.bounds == pytest.approx((found.accuracy, found.accuracy))


def test_a_failed_tie_contributes_nothing() -> None:
    pairs = [
        (tie("ref", 1, 1, 2), scored(9.0, 0.0)),
        (tie("tied", 1, 2, 3), FAILED),
    ]

    assert numbers(pairs).accuracy == pytest.approx(0.3)


def test_a_failed_reference_costs_what_needs_it() -> None:
    pairs = [
        (tie("ref", 1, 1, 2), FAILED),
        (tie("tied", 1, 2, 3), scored(9.0, 8.0, 0.0)),
    ]

    assert numbers(pairs).accuracy == pytest.approx(0.3 + 0.2)


def test_equal_right_scores_are_as_far_as_can_be() -> None:
    pairs = [
        (tie("ref", 1, 1, 2), scored(2.0, 1.0)),
        (tie("tied", 1, 2, 3), scored(2.0, 2.0, 1.0)),
    ]

    assert numbers(pairs).accuracy == pytest.approx(1.01)


def test_the_option_leaves_failed_ties_out() -> None:
    pairs = [
        (tie("tied", 1, 2, 3), FAILED),
        (tie("tied", 2, 2, 3), scored(9.0, 8.0, 0.0)),
    ]

    found = numbers(pairs, failure="exclude")

    assert found.n == 1
    assert found.accuracy == pytest.approx(0.3)


def test_the_bootstrap_draws_whole_prompts() -> None:
    pairs = [
        (tie(form, prompt, 1 + (form == "tied"), 3), scored(9.0, 8.0 - 8 * odd, 1.0))
        for prompt in range(4)
        for form, odd in (("ref", 0), ("tied", prompt % 2))
    ]
    rule = rewardbench2().rule
    rows = [rule.row(*pair) for pair in pairs]

    draws = rule.subset_draws("Ties", rows)

    assert draws.shape == (RESAMPLES,)
    perfect, poor = (
        rule.subset_value("Ties", [row for row in rows if row.cluster == f"Ties/{n}"])
        for n in (0, 1)
    )
    mixtures = [(n * perfect + (4 - n) * poor) / 4 for n in range(5)]
    assert sorted(set(draws.round(9))) == pytest.approx(sorted(mixtures))


def test_the_interval_holds_the_score_of_ties() -> None:
    pairs = [
        (tie(form, prompt, 1 + (form == "tied"), 3), scored(9.0, prompt % 4, 1.0))
        for prompt in range(20)
        for form in ("ref", "tied")
    ]

    found = numbers(pairs)

    assert found.interval.low < found.accuracy < found.interval.high


def test_the_protocol_asks_for_each_response_alone() -> None:
    strategy = host.default().build("strategies", rewardbench2().protocol)

    assert strategy.cost(4) == 4
