"""Try an lm-eval task on two documents: what `lm_eval validate` does not.

That looks for the name alone. This renders, makes the requests, answers them with
made-up replies, filters, scores and aggregates, and names what is wrong.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rrm_harness.errors import HarnessError, SpecError
from rrm_harness.specs import nearest
from rrm_harness.tasks_folder import folders

DOCUMENTS = 2
REPLIES = (
    "Considered.</think>\\boxed{Assistant 1}",
    "[[A]]",
    "<answer>[[A]]</answer>",
    "\\boxed{A}",
    "[[7]]",
    "7",
    "8 7",
    "<answer>8</answer><answer>7</answer>",
    "[[A>B]]",
    "<score_A>8</score_A><score_B>7</score_B>",
    "<score>7</score>",
    "\\boxed{8, 7}",
    "[RESULT] A",
    "[RESULT] 4",
    '{"Choice": "Model A"}',
    "Output (a) is better.",
)
"""Forms of verdicts; the first that a judge task can read is the made-up reply."""
SHOWN = 2000
"""Characters of a prompt that are shown."""


@dataclass
class Tried:
    """What a task did.

    Args:
        name: Its name.
        facts: Names and values.
        requests: What the first document's first request is, as it is sent.
        problems: What is wrong.
    """

    name: str
    facts: list[tuple[str, str]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class BrokenError(Exception):
    """A step that fails, so that no further one makes sense."""


def attempt(
    name: str,
    metadata: Mapping[str, Any],
    include: Path | None = None,
    reply: str = "",
) -> list[Tried]:
    """Try a task, or each task of a group or a tag.

    Args:
        name: The task's name, or its YAML file.
        metadata: What lm-eval's `--metadata` and `--model_args` would say.
        include: A folder with further task files.
        reply: The made-up reply; else one that the task can read is looked for.

    Raises:
        SpecError: There is no such task.
    """
    manager = _manager(name, metadata, include)
    unread = list(_unreadable(include)) if include else []
    tried = []
    for entry in _members(manager, name):
        one = Tried(entry, problems=[*unread])
        try:
            _try(one, manager, reply)
        except BrokenError as broken:
            one.problems.append(str(broken))
        tried.append(one)
    return tried


def _manager(name: str, metadata: Mapping[str, Any], include: Path | None) -> Any:
    """lm-eval's index; its own thousands of files are read only if they are needed."""
    from lm_eval.tasks import TaskManager

    paths = [*map(str, folders()), *([str(include)] if include else [])]
    options = {"include_path": paths, "metadata": dict(metadata)}
    manager = TaskManager(include_defaults=False, **options)
    if name in manager.all_tasks or name.endswith(".yaml"):
        return manager
    return TaskManager(**options)


def _members(manager: Any, name: str) -> list[str]:
    """The tasks that a name stands for.

    Raises:
        SpecError: It stands for nothing.
    """
    if name.endswith(".yaml"):
        if not Path(name).is_file():
            raise SpecError(f"{name}: no such file; give a task's YAML or its name")
        return [name]
    if name not in manager.all_tasks:
        hint = nearest(name, [each for each in manager.all_tasks if "rrm" in each])
        raise SpecError(f"lm-eval finds no task '{name}'; of ours, {hint}")
    entry = manager.task_index[name]
    if entry.kind.name == "TAG":
        return sorted(entry.tags)
    listed = (entry.cfg or {}).get("task")
    return [str(each) for each in listed] if isinstance(listed, list) else [name]


def _unreadable(folder: Path) -> Iterator[str]:
    """The task files that lm-eval would pass over without a word."""
    from lm_eval.tasks._yaml_loader import load_yaml

    if not folder.is_dir():
        yield f"{folder}: no such folder, which lm-eval would not tell"
    for file in sorted(folder.rglob("*.yaml")):
        try:
            load_yaml(file, resolve_func=False)
        except Exception as error:
            yield f"{file}: no task file ({_first_line(error)}); lm-eval skips it"


def _try(tried: Tried, manager: Any, reply: str) -> None:
    entry = manager.task_index.get(tried.name)
    unknown = list(_unknown_metrics(entry.cfg or {})) if entry else []
    with _step(f"does not load{''.join(unknown)}"):
        (task,) = manager.load([tried.name])["tasks"].values()
    with _step("has documents that cannot be read"):
        documents = list(task.eval_docs)
        again = list(task.eval_docs)
    tried.facts.append(("documents", f"{len(documents):,}"))
    if documents[:DOCUMENTS] != again[:DOCUMENTS]:
        tried.problems.append(
            "the documents differ each time they are read, as lm-eval does several"
            " times in a run: derive what is drawn from the document itself"
        )
    with _step("does not render or make requests"):
        _build(task)
    _look_at_requests(tried, task)
    with _step("does not score"):
        kept = _answered(task, documents, reply)
    with _step("does not aggregate"):
        _aggregate(tried, task, kept)


