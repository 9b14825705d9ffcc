"""Rules: what ties and failures are worth, and how subsets make the headline."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rrm_harness import Example, Failure, Outcome, Rule, Scored, stats
from rrm_harness.metrics import Numbers
from rrm_harness.testing import example

FAILED = Outcome(failure=Failure.UNPARSABLE)
pytest.importorskip("scipy.stats")  # loaded here, not within a test's deadline

CREDITS = st.sampled_from([0.0, 0.5, 1.0, None])


def scored(*scores: float) -> Outcome:
    return Outcome(dict(enumerate(scores)))


def credited(
    credit: float | None,
    subset: str = "all",
    id: str = "x",  # noqa: A002
    cluster: str = "",
) -> Scored:
    failed = credit is None
    low, high = (0.0, 1.0) if failed else (credit, credit)
    failure = Failure.UNPARSABLE if failed else None
    return Scored(id, subset, cluster or id, credit, low, high, failure)


def rows(**subsets: Sequence[float | None]) -> list[Scored]:
    return [
        credited(credit, subset, f"{subset}-{number}")
        for subset, values in subsets.items()
        for number, credit in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("correct", "outcome", "worth"),
    [
        ((0,), scored(1, 0), {"share": 1.0, "half": 1.0, "wrong": 1.0}),
        ((0,), scored(0, 1), {"share": 0.0, "half": 0.0, "wrong": 0.0}),
        ((0,), scored(1, 1), {"share": 0.5, "half": 0.5, "wrong": 0.0}),
        ((0,), scored(3, 3, 3, 1), {"share": 1 / 3, "half": 0.5, "wrong": 0.0}),
        ((0, 1), scored(3, 3, 3, 1), {"share": 2 / 3, "half": 0.5, "wrong": 0.0}),
        ((0, 1), scored(3, 3, 1, 1), {"share": 1.0, "half": 1.0, "wrong": 1.0}),
        ((2, 3), scored(3, 3, 1, 1), {"share": 0.0, "half": 0.0, "wrong": 0.0}),
        ((), scored(1, 0), {"share": 0.0, "half": 0.0, "wrong": 0.0}),
        ((0, 1), scored(-7.5, -8.5), {"share": 1.0, "half": 1.0, "wrong": 1.0}),
    ],
)
@pytest.mark.parametrize("tie", ["share", "half", "wrong"])
def test_a_tie_is_worth_what_the_rule_says(
    correct: tuple[int, ...], outcome: Outcome, worth: dict[str, float], tie: Any
) -> None:
    asked = example(len(outcome.scores), correct)

    assert Rule(tie=tie).credit(asked, outcome) == worth[tie]


@pytest.mark.parametrize(
    ("failure", "responses", "credit"),
    [
        ("wrong", 2, 0.0),
        ("half", 2, 0.5),
        ("half", 8, 0.5),
        ("share", 2, 0.5),
        ("share", 8, 0.125),
        ("exclude", 2, None),
    ],
)
def test_a_failure_is_worth_what_the_rule_says(
    failure: Any, responses: int, credit: float | None
) -> None:
    assert Rule(failure=failure).credit(example(responses), FAILED) == credit


@pytest.mark.parametrize(
    ("tie", "failure"),
    list(product(["share", "half", "wrong"], ["wrong", "half", "share", "exclude"])),
)
def test_a_failure_could_have_been_worth_nothing_or_all(tie: Any, failure: Any) -> None:
    row = Rule(tie=tie, failure=failure).row(example(), FAILED)

    assert (row.low, row.high) == (0.0, 1.0)
    assert row.failure == Failure.UNPARSABLE


def test_an_outcome_without_failure_is_worth_its_credit_alone() -> None:
    row = Rule().row(example(), scored(1, 1))

    assert (row.credit, row.low, row.high, row.tied) == (0.5, 0.5, 0.5, True)


def test_an_outcome_that_a_failure_could_have_changed_has_open_bounds() -> None:
    outcome = Outcome({0: 1.0, 1: 0.0}, uncertain=True)

    row = Rule().row(example(), outcome)

    assert (row.credit, row.low, row.high) == (1.0, 0.0, 1.0)


@pytest.mark.parametrize(("correct", "worth"), [((), 0.0), ((0, 1), 1.0)])
@pytest.mark.parametrize("outcome", [FAILED, Outcome({0: 1.0}, uncertain=True)])
def test_what_no_failure_could_have_changed_has_no_open_bounds(
    correct: tuple[int, ...], worth: float, outcome: Outcome
) -> None:
    row = Rule().row(example(2, correct), outcome)

    assert (row.low, row.high) == (worth, worth)


def test_an_example_is_its_own_cluster_unless_it_says_otherwise() -> None:
    alone = Example("x", (), ("a", "b"), (0,))
    grouped = Example("x", (), ("a", "b"), (0,), cluster="prompt")

    clusters = [Rule().row(each, scored(1, 0)).cluster for each in (alone, grouped)]

    assert clusters == ["x", "prompt"]


@pytest.mark.parametrize(
    ("rule", "headline"),
    [
        (Rule(), (3 * 1.0 + 1 * 0.0 + 2 * 0.5) / 6),
        (Rule(average="subsets"), (1.0 + 0.0 + 0.5) / 3),
        (
            Rule(sections={"s": ["a", "b"], "t": ["c"]}, average="sections"),
            ((3 * 1.0 + 1 * 0.0) / 4 + 0.5) / 2,
        ),
        (
            Rule(
                sections={"s": ["a", "b"], "t": ["c"]},
                weights={"a": 1, "b": 4},
                average="sections",
            ),
            ((1 * 1.0 + 4 * 0.0) / 5 + 0.5) / 2,
        ),
        (
            Rule(sections={"s": ["a"], "absent": ["z"]}, average="sections"),
            1.0,
        ),
    ],
)
def test_the_headline_weighs_subsets_as_the_rule_says(
    rule: Rule, headline: float
) -> None:
    found = rule.numbers(rows(a=[1, 1, 1], b=[0], c=[0, 1]))

    assert found.accuracy == pytest.approx(headline)
    assert rule.accuracy(rows(a=[1, 1, 1], b=[0], c=[0, 1])) == found.accuracy


def test_subsets_have_their_own_accuracy_and_size() -> None:
    found = Rule().numbers(rows(a=[1, 1, 0, 1], b=[0.5]))

    parts = {
        name: (part["n"], part["accuracy"]) for name, part in found.subsets.items()
    }
    assert parts == {"a": (4, 0.75), "b": (1, 0.5)}


def test_sections_have_their_own_accuracy_and_size() -> None:
    rule = Rule(sections={"s": ["a", "b"], "absent": ["z"]})

    found = rule.numbers(rows(a=[1, 1, 0], b=[0]))

    parts = {name: (p["n"], p["accuracy"]) for name, p in found.sections.items()}
    assert parts == {"s": (4, 0.5)}


def test_what_the_rule_excludes_does_not_count() -> None:
    found = Rule(failure="exclude").numbers(rows(a=[1, None, 0, None]))

    assert (found.n, found.accuracy) == (2, 0.5)


def test_what_the_rule_excludes_opens_the_bounds() -> None:
    found = Rule(failure="exclude").numbers(rows(a=[1, None, 0, None]))

    assert found.bounds == (0.25, 0.75)


def test_nothing_that_counts_has_no_accuracy() -> None:
    assert Rule(failure="exclude").accuracy(rows(a=[None, None])) is None


def test_independent_items_that_are_right_or_wrong_have_wilsons_interval() -> None:
    found = Rule().numbers(rows(a=[1, 1, 0], b=[1]))

    assert found.interval.method == "Wilson"


def test_partial_credit_of_independent_items_has_wilsons_interval_too() -> None:
    found = Rule().numbers(rows(a=[1, 0.5, 0.25], b=[0.25]))

    assert found.interval == stats.wilson(2.0, 4)
    assert found.subsets["a"]["accuracy_low"] == stats.wilson(1.75, 3).low


def test_shared_prompts_count_for_less() -> None:
    counted = [
        credited(float(prompt % 2), id=f"{prompt}-{number}", cluster=f"p{prompt}")
        for prompt in range(6)
        for number in range(2)
    ]

    found = Rule().numbers(counted)

    assert found.interval.method == stats.EFFECTIVE
    low, high, _ = stats.wilson(3, 6)
    assert found.interval.low < low < 0.5 < high < found.interval.high


@pytest.mark.parametrize(("credit", "prompts"), [(1.0, 5), (0.0, 5), (0.5, 1)])
def test_a_bootstrap_without_variance_counts_its_prompts_as_wilson_does(
    credit: float, prompts: int
) -> None:
    counted = [
        credited(credit, id=f"{prompt}-{number}", cluster=f"p{prompt}")
        for prompt in range(prompts)
        for number in range(3)
    ]

    found = Rule().numbers(counted)

    expected = stats.wilson(credit * prompts, prompts)
    assert found.interval == expected
    part = found.subsets["all"]
    assert (part["accuracy_low"], part["accuracy_high"]) == expected[:2]


@pytest.mark.parametrize("average", ["subsets", "sections"])
def test_a_mean_of_perfect_subsets_is_not_certain(average: Any) -> None:
    rule = Rule(sections={"s": ["a"], "t": ["b"]}, average=average)

    found = rule.numbers(rows(a=[1, 1, 1], b=[1, 1]))

    assert found.interval == stats.wilson(5, 5)
    assert found.sections["s"]["accuracy_low"] == stats.wilson(3, 3).low


@pytest.mark.parametrize("average", ["subsets", "sections"])
def test_a_mean_of_subsets_is_told_by_its_draws(average: Any) -> None:
    rule = Rule(sections={"s": ["a"], "t": ["b"]}, average=average)

    found = rule.numbers(rows(a=[1, 0, 1], b=[1, 0]))

    assert found.interval.method == stats.EFFECTIVE


SUBSETS = st.dictionaries(
    st.sampled_from("abcd"), st.lists(CREDITS, min_size=1, max_size=6), min_size=1
)
RULES = st.sampled_from(
    [
        Rule(),
        Rule(average="subsets"),
        Rule(
            average="sections",
            sections={"s": ["a", "b"], "t": ["c", "d"]},
            weights={"a": 3, "b": 1},
        ),
    ]
)


def numbers(rule: Rule, subsets: dict[str, list[float | None]]) -> Numbers:
    assume(any(each is not None for values in subsets.values() for each in values))
    return rule.numbers(rows(**subsets))


@given(RULES, SUBSETS)
def test_everything_is_a_share(
    rule: Rule, subsets: dict[str, list[float | None]]
) -> None:
    found = numbers(rule, subsets)

    shares = [found.accuracy, found.interval.low, found.interval.high, *found.bounds]
    for part in [*found.subsets.values(), *found.sections.values()]:
        shares += [part["accuracy"], part["accuracy_low"], part["accuracy_high"]]
    assert all(-1e-9 <= share <= 1 + 1e-9 for share in shares)


@given(RULES, SUBSETS)
def test_low_is_not_above_high(
    rule: Rule, subsets: dict[str, list[float | None]]
) -> None:
    found = numbers(rule, subsets)

    assert found.interval.low <= found.interval.high
    assert found.bounds[0] <= found.bounds[1]
    for part in [*found.subsets.values(), *found.sections.values()]:
        assert part["accuracy_low"] <= part["accuracy_high"]


@given(RULES, SUBSETS)
def test_no_interval_claims_certainty(
    rule: Rule, subsets: dict[str, list[float | None]]
) -> None:
    found = numbers(rule, subsets)

    assert found.interval.low < found.interval.high
    for part in [*found.subsets.values(), *found.sections.values()]:
        assert part["accuracy_low"] < part["accuracy_high"]


@given(SUBSETS)
def test_the_headline_of_independent_items_lies_within_its_interval(
    subsets: dict[str, list[float | None]],
) -> None:
    found = numbers(Rule(), subsets)

    assert found.interval.low <= found.accuracy <= found.interval.high


@given(SUBSETS)
def test_the_headline_lies_within_the_bounds(
    subsets: dict[str, list[float | None]],
) -> None:
    found = numbers(Rule(), subsets)

    low, high = found.bounds
    assert low - 1e-9 <= found.accuracy <= high + 1e-9


@given(RULES, SUBSETS)
def test_without_failures_the_bounds_are_the_headline(
    rule: Rule, subsets: dict[str, list[float | None]]
) -> None:
    complete = {name: [c or 0.0 for c in values] for name, values in subsets.items()}

    found = numbers(rule, complete)

    assert found.bounds == pytest.approx((found.accuracy, found.accuracy))


@given(RULES, SUBSETS, st.randoms(use_true_random=False))
def test_the_order_of_the_examples_does_not_matter(
    rule: Rule, subsets: dict[str, list[float | None]], random: Any
) -> None:
    shuffled = rows(**subsets)
    random.shuffle(shuffled)

    found = numbers(rule, subsets)

    assert rule.numbers(shuffled) == found


@given(RULES, SUBSETS)
def test_the_same_rows_give_the_same_bytes_twice(
    rule: Rule, subsets: dict[str, list[float | None]]
) -> None:
    first = numbers(rule, subsets)

    second = numbers(rule, subsets)

    assert repr(first) == repr(second)


@given(
    st.lists(st.integers(0, 3), min_size=2, max_size=5),
    st.sets(st.integers(0, 4)),
    st.sampled_from(["share", "half", "wrong"]),
    st.randoms(use_true_random=False),
)
def test_the_numbering_of_the_responses_does_not_matter(
    scores: list[int], correct: set[int], tie: Any, random: Any
) -> None:
    right = {index for index in correct if index < len(scores)}
    places = list(range(len(scores)))
    random.shuffle(places)

    straight = Rule(tie=tie).credit(
        example(len(scores), sorted(right)), scored(*scores)
    )
    renumbered = Rule(tie=tie).credit(
        example(len(scores), sorted(places[index] for index in right)),
        Outcome({places[index]: score for index, score in enumerate(scores)}),
    )

    assert straight == renumbered


def test_sharing_a_tie_is_worth_what_chance_would_win() -> None:
    asked = example(4, (1,))
    coin = [
        Rule().credit(asked, scored(*(i == won for i in range(4)))) for won in range(4)
    ]

    shared = Rule(tie="share").credit(asked, scored(1, 1, 1, 1))

    assert shared == sum(credit or 0.0 for credit in coin) / 4


def in_subsets(credits: Sequence[float], subsets: int) -> list[Scored]:  # noqa: A002
    """Every prompt has one example in each subset, all of them worth the same."""
    return [
        credited(credit, str(part), f"{place}:{part}", cluster=str(place))
        for place, credit in enumerate(credits)
        for part in range(subsets)
    ]


@pytest.mark.parametrize("average", ["examples", "subsets"])
def test_an_interval_knows_that_prompts_are_in_several_subsets(average: Any) -> None:
    credits = [1.0] * 30 + [0.0] * 50  # noqa: A001

    whole = Rule(average=average).numbers(in_subsets(credits, 1))
    parts = Rule(average=average).numbers(in_subsets(credits, 9))

    assert parts.accuracy == pytest.approx(whole.accuracy)
    assert parts.interval.low == pytest.approx(whole.interval.low, abs=0.01)
    assert parts.interval.high == pytest.approx(whole.interval.high, abs=0.01)


class Beyond(Rule):
    """A formula whose numbers pass 1, as that of RewardBench 2's Ties does."""

    def subset_value(self, subset: str, rows: Sequence[Scored]) -> float:
        return 1.01

    def is_mean(self, subset: str) -> bool:
        return False


def test_a_number_lies_in_its_interval() -> None:
    found = Beyond().numbers(rows(ties=[1.0, 1.0, 1.0]))

    assert found.interval.low <= found.accuracy <= found.interval.high
    assert found.subsets["ties"]["accuracy_high"] >= found.accuracy


def test_a_few_examples_that_are_all_right_make_no_mean_surer() -> None:
    """Five right of five tell no more than that most are right."""
    found = Rule(average="subsets").numbers(rows(few=[1.0] * 5, many=[0.0, 1.0] * 500))

    alone = stats.wilson(5, 5)
    width = found.interval.high - found.interval.low
    assert width > (alone.high - alone.low) / 2
