"""verl's two forms of a reward function, by keyword as its managers call them.

verl itself is not among the pins, for it excludes our transformers; where it is
installed its own loader and reward manager are put to the test as well.
"""

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rrm_harness import DataError, EngineError, SpecError
from rrm_harness.rewards import verl

COMMAND = str(Path(sys.executable).with_name("rrm-harness"))
CHAT = [{"role": "user", "content": "Why?"}]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server that judges three completions together."""
    options = ["--judge", "longest", "--group", "3", "--port", "0", "--scale", "rank"]
    with subprocess.Popen(
        [COMMAND, "serve", "reward", *options], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        found = re.search(r"rewards at (http://\S+)", process.stderr.readline())
        assert found
        yield found[1]
        process.terminate()


def sample(completion: str, **extra: Any) -> dict[str, Any]:
    """The keywords of verl's `naive` reward manager."""
    return {
        "data_source": "mine",
        "solution_str": completion,
        "ground_truth": None,
        "extra_info": {"num_turns": None, "rollout_reward_scores": {}, **extra},
    }


def batch(completions: list[str], prompts: list[Any]) -> dict[str, Any]:
    """The keywords of verl's `batch` reward manager."""
    return {
        "data_sources": np.array(["mine"] * len(completions)),
        "solution_strs": completions,
        "ground_truths": [None] * len(completions),
        "extra_infos": np.array([{"raw_prompt": each} for each in prompts]),
    }


def test_samples_asked_one_at_a_time_are_judged_as_a_group(url: str) -> None:
    async def ask() -> list[dict[str, float]]:
        prompt = np.array(CHAT, dtype=object)  # as verl keeps it
        each = [sample("a" * n, raw_prompt=prompt) for n in (1, 3, 2)]
        asked = [verl.compute_score(**one, url=url) for one in each]
        return [*await asyncio.gather(*asked)]

    assert asyncio.run(ask()) == [{"score": -1.0}, {"score": 1.0}, {"score": 0.0}]


def test_a_batch_is_judged_in_groups_of_equal_prompts_wherever_they_are() -> None:
    prompts = [CHAT, "Why not?", CHAT, "Why not?"]

    rewards = verl.compute_score_batch(
        **batch(["a", "aaa", "aa", "a"], prompts), judge="longest", scale="rank"
    )

    assert rewards == [-1.0, 1.0, 1.0, -1.0]


def test_a_batch_function_that_is_asked_for_a_sample_says_what_to_do() -> None:
    with pytest.raises(SpecError, match=r"name: compute_score with reward_kwargs\.url"):
        verl.compute_score_batch(**sample("a"), judge="longest")


def test_a_sample_function_that_is_asked_for_a_batch_says_what_to_do() -> None:
    asked = verl.compute_score(**batch(["a"], [CHAT]), url="http://localhost")

    with pytest.raises(SpecError, match="use name: compute_score_batch"):
        asyncio.run(asked)


def test_a_sample_function_without_a_server_says_how_to_start_one() -> None:
    with pytest.raises(SpecError, match="start rrm-harness serve reward --group N"):
        asyncio.run(verl.compute_score(**sample("a", raw_prompt=CHAT)))


def test_a_batch_function_without_a_judge_is_refused() -> None:
    with pytest.raises(SpecError, match=r"reward_kwargs\.judge"):
        verl.compute_score_batch(**batch(["a"], [CHAT]))


def test_a_row_without_its_prompt_is_refused() -> None:
    with pytest.raises(DataError, match=r"no 'question'.*reward_kwargs\.prompt_key"):
        verl.compute_score_batch(
            **batch(["a"], [CHAT]), judge="longest", prompt_key="question"
        )


def test_a_server_that_is_not_there_is_an_error_and_no_reward() -> None:
    nowhere = "http://127.0.0.1:9/get_reward"
    asked = verl.compute_score(**sample("a", raw_prompt=CHAT), url=nowhere, retries=0)

    with pytest.raises(EngineError, match="does not answer"):
        asyncio.run(asked)


def test_a_server_that_cannot_judge_is_an_error_and_no_reward(url: str) -> None:
    asked = verl.compute_score(**sample("a", raw_prompt=CHAT), url=f"{url}s")

    with pytest.raises(EngineError, match="gave no reward"):
        asyncio.run(asked)


@pytest.mark.parametrize("path", ["pkg://rrm_harness.rewards.verl", str(verl.__file__)])
def test_verl_s_own_loader_and_manager_take_it(url: str, path: str) -> None:
    manager = loaded(path, {"url": url})

    async def ask() -> list[float]:
        asked = [manager.run_single(rollout("a" * n)) for n in (1, 3, 2)]
        return [each["reward_score"] for each in await asyncio.gather(*asked)]

    assert manager.loop.run_until_complete(ask()) == [-1.0, 1.0, 0.0]


class Letters:
    """A tokenizer of characters."""

    def decode(self, ids: Any, skip_special_tokens: bool) -> str:
        return "".join(map(chr, ids))


def loaded(path: str, kwargs: dict[str, Any]) -> Any:
    """verl's `naive` reward manager with our function, by its own configuration."""
    pytest.importorskip("verl")
    from omegaconf import OmegaConf
    from verl.trainer.ppo.reward import load_reward_manager

    function = {"path": path, "name": "compute_score", "reward_kwargs": kwargs}
    manager = {"source": "register", "name": "naive"}
    config = {"reward": {"custom_reward_function": function, "reward_manager": manager}}
    return load_reward_manager(OmegaConf.create(config), Letters())


def rollout(completion: str) -> Any:
    """One completion as verl's agent loop hands it to a reward manager."""
    import torch
    from tensordict import TensorDict
    from verl import DataProto

    ids = torch.tensor([[ord(letter) for letter in completion]])
    mask = torch.ones(1, 1 + ids.shape[1], dtype=torch.long)
    tensors = {"prompts": torch.tensor([[1]]), "responses": ids, "attention_mask": mask}
    fields: dict[str, list[Any]] = {
        "data_source": ["mine"],
        "reward_model": [{"ground_truth": None}],
        "extra_info": [{}],
        "tool_extra_fields": [{"raw_prompt": CHAT}],
    }
    arrays = {}
    for name, (value,) in fields.items():
        arrays[name] = np.empty(1, dtype=object)
        arrays[name][0] = value
    return DataProto(TensorDict(tensors, batch_size=1), arrays)
