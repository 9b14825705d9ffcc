"""Keys: what they depend on, and what they must go on saying in every version."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import Comparison, Message, Request, chance
from rrm_harness.keys import Keys, content, seeded
from rrm_harness.testing import example

CHAT = (Message("system", "Judge."), Message("user", "He said \"yes\"\nand 'no'."))
CHANGED = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(["generate", "score"]),
        "temperature": st.sampled_from([0, 0.0, 0.6, 1, 1.0, True]),
        "top_p": st.sampled_from([1, 1.0, 0.9]),
        "max_tokens": st.sampled_from([1, 1024, 4096]),
        "seed": st.none() | st.integers(0, 3),
        "prefill": st.sampled_from(["", "I think"]),
        "stop": st.sampled_from([(), ("a",), ["a"], ("a", "b")]),
        "logprobs": st.sampled_from([0, 5]),
        "bos": st.sampled_from(["single", "double"]),
        "chat_options": st.sampled_from(
            [(), (("think", True),), (("think", 1),), (("think", ["a"]),)]
        ),
    },
)


@given(CHANGED)
def test_a_request_as_text_has_each_field_that_is_not_at_its_default(
    changed: dict[str, Any],
) -> None:
    request = Request(CHAT, **changed)
    plain = Request(CHAT)
    expected = [("messages", CHAT)] + [
        (name, getattr(request, name))
        for name in Request.__slots__
        if getattr(request, name) != getattr(plain, name)
    ]

    assert content(request) == repr(expected)


@pytest.mark.parametrize("sampled", [True, False])
@pytest.mark.parametrize(
    ("role", "hashed"), [("judge", "judge"), ("meta", "meta"), ("policy", "judge")]
)
def test_a_key_is_a_hash_of_judge_engine_role_and_requests(
    role: Any, hashed: str, sampled: bool
) -> None:
    asked = Comparison(example(2, (0,)), (1, 0), sample=3, seed=5, role=role)
    known = chance.digest("the judge", "the engine").hex()
    drawn = (5, 3) if sampled else ()

    key = Keys({role: ("the judge", "the engine")}).of(asked, ["one", "two"], sampled)

    assert key == chance.digest(known, hashed, "one", "two", *drawn)


def test_without_requests_a_key_is_a_hash_of_the_comparison() -> None:
    shown = example(2, (0,))
    asked = Comparison(shown, (1, 0), sample=3, seed=5, role="meta", critique="so")
    known = chance.digest("the judge", "").hex()

    key = Keys({"meta": ("the judge", "")}).of(asked, ())

    assert key == chance.digest(known, "meta", repr(shown), "(1, 0)", "so", 5, 3)


@given(CHANGED)
def test_a_seed_is_given_to_sampled_requests_that_have_none(
    changed: dict[str, Any],
) -> None:
    request = Request(CHAT, **changed)
    asked = Comparison(example(2, (0,)), (0, 1), sample=1, seed=9)

    given_one = seeded(request, content(request), asked)

    if request.sampled and request.seed is None:
        assert given_one.seed == chance.seed(9, 1, content(request))
        assert Request(CHAT, **{**changed, "seed": given_one.seed}) == given_one
    else:
        assert given_one is request
