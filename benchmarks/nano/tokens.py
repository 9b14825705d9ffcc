"""The tokenizer of the nano models: a token a byte, and the marks of a chat."""

from __future__ import annotations

from pathlib import Path
from typing import Any

END, PAD = "<|end|>", "<|pad|>"
SYSTEM, USER, ASSISTANT = "<|system|>", "<|user|>", "<|assistant|>"
THINK, UNTHINK = "<think>", "</think>"
MARKS = (PAD, END, SYSTEM, USER, ASSISTANT)
VOCABULARY = 264

TEMPLATE = """\
{%- for message in messages %}
{{- '<|' + message['role'] + '|>' + message['content'] }}
{%- if message['role'] == 'assistant' %}{{- '<|end|>' }}{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|assistant|><think>' }}{%- endif %}"""


def tokenizer() -> Any:
    """Make the tokenizer; a byte's id is its value, and no mark is written for it."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    characters = _characters()
    made = Tokenizer(models.BPE({each: i for i, each in enumerate(characters)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(
        add_prefix_space=False, use_regex=False
    )
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(each, normalized=False) for each in MARKS])
    made.add_tokens([AddedToken(each, normalized=False) for each in (THINK, UNTHINK)])
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        eos_token=END,
        pad_token=PAD,
        chat_template=TEMPLATE,
        model_max_length=1024,
        clean_up_tokenization_spaces=False,
    )


def save(folder: Path) -> None:
    """Write the tokenizer and its chat template."""
    tokenizer().save_pretrained(folder)


def _characters() -> list[str]:
    """The character that stands for each byte in a byte-level vocabulary.

    A printable byte is its own; the others are those from 256 on, in their order.
    """
    own = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte if byte in own else next(others)) for byte in range(256)]
