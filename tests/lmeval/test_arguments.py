"""`--model_args` of `--model rrm`: each argument goes to whom it belongs."""

from __future__ import annotations

from typing import Any

import pytest

from rrm_harness import SpecError
from rrm_harness.lmeval.arguments import Arguments
from rrm_harness.lmeval.setting import rejoined, unwrapped, with_option


def read(**given: Any) -> Arguments:
    return Arguments.read(given)


def test_an_option_belongs_to_the_plugin_that_has_it() -> None:
    found = read(
        judge="rrm",
        size="32b",
        strategy="voting",
        k=16,
        engine="vllm",
        tensor_parallel=2,
    )

    assert found.judge == "rrm,size=32b"
    assert found.strategy == "voting,k=16"
    assert found.engine == "vllm,tensor-parallel=2"


def test_an_option_in_brackets_stays_where_it_is() -> None:
    found = read(judge="[rrm,size=32b]", strategy="[knockout of both-orders]")

    assert (found.judge, found.strategy) == ("rrm,size=32b", "knockout of both-orders")


def test_an_option_goes_to_the_outermost_strategy() -> None:
    found = read(judge="first", strategy="knockout of both-orders", k=3)

    assert found.strategy == "knockout,k=3 of both-orders"


@pytest.mark.parametrize("name", ["model", "pretrained"])
def test_the_model_is_the_judge_s(name: str) -> None:
    assert read(judge="rrm", **{name: "here"}).judge_spec == "rrm,model=here"


def test_a_model_that_the_judge_names_itself_stays() -> None:
    assert read(judge="[rrm,model=a]", model="b").judge_spec == "rrm,model=a"


def test_a_policy_s_model_is_enough_to_name_a_policy() -> None:
    assert read(judge="first", policy_model="p").policy_spec == "solver,model=p"


def test_with_a_backend_what_is_left_is_the_backend_s() -> None:
    found = read(
        judge="rrm", backend="hf", pretrained="here", dtype="float32", path="x"
    )

    assert found.backend_options == {"pretrained": "here", "dtype": "float32"}


def test_with_a_backend_the_judge_s_and_the_strategy_s_options_stay_theirs() -> None:
    found = read(
        judge="rrm", max_tokens=9, strategy="voting", k=3, backend="hf", revision="main"
    )

    assert (found.judge, found.strategy) == ("rrm,max-tokens=9", "voting,k=3")
    assert found.backend_options == {"revision": "main"}


def test_a_backend_behind_a_server_is_told_its_model() -> None:
    found = read(judge="rrm", backend="local-chat-completions", model="m", base_url="u")

    assert found.backend_options == {"model": "m", "base_url": "u"}


def test_what_lm_eval_always_passes_is_nobody_s() -> None:
    found = read(judge="first", batch_size="4", max_batch_size=None, device="cuda:0")

    assert found == read(judge="first")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "needs a judge"),
        ({"judge": "first", "strateg": "elo"}, "did you mean 'strategy'"),
        ({"judge": "first", "seed": "x"}, "a whole number"),
        ({"judge": "recorded", "path": "x"}, "in brackets: judge="),
        ({"judge": "rrm", "backend": "hf", "engine": "vllm"}, "leave one out"),
        (
            {"judge": "rrm", "engine": "transformers", "strategy": "elo", "rating": 1,
             "temprature": 1},
            "no argument 'temprature'",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_told(given: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        Arguments.read(given)


def test_a_spec_that_was_split_inside_its_brackets_is_whole_again() -> None:
    """As lm-eval 0.4.12 splits `judge=[recorded,path=x,parser=rrm],k=3`."""
    given = {"judge": "[recorded", "path": "x", "parser": "rrm]", "k": 3}

    assert rejoined(given) == {"judge": "[recorded,path=x,parser=rrm]", "k": 3}


@pytest.mark.parametrize("text", ["[a,b=1]", "(a,b=1)", "a,b=1", " a,b=1 "])
def test_brackets_around_a_spec_are_lm_eval_s(text: str) -> None:
    assert unwrapped(text) == "a,b=1"


def test_an_option_that_is_there_is_replaced() -> None:
    assert with_option("repeated,k=4 of single", "k", "8") == "repeated,k=8 of single"
