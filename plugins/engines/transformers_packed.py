"""Many texts in one row, end to end: no padding, and nothing computed unread.

Between tokens a decoder does nothing but attend, so attention alone must know where a
text ends. The last layer computes keys and values of every token, and all else only
where the head reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import accumulate, chain, groupby
from typing import Any, NamedTuple

from rrm_harness import Head

Rotation = tuple[Any, Any]
"""Cosines and sines (tokens, 1, half a head's width) of each token's place."""
Attend = Callable[[Any, Any, Any], Any]
"""From query, key and value, (tokens, heads, width) each, to what the queries see."""


class Run(NamedTuple):
    """So many texts of one length, side by side, and the places read in each."""

    texts: int
    length: int
    read: tuple[int, ...]


def decoder(network: Any, head: Head) -> Any:
    """The decoder of a network whose texts can be packed; None if they cannot.

    It is one of those known here, and computes here what it computes by itself. On a
    GPU a padded batch is the quicker way: many small kernels are not.
    """
    from transformers import LlamaModel, Qwen2Model

    known = (LlamaModel, Qwen2Model)
    found = [each for each in network.modules() if type(each) in known]
    if (
        not head.causal
        or len(found) != 1
        or getattr(found[0].config, "sliding_window", None)
        or found[0].config._attn_implementation != "sdpa"
        or any(each.device.type != "cpu" for each in network.parameters())
    ):
        return None
    return found[0] if _computes_alike(network, found[0]) else None


def _computes_alike(network: Any, found: Any) -> bool:
    """Whether short texts have the states here that the network itself gives them.

    Another version of transformers may do more in a layer.
    """
    import torch

    texts, read = [range(7), range(4)], [(2, 6), (3,)]
    near = 1e-3 if found.dtype == torch.float32 else 5e-2
    with torch.inference_mode():
        ours = hidden(found, texts, read)
        for one, text, at in zip(ours, texts, read, strict=True):
            ids = torch.tensor([[*text]])
            theirs, _ = network.hidden(input_ids=ids, use_cache=False)
            if not torch.allclose(one, theirs[0, list(at)], rtol=near, atol=near):
                return False
    return True


def hidden(
    found: Any, texts: Sequence[Sequence[int]], read: Sequence[Sequence[int]]
) -> Sequence[Any]:
    """The decoder's last states (read, width) of each text, as the network gives them.

    Texts of one length should lie together.
    """
    import torch

    lengths = [len(text) for text in texts]
    ids = torch.tensor([*chain.from_iterable(texts)])
    states = found.embed_tokens(ids[None])[0]
    rotation = _rotation(found, states, lengths)
    runs = [*_runs(lengths, read)]
    *layers, last = found.layers
    for layer in layers:
        see = partial(_seen, runs, only_read=False)
        states = _through(layer, states, rotation, see)
    starts = accumulate(lengths[:-1], initial=0)
    ends = zip(starts, read, strict=True)
    places = torch.tensor([start + at for start, some in ends for at in some])
    see = partial(_seen, runs, only_read=True)
    states = _through(last, states, rotation, see, places)
    split: Sequence[Any] = found.norm(states).split([len(some) for some in read])
    return split


def _runs(lengths: Sequence[int], read: Sequence[Sequence[int]]) -> Iterator[Run]:
    shapes = [(length, tuple(at)) for length, at in zip(lengths, read, strict=True)]
    for (length, at), alike in groupby(shapes):
        yield Run(len([*alike]), length, at)


def _rotation(found: Any, states: Any, lengths: Sequence[int]) -> Rotation:
    """By each token's place in its text; both halves of a head turn alike."""
    import torch

    tables = found.rotary_emb(states, torch.arange(max(lengths))[None])
    cosines, sines = (each[0, :, None].chunk(2, -1)[0] for each in tables)
    return (
        torch.cat([cosines[:length] for length in lengths]),
        torch.cat([sines[:length] for length in lengths]),
    )


def _through(
    layer: Any, states: Any, rotation: Rotation, see: Attend, read: Any = None
) -> Any:
    """States (tokens, width) behind a layer; only of those read, if told which."""
    part, known = layer.self_attn, layer.input_layernorm(states)
    key, value = _heads(part, part.k_proj(known)), _heads(part, part.v_proj(known))
    key = _turned(key, rotation)
    if read is not None:
        known, states = known[read], states[read]
        rotation = rotation[0][read], rotation[1][read]
    query = _turned(_heads(part, part.q_proj(known)), rotation)
    states = states + part.o_proj(see(query, key, value).flatten(1))
    return states + layer.mlp(layer.post_attention_layernorm(states))


def _heads(part: Any, values: Any) -> Any:
    return values.unflatten(-1, (-1, part.head_dim))


def _turned(values: Any, rotation: Rotation) -> Any:
    """Queries or keys turned by their places, half of each head against the other."""
    import torch

    (cosines, sines), (one, other) = rotation, values.chunk(2, -1)
    return torch.cat([one * cosines - other * sines, other * cosines + one * sines], -1)


def _seen(
    runs: Sequence[Run], query: Any, key: Any, value: Any, *, only_read: bool
) -> Any:
    """What the queries see of their texts: those of all tokens, or of the read ones."""
    import torch

    sizes = [run.texts * run.length for run in runs]
    asked = [run.texts * len(run.read) for run in runs] if only_read else sizes
    parts = zip(query.split(asked), key.split(sizes), value.split(sizes), strict=True)
    found = []
    for run, part in zip(runs, parts, strict=True):
        heads = [each.unflatten(0, (run.texts, -1)).transpose(1, 2) for each in part]
        seen = _read_see(run, *heads) if only_read else _attention(*heads, causal=True)
        found.append(seen.transpose(1, 2).flatten(0, 1))
    return torch.cat(found)


def _read_see(run: Run, query: Any, key: Any, value: Any) -> Any:
    """What a run's queries (texts, heads, read, width) see: their texts up to them."""
    import torch

    seen = [
        _attention(query[:, :, [each]], key[:, :, : at + 1], value[:, :, : at + 1])
        for each, at in enumerate(run.read)
    ]
    return torch.cat(seen, 2)


def _attention(query: Any, key: Any, value: Any, *, causal: bool = False) -> Any:
    """Attention among (texts, heads, tokens, width); key and value have fewer heads."""
    from torch.nn.functional import scaled_dot_product_attention

    return scaled_dot_product_attention(
        query, key, value, is_causal=causal, enable_gqa=True
    )
