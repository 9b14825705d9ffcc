"""Bad input, told in one sentence before any model loads.

lm-eval loads its model before it makes a task. `before_model` looks at the tasks that
are asked for and at the arguments, and refuses what could only fail later.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rrm_harness import plan
from rrm_harness.errors import SpecError
from rrm_harness.records import Example, Outcome, Strategy
from rrm_harness.schedule import Finished
from rrm_harness.specs import nearest
from rrm_harness.tally import Tally

from .arguments import Arguments
from .backend import refuse_what_none_can
from .measures import further
from .setting import OF_STRATEGIES, Setting, rejoined
from .tasks_asked import ours_among
from .wrapped import identity

MODEL = "rrm"
NO_SYSTEM_INSTRUCTION = (
    "a judge has a system turn of its own, so --system_instruction cannot be used; give"
    " it a template of yours: judge=[NAME,template=FILE]"
)
UNKNOWN_SAMPLING = (
    "nothing tells how this model draws samples, and its k votes could be one; add"
    " --apply_chat_template, or use --model rrm --model_args backend=...,judge=..."
)
USE_OURS = f"use --model {MODEL} --model_args judge=...,strategy=..."


def before_model(arguments: Mapping[str, Any]) -> None:
    """Look at what `lm_eval.simple_evaluate` was asked for; other tasks are left alone.

    Args:
        arguments: Its arguments by name.

    Raises:
        HarnessError: The run could not succeed; says why and what to do.
    """
    model, given = (
        arguments["model"],
        rejoined(_dictionary(arguments.get("model_args"))),
    )
    added = rejoined(arguments.get("metadata") or {})
    asked = arguments.get("tasks") or ()
    tasks = [asked] if isinstance(asked, str) else list(asked)
    configs = ours_among(tasks, arguments)
    if not configs:
        return
    settings = [Setting(each["task"], each["rrm"], given | added) for each in configs]
    changed = _dictionary(arguments.get("gen_kwargs"))
    if arguments.get("system_instruction"):
        raise SpecError(NO_SYSTEM_INSTRUCTION)
    if model == MODEL:
        _refuse_contradictions(given, added)
        _refuse_tasks_of_others(tasks, arguments)
        refuse_what_cannot_judge(Arguments.read(given), settings)
    elif isinstance(model, str) and not arguments.get("apply_chat_template"):
        _refuse_without_template(model, given)
    for setting in settings:
        refuse_settings(setting, model == MODEL, changed)
        _refuse_unknown_measures(setting)
    if isinstance(model, str) and model != MODEL and arguments.get("use_cache"):
        claim_cache(str(arguments["use_cache"]), model, given)


def refuse_what_cannot_judge(arguments: Arguments, settings: Sequence[Setting]) -> None:
    """Refuse arguments of our model with which it could not judge these tasks.

    Raises:
        HarnessError: A spec is wrong or missing, or a judge cannot take the examples.
    """
    judges = arguments.judges()
    _refuse_unknown_backend(arguments.backend)
    for setting in settings:
        _refuse_missing_roles(setting, arguments)
        _, strategy = arguments.strategy_of(setting.strategy_spec)
        for example in _one_of_each_size(setting.examples):
            asked = plan.requests_of(example, strategy, judges, setting.seed)
            for role, (spec, engine) in arguments.specs.items():
                if asked[role] and not engine and not arguments.backend:
                    raise SpecError(
                        f"{spec} runs a model; say how with engine=SPEC or backend=NAME"
                        " in --model_args (rrm-harness list engines)"
                    )


def _refuse_contradictions(given: Mapping[str, Any], added: Mapping[str, Any]) -> None:
    """Refuse what `--metadata` says otherwise than `--model_args`, which our model has.

    Raises:
        SpecError: It does.
    """
    for key in ("judge", "strategy", "seed", *OF_STRATEGIES):
        strategic = key in OF_STRATEGIES and given.get("strategy")
        of_the_model = key == "judge" or key in given or strategic
        if of_the_model and added.get(key, given.get(key)) != given.get(key):
            raise SpecError(
                f"--metadata says {key}={added[key]}, and --model {MODEL} goes by its"
                " own arguments; say it in --model_args alone"
            )


def _refuse_tasks_of_others(tasks: Sequence[Any], arguments: Mapping[str, Any]) -> None:
    for task in tasks:
        if isinstance(task, str) and not ours_among([task], arguments):
            raise SpecError(
                f"--model {MODEL} judges, and task {task} has nothing to judge; run it"
                " with another --model"
            )


def _refuse_unknown_backend(name: str) -> None:
    if not name:
        return
    import lm_eval.models  # noqa: F401 - names all models
    from lm_eval.api.registry import model_registry

    known = sorted(set(model_registry.keys()) - {MODEL})
    if name not in known:
        raise SpecError(
            f"backend={name}: lm-eval has no model of that name; {nearest(name, known)}"
        )


def _refuse_unknown_measures(setting: Setting) -> None:
    """Refuse further numbers that the benchmark does not have.

    Raises:
        SpecError: One was asked for in `--metadata`.
    """
    asked = set(setting.measures) - set(setting.own.get("measures", ()))
    if not asked:
        return
    results = _made_up_results(setting)
    for name in sorted(asked):
        if further(name, results) is None:
            known = [key for key, each in results["extra"].items() if each is not None]
            raise SpecError(
                f"measures={name}: {setting.dataset.name} has no such number; its own"
                f" are {', '.join(known) or 'none'}, and those of results.json as A/B"
            )


def _made_up_results(setting: Setting) -> Mapping[str, Any]:
    """The results if the first response won everywhere, whatever order it stood in."""
    tally = Tally(setting.dataset.rule)
    for example in setting.examples:
        order = tuple(range(len(example.responses)))
        best = {place: float(not place) for place in order}
        games = (Outcome(best, order=order), Outcome(best, order=order[::-1]))
        tally.add(Finished(example, Outcome(best, parts=games)))
    return tally.results()


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
    if setting.metadata.get("think_end_token") is not None:
        raise SpecError(
            "think_end_token hides from the judge's reader whether a thought ended;"
            " leave it out: what is thought is never read as an answer"
        )
    if judging:
        return
    for key in ("seed", "n"):
        if key in changed:
            raise SpecError(
                f"--gen_kwargs {key}=... would make all samples one; every draw comes"
                " from --metadata seed=..., how many from the strategy"
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
    owner, ours = Path(f"{path}.model"), identity(model, given)
    if not any(owner.parent.glob(f"{Path(path).name}_rank*.db")):
        owner.parent.mkdir(parents=True, exist_ok=True)
        owner.write_text(ours, "utf-8")
    elif not owner.is_file() or owner.read_text("utf-8") != ours:
        raise SpecError(
            f"--use_cache {path} holds another model's replies, or nobody knows whose,"
            " and would serve them as this one's; give each model and its arguments a"
            " path of their own"
        )


def _dictionary(given: Any) -> dict[str, Any]:
    """lm-eval's arguments, which its Python callers may give as a text."""
    if isinstance(given, str):
        from lm_eval.utils import simple_parse_args_string

        return dict(simple_parse_args_string(given))
    return dict(given or {})
