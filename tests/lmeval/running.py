"""Run a task of ours inside lm-eval, in this process, without its own tasks' index."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import lm_eval
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager

from rrm_harness import Completion, Message, Request, chance
from rrm_harness.tasks_folder import folders


def manager(metadata: Mapping[str, Any]) -> TaskManager:
    """lm-eval's index of our tasks alone."""
    paths = [str(folder) for folder in folders()]
    return TaskManager(
        include_path=paths, include_defaults=False, metadata=dict(metadata)
    )


def run(
    task: str,
    model: str | LM = "rrm",
    model_args: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """lm-eval's whole results, as its command line would get them."""
    from rrm_harness.lmeval import model as _  # noqa: F401 - registers nothing by itself

    given = dict(model_args or {})
    if model == "rrm":
        from rrm_harness.lmeval.model import RRM

        model = RRM(**given)
    results: dict[str, Any] = lm_eval.simple_evaluate(
        model=model,
        model_args=given,
        tasks=[task],
        task_manager=manager(given | dict(metadata or {})),
        **{"bootstrap_iters": 10, "device": "cpu", "verbosity": None} | options,
    )
    return results


def metrics(results: Mapping[str, Any], task: str) -> dict[str, Any]:
    """A task's numbers by the metric's name."""
    return {
        name.partition(",")[0]: value
        for name, value in results["results"][task].items()
        if "," in name
    }


def replies(results: Mapping[str, Any], task: str) -> list[Any]:
    """What the model answered, document by document."""
    return [sample["resps"] for sample in results["samples"][task]]


def verdict(messages: Sequence[tuple[str, str]], forms: Sequence[str]) -> str:
    """One of these texts, drawn from what was asked."""
    return forms[chance.seed(json.dumps(messages)) % len(forms)]


class Scripted(LM):
    """A chat model of lm-eval's that answers by a function of the chat.

    `asked` is every chat with how it was to be answered.
    """

    def __init__(self, reply: Callable[[Sequence[tuple[str, str]]], str]) -> None:
        super().__init__()
        self.reply = reply
        self.asked: list[tuple[list[tuple[str, str]], dict[str, Any]]] = []

    tokenizer_name = "scripted"

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        turns = [(turn["role"], turn["content"]) for turn in chat_history]
        return json.dumps(turns, ensure_ascii=False)

    def generate_until(
        self, requests: list[Instance], disable_tqdm: bool = False
    ) -> list[str]:
        chats = [
            [tuple(turn) for turn in json.loads(each.args[0])] for each in requests
        ]
        self.asked += [
            (chat, each.args[1]) for chat, each in zip(chats, requests, strict=True)
        ]
        return [self.reply(chat) for chat in chats]

    def loglikelihood(self, requests: list[Instance]) -> Any:
        raise NotImplementedError

    def loglikelihood_rolling(self, requests: list[Instance]) -> Any:
        raise NotImplementedError


def as_engine(
    reply: Callable[[Sequence[tuple[str, str]]], str],
) -> Callable[[Request], Completion]:
    """The same function for our own fake engine."""

    def answer(request: Request) -> Completion:
        turns: list[Message] = [*request.messages]
        return Completion(reply([(each.role, each.content) for each in turns]))

    return answer


def record(path: Path, entries: Sequence[Mapping[str, Any]]) -> Path:
    """Write recorded judgments."""
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return path
