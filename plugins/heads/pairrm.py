"""PairRM: an encoder that reads a prompt and two candidates at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from rrm_harness import (
    EngineError,
    Head,
    Message,
    Register,
    Request,
    Score,
    chat,
    hookimpl,
    networks,
)
from rrm_harness.heads import refuse_random, refuse_unread

LONGEST = 1224 + 2 * 412
"""Tokens that the published code gives the prompt and two candidates together."""
PREFIXES = ("<|source|>", "<|candidate1|>", "<|candidate2|>")
_IDS = ("source_prefix_id", "cand1_prefix_id", "cand2_prefix_id")


class PairRM(Head):
    """PairRM-hf: DeBERTa-v2 with a head on the prompt's and a candidate's states.

    The request's last two messages have the role `candidate`; the turns before are the
    prompt. Each of the three texts is `[CLS]` prefix text `[SEP]`. The head is
    Linear-Tanh-Linear (`head_layer.1`, `head_layer.4`) of the states of `<|source|>`
    and of the candidate's prefix; a candidate's value is the mean over tasks. The first
    one less the second is the published logit: above 0, the first candidate is better.
    Source: https://github.com/yuchenlin/LLM-Blender (pair_ranker/pairrm.py, README).

    The published code cuts a prompt at 1,224 tokens and candidates at half of what is
    then left of 2,048. Nothing is cut here: more than 2,048 in all are too long. Of
    several turns, each is a line with its role.
    """

    causal = False

    def encode(self, tokenizer: Any, config: Any, request: Request) -> chat.Encoded:
        *prompt, first, second = request.messages
        if not prompt or first.role != "candidate" or second.role != "candidate":
            raise EngineError(
                "PairRM compares two responses: its request is a prompt and two"
                " messages with the role candidate; use it with the judge pairrm"
            )
        texts = (_source(prompt), first.content, second.content)
        ids: list[int] = []
        for prefix, text in zip(PREFIXES, texts, strict=True):
            inner = chat.inert(tokenizer, text, before=prefix)
            ids += [tokenizer.cls_token_id, *inner, tokenizer.sep_token_id]
        return chat.Encoded(tuple(ids))

    def load(self, place: Path, **options: Any) -> Any:
        networks.config(place, "DebertaV2PairRM")
        network, told = _network().from_pretrained(
            place, output_loading_info=True, **options
        )
        refuse_random(place, told)
        refuse_unread(place, told, "head_layer")
        return network

    def context(self, config: Any) -> int:
        return LONGEST  # positions are relative: the backbone's own 512 are no limit

    def positions(self, tokenizer: Any, config: Any, ids: Sequence[int]) -> list[int]:
        return [ids.index(getattr(config, name)) for name in _IDS]

    def read(self, network: Any, hidden: Any) -> Score:
        import torch

        source, *candidates = hidden
        inner, outer = network.head_layer[1], network.head_layer[4]
        pairs = torch.stack([torch.cat([source, each]) for each in candidates])
        values = networks.apply([outer], networks.apply([inner], pairs).tanh())
        return Score(tuple(values.mean(-1).tolist()))


def _source(prompt: Sequence[Message]) -> str:
    if len(prompt) == 1:
        return prompt[0].content
    return "\n".join(f"{each.role.upper()}: {each.content}" for each in prompt)


@cache
def _network() -> Any:
    import transformers
    from torch import nn

    library: Any = transformers

    class Network(library.DebertaV2PreTrainedModel):  # type: ignore[misc]
        def __init__(self, config: Any) -> None:
            super().__init__(config)
            width = config.hidden_size
            self.pretrained_model = library.DebertaV2Model(config)
            self.head_layer = nn.Sequential(
                nn.Dropout(config.drop_out),
                nn.Linear(2 * width, width),
                nn.Tanh(),
                nn.Dropout(config.drop_out),
                nn.Linear(width, config.n_tasks),
            )
            self.post_init()

        def hidden(self, **inputs: Any) -> tuple[Any, None]:
            known = {name: inputs.get(name) for name in ("input_ids", "attention_mask")}
            return self.pretrained_model(**known).last_hidden_state, None

    return Network


@hookimpl
def register_heads(register: Register) -> None:
    register("pairrm", PairRM)
