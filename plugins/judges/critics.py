"""Judges of two responses with one prompt each: JudgeLM, JudgeLRM and others."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from rrm_harness import Recipe, Register, Shape, hookimpl


@dataclass(frozen=True)
class JudgeLM(Recipe):
    """JudgeLM: two scores on the first line, then the reasons.

    The checkpoints have no chat template: the published code sends this text as it is,
    after the tokenizer's beginning of sequence. Put a chat_template.jinja beside the
    weights: `{{ bos_token }}{{ messages[0]['content'] }}`. The hub may have the weights
    as .bin alone; convert them to safetensors then. No reference answer is shown.
    Greedy, and the 512 tokens of a reply, a quarter of the context, are our choice.

    Source: baaivision/JudgeLM@0da7c22, judgelm/llm_judge/common.py. The wording is
    ours.
    """

    size: Literal["7b", "13b", "33b"] = field(default="7b", repr=False)
    max_tokens: int = 512

    sizes: ClassVar[Mapping[str, str]] = {
        "7b": "BAAI/JudgeLM-7B-v1.0",
        "13b": "BAAI/JudgeLM-13B-v1.0",
        "33b": "BAAI/JudgeLM-33B-v1.0",
    }

    shape = Shape("judges/judgelm.jinja", "judgelm")


@dataclass(frozen=True)
class JudgeLRM(Recipe):
    """JudgeLRM: think, then a score from 1 to 10 for each of two responses.

    The reply begins with `<think>`, as published. The published runs searched with four
    beams and a repetition penalty; here decoding is greedy.

    Source: arXiv 2504.00050; NuoJohnChen/JudgeLRM, pandalm/utils/judgelrm_inference.py.
    The wording is ours.
    """

    size: Literal["7b", "3b"] = field(default="7b", repr=False)
    max_tokens: int = 4096

    sizes: ClassVar[Mapping[str, str]] = {
        "7b": "nuojohnchen/JudgeLRM-7B",
        "3b": "nuojohnchen/JudgeLRM-3B",
    }

    shape = Shape("judges/judgelrm.jinja", "judgelrm-thinking")


@dataclass(frozen=True)
class SkyworkCritic(Recipe):
    """Skywork-Critic: `[[A]]` or `[[B]]` at once, without reasons.

    Source: the cards of Skywork/Skywork-Critic-Llama-3.1-8B and -70B (one user turn).
    The wording is ours.
    """

    size: Literal["8b", "70b"] = field(default="8b", repr=False)
    max_tokens: int = 64

    sizes: ClassVar[Mapping[str, str]] = {
        "8b": "Skywork/Skywork-Critic-Llama-3.1-8B",
        "70b": "Skywork/Skywork-Critic-Llama-3.1-70B",
    }

    shape = Shape("judges/skywork-critic.jinja", "verdict")


@dataclass(frozen=True)
class Compass(Recipe):
    """CompassJudger-2: an analysis, then the choice as JSON.

    The output and the 2,048 tokens are published; the layout of its prompt could not be
    verified and is ours, as is the wording.

    Source: arXiv 2507.09104; the cards of opencompass/CompassJudger-2-*-Instruct.
    """

    size: Literal["7b", "32b"] = field(default="7b", repr=False)
    max_tokens: int = 2048

    sizes: ClassVar[Mapping[str, str]] = {
        "7b": "opencompass/CompassJudger-2-7B-Instruct",
        "32b": "opencompass/CompassJudger-2-32B-Instruct",
    }

    shape = Shape("judges/compass.jinja", "compass")


@hookimpl
def register_judges(register: Register) -> None:
    register("judgelm", JudgeLM)
    register("judgelrm", JudgeLRM)
    register("skywork-critic", SkyworkCritic)
    register("compass", Compass)
