"""Bad input, told in one sentence before any model loads.

lm-eval loads its model before it makes a task. `before_model` looks at the tasks that
are asked for and at the arguments, and refuses what could only fail later.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rrm_harness import plan
from rrm_harness.errors import SpecError
from rrm_harness.records import Example, Strategy
from rrm_harness.tasks_folder import folders

from .arguments import Arguments
from .backend import refuse_what_none_can
from .setting import Setting, rejoined

MODEL = "rrm"
NO_SYSTEM_INSTRUCTION = (
    "a judge has a system turn of its own, so --system_instruction cannot be used; give"
    " it a template of yours: judge=[NAME,template=FILE]"
)
USE_OURS = f"use --model {MODEL} --model_args judge=...,strategy=..."


def before_model(arguments: Mapping[str, Any]) -> None:
    """Look at what `lm_eval.simple_evaluate` was asked for; other tasks are left alone.

    Args:
        arguments: Its arguments by name.

    Raises:
        HarnessError: The run could not succeed; says why and what to do.
    """
    model, given = arguments["model"], _dictionary(arguments.get("model_args"))
    metadata = rejoined(given) | rejoined(arguments.get("metadata") or {})
    configs = list(_ours(arguments.get("tasks") or ()))
    if not configs:
        return
    settings = [Setting(each["task"], each["rrm"], metadata) for each in configs]
    changed = _dictionary(arguments.get("gen_kwargs"))
    if arguments.get("system_instruction"):
        raise SpecError(NO_SYSTEM_INSTRUCTION)
    if model == MODEL:
        read = Arguments.read(given)
        read.judges()
        for setting in settings:
            _refuse_missing_roles(setting, read)
    elif isinstance(model, str) and not arguments.get("apply_chat_template"):
        _refuse_without_template(model, given)
    for setting in settings:
        refuse_settings(setting, model == MODEL, changed)
    if isinstance(model, str) and model != MODEL and arguments.get("use_cache"):
        claim_cache(str(arguments["use_cache"]), model, given)


def refuse_settings(
    setting: Setting, judging: bool, changed: Mapping[str, Any]
) -> None:
    """Refuse what a task cannot be asked of this model.

    Args:
        setting: The task's.
        judging: Whether the model is ours.
        changed: How `--gen_kwargs` would have texts written.

    Raises:
        HarnessError: The data is missing or malformed, or judge or strategy cannot be
            had this way.
    """
    examples = setting.examples
    if judging and changed:
        raise SpecError(
            f"--gen_kwargs changes nothing under --model {MODEL}; give the judge's own"
            " options: judge=[NAME,temperature=...,max-tokens=...]"
        )
    if judging:
        return
    if setting.metadata.get("think_end_token") is not None:
        raise SpecError(
            "think_end_token hides from the judge's reader whether a thought ended;"
            " leave it out: what is thought is never read as an answer"
        )
    for example in _one_of_each_size(examples):
        _refuse_adaptive(setting, setting.strategy, len(example.responses))
        asked = plan.requests(example, setting.strategy, setting.judge, setting.seed)
        if not asked:
            raise SpecError(f"the judge {setting.judge_spec} asks no model; {USE_OURS}")
        for request in asked[:1]:
            refuse_what_none_can(request)


def _refuse_adaptive(setting: Setting, strategy: Strategy, responses: int) -> None:
    """Refuse a strategy that must see answers, or other judges, to go on."""
    named = f"strategy {setting.strategy_spec}"
    others = plan.roles(strategy, responses) - {"judge"}
    if others:
        raise SpecError(
            f"{named} asks a {' and a '.join(sorted(others))} as well, and here one"
            f" model is asked; {USE_OURS},{','.join(f'{each}=...' for each in others)}"
        )
    if plan.is_adaptive(strategy, responses):
        raise SpecError(
            f"{named} chooses what to ask by the answers, and here all must be asked at"
            f" once; {USE_OURS}"
        )


def _refuse_missing_roles(setting: Setting, arguments: Arguments) -> None:
    """Refuse a strategy of which nobody plays a part.

    Raises:
        SpecError: It is so; names the argument that is missing.
    """
    named, strategy = arguments.strategy_of(setting.strategy_spec)
    (example, *_) = setting.examples
    missing = plan.roles(strategy, len(example.responses)) - set(arguments.specs)
    wanted = {"policy": "policy_model=ID or policy=SPEC", "meta": "meta_judge=SPEC"}
    for role in sorted(missing):
        raise SpecError(
            f"task {setting.task} with strategy {named} needs a {role}; add"
            f" {wanted.get(role, role)} to --model_args"
        )


def _one_of_each_size(examples: Iterable[Example]) -> Iterator[Example]:
    """The first example with each number of responses."""
    return iter({len(each.responses): each for each in examples}.values())


def _refuse_without_template(model: str, given: Mapping[str, Any]) -> None:
    """Refuse to ask a chat model without its template, on which it would write noise.

    Raises:
        SpecError: It is one.
    """
    place = given.get("tokenizer") or given.get("pretrained")
    if "chat" in model or (isinstance(place, str) and has_chat_template(place)):
        raise SpecError(
            f"{place or model} is a chat model, and without its chat template it would"
            " be asked in a form that it does not know; add --apply_chat_template"
        )


def has_chat_template(place: str) -> bool:
    """Whether a folder's, or a hub's, tokenizer has a chat template; False if unknown.

    Only files of a few kilobytes are read, and no code of the model's.
    """
    try:
        config = json.loads(_file(place, "tokenizer_config.json").read_text("utf-8"))
    except Exception:  # the model's own load will say what is wrong
        config = {}
    if config.get("chat_template"):
        return True
    return any(map(partial(_has, place), ("chat_template.jinja", "chat_template.json")))


def _has(place: str, name: str) -> bool:
    try:
        return _file(place, name).is_file()
    except Exception:
        return False


def _file(place: str, name: str) -> Path:
    """A small file of a model, downloaded from the hub if it is not a folder here."""
    folder = Path(place).expanduser()
    if folder.is_dir():
        return folder / name
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(place, name))


def claim_cache(path: str, model: str, given: Mapping[str, Any]) -> None:
    """Keep lm-eval's cache of replies, which knows no model, to the model that made it.

    Raises:
        SpecError: Another one made it, or nobody knows who did.
    """
    owner = Path(f"{path}.model.json")
    ours = {"model": model, **{key: str(each) for key, each in given.items()}}
    if owner.is_file():
        try:
            known = json.loads(owner.read_text("utf-8"))
        except ValueError:
            known = None
        if known == ours:
            return
    elif not any(owner.parent.glob(f"{Path(path).name}_rank*.db")):
        owner.parent.mkdir(parents=True, exist_ok=True)
        owner.write_text(json.dumps(ours, indent=2) + "\n", "utf-8")
        return
    raise SpecError(
        f"--use_cache {path} holds another model's replies, or nobody knows whose, and"
        " would serve them as this one's; give each model and its arguments a path of"
        " their own"
    )


def _ours(tasks: Iterable[Any]) -> Iterator[Mapping[str, Any]]:
    """The configs of those tasks that are ours, groups and tags taken apart."""
    known = known_tasks()
    waiting = list(tasks)
    seen: set[str] = set()
    while waiting:
        task = waiting.pop(0)
        config = known.get(task, {}) if isinstance(task, str) else task
        if not isinstance(config, Mapping):
            continue
        if isinstance(config.get("task"), list):
            waiting.extend(config["task"])
        elif "rrm" in config and config["task"] not in seen:
            seen.add(config["task"])
            yield config


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


def _dictionary(given: Any) -> dict[str, Any]:
    """lm-eval's arguments, which its Python callers may give as a text."""
    if isinstance(given, str):
        from lm_eval.utils import simple_parse_args_string

        return dict(simple_parse_args_string(given))
    return dict(given or {})
