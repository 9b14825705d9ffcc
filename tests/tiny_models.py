"""Tiny random models of real architectures, made on the spot and never committed.

Each function writes a folder that the ordinary code path loads: config, safetensors
with the architecture's own key names, a byte-level BPE tokenizer with the family's
special tokens, and a chat template.
"""

from __future__ import annotations

import json
import pydoc
import textwrap
from copy import deepcopy
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


def tokenizer(family: str) -> Any:
    """A tokenizer of the family; each caller has one of its own, to change at will."""
    return deepcopy(_trained(family))


@cache
def _trained(family: str) -> Any:
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


def gptj(folder: Path) -> Path:
    """GPTJForCausalLM, whose attention does not hand its arguments on."""
    from transformers import GPTJConfig, GPTJForCausalLM

    config = GPTJConfig(
        n_embd=32,
        n_layer=2,
        n_head=4,
        rotary_dim=4,
        n_positions=4096,
        **special_ids("llama"),
    )
    return save(randomized(GPTJForCausalLM(config)), folder, "llama")


def bloom(folder: Path) -> Path:
    """BloomForCausalLM, whose attention does not hand its arguments on either."""
    from transformers import BloomConfig, BloomForCausalLM

    config = BloomConfig(hidden_size=32, n_layer=2, n_head=4, **special_ids("llama"))
    return save(randomized(BloomForCausalLM(config)), folder, "llama")


def jamba_classifier(folder: Path) -> Path:
    """JambaForSequenceClassification: attention, and layers that keep a state."""
    from transformers import JambaConfig, JambaForSequenceClassification

    shape = {key: each for key, each in SHAPE.items() if key != "head_dim"}
    config = JambaConfig(
        **shape,
        **special_ids("llama"),
        num_labels=1,
        attn_layer_period=2,
        attn_layer_offset=1,
        expert_layer_period=2,
        num_experts=4,
    )
    model = randomized(JambaForSequenceClassification(config))
    return save(model, folder, "llama")


def phi3_classifier(folder: Path, turn: int) -> Path:
    """Phi3ForSequenceClassification that turns texts of more than `turn` otherwise."""
    from transformers import Phi3Config, Phi3ForSequenceClassification

    shape = {key: each for key, each in SHAPE.items() if key != "head_dim"}
    width = shape["hidden_size"] // shape["num_attention_heads"] // 2
    config = Phi3Config(
        **(shape | special_ids("llama")),
        num_labels=1,
        original_max_position_embeddings=turn,
        rope_scaling={
            "type": "longrope",
            "short_factor": [1.0] * width,
            "long_factor": [4.0] * width,
        },
    )
    return save(randomized(Phi3ForSequenceClassification(config)), folder, "llama")


