"""Any chat model: what its options mean, and verdicts from token probabilities."""

from math import exp, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import Completion, Failure, Judgment, Recipe, SpecError, host
from rrm_harness.records import Comparison
from rrm_harness.testing import example

ASKED = Comparison.of(example())


def judge(options: str = "") -> Recipe:
    made: Recipe = host.default().build("judges", f"llm{options}")
    return made


def weighed(logprobs: dict[str, float], options: str = "") -> Judgment:
    completion = Completion("A", finish="length", logprobs=logprobs)
    return judge(f",verdict=probabilities{options}").parse(ASKED, [completion])


def test_probabilities_ask_for_one_letter_and_the_likeliest_tokens() -> None:
    (request,) = judge(",verdict=probabilities").render(ASKED)

    assert (request.max_tokens, request.logprobs) == (1, 20)
    assert "one letter and nothing else" in request.messages[0].content
    assert "[[A]]" not in request.messages[0].content


def test_a_verdict_in_text_asks_for_no_probabilities() -> None:
    (request,) = judge().render(ASKED)

    assert (request.max_tokens, request.logprobs) == (2048, 0)


@pytest.mark.parametrize("tie", [True, False])
@pytest.mark.parametrize("verdict", ["text", "probabilities"])
def test_a_tie_is_offered_only_if_asked_for(tie: bool, verdict: str) -> None:
    options = f",verdict={verdict},tie={tie}"
    (request,) = judge(options).render(ASKED)

    assert ("equally good" in request.messages[0].content) == tie


@given(first=st.floats(-30, 0), second=st.floats(-30, 0))
def test_scores_are_the_letters_shares(first: float, second: float) -> None:
    scores = weighed({"A": first, "B": second, "the": -0.5}).scores

    share = exp(first) / (exp(first) + exp(second))
    assert scores == pytest.approx((share, 1 - share))


def test_a_letter_counts_with_spaces_or_without() -> None:
    logprobs = {"A": log(0.2), " A": log(0.2), "\nB": log(0.1), "a": -1.0, "AB": -1.0}

    assert weighed(logprobs).scores == pytest.approx((0.8, 0.2))


def test_half_of_a_tie_goes_to_each() -> None:
    logprobs = {"A": log(0.5), "B": log(0.1), "C": log(0.2)}

    scores = weighed(logprobs, ",tie=true").scores

    assert scores == pytest.approx((0.75, 0.25))


@pytest.mark.parametrize(
    "logprobs",
    [{}, {"A": -0.1}, {"B": -0.1}, {"The": -0.1, "A": -3.0}, {"A": 0.0, "B": -1e9}],
)
def test_a_letter_that_is_missing_is_a_failure(logprobs: dict[str, float]) -> None:
    judgment = weighed(logprobs)

    assert judgment.failure is Failure.INVALID_SCORE
    assert "no probability of" in judgment.text


@pytest.mark.parametrize("place", ["A", " B"])
def test_a_probability_that_is_no_number_is_a_failure(place: str) -> None:
    logprobs = {"A": -1.0, "B": -1.0, place: float("nan")}

    assert weighed(logprobs).failure is Failure.INVALID_SCORE


@pytest.mark.parametrize("text", ["<think>", "<think>\n\nA"])
def test_probabilities_of_a_thoughts_first_token_are_a_failure(text: str) -> None:
    said = Completion(text, finish="length", logprobs={"A": -0.5, "B": -2.0})
    judgment = judge(",verdict=probabilities").parse(ASKED, [said])

    assert judgment.failure is Failure.INVALID_SCORE
    assert "begins with a thought" in judgment.text


@pytest.mark.parametrize("mode", ["arena-hard", "rating"])
@pytest.mark.parametrize("option", ["tie=true", "verdict=probabilities"])
def test_an_option_of_the_pair_is_refused_elsewhere(mode: str, option: str) -> None:
    with pytest.raises(SpecError, match=f"mode={mode} has no option"):
        judge(f",mode={mode},{option}")


def test_a_system_turn_may_be_folded_into_the_users() -> None:
    (plain,) = judge().render(ASKED)
    (folded,) = judge(",no-system=true").render(ASKED)

    (message,) = folded.messages
    system, user = plain.messages
    assert message.role == "user"
    assert message.content == f"{system.content}\n\n{user.content}"
