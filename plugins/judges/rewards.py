"""Reward models with a published head: a chat in, a raw score out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from rrm_harness import Register, RewardModel, hookimpl


@dataclass(frozen=True)
class SequenceClassifier(RewardModel):
    """Any AutoModelForSequenceClassification with one label, such as Skywork-Reward.

    The score is the raw logit.

    Source: arXiv 2507.01352 and the cards of Skywork/Skywork-Reward-V2-*.
    """

    model: str = field(default="Skywork/Skywork-Reward-V2-Llama-3.1-8B", repr=False)

    head = "sequence-classifier"


@dataclass(frozen=True)
class Athene(RewardModel):
    """Athene-RM: the value head at the last CLS token.

    Source: the AI2 fork of reward-bench (Athene's pipeline); arXiv 2412.15115.
    """

    size: Literal["8b", "70b"] = field(default="8b", repr=False)

    head = "athene"
    sizes: ClassVar[Mapping[str, str]] = {
        "8b": "Nexusflow/Athene-RM-8B",
        "70b": "Nexusflow/Athene-RM-70B",
    }


@dataclass(frozen=True)
class ArmoRM(RewardModel):
    """ArmoRM: 19 objectives, weighed by what the prompt calls for.

    The objectives are kept in the judgment's attributes.

    Source: arXiv 2406.12845; the card of RLHFlow/ArmoRM-Llama3-8B-v0.1.
    """

    model: str = field(default="RLHFlow/ArmoRM-Llama3-8B-v0.1", repr=False)

    head = "armorm"


@dataclass(frozen=True)
class InternLM2(RewardModel):
    """InternLM2-Reward: the value head at an appended reward token.

    Source: arXiv 2403.17297; allenai/reward-bench, rewardbench/models/internlm.py.
    """

    size: Literal["1.8b", "7b", "20b"] = field(default="7b", repr=False)

    head = "internlm2"
    sizes: ClassVar[Mapping[str, str]] = {
        "1.8b": "internlm/internlm2-1_8b-reward",
        "7b": "internlm/internlm2-7b-reward",
        "20b": "internlm/internlm2-20b-reward",
    }


@dataclass(frozen=True)
class NemotronHF(RewardModel):
    """Llama-3.1-Nemotron-70B-Reward from its own weights.

    Source: the card of nvidia/Llama-3.1-Nemotron-70B-Reward-HF.
    """

    model: str = field(default="nvidia/Llama-3.1-Nemotron-70B-Reward-HF", repr=False)

    head = "nemotron"


@dataclass(frozen=True)
class QwenReward(RewardModel):
    """Qwen2.5-Math-RM: a two-layer head at the last token.

    Source: arXiv 2409.12122; the card of Qwen/Qwen2.5-Math-RM-72B.
    """

    model: str = field(default="Qwen/Qwen2.5-Math-RM-72B", repr=False)

    head = "qwen-reward"


@dataclass(frozen=True)
class InfORM(RewardModel):
    """INF-ORM-Llama3.1-70B: a two-layer head at the last token.

    Source: the card of infly/INF-ORM-Llama3.1-70B.
    """

    model: str = field(default="infly/INF-ORM-Llama3.1-70B", repr=False)

    head = "inform"


@hookimpl
def register_judges(register: Register) -> None:
    register("sequence-classifier", SequenceClassifier)
    register("athene", Athene)
    register("armorm", ArmoRM)
    register("inf-orm", InfORM)
    register("internlm2", InternLM2)
    register("nemotron-hf", NemotronHF)
    register("qwen-reward", QwenReward)
