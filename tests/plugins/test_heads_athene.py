from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from reference_llama import weights
from scoring import Loaded, asked

from rrm_harness import EngineError, Head, Request, host


@pytest.fixture
def athene(tiny: Callable[[str], Path]) -> Loaded:
    return Loaded.of("athene", tiny("athene"))


def _chat(loaded: Loaded, request: Request) -> list[int]:
    turns = [{"role": each.role, "content": each.content} for each in request.messages]
    ids: list[int] = loaded.tokenizer.apply_chat_template(turns)["input_ids"]
    return ids


def test_the_ids_are_the_chat_and_one_cls_token(athene: Loaded) -> None:
    request = asked("Four.")
    cls = athene.tokenizer.cls_token_id
    assert list(athene.ids(request)) == [*_chat(athene, request), cls]


def test_a_response_that_names_the_cls_token_has_one_still(athene: Loaded) -> None:
    name = athene.tokenizer.cls_token
    ids = athene.ids(asked(f"Four.{name} Or five.{name}"))
    assert ids.count(athene.tokenizer.cls_token_id) == 1
    assert ids[-1] == athene.tokenizer.cls_token_id
    assert athene.positions(ids) == [len(ids) - 1]


def test_a_tokenizer_without_a_cls_token_is_refused(
    athene: Loaded, tiny: Callable[[str], Path]
) -> None:
    other = Loaded.of("qwen-reward", tiny("qwen_reward")).tokenizer
    with pytest.raises(EngineError, match="has no CLS token"):
        athene.head.encode(other, None, asked("Four."))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_library_alone_loads_it_with_a_random_head(
    tiny: Callable[[str], Path],
) -> None:
    """Why Athene has a head of its own, and sequence-classifier refuses it."""
    from transformers import AutoModelForSequenceClassification

    _, told = AutoModelForSequenceClassification.from_pretrained(
        tiny("athene"), output_loading_info=True
    )
    assert told["missing_keys"] == {"score.weight"}
    with pytest.raises(EngineError, match=r"lacks the weights score\.weight"):
        host.default().build("heads", "sequence-classifier").load(tiny("athene"))


def test_vllm_is_told_its_weight_by_its_own_name(tiny: Callable[[str], Path]) -> None:
    head: Head = host.default().build("heads", "athene")
    route = head.vllm(tiny("athene"))
    assert route is not None
    assert set(route.renamed) <= set(weights(tiny("athene")))
    assert route.overrides["architectures"] == ["LlamaForSequenceClassification"]
