"""TRL's own GRPOTrainer, a tiny policy, and our reward in its place."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import stdev
from typing import Any

import pytest
from pyarrow import parquet

from rrm_harness import Comparison, Judgment
from rrm_harness.rewards import GroupReward
from rrm_harness.testing import FakeJudge

SIZE = 4
PROMPTS = ["Why is the sky blue?", "Why is the sky blue?", "Name a prime.", "Hello!"]


def longer(shown: Comparison) -> Judgment:
    return Judgment(tuple(float(len(text)) for text in shown.responses))


def texts(completion: Any) -> str:
    """What a completion says, whether it is a string or a chat of one turn."""
    return completion if isinstance(completion, str) else str(completion[0]["content"])


class Recorded(GroupReward):
    """A reward that remembers how it was called and what it answered."""

    calls: list[tuple[list[Any], list[Any], list[float]]]

    def __call__(
        self, prompts: Sequence[Any], completions: Sequence[Any], **given: Any
    ) -> list[float]:
        rewards = super().__call__(prompts, completions, **given)
        self.calls.append(([*prompts], [*completions], rewards))
        return rewards


def train(
    policy: Path, prompts: Sequence[Any], place: Path, reward: Recorded
) -> list[dict[str, float]]:
    """Two steps of eight completions; return what the trainer logged."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import GRPOConfig, GRPOTrainer

    settings = GRPOConfig(
        output_dir=str(place),
        per_device_train_batch_size=2 * SIZE,
        num_generations=SIZE,
        max_completion_length=8,
        max_steps=2,
        logging_steps=1,
        learning_rate=1e-3,
        beta=0.0,
        bf16=False,
        use_cpu=True,
        shuffle_dataset=False,
        gradient_checkpointing=False,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        log_completions=True,
        num_completions_to_print=0,
        seed=1,
    )
    trainer = GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(policy),
        processing_class=AutoTokenizer.from_pretrained(policy),
        reward_funcs=reward,
        args=settings,
        train_dataset=Dataset.from_list([{"prompt": each} for each in prompts]),
    )
    trainer.train()
    history: list[dict[str, float]] = trainer.state.log_history
    return history


Trained = tuple[Recorded, list[dict[str, float]], list[dict[str, list[Any]]]]
"""The reward, what the trainer logged, and its table of completions at each step."""


@pytest.fixture(params=["strings", "chats"], scope="module")
def trained(
    request: pytest.FixtureRequest,
    tiny: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Trained]:
    pytest.importorskip("trl")
    prompts: list[Any] = PROMPTS
    if request.param == "chats":
        prompts = [[{"role": "user", "content": each}] for each in PROMPTS]
    with (
        warnings.catch_warnings(),
        Recorded(FakeJudge(longer), num_generations=SIZE) as reward,
    ):
        warnings.simplefilter("ignore")  # torch's and TRL's own
        reward.calls = []
        place = tmp_path_factory.mktemp("trained")
        history = train(tiny("qwen2"), prompts, place, reward)
        written = sorted((place / "completions").glob("*.parquet"))
        tables = [parquet.read_table(each).to_pydict() for each in written]
        yield reward, history, tables


def test_each_step_asks_for_the_rewards_of_whole_groups(trained: Trained) -> None:
    reward, *_ = trained

    for prompts, completions, rewards in reward.calls:
        assert len(prompts) == len(completions) == len(rewards) == 2 * SIZE
        for start in (0, SIZE):
            assert all(each == prompts[start] for each in prompts[start:][:SIZE])
    assert len(reward.calls) == 2


def test_a_prompt_that_comes_twice_is_two_groups(trained: Trained) -> None:
    reward, *_ = trained
    prompts, _, rewards = reward.calls[0]

    assert prompts[0] == prompts[SIZE]
    assert sum(rewards[:SIZE]) == pytest.approx(0, abs=1e-6)
    assert sum(rewards[SIZE:]) == pytest.approx(0, abs=1e-6)


def test_the_longer_completion_of_a_group_has_the_higher_reward(
    trained: Trained,
) -> None:
    reward, *_ = trained

    for _, completions, rewards in reward.calls:
        for start in (0, SIZE):
            group = range(start, start + SIZE)
            lengths = {place: len(texts(completions[place]).strip()) for place in group}
            best = max(group, key=lambda place: rewards[place])
            assert lengths[best] == max(lengths.values())


def test_each_completion_has_the_reward_that_was_given(trained: Trained) -> None:
    reward, _, written = trained

    for (_, completions, rewards), table in zip(reward.calls, written, strict=True):
        assert [texts(each) for each in table["completion"]] == [
            texts(each) for each in completions
        ]
        assert table["FakeJudge"] == pytest.approx(rewards, abs=1e-4)


def test_the_advantage_goes_up_with_the_reward(trained: Trained) -> None:
    _, _, (first, second) = trained

    for table in (first, second):
        for start in (0, SIZE):
            group = slice(start, start + SIZE)
            pairs = sorted(
                zip(table["FakeJudge"][group], table["advantage"][group], strict=True)
            )
            assert [each for _, each in pairs] == sorted(each for _, each in pairs)


def test_the_trainer_logs_what_the_reward_gave(trained: Trained) -> None:
    reward, history, _ = trained

    for (_, _, rewards), logged in zip(reward.calls, history[:2], strict=True):
        assert logged["rewards/FakeJudge/mean"] == pytest.approx(0, abs=1e-4)
        assert logged["rewards/FakeJudge/std"] == pytest.approx(
            stdev(rewards), rel=1e-3
        )


def test_the_trainer_logs_the_share_that_could_not_be_judged(trained: Trained) -> None:
    _, history, _ = trained

    assert history[0]["FakeJudge/unjudged"] == 0.0


def test_the_rewards_train(trained: Trained) -> None:
    _, history, _ = trained

    assert all(step["grad_norm"] > 0 for step in history if "grad_norm" in step)
