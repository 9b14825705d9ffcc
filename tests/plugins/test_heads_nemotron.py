from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from scoring import Loaded, asked


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_reward_is_what_the_cards_recipe_reads(
    tiny: Callable[[str], Path],
) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    loaded = Loaded.of("nemotron", tiny("nemotron_hf"))
    ids = loaded.ids(asked("Four."))
    writer = AutoModelForCausalLM.from_pretrained(tiny("nemotron_hf"))
    told = writer.generate(
        torch.tensor([ids]),
        max_new_tokens=1,
        do_sample=False,
        return_dict_in_generate=True,
        output_scores=True,
    )
    expected = told["scores"][0][0][0].item()
    assert loaded.score(ids)[0].values == pytest.approx((expected,), rel=1e-5)


def test_the_chat_ends_with_the_response(tiny: Callable[[str], Path]) -> None:
    loaded = Loaded.of("nemotron", tiny("nemotron_hf"))
    assert loaded.tokenizer.decode(loaded.ids(asked("Four."))).endswith(
        "Four.<|eot_id|>"
    )