def _unknown_metrics(config: Mapping[str, Any]) -> Iterator[str]:
    """The metrics that lm-eval does not have, of whose names its error says nothing."""
    from lm_eval.api.metrics import mean  # noqa: F401 - that module registers them
    from lm_eval.api.registry import metric_registry

    for each in config.get("metric_list") or ():
        name = each.get("metric")
        if isinstance(name, str) and name not in metric_registry:
            yield f"; lm-eval itself has no metric '{name}'"


def _build(task: Any) -> None:
    """Make the requests, for our model if no other can play the task."""
    try:
        task.build_all_requests(limit=DOCUMENTS, rank=0, world_size=1)
    except SpecError:
        from rrm_harness.lmeval.model import JudgingRank

        task.build_all_requests(limit=DOCUMENTS, rank=JudgingRank(0), world_size=1)


def _look_at_requests(tried: Tried, task: Any) -> None:
    requests = task.instances
    tried.facts.append(("requests", f"{len(requests)} of {DOCUMENTS} documents"))
    context, *how = requests[0].args
    tried.requests.append(f"{str(context)[:SHOWN]}\n({requests[0].request_type} {how})")
    if not all(str(each.args[0]).strip() for each in requests):
        tried.problems.append("a prompt is empty; give doc_to_text a text")
    decoding = how[0] if how and isinstance(how[0], Mapping) else {}
    if decoding.get("until") == ["\n\n"]:
        tried.problems.append(
            "until is lm-eval's default, the first empty line, which cuts reasoning:"
            " set generation_kwargs until: []"
        )
    repeats = task.config.repeats or 1
    filters = [each.name for each in task._filters]  # nothing public tells them
    if repeats > 1 and filters == ["none"]:
        tried.problems.append(
            f"repeats is {repeats} and the filter takes the first answer alone: the"
            " others are paid for and dropped; give it a filter_list"
        )


def _answered(
    task: Any, documents: Sequence[Any], reply: str
) -> list[tuple[str, Mapping[str, Any]]]:
    """Each filter's metrics of each document, for made-up replies."""
    ours = hasattr(task, "setting")
    for text in [reply] if reply else REPLIES if ours else [""]:
        for request in task.instances:
            target = str(task.doc_to_target(request.doc))
            request.resps = [_made_up(request, text or target)]
            request.filtered_resps = {}
        task.apply_filters()
        kept = list(_processed(task, documents))
        if not ours or any(not _failed(each) for _, each in kept):
            break
    return kept


def _made_up(request: Any, text: str) -> Any:
    if request.request_type == "generate_until":
        return _judged(request) if "strategy" in request.args[1] else text
    return -1.0 if "rolling" in request.request_type else (-1.0, False)


def _judged(request: Any) -> str:
    """What our model would answer: the first response is best."""
    from rrm_harness.lmeval import documents, wire
    from rrm_harness.records import Outcome
    from rrm_harness.schedule import Finished

    example = documents.example(request.doc)
    scores = {place: float(not place) for place in range(len(example.responses))}
    return json.dumps(wire.dumped(Finished(example, Outcome(scores))))


def _processed(
    task: Any, documents: Sequence[Any]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, document in enumerate(documents[:DOCUMENTS]):
        requests = [each for each in task.instances if each.doc_id == number]
        for name in requests[0].filtered_resps:
            answers = [each.filtered_resps[name] for each in requests]
            yield name, task.process_results(document, answers)


def _failed(metrics: Mapping[str, Any]) -> bool:
    """Whether a judge task could not read its reply."""
    played = next(iter(metrics.values()))
    return bool(played["outcome"]["failure"])


def _aggregate(
    tried: Tried, task: Any, kept: Sequence[tuple[str, Mapping[str, Any]]]
) -> None:
    first = task.instances[0]
    tried.facts.append(("made-up reply", repr(first.resps[0])[:100]))
    if hasattr(task, "setting") and all(_failed(each) for _, each in kept):
        tried.problems.append(
            "no form of verdict that is known here is read; give one with --reply TEXT"
        )
    functions, items = task.aggregation(), list(kept)
    for name in {name for name, _ in items}:
        for metric in next(each for other, each in items if other == name):
            values = [each[metric] for other, each in items if other == name]
            if metric not in functions:
                tried.problems.append(
                    f"metric {metric} has no aggregation, and lm-eval takes the mean"
                )
                continue
            value = functions[metric](values)
            tried.facts.append((f"{metric},{name}", f"{value}"))


@contextmanager
def _step(what: str) -> Iterator[None]:
    """Whatever goes wrong in a step is what is wrong with the task."""
    try:
        with _quiet():
            yield
    except HarnessError as error:
        raise BrokenError(str(error)) from error
    except Exception as error:
        raise BrokenError(
            f"{what}: {type(error).__name__}: {_first_line(error)}"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep lm-eval's talk, and our cautions about made-up replies, off the screen."""
    named = [logging.getLogger("lm_eval")]
    levels = [each.level for each in named]
    for each in named:
        each.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for each, level in zip(named, levels, strict=True):
            each.setLevel(level)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]
