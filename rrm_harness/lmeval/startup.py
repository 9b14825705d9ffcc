"""Let lm-eval find our tasks and our model, where it has no doors for plugins.

The distribution's start-up file calls `arm`, which does nothing unless the command is
lm_eval's. No file of lm-eval's is changed: three of its modules get an addition after
they are imported, two of them only while lm-eval itself does not read the entry points
`lm_eval.tasks` and `lm_eval.models`, which we have as well.
"""

from __future__ import annotations

import functools
import inspect
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

OFF = "RRM_HARNESS_NO_LM_EVAL_HOOK"
"""The environment variable that, if it is set, keeps `arm` from doing anything."""
COMMANDS = ("lm_eval", "lm-eval", "lm_eval.exe", "lm-eval.exe")
MODULES = ("lm_eval", "lm_eval.__main__")
MODEL = "rrm"
MODEL_CLASS = "rrm_harness.lmeval.model:RRM"
_log = logging.getLogger("rrm_harness.lmeval")


def arm() -> None:
    """Await lm-eval's modules, in a process that its command line belongs to."""
    if os.environ.get(OFF) or not runs_lm_eval(sys.orig_argv):
        return
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)
        sys.excepthook = _without_traceback(sys.excepthook)


def runs_lm_eval(command: Sequence[str]) -> bool:
    """Whether a command line runs lm_eval, itself or through a launcher.

    A path or a requirement that merely holds the name is not enough.
    """
    words = command[1:]
    return any(map(_is_command, words)) or any(map(_is_module, words, words[1:]))


def _is_command(word: str) -> bool:
    if os.path.basename(word) in COMMANDS:
        return os.path.isfile(word)  # what pip installs and pytest collects is none
    return Path(word).parts[-2:] == ("lm_eval", "__main__.py") or word == "-mlm_eval"


def _is_module(option: str, word: str) -> bool:
    """Whether two words are `-m lm_eval`, which may be `-um` or `--module`."""
    short = option.startswith("-") and option[1:].isalpha() and option.endswith("m")
    return word in MODULES and (short or option == "--module")


def register_now() -> None:
    """Import lm-eval's modules and add to them."""
    for name, extend in _EXTENSIONS.items():
        extend(import_module(name))


def _extend_tasks(manager: ModuleType) -> None:
    if hasattr(manager, "discover_plugin_task_paths"):
        _log.debug("lm_eval finds the tasks of plugins by itself")
    elif manager.TaskManager.__init__ not in _WRAPPERS:
        manager.TaskManager.__init__ = _with_our_tasks(manager.TaskManager.__init__)
        _log.debug("lm_eval looks for tasks in our folders as well")


def _extend_models(_: ModuleType) -> None:
    # Called after all of lm-eval's own models are known: it takes a registry that is
    # not empty for a full one.
    registry = import_module("lm_eval.api.registry")
    if hasattr(registry, "load_plugins"):
        _log.debug("lm_eval finds the models of plugins by itself")
    elif MODEL in registry.model_registry:
        _log.debug("lm_eval knows a model %s already", MODEL)
    else:
        registry.model_registry.register(MODEL, target=MODEL_CLASS)
        _log.debug("lm_eval knows the model %s: %s", MODEL, MODEL_CLASS)


def _extend_evaluator(evaluator: Any) -> None:
    if evaluator.simple_evaluate not in _WRAPPERS:
        evaluator.simple_evaluate = _checked(evaluator.simple_evaluate)
        _log.debug("what our tasks are asked for is checked before a model loads")


_EXTENSIONS: Mapping[str, Callable[[ModuleType], None]] = {
    "lm_eval.models": _extend_models,
    "lm_eval.tasks.manager": _extend_tasks,
    "lm_eval.evaluator": _extend_evaluator,
}
_WRAPPERS: set[Callable[..., Any]] = set()
"""The functions that stand before lm-eval's, of which one is enough."""


def _with_our_tasks(build: Callable[..., None]) -> Callable[..., None]:
    signature = inspect.signature(build)

    @functools.wraps(build)
    def build_with_ours(*args: Any, **options: Any) -> None:
        bound = signature.bind(*args, **options)
        with _told("add its tasks"):
            _include(bound)
        build(*bound.args, **bound.kwargs)

    _WRAPPERS.add(build_with_ours)
    return build_with_ours


def _include(bound: inspect.BoundArguments) -> None:
    """Put our folders before the user's: of two tasks of one name the last counts."""
    from rrm_harness.tasks_folder import folders

    bound.apply_defaults()
    if bound.arguments["include_defaults"]:
        given = bound.arguments["include_path"] or []
        theirs = [*given] if isinstance(given, list | tuple) else [given]
        named = {Path(each).resolve() for each in theirs}
        ours = [each for each in folders() if each.resolve() not in named]
        bound.arguments["include_path"] = [*ours, *theirs]


def _checked(evaluate: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(evaluate)

    @functools.wraps(evaluate)
    def checked(*args: Any, **options: Any) -> Any:
        bound = signature.bind(*args, **options)
        bound.apply_defaults()
        _check(bound.arguments)
        return evaluate(*args, **options)

    _WRAPPERS.add(checked)
    return checked


def _check(arguments: Mapping[str, Any]) -> None:
    from rrm_harness.errors import HarnessError

    with _told("check the input", beside=(HarnessError,)):
        from rrm_harness.lmeval.checks import before_model

        before_model(arguments)


@contextmanager
def _told(doing: str, beside: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Tell of a failure of ours in a line: it must not become lm-eval's."""
    try:
        yield
    except beside:
        raise
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        sys.stderr.write(
            f"rrm-harness: could not {doing}, lm_eval goes on without ({reason})\n"
        )
        _log.debug("could not %s", doing, exc_info=True)


class _Extending(Loader):
    """A module's own loader, and then our addition."""

    def __init__(self, loader: Loader, extend: Callable[[ModuleType], None]) -> None:
        self._loader = loader
        self._extend = extend

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, which is to know its own loader alone, and add to it."""
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        with _told(f"add to {module.__name__}"):
            self._extend(module)


class _Finder(MetaPathFinder):
    """Finds what the other finders find, three modules alone."""

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """The module's own spec with our loader around its own."""
        extend = _EXTENSIONS.get(name)
        if extend is None:
            return None
        others = [finder for finder in sys.meta_path if finder is not self]
        specs = (finder.find_spec(name, path, target) for finder in others)
        found = next(filter(None, specs), None)
        if found is not None and found.loader is not None:
            found.loader = _Extending(found.loader, extend)
        return found


_FINDER = _Finder()

Hook = Callable[[type[BaseException], BaseException, TracebackType | None], Any]


def _without_traceback(previous: Hook) -> Hook:
    """Tell a mistake that the user can mend in a sentence, as our own command does."""

    def tell(
        kind: type[BaseException],
        error: BaseException,
        traceback: TracebackType | None,
    ) -> None:
        from rrm_harness.errors import HarnessError

        if isinstance(error, HarnessError):
            sys.stderr.write(f"rrm-harness: {error}\n")
        else:
            previous(kind, error, traceback)

    return tell
