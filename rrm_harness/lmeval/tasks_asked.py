"""Which of the tasks that lm-eval is asked for are ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rrm_harness.errors import SpecError
from rrm_harness.tasks_folder import folders


def ours_among(
    tasks: Iterable[Any], arguments: Mapping[str, Any]
) -> list[Mapping[str, Any]]:
    """The configs of those tasks that are ours, groups and tags taken apart.

    Raises:
        SpecError: A task is asked for twice, which lm-eval refuses with a traceback.
    """
    known, manager = known_tasks(), arguments.get("task_manager")
    found: dict[str, tuple[Any, Mapping[str, Any]]] = {}
    waiting = [(task, task) for task in tasks]
    while waiting:
        source, task = waiting.pop(0)
        config = _config(task, known, manager) if isinstance(task, str) else task
        if not isinstance(config, Mapping):
            continue
        if isinstance(config.get("task"), list):
            waiting.extend((source, each) for each in config["task"])
        elif "rrm" in config:
            first, _ = found.setdefault(config["task"], (source, config))
            if first != source:
                raise SpecError(
                    f"task {config['task']} is asked for twice, by {first} and by"
                    f" {source}; name one of them"
                )
    return [config for _, config in found.values()]


def _config(name: str, known: Mapping[str, Any], manager: Any) -> Any:
    """A task's, a group's or a tag's config: an installed one, or lm-eval's own."""
    entry = manager.task_index.get(name) if manager is not None else None
    if name in known or entry is None:
        return known.get(name)
    return {"task": sorted(entry.tags)} if entry.kind.name == "TAG" else entry.cfg


def known_tasks() -> dict[str, Mapping[str, Any]]:
    """What the installed task files define, by name; a tag is a group of its tasks."""
    from lm_eval.tasks._yaml_loader import load_yaml

    found: dict[str, Mapping[str, Any]] = {}
    for folder in folders():
        for file in sorted(folder.rglob("*.yaml")):
            config = load_yaml(file, resolve_func=False)
            found[config.get("group") or config["task"]] = config
            tags = config.get("tag") or []
            for tag in [tags] if isinstance(tags, str) else tags:
                group = found.setdefault(tag, {"group": tag, "task": []})
                group["task"].append(config["task"])
    return found
