"""What trainers send to `/get_reward` and what they are answered: OpenRLHF's format.

Source: OpenRLHF 0.11.2, openrlhf/utils/agent.py (SingleTurnAgentExecutor, the client)
and openrlhf/cli/serve_rm.py (the server).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rrm_harness.errors import DataError
from rrm_harness.rewards.templated import unmarked
from rrm_harness.rewards.texts import Text, checked

TAIL = 64
"""Characters at a prompt's end that tell where it ends in a query."""


class Query(NamedTuple):
    """A prompt and one completion of it."""

    prompt: Text
    completion: Text


def queries(sent: Any) -> list[Query]:
    """Read a request: `prompts`, and for each a `query` or one of `responses`.

    A query is its prompt, its completion and special tokens in one text, as OpenRLHF
    sends it. Where the trainer has cut the prompt's beginning off, its end is searched
    for.

    Raises:
        DataError: It is something else.
    """
    if not isinstance(sent, Mapping):
        raise DataError("the request is no JSON object; send query and prompts")
    prompts = _listed(sent, "prompts")
    if "responses" in sent:
        completions = _listed(sent, "responses")
        _refuse_other_numbers(prompts, completions, "responses")
    else:
        whole = _listed(sent, "query")
        _refuse_other_numbers(prompts, whole, "query")
        pairs = enumerate(zip(prompts, whole, strict=True))
        completions = [_after(prompt, each, place) for place, (prompt, each) in pairs]
    for text in (*prompts, *completions):
        checked(text)
    return [Query(*each) for each in zip(prompts, completions, strict=True)]


def answer(rewards: Sequence[float]) -> dict[str, Any]:
    """The response: the reward of each query, thrice, as their own server has it."""
    same = [*rewards]
    return {"rewards": same, "scores": same, "extra_logs": {"dummy_scores": same}}


def _listed(sent: Mapping[str, Any], name: str) -> list[Any]:
    listed = sent.get(name)
    if not isinstance(listed, list) or not listed:
        raise DataError(
            f"{name} is {listed!r:.80}; send a list with one for each query"
        )
    return listed


def _refuse_other_numbers(prompts: list[Any], others: list[Any], name: str) -> None:
    if len(prompts) != len(others):
        raise DataError(
            f"there are {len(prompts)} prompts and {len(others)} of {name}; send one"
            " prompt for each"
        )


def _after(prompt: Any, query: Any, place: int) -> str:
    """What a query says after its prompt."""
    if isinstance(prompt, str) and isinstance(query, str):
        if query.startswith(prompt):
            return unmarked(query[len(prompt) :])
        _, found, rest = query.partition(prompt[-TAIL:])
        if found:
            return unmarked(rest)
    raise DataError(
        f"query[{place}] does not hold the end of prompts[{place}], so there is no"
        " telling the completion from it; send texts, or responses in place of query"
    )