def lettered(folder: Path) -> Path:
    """A Llama whose first token is nearly always A or B, and which of them varies.

    Every embedding has a large part in one direction, which the residual stream keeps;
    the two letters' output rows share it, and differ where states differ by prompt.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    model = randomized(LlamaForCausalLM(LlamaConfig(**SHAPE, **special_ids("llama"))))
    model.model.embed_tokens.weight.data[:, 0] = 3.0
    first, second = (tokenizer("llama").encode(letter)[-1] for letter in "AB")
    ends = tokenizer("llama").encode(
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )
    drawn = torch.Generator().manual_seed(0)
    prompts = torch.randint(300, 2000, (64, 200), generator=drawn)
    prompts = torch.cat([prompts, torch.tensor([ends] * 64)], 1)
    with torch.no_grad():
        states = model.model(prompts).last_hidden_state[:, -1]
        apart = states[0] - states[1]
        apart -= states.mean(0) * (apart @ states.mean(0)) / states.mean(0).norm() ** 2
        shared = torch.zeros(64)
        shared[0] = 8.0
        model.lm_head.weight[first] = shared + apart / 2
        model.lm_head.weight[second] = shared - apart / 2
    return save(model, folder, "llama")


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


def gemma2_classifier(folder: Path, **changed: Any) -> Path:
    """Skywork-Reward-Gemma-2: Gemma2ForSequenceClassification with one label."""
    from transformers import Gemma2Config, Gemma2ForSequenceClassification

    settings = SHAPE | special_ids("gemma") | {"num_labels": 1} | changed
    model = Gemma2ForSequenceClassification(Gemma2Config(**settings))
    return save(randomized(model), folder, "gemma")


def write(
    folder: Path, weights: dict[str, Any], config: dict[str, Any], words: Any
) -> Path:
    """Write a checkpoint under the published names, with its tokenizer."""
    from safetensors.torch import save_file

    whole = {name: each.float().contiguous() for name, each in weights.items()}
    save_file(whole, folder / "model.safetensors", metadata={"format": "pt"})
    words.save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    return folder


def drawn(*shape: int, seed: int = 1, scale: float = 0.2) -> Any:
    """A random matrix."""
    import torch

    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale


def decoder(kind: str, config: dict[str, Any]) -> dict[str, Any]:
    """A random decoder's weights, its norms' too, as a checkpoint names them."""
    import transformers

    known = getattr(transformers, f"{kind}Config")(**config)
    weights = randomized(getattr(transformers, f"{kind}Model")(known)).state_dict()
    return {
        f"model.{name}": each + drawn(*each.shape, seed=seed) * ("norm" in name)
        for seed, (name, each) in enumerate(weights.items())
    }


def published(kind: str, family: str, **said: Any) -> dict[str, Any]:
    """A config as it is published: written by transformers 4."""
    shape = {key: each for key, each in SHAPE.items() if key != "head_dim"}
    common = {
        "model_type": kind,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-05,
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
        "transformers_version": "4.41.2",
    }
    return shape | special_ids(family) | common | said


def two_layers(width: int, outputs: int) -> dict[str, Any]:
    """The weights of a Linear-ReLU-Linear head called `score`."""
    return {
        "score.0.weight": drawn(width, width, seed=2),
        "score.0.bias": drawn(width, seed=3),
        "score.2.weight": drawn(outputs, width, seed=4),
        "score.2.bias": drawn(outputs, seed=5),
    }


def athene(folder: Path) -> Path:
    """Athene-RM: a Llama and `v_head`, without a class of that name anywhere."""
    config = published(
        "llama",
        "llama",
        architectures=["CustomAutoModelForSequenceClassification"],
        rope_theta=500000.0,
    )
    weights = decoder("Llama", config) | {"v_head.weight": drawn(1, 64)}
    return write(folder, weights, config, tokenizer("llama"))


def armorm(folder: Path) -> Path:
    """ArmoRM: a Llama, 19 objectives and their gate; its published config's fields."""
    config = published(
        "llama",
        "llama",
        architectures=["LlamaForRewardModelWithGating"],
        auto_map={
            "AutoModelForSequenceClassification": (
                "modeling_custom.LlamaForRewardModelWithGating"
            )
        },
        rope_theta=500000.0,
        num_objectives=19,
        gating_temperature=10,
        gating_hidden_dim=48,
        gating_n_hidden=3,
    )
    weights = decoder("Llama", config) | {
        "regression_layer.weight": drawn(19, 64, seed=2),
        "reward_transform_matrix": drawn(19, 19, seed=3, scale=0.5),
        "gating.logit_scale": drawn(1, seed=4, scale=1),
    }
    for number, shape in enumerate([(48, 64), (48, 48), (48, 48), (19, 48)]):
        name = f"gating.layers.{number}"
        weights[f"{name}.weight"] = drawn(*shape, seed=5 + number, scale=0.4)
        weights[f"{name}.bias"] = drawn(shape[0], seed=9 + number)
    return write(folder, weights, config, tokenizer("llama"))


def nemotron_hf(folder: Path) -> Path:
    """Llama-3.1-Nemotron-70B-Reward-HF: a LlamaForCausalLM by its config."""
    config = published(
        "llama", "llama", architectures=["LlamaForCausalLM"], rope_theta=500000.0
    )
    vocabulary = config["vocab_size"]
    weights = decoder("Llama", config) | {"lm_head.weight": drawn(vocabulary, 64)}
    return write(folder, weights, config, tokenizer("llama"))


def inform(folder: Path) -> Path:
    """INF-ORM: a Llama and two layers."""
    config = published(
        "llama",
        "llama",
        architectures=["INFORMForSequenceClassification"],
        num_labels=1,
        rope_theta=500000.0,
    )
    weights = decoder("Llama", config) | two_layers(64, 1)
    return write(folder, weights, config, tokenizer("llama"))


def qwen_config(architecture: str, **said: Any) -> dict[str, Any]:
    """Qwen2.5-Math-RM's and -PRM's config, with their code's map."""
    code = f"modeling_qwen2_rm.{architecture}"
    config = published(
        "qwen2",
        "chatml",
        architectures=[architecture],
        auto_map={
            "AutoConfig": "configuration_qwen2_rm.Qwen2RMConfig",
            "AutoModel": code,
        },
        sliding_window=131072,
        use_sliding_window=False,
        max_window_layers=2,
        **said,
    )
    del config["pad_token_id"]  # the published ones have none
    return config


def qwen_reward(folder: Path) -> Path:
    """Qwen2.5-Math-RM: a Qwen2 and two layers with one output."""
    config = qwen_config("Qwen2ForRewardModel", rope_theta=10000.0)
    weights = decoder("Qwen2", config) | two_layers(64, 1)
    return write(folder, weights, config, tokenizer("chatml"))


def process(folder: Path) -> Path:
    """Qwen2.5-Math-PRM: a Qwen2 and two layers with two outputs."""
    config = qwen_config("Qwen2ForProcessRewardModel", rope_theta=10000.0)
    weights = decoder("Qwen2", config) | two_layers(64, 2)
    return write(folder, weights, config, tokenizer("chatml"))


