"""Many texts in one row, end to end: no padding, and nothing computed unread.

A decoder's other layers see tokens one by one, so only attention must know where a text
ends. In the last layer it is computed where the head reads and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from typing import Any

from rrm_harness import Head

NAME = "rrm_harness_packed"
KINDS = {"llama", "qwen2"}
"""Decoders that are known to do nothing else between tokens."""
Run = tuple[int, int, tuple[int, ...]]
"""So many texts, their length, and the places that are read in each of them."""


def packs(network: Any, head: Head) -> bool:
    """Make a network take packed texts; tell if it can. It does all else as before.

    On a GPU a padded batch is the quicker way: many small kernels are not.
    """
    config = network.config
    if (
        not head.causal
        or config.model_type not in KINDS
        or getattr(config, "sliding_window", None)
        or config._attn_implementation != "sdpa"
        or any(each.device.type != "cpu" for each in network.parameters())
    ):
        return False
    from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(NAME, _attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    for each in network.modules():
        if isinstance(each, PreTrainedModel):
            each.set_attn_implementation(NAME)
    return True


def hidden(
    network: Any, texts: Sequence[Sequence[int]], read: Sequence[Sequence[int]]
) -> list[Any]:
    """The hidden states (read, width) of each text; texts of a length lie together."""
    import torch

    shapes = [(len(text), tuple(at)) for text, at in zip(texts, read, strict=True)]
    runs = [(len([*alike]), *shape) for shape, alike in groupby(shapes)]
    states, _ = network.hidden(
        input_ids=torch.tensor([[token for text in texts for token in text]]),
        attention_mask=torch.ones(1, 1, 1, 1),  # a mask made already, and never read
        position_ids=torch.cat([torch.arange(length) for length, _ in shapes])[None],
        use_cache=False,
        packed=runs,
    )
    whole = states[0].split([length for length, _ in shapes])
    return [each[list(at)] for each, (_, at) in zip(whole, shapes, strict=True)]


def _attention(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    packed: Sequence[Run] | None = None,
    **options: Any,
) -> tuple[Any, Any]:
    """Attention (1, tokens, heads, width) within each text; as ever if none is packed.

    Args:
        module: The layer's attention.
        query: (1, heads, tokens, width); key and value may have fewer heads.
        key: As said.
        value: As said.
        attention_mask: Of texts that are not packed.
        packed: The texts.
        options: What transformers gives to every attention.
    """
    import torch
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if packed is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, **options
        )
    last = module.layer_idx == module.config.num_hidden_layers - 1
    sizes = [count * length for count, length, _ in packed]
    parts = [each[0].split(sizes, dim=1) for each in (query, key, value)]
    attend = partial(
        torch.nn.functional.scaled_dot_product_attention,
        scale=options.get("scaling"),
        enable_gqa=True,
    )
    done = [
        _alike(attend, part, run, only_read=last)
        for run, *part in zip(packed, *parts, strict=True)
    ]
    return torch.cat(done)[None], None


def _alike(
    attend: Callable[..., Any], part: Sequence[Any], run: Run, *, only_read: bool
) -> Any:
    """Attention (tokens, heads, width) of texts of one length, side by side.

    The part is query, key and value, each (heads, tokens, width). Where only what is
    read counts, the rest is 0.
    """
    count, length, read = run
    query, key, value = (
        each.unflatten(1, (count, length)).transpose(0, 1) for each in part
    )
    if only_read:
        found = query.new_zeros(query.shape)
        for at in read:
            here, before = slice(at, at + 1), slice(at + 1)
            found[:, :, here] = attend(
                query[:, :, here], key[:, :, before], value[:, :, before]
            )
    else:
        found = attend(query, key, value, is_causal=True)
    return found.transpose(1, 2).flatten(0, 1)
