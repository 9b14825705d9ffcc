"""`--model rrm`: any judge under any strategy on any engine, as a model of lm-eval's.

It judges the documents of our tasks, not their texts, so that a strategy may look at
answers before it asks on. Every judgment is kept in a store, one file for each judge:
the same command again asks only for what is missing.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from tqdm import tqdm

from rrm_harness import chance, host
from rrm_harness.answers import Answers, Bench
from rrm_harness.errors import HarnessError, OutputError, SpecError
from rrm_harness.evaluate import same_model
from rrm_harness.records import Engine, Judge
from rrm_harness.schedule import Finished, play_all
from rrm_harness.store import RunStore

from . import documents, wire
from .arguments import LM_EVAL, Arguments
from .wrapped import Wrapped

_log = logging.getLogger("lm_eval.rrm_harness")  # so lm-eval shows it


class JudgingRank(int):
    """The rank of a model that judges, which is all that lm-eval tells a task of it."""


class RRM(LM):  # type: ignore[misc]
    """A judge, a strategy and an engine behind lm-eval's interface of a model.

    Args:
        **given: The fields of `Arguments`, options of the plugins that they name, and
            with `backend=NAME` that model's own.

    Raises:
        HarnessError: A spec is wrong. No weights are loaded before the first judgment.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__()
        _refuse_several_processes()
        self.arguments = Arguments.read(given)
        self._wishes = {key: given[key] for key in LM_EVAL if given.get(key)}
        self._judges = self.arguments.judges()
        self._engines = self._built_engines()

    @property
    def rank(self) -> int:
        """0, and that this model judges."""
        return JudgingRank(0)

    @property
    def tokenizer_name(self) -> str:
        """The judge, of whose prompts lm-eval keeps nothing anyway."""
        return self.arguments.judge

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """Refused: each judge renders its own chats.

        Raises:
            SpecError: Always.
        """
        raise _foreign()

    def loglikelihood(self, requests: list[Instance]) -> Any:
        """Refused: a judge judges.

        Raises:
            SpecError: Always.
        """
        raise _foreign()

    def loglikelihood_rolling(self, requests: list[Instance]) -> Any:
        """Refused: a judge judges.

        Raises:
            SpecError: Always.
        """
        raise _foreign()

    def generate_until(
        self, requests: list[Instance], disable_tqdm: bool = False
    ) -> list[str]:
        """Judge the documents; the answers are played examples, as `wire` writes them.

        Raises:
            HarnessError: A judge, its engine or the store fails; what was judged is
                kept, and the same command continues.
        """
        if not all("strategy" in request.args[1] for request in requests):
            raise _foreign()
        answers: list[str] = []
        with ExitStack() as stack:
            for engine in self._engines.values():
                stack.callback(engine.close)
            store = stack.enter_context(self._store())
            bar = tqdm(total=len(requests), desc="judging", disable=disable_tqdm)
            stack.enter_context(bar)
            for finished in self._played(requests, store):
                answers.append(json.dumps(wire.dumped(finished)))
                bar.update()
        return answers

    def _played(
        self, requests: Sequence[Instance], store: RunStore
    ) -> Iterator[Finished]:
        """Play the requests' documents, task by task."""
        for (_, default, theirs), group in groupby(requests, key=_task):
            _, strategy = self.arguments.strategy_of(default)
            seed = theirs if self.arguments.seed is None else self.arguments.seed
            examples = (documents.example(request.doc) for request in group)
            answers = Answers(self._benches(), store)
            yield from play_all(examples, strategy, answers, seed)

    def _benches(self) -> dict[str, Bench]:
        return {
            role: Bench(judge, self._engines.get(role))
            for role, judge in self._judges.items()
        }

    def _built_engines(self) -> dict[str, Engine]:
        """The engine of each role; roles of one model and one spec share it."""
        arguments = self.arguments
        shared: Engine | None = None
        if arguments.backend:
            options = arguments.backend_options
            shared = Wrapped(arguments.backend, options, self._wishes)
        built: dict[str, Engine] = {}
        specs = {role: engine for role, (_, engine) in arguments.specs.items()}
        for role, judge in self._judges.items():
            if specs[role]:
                like = _alike(judge, specs[role], self._judges, specs, built)
                built[role] = like or host.default().engine(specs[role], judge)
            elif shared is not None:
                built[role] = shared
        return built

    def _store(self) -> RunStore:
        """The file of this judge's judgments."""
        folder = Path(self.arguments.store)
        known = [
            f"{role} {judge.identity} {self._engines[role].identity}"
            if role in self._engines
            else f"{role} {judge.identity}"
            for role, judge in self._judges.items()
        ]
        name = self.arguments.judge.partition(",")[0]
        file = folder / f"{name}-{chance.digest(*known).hex()[:12]}.sqlite"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"{folder} cannot be written ({error.strerror}); name another folder"
                " with store=FOLDER"
            ) from error
        _log.info("judgments are kept in %s; the same command continues", file)
        return RunStore(file)

    def get_model_info(self) -> Mapping[str, Any]:
        """What lm-eval's results say of the model."""
        told = {
            f"{role}_identity": each.identity for role, each in self._judges.items()
        }
        return told | {"seed": self.arguments.seed}


def _alike(
    judge: Judge,
    spec: str,
    judges: Mapping[str, Judge],
    specs: Mapping[str, str],
    built: Mapping[str, Engine],
) -> Engine | None:
    """An engine that runs this judge's model already."""
    for role, engine in built.items():
        if specs[role] == spec and same_model(judge, judges[role]):
            return engine
    return None


def _refuse_several_processes() -> None:
    """Refuse to have each process of a launcher judge everything.

    Raises:
        SpecError: There are several.
    """
    processes = os.environ.get("WORLD_SIZE", "1")
    if processes not in ("", "1"):
        raise SpecError(
            f"--model rrm was started in {processes} processes, and each would judge"
            " everything; start one, and spread the engine:"
            " engine=[vllm,tensor-parallel=2]"
        )


def _task(request: Instance) -> tuple[str, str, int]:
    told = request.args[1]
    return str(request.task_name), told["strategy"], told["seed"]


def _foreign() -> HarnessError:
    return SpecError(
        "--model rrm judges, and only the tasks of rrm-harness ask it to"
        " (rrm-harness list tasks); run other tasks with another --model"
    )