def internlm2(folder: Path) -> Path:
    """InternLM2-Reward: joint query, key and value weights, own names, own code."""
    code = "modeling_internlm2.InternLM2ForRewardModel"
    config = published(
        "internlm2",
        "chatml",
        architectures=["InternLM2ForRewardModel"],
        auto_map={
            "AutoConfig": "configuration_internlm2.InternLM2Config",
            "AutoModel": code,
        },
        attn_implementation="eager",
        bias=False,
        hidden_size=128,
        num_attention_heads=4,
        num_key_value_heads=2,
        rope_scaling=None,
        rope_theta=1000000,
        reward_token_id=tokenizer("chatml").convert_tokens_to_ids("[UNUSED_TOKEN_130]"),
    )
    write(folder, _internlm2_weights(config), config, tokenizer("chatml"))
    said = json.loads((folder / "tokenizer_config.json").read_text())
    said["tokenizer_class"] = "InternLM2Tokenizer"
    said["auto_map"] = {
        "AutoTokenizer": [
            "tokenization_internlm2.InternLM2Tokenizer",
            "tokenization_internlm2_fast.InternLM2TokenizerFast",
        ]
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(said, indent=2))
    return folder


def _internlm2_weights(config: dict[str, Any]) -> dict[str, Any]:
    width, inner = config["hidden_size"], config["intermediate_size"]
    size = width // config["num_attention_heads"]
    rows = (config["num_attention_heads"] + 2 * config["num_key_value_heads"]) * size
    weights = {
        "model.tok_embeddings.weight": drawn(config["vocab_size"], width),
        "model.norm.weight": 1 + drawn(width, seed=2),
        "v_head.weight": drawn(1, width, seed=3),
    }
    for number in range(config["num_hidden_layers"]):
        shapes = {
            "attention.wqkv": (rows, width),
            "attention.wo": (width, width),
            "feed_forward.w1": (inner, width),
            "feed_forward.w3": (inner, width),
            "feed_forward.w2": (width, inner),
        }
        layer = f"model.layers.{number}"
        for place, (name, shape) in enumerate(shapes.items()):
            seed = 10 * (number + 1) + place
            weights[f"{layer}.{name}.weight"] = drawn(*shape, seed=seed, scale=0.1)
        for name, seed in (("attention_norm", 97), ("ffn_norm", 98)):
            weights[f"{layer}.{name}.weight"] = 1 + drawn(width, seed=seed + number)
    return weights


@cache
def pairrm_tokenizer() -> Any:
    """DeBERTa-v3's class, a small unigram vocabulary, and PairRM's tokens."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import DebertaV2Tokenizer

    backend = Tokenizer(models.Unigram())
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.UnigramTrainer(
        vocab_size=600,
        special_tokens=specials,
        unk_token="[UNK]",  # noqa: S106
        show_progress=False,
    )
    backend.train_from_iterator([pydoc.render_doc(str)], trainer)
    pieces = json.loads(backend.to_str())["model"]["vocab"]
    made = DebertaV2Tokenizer(vocab=[(piece, score) for piece, score in pieces])
    prefixes = ["<|source|>", "<|candidate1|>", "<|candidate2|>", "<|candidate|>"]
    made.add_tokens(prefixes)
    return made


def pairrm(folder: Path) -> Path:
    """PairRM-hf: DeBERTa-v3 and its head, with deberta-v3-large's settings."""
    from transformers import DebertaV2Config, DebertaV2Model

    words = pairrm_tokenizer()
    ids = words.convert_tokens_to_ids
    config = {
        "model_type": "deberta-v2",
        "architectures": ["DebertaV2PairRM"],
        "attention_probs_dropout_prob": 0.1,
        "hidden_dropout_prob": 0.1,
        "hidden_act": "gelu",
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_attention_heads": 2,
        "num_hidden_layers": 2,
        "layer_norm_eps": 1e-07,
        "max_position_embeddings": 512,
        "max_relative_positions": -1,
        "norm_rel_ebd": "layer_norm",
        "pos_att_type": "p2c|c2p",
        "position_biased_input": False,
        "position_buckets": 16,
        "relative_attention": True,
        "share_att_key": True,
        "type_vocab_size": 0,
        "vocab_size": len(words),
        "pad_token_id": 0,
        "torch_dtype": "float32",
        "n_tasks": 1,
        "drop_out": 0.05,
        "source_prefix_id": ids("<|source|>"),
        "cand1_prefix_id": ids("<|candidate1|>"),
        "cand2_prefix_id": ids("<|candidate2|>"),
        "cand_prefix_id": ids("<|candidate|>"),
    }
    backbone = randomized(DebertaV2Model(DebertaV2Config(**config))).state_dict()
    weights = {f"pretrained_model.{name}": each for name, each in backbone.items()} | {
        "head_layer.1.weight": drawn(64, 128, seed=2),
        "head_layer.1.bias": drawn(64, seed=3),
        "head_layer.4.weight": drawn(1, 64, seed=4),
        "head_layer.4.bias": drawn(1, seed=5),
    }
    return write(folder, weights, config, words)
