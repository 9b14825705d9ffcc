"""Tiny random models of real architectures, made on the spot and never committed.

Each function writes a folder that the ordinary code path loads: config, safetensors
with the architecture's own key names, a byte-level BPE tokenizer with the family's
special tokens, and a chat template.
"""

from __future__ import annotations

import pydoc
import textwrap
from functools import cache
from pathlib import Path
from typing import Any

VOCABULARY = 2048
SHAPE: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 32,  # the least that vLLM's attention takes on a CPU
    "max_position_embeddings": 4096,
}

LLAMA = """{{- bos_token }}
{%- for message in messages %}
{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
{{- message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}"""

CHATML = """{{- bos_token }}
{%- for message in messages %}
{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"""

R1 = """{{- bos_token }}
{%- for message in messages %}
{%- if message['role'] == 'system' %}{{- message['content'] }}{%- endif %}
{%- if message['role'] == 'user' %}{{- '<｜User｜>' + message['content'] }}{%- endif %}
{%- if message['role'] == 'assistant' %}
{{- '<｜Assistant｜>' + message['content'].split('</think>')[-1] }}
{{- '<｜end▁of▁sentence｜>' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<｜Assistant｜><think>\\n' }}{%- endif %}"""

GEMMA = """{{- bos_token }}
{%- for message in messages %}
{%- if message['role'] == 'system' %}
{{- raise_exception('System role not supported') }}
{%- endif %}
{%- set role = 'model' if message['role'] == 'assistant' else message['role'] %}
{{- '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<start_of_turn>model\\n' }}{%- endif %}"""

FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {
        "bos_token": "<|begin_of_text|>",
        "eos_token": "<|eot_id|>",
        "pad_token": "<|finetune_right_pad_id|>",
        "cls_token": "<|reserved_special_token_1|>",
        "extra": ["<|start_header_id|>", "<|end_header_id|>", "<|end_of_text|>"],
        "template": LLAMA,
    },
    "chatml": {  # Qwen, InternLM2
        "bos_token": "<s>",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "extra": ["<|im_start|>", "[UNUSED_TOKEN_130]", "<extra_0>"],
        "template": CHATML,
    },
    "r1": {
        "bos_token": "<｜begin▁of▁sentence｜>",
        "eos_token": "<｜end▁of▁sentence｜>",
        "pad_token": "<｜pad｜>",
        "extra": ["<｜User｜>", "<｜Assistant｜>", "<think>", "</think>"],
        "template": R1,
    },
    "gemma": {
        "bos_token": "<bos>",
        "eos_token": "<eos>",
        "pad_token": "<pad>",
        "extra": ["<start_of_turn>", "<end_of_turn>"],
        "template": GEMMA,
    },
}


@cache
def tokenizer(family: str) -> Any:
    """A tokenizer trained on help texts, with the family's tokens and template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    known = dict(FAMILIES[family])
    template, extra = known.pop("template"), known.pop("extra")
    specials = [*known.values(), *extra]
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [pydoc.render_doc(module) for module in (str, dict, textwrap, Path)]
    backend.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        chat_template=template,
        model_input_names=["input_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
        **known,
    )


def special_ids(family: str) -> dict[str, int]:
    """The ids that a config of this family names."""
    made = tokenizer(family)
    return {
        "vocab_size": len(made),
        "bos_token_id": made.bos_token_id,
        "eos_token_id": made.eos_token_id,
        "pad_token_id": made.pad_token_id,
    }


def save(model: Any, folder: Path, family: str) -> Path:
    """Write a model with its family's tokenizer."""
    model.float().eval().save_pretrained(folder)
    tokenizer(family).save_pretrained(folder)
    return folder


def randomized(model: Any, seed: int = 0, scale: float = 0.2) -> Any:
    """The model with weights that make its answers differ from input to input."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "norm" not in name:
                weights.copy_(torch.randn(weights.shape, generator=generator) * scale)
    return model


def qwen2(folder: Path, **changed: Any) -> Path:
    """RRM and R1-Distill: Qwen2ForCausalLM with the R1 template."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    shape = {key: each for key, each in SHAPE.items() if key != "head_dim"}
    config = Qwen2Config(**(shape | special_ids("r1") | changed))
    return save(randomized(Qwen2ForCausalLM(config)), folder, "r1")


def llama(folder: Path, **changed: Any) -> Path:
    """Llama-3.1-Instruct: LlamaForCausalLM with the Llama-3 template."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(**(SHAPE | special_ids("llama") | changed))
    return save(randomized(LlamaForCausalLM(config)), folder, "llama")


def gemma2(folder: Path, **changed: Any) -> Path:
    """DeepSeek-GRM-27B: Gemma2ForCausalLM, whose template has no system turn."""
    from transformers import Gemma2Config, Gemma2ForCausalLM

    config = Gemma2Config(**(SHAPE | special_ids("gemma") | changed))
    return save(randomized(Gemma2ForCausalLM(config)), folder, "gemma")


def llama_classifier(folder: Path, **changed: Any) -> Path:
    """Skywork-Reward: LlamaForSequenceClassification with one label."""
    from transformers import LlamaConfig, LlamaForSequenceClassification

    settings = SHAPE | special_ids("llama") | {"num_labels": 1} | changed
    model = LlamaForSequenceClassification(LlamaConfig(**settings))
    return save(randomized(model), folder, "llama")
