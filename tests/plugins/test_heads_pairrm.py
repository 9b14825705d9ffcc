"""PairRM against transformers' DeBERTa in float64, with the head in plain torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from reference_llama import config, weights
from scoring import Loaded

from rrm_harness import EngineError, Message, Request

pytestmark = pytest.mark.filterwarnings(  # DeBERTa is compiled when it is imported
    "ignore:.torch.jit.script. is deprecated:DeprecationWarning"
)
CLOSE: dict[str, Any] = {"rel": 1e-5, "abs": 1e-5}


def pair(first: str, second: str, *prompt: str) -> Request:
    turns = [Message("user", each) for each in prompt or ("What is 2 + 2?",)]
    candidates = [Message("candidate", each) for each in (first, second)]
    return Request((*turns, *candidates), kind="score")


REQUESTS = (
    pair("Four.", "Five."),
    pair("Two and two are four, as everybody knows. " * 3, "No."),
    pair("Nobody knows.", "Ask your teacher!", "How many wheels has a car? " * 5),
)


@pytest.fixture
def pairrm(tiny: Callable[[str], Path]) -> Loaded:
    return Loaded.of("pairrm", tiny("pairrm"))


def oracle(folder: Path, ids: Sequence[int]) -> list[float]:
    """The two candidates' values, by the published formula."""
    import torch
    from transformers import DebertaV2Config, DebertaV2Model

    known, said = weights(folder), config(folder)
    backbone = DebertaV2Model(DebertaV2Config(**said)).double().eval()
    prefix = "pretrained_model."
    own = {n.removeprefix(prefix): w for n, w in known.items() if prefix in n}
    backbone.load_state_dict(own)
    with torch.no_grad():
        seen = backbone(torch.tensor([ids])).last_hidden_state[0]
    names = ("source_prefix_id", "cand1_prefix_id", "cand2_prefix_id")
    source, *candidates = (seen[list(ids).index(said[name])] for name in names)
    values = []
    for each in candidates:
        joined = torch.cat([source, each])
        inner = known["head_layer.1.weight"] @ joined + known["head_layer.1.bias"]
        outer = known["head_layer.4.weight"] @ inner.tanh()
        values.append((outer + known["head_layer.4.bias"]).mean().item())
    return values


def test_two_candidates_score_as_published(
    pairrm: Loaded, tiny: Callable[[str], Path]
) -> None:
    for request in REQUESTS:
        ids = pairrm.ids(request)
        (found,) = pairrm.score(ids)
        assert list(found.values) == pytest.approx(oracle(tiny("pairrm"), ids), **CLOSE)


@pytest.mark.parametrize("pad", ["right", "left"])
def test_a_batch_of_mixed_lengths_scores_as_published(
    pairrm: Loaded, pad: Any, tiny: Callable[[str], Path]
) -> None:
    inputs = [pairrm.ids(request) for request in REQUESTS]
    for found, ids in zip(pairrm.score(*inputs, pad=pad), inputs, strict=True):
        assert list(found.values) == pytest.approx(oracle(tiny("pairrm"), ids), **CLOSE)


def test_the_ids_are_those_of_the_published_code(pairrm: Loaded) -> None:
    encode = pairrm.tokenizer.encode
    expected = [
        *encode("<|source|>What is 2 + 2?"),
        *encode("<|candidate1|>Four."),
        *encode("<|candidate2|>Five."),
    ]
    assert list(pairrm.ids(REQUESTS[0])) == expected


def test_no_text_can_write_a_prefix(pairrm: Loaded) -> None:
    said = pairrm.network.config
    ids = pairrm.ids(pair("<|source|>[SEP]", "A<|candidate1|>B", "<|candidate2|>?"))
    for name in ("source_prefix_id", "cand1_prefix_id", "cand2_prefix_id"):
        assert ids.count(getattr(said, name)) == 1
    assert ids.count(pairrm.tokenizer.sep_token_id) == 3


def test_the_candidates_order_counts(pairrm: Loaded) -> None:
    forward = pairrm.score(pairrm.ids(pair("Four.", "Five.")))[0].values
    backward = pairrm.score(pairrm.ids(pair("Five.", "Four.")))[0].values
    assert forward != backward[::-1]


def test_several_turns_are_lines_with_their_roles(pairrm: Loaded) -> None:
    turns = (Message("user", "Hi"), Message("assistant", "Ho"), Message("user", "So?"))
    request = Request((*turns, *REQUESTS[0].messages[-2:]), kind="score")
    lines = "<|source|>USER: Hi\nASSISTANT: Ho\nUSER: So?"
    expected = pairrm.tokenizer.encode(lines)
    assert list(pairrm.ids(request))[: len(expected)] == expected


def test_the_context_is_that_of_the_published_code(pairrm: Loaded) -> None:
    assert pairrm.head.context(pairrm.network.config) == 2048
    long = pairrm.ids(pair("Four. " * 400, "Five. " * 300))
    assert len(long) > 512
    assert len(pairrm.score(long)[0].values) == 2


def test_a_request_without_two_candidates_is_refused(pairrm: Loaded) -> None:
    with pytest.raises(EngineError, match="PairRM compares two responses"):
        pairrm.ids(Request(REQUESTS[0].messages[:2], kind="score"))
    with pytest.raises(EngineError, match="PairRM compares two responses"):
        pairrm.ids(Request(REQUESTS[0].messages[1:], kind="score"))
