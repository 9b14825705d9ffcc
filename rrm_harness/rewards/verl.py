"""Reward functions for verl: `reward.custom_reward_function.path` and `.name`.

verl's reward managers ask for one completion at a time, in several processes at once,
as rollouts end: `compute_score` sends each to `rrm-harness serve reward`, where the
group comes together. `compute_score_batch` is for managers that hand over a batch, as
`batch` of earlier releases does; it judges in their process.

Source: verl 0.9.1, verl/trainer/ppo/reward.py (the loader),
verl/experimental/reward_loop/reward_manager/naive.py, and
verl/workers/reward_manager/batch.py (the two forms).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from rrm_harness.errors import DataError, EngineError, SpecError
from rrm_harness.rewards.group import GroupReward
from rrm_harness.rewards.texts import Text

TIMEOUT = 3600.0
"""Seconds that a group may take to come together and be judged."""


async def compute_score(
    data_source: str = "",
    solution_str: str | None = None,
    ground_truth: Any = None,
    extra_info: Mapping[str, Any] | None = None,
    *,
    url: str = "",
    prompt_key: str = "raw_prompt",
    timeout: float = TIMEOUT,
    retries: int = 5,
    **given: Any,
) -> dict[str, float]:
    """The reward of one completion, judged with the others of its prompt.

    Args:
        data_source: Not read; nor is `ground_truth`.
        solution_str: The completion.
        ground_truth: What a rule would compare it with.
        extra_info: The row's, which holds the prompt.
        url: Of `rrm-harness serve reward --group N`, where N is verl's rollout.n.
        prompt_key: Where in `extra_info` the prompt is: a string or messages.
        timeout: Seconds.
        retries: How often a server that cannot be reached is tried again.
        **given: What else verl passes.

    Returns:
        `{"score": reward}`.

    Raises:
        SpecError: There is no `url`, or verl asks for a batch.
        DataError: There is no prompt.
        EngineError: The server cannot be reached or cannot judge.
    """
    if solution_str is None:
        raise SpecError(
            "this reward manager asks for a batch; use name: compute_score_batch"
        )
    if not url:
        raise SpecError(
            "a completion is judged in its group and verl asks for one at a time; start"
            " rrm-harness serve reward --group N (N is rollout.n) and give its address"
            " as reward_kwargs.url"
        )
    import httpx

    asked = {
        "prompts": [_prompt(extra_info, prompt_key)],
        "responses": [solution_str],
    }
    transport = httpx.AsyncHTTPTransport(retries=retries)
    try:
        async with httpx.AsyncClient(timeout=timeout, transport=transport) as client:
            answer = await client.post(url, json=asked)
    except httpx.HTTPError as error:
        raise EngineError(
            f"{url} does not answer ({type(error).__name__}: {error}); start"
            " rrm-harness serve reward there"
        ) from error
    if answer.status_code != 200:
        raise EngineError(f"{url} gave no reward: {answer.text:.500}")
    return {"score": float(answer.json()["rewards"][0])}


def compute_score_batch(
    data_sources: Sequence[str] = (),
    solution_strs: Sequence[str] | None = None,
    ground_truths: Sequence[Any] = (),
    extra_infos: Sequence[Mapping[str, Any]] = (),
    *,
    judge: str = "",
    strategy: str = "elo",
    engine: str | None = None,
    prompt_key: str = "raw_prompt",
    **options: Any,
) -> list[float]:
    """The rewards of a batch, in its order; all completions of a prompt are a group.

    Args:
        data_sources: Not read; nor are `ground_truths`.
        solution_strs: The completions.
        ground_truths: What a rule would compare them with.
        extra_infos: The rows', which hold the prompts.
        judge: A spec; it is loaded once in a process.
        strategy: A spec.
        engine: A spec.
        prompt_key: Where in each of `extra_infos` the prompt is.
        **options: Those of `GroupReward`.

    Raises:
        SpecError: verl asks for one completion at a time, or there is no judge.
        HarnessError: As `GroupReward.score_groups`.
    """
    if solution_strs is None:
        raise SpecError(
            "this reward manager asks for one completion at a time, and a group is"
            " judged whole; use name: compute_score with reward_kwargs.url"
        )
    if not judge:
        raise SpecError("there is no judge; give its spec as reward_kwargs.judge")
    reward = _reward(judge, strategy, engine, tuple(sorted(options.items())))
    places: dict[str, list[int]] = {}
    prompts = [_prompt(each, prompt_key) for each in extra_infos]
    for place, prompt in enumerate(prompts):
        places.setdefault(repr(prompt), []).append(place)
    groups = [
        (prompts[each[0]], [solution_strs[place] for place in each])
        for each in places.values()
    ]
    rewards = [0.0] * len(solution_strs)
    for each, found in zip(places.values(), reward.score_groups(groups), strict=True):
        for place, value in zip(each, found, strict=True):
            rewards[place] = value
    return rewards


@cache
def _reward(
    judge: str, strategy: str, engine: str | None, options: tuple[tuple[str, Any], ...]
) -> GroupReward:
    """The process's reward of these options; closed when the process ends."""
    return GroupReward(judge, strategy, engine=engine, **dict(options))


def _prompt(extra_info: Mapping[str, Any] | None, key: str) -> Text:
    """A row's prompt, with messages as plain dictionaries."""
    found = (extra_info or {}).get(key)
    if found is None:
        raise DataError(
            f"extra_info has no '{key}', so there is no telling what was asked; name"
            " the field that holds the prompt as reward_kwargs.prompt_key"
        )
    return found if isinstance(found, str) else [dict(each) for each in found]
