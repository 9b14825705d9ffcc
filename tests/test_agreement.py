"""Agreement: published examples, the libraries, and names that tell nothing."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from rrm_harness.comparing.agreement import Choices, agreement, alpha, choice

pytest.importorskip("statsmodels.stats.inter_rater")  # not within a test's deadline
LABELS = st.sampled_from(["0", "1", "0+1", None])
NO_LABELS: list[str | None] = [None, None]


def spelled(text: str) -> list[str | None]:
    """A judge's choices, one sign each; a point is a failure."""
    return [None if sign == "." else sign for sign in text.replace(" ", "")]


def counted(table: list[list[int]]) -> tuple[list[str | None], list[str | None]]:
    """Two judges whose choices have this table."""
    first: list[str | None] = []
    second: list[str | None] = []
    for row, counts in enumerate(table):
        for column, count in enumerate(counts):
            first += [str(row)] * count
            second += [str(column)] * count
    return first, second


def line(winners: list[int], name: str = "x", responses: int = 2) -> dict[str, Any]:
    return {
        "id": name,
        "lengths": [1] * responses,
        "winners": winners,
        "failure": None if winners else "unparsable",
    }


def test_kappa_is_the_published_one_of_two_psychiatrists() -> None:
    """Fleiss, Levin and Paik, Statistical Methods for Rates and Proportions, 18.1."""
    table = [[75, 1, 4], [5, 4, 1], [0, 0, 10]]

    found = agreement(*counted(table))

    assert found.n == 100
    assert found.share == pytest.approx(0.89)
    assert found.kappa == pytest.approx(0.676, abs=0.0005)


def test_alpha_is_the_published_one_of_four_observers() -> None:
    """Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), section C."""
    observers = [
        spelled("1 2 3 3 2 1 4 1 2 . . ."),
        spelled("1 2 3 3 2 2 4 1 2 5 . 3"),
        spelled(". 3 3 3 2 3 4 2 2 5 1 ."),
        spelled("1 2 3 3 2 4 4 1 2 5 1 ."),
    ]

    assert alpha(observers) == pytest.approx(0.743, abs=0.0005)


def test_alpha_is_the_published_one_of_two_observers() -> None:
    """The same, section A: binary data, two observers, none missing."""
    observers = [spelled("0 1 0 0 0 0 0 0 1 0"), spelled("1 1 1 0 0 1 0 0 0 0")]

    assert alpha(observers) == pytest.approx(0.095, abs=0.0005)


@given(st.lists(st.tuples(LABELS, LABELS), min_size=2, max_size=60))
def test_kappa_is_the_one_that_another_library_finds(
    pairs: list[tuple[str | None, str | None]],
) -> None:
    both = [(one, other) for one, other in pairs if one and other]
    assume(len({label for pair in both for label in pair}) > 1)

    found = agreement(*(list(each) for each in zip(*pairs, strict=True)))

    theirs = cohen_kappa_score(*zip(*both, strict=True))
    assert found.n == len(both)
    assert found.kappa == pytest.approx(theirs, abs=1e-12)


@given(st.lists(LABELS, min_size=1, max_size=30))
def test_a_judge_agrees_with_itself(choices: Choices) -> None:
    found = agreement(choices, choices)

    assert found.share in (None, 1.0)
    assert found.kappa is None or found.kappa == pytest.approx(1)
    assert (several := alpha([choices, choices])) is None or several == pytest.approx(1)


@pytest.mark.parametrize(
    "judges",
    [
        [["0", "0"], ["0", "0"]],
        [NO_LABELS, NO_LABELS],
        [["0", None], [None, "1"]],
        [["0", "1"], NO_LABELS],
    ],
    ids=["one choice", "nothing", "never both", "one judge"],
)
def test_agreement_beyond_chance_is_none_where_it_is_not_defined(
    judges: list[Choices],
) -> None:
    assert agreement(*judges).kappa is None
    assert alpha(judges) is None


def test_a_failure_is_no_choice() -> None:
    assert choice(line([])) is None


def test_a_tie_is_a_choice_of_its_own() -> None:
    assert choice(line([0, 1])) == "0+1"
    assert choice(line([0])) in ("0", "1")


def test_a_choice_tells_nothing_of_the_number_that_the_data_gives_it() -> None:
    names = [choice(line([0], str(number), responses=4)) for number in range(2000)]

    for name in "0123":
        assert names.count(name) == pytest.approx(500, abs=80)


def test_judges_that_choose_alike_are_named_alike() -> None:
    for number in range(50):
        one, other = (choice(line([won], str(number))) for won in (0, 1))

        assert {one, other} == {"0", "1"}
        assert choice(line([0], str(number))) == one


def test_kappa_is_of_choices_and_not_of_where_the_data_has_the_right_one() -> None:
    """By the data's own numbers, the right one first, this kappa would be 0."""
    wins = [([0], [1 if number % 10 == 0 else 0]) for number in range(1000)]
    first, second = (
        [choice(line(pair[judge], str(number))) for number, pair in enumerate(wins)]
        for judge in (0, 1)
    )

    found = agreement(first, second)

    assert found.share == pytest.approx(0.9)
    assert found.kappa == pytest.approx(0.8, abs=0.01)
