"""Conduct: what the judge did, counted by hand."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import Comparison, Example, Failure, Judgment, Message, Outcome, stats
from rrm_harness.conduct import Conduct
from rrm_harness.report import tables
from rrm_harness.schedule import Finished

A, B, TIE = (1.0, 0.0), (0.0, 1.0), (0.5, 0.5)
VERDICTS = st.sampled_from([A, B, TIE])


def pair(first: str = "short", second: str = "much longer", id: str = "x") -> Example:  # noqa: A002
    return Example(id, (Message("user", "q"),), (first, second), (0,))


def judged(
    *verdicts: tuple[float, float] | Failure,
    asked: Example | None = None,
    samples: bool = False,
) -> Finished:
    """Verdicts on a pair, alternately in the order given and reversed."""
    given = Comparison.of(asked or pair())
    finished = Finished(given.example, Outcome())
    for number, verdict in enumerate(verdicts):
        shown = given.reversed() if number % 2 else given
        judgment = (
            Judgment.failed(verdict, f"text {number}")
            if isinstance(verdict, Failure)
            else Judgment(verdict)
        )
        sample = number // 2 if samples else 0
        finished.judged.append((shown.resampled(sample), judgment))
    return finished


def results(*finished: Finished) -> dict[str, object]:
    conduct = Conduct()
    for each in finished:
        conduct.add(each)
    return conduct.results()


@pytest.mark.parametrize(
    ("given", "swapped", "consistent"),
    [
        (A, B, 1.0),
        (B, A, 1.0),
        (TIE, TIE, 1.0),
        (A, A, 0.0),
        (B, B, 0.0),
        (A, TIE, 0.0),
        (TIE, B, 0.0),
    ],
)
def test_a_pair_is_consistent_when_both_orders_name_the_same_response(
    given: tuple[float, float], swapped: tuple[float, float], consistent: float
) -> None:
    found = results(judged(given, swapped))

    assert found["order_consistency"] == consistent


def test_order_consistency_is_the_share_of_pairs() -> None:
    found = results(judged(A, B), judged(A, A), judged(B, A), judged(B, A))

    assert found["order_consistency"] == 0.75


def test_each_sample_is_compared_with_the_same_sample() -> None:
    found = results(judged(A, B, B, A, A, A, samples=True))

    assert found["order_consistency"] == pytest.approx(2 / 3)


def test_a_pair_asked_in_one_order_says_nothing_about_order() -> None:
    found = results(judged(A))

    assert found["order_consistency"] is None
    assert found["first_position_rate"] is None


def test_a_pair_with_a_failed_order_says_nothing_about_order() -> None:
    found = results(judged(A, Failure.UNPARSABLE))

    assert found["order_consistency"] is None


@pytest.mark.parametrize(
    ("given", "swapped", "rate"),
    [(A, A, 1.0), (B, B, 0.0), (A, B, 0.5), (B, A, 0.5), (TIE, A, 0.75)],
)
def test_the_first_position_rate_counts_both_orders_and_ties_half(
    given: tuple[float, float], swapped: tuple[float, float], rate: float
) -> None:
    found = results(judged(given, swapped))

    assert found["first_position_rate"] == rate


@given(st.lists(st.tuples(VERDICTS, VERDICTS), min_size=1))
def test_a_judge_that_is_always_consistent_has_no_favorite_position(
    verdicts: list[tuple[tuple[float, float], tuple[float, float]]],
) -> None:
    pairs = [judged(given, given[::-1]) for given, _ in verdicts]

    found = results(*pairs)

    assert found["order_consistency"] == 1.0
    assert found["first_position_rate"] == 0.5


@pytest.mark.parametrize(
    ("verdict", "rate"), [(A, 0.0), (B, 1.0), (TIE, 0.5), ((0.2, 0.3), 1.0)]
)
def test_the_longer_response_is_counted_when_it_wins(
    verdict: tuple[float, float], rate: float
) -> None:
    found = results(judged(verdict, asked=pair("short", "much longer")))

    assert found["prefer_longer_rate"] == rate


def test_the_longer_response_is_counted_in_the_order_shown() -> None:
    found = results(judged(B, A, asked=pair("short", "much longer")))

    assert found["prefer_longer_rate"] == 1.0


def test_responses_of_equal_length_say_nothing_about_length() -> None:
    found = results(judged(A, asked=pair("same", "size")))

    assert found["prefer_longer_rate"] is None


def test_a_tie_of_any_height_is_a_tie() -> None:
    found = results(judged((0.0, 0.0)), judged((-3.5, -3.5)), judged(A), judged(B))

    assert found["comparison_tie_rate"] == 0.5


def test_more_than_two_responses_are_not_a_pair() -> None:
    asked = Example("x", (), ("a", "bb", "ccc"), (0,))
    finished = Finished(asked, Outcome())
    finished.judged.append((Comparison.of(asked), Judgment((1.0, 2.0, 3.0))))

    found = results(finished)

    assert found["comparison_tie_rate"] is None
    assert found["prefer_longer_rate"] is None


def test_failures_are_counted_by_kind() -> None:
    found = results(
        judged(Failure.UNPARSABLE, A), judged(Failure.REFUSED, Failure.UNPARSABLE)
    )

    assert found["failures"] == {"refused": 1, "unparsable": 2}
    assert found["comparisons"] == 4


def test_the_first_failure_of_a_kind_is_kept_with_its_example() -> None:
    found = results(
        judged(Failure.UNPARSABLE, asked=pair(id="one")),
        judged(Failure.UNPARSABLE, asked=pair(id="two")),
    )

    assert found["first_failures"] == {"unparsable": "one: text 0"}


def test_costs_and_notes_are_added_up() -> None:
    first, second = judged(A), judged(B)
    first.judgments, second.judgments = 2, 1
    first.stored, first.prompt_tokens, second.completion_tokens = 1, 10, 5
    first.outcome = Outcome(notes={"votes_saved": 2})
    second.outcome = Outcome(notes={"votes_saved": 1, "byes": 1})

    found = results(first, second)

    assert found["judgments"] == 3
    assert found["cached"] == 1
    assert found["tokens"] == {"prompt": 10, "completion": 5}
    assert found["votes_saved"] == 3
    assert found["notes"] == {"byes": 1, "votes_saved": 3}


def test_nothing_counted_is_no_share() -> None:
    found = results()

    shares = [name for name in found if name.endswith(("_rate", "_consistency"))]
    assert {found[name] for name in shares} == {None}


def said(
    attributes: dict[str, tuple[float, ...]],
    correct: tuple[int, ...] = (0,),
    responses: int = 2,
    order: tuple[int, ...] = (),
    name: str = "x",
) -> Finished:
    """One judgment with attributes, in the order given unless told."""
    example = Example(name, (), tuple("abcdefgh"[:responses]), correct)
    shown = Comparison.of(example).only(*(order or range(responses)))
    judgment = Judgment((0.0,) * len(shown.order), attributes=attributes)
    return Finished(example, Outcome(), [(shown, judgment)])


def attributes(*finished: Finished) -> dict[str, float]:
    found: Any = results(*finished)["attributes"]
    return {name: each["accuracy"] for name, each in found.items()}


def test_each_attribute_has_the_accuracy_of_choosing_by_it_alone() -> None:
    found = attributes(
        said({"helpful": (0.9, 0.1), "verbose": (1.0, 3.0)}),
        said({"helpful": (0.2, 0.8), "verbose": (1.0, 3.0)}),
        said({"helpful": (0.9, 0.1), "verbose": (2.0, 2.0)}),
    )

    assert found == {"helpful": pytest.approx(2 / 3), "verbose": pytest.approx(0.5 / 3)}


def test_an_attributes_interval_is_wilsons() -> None:
    values = [(0.9, 0.1)] * 7 + [(0.1, 0.9)] * 3
    pairs = [said({"helpful": each}, name=str(n)) for n, each in enumerate(values)]

    found: Any = results(*pairs)["attributes"]

    low, high, _ = stats.wilson(7, 10)
    assert found == {
        "helpful": {
            "n": 10,
            "accuracy": 0.7,
            "accuracy_low": low,
            "accuracy_high": high,
        }
    }


def test_an_attributes_interval_knows_that_examples_share_a_prompt() -> None:
    values = [(0.9, 0.1)] * 7 + [(0.1, 0.9)] * 3
    alone, thrice = (
        [said({"helpful": each}, name=str(n)) for n, each in enumerate(values)] * times
        for times in (1, 3)
    )

    few, many = (results(*pairs)["attributes"]["helpful"] for pairs in (alone, thrice))

    assert (few["n"], many["n"]) == (10, 30)
    assert many["accuracy_low"] < few["accuracy_low"] + 0.01
    assert many["accuracy_high"] > few["accuracy_high"] - 0.01


def test_attributes_are_of_the_responses_and_not_of_the_places() -> None:
    assert attributes(said({"helpful": (0.1, 0.9)}, order=(1, 0))) == {"helpful": 1.0}


def test_the_best_of_several_by_an_attribute_shares_its_ties() -> None:
    assert attributes(said({"helpful": (1.0, 1.0, 1.0, 0.0)}, responses=4)) == {
        "helpful": pytest.approx(1 / 3)
    }


def test_responses_that_are_scored_alone_are_compared_by_attribute() -> None:
    first, second = (
        said({"helpful": (value,)}, order=(place,))
        for place, value in enumerate([0.4, 0.6])
    )
    first.judged += second.judged

    assert attributes(first) == {"helpful": 0.0}


@pytest.mark.parametrize(
    "finished",
    [
        said({"helpful": (0.4,)}, order=(0,)),
        said({"helpful": (float("nan"), 0.4)}),
        said({"helpful": (0.9, 0.4)}, correct=()),
        said({"helpful": (0.9, 0.4)}, correct=(0, 1)),
        said({}),
    ],
)
def test_what_cannot_be_right_or_wrong_by_an_attribute_is_not_counted(
    finished: Finished,
) -> None:
    assert attributes(finished) == {}


def test_attributes_are_shown_as_parts_of_a_run() -> None:
    found = results(said({"helpful": (0.9, 0.1)}))

    shown = list(tables.parts({"sections": {}, "subsets": {}, **found}))

    assert [(each["name"], each["accuracy"]) for each in shown] == [
        ("by attribute helpful", "100.00")
    ]
