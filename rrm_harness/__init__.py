"""The evaluation harness for reward models and LLM judges."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from rrm_harness import chance
from rrm_harness.errors import (
    DataError,
    EngineError,
    FailuresError,
    HarnessError,
    OutputError,
    PluginError,
    SpecError,
    StoreError,
    TemplateError,
)
from rrm_harness.records import (
    BadRow,
    Comparison,
    Completion,
    Dataset,
    Engine,
    Example,
    Failure,
    Judge,
    Judgment,
    Message,
    Model,
    Note,
    Outcome,
    Play,
    Race,
    Request,
    Strategy,
)

if TYPE_CHECKING:
    from rrm_harness.batches import BatchEngine
    from rrm_harness.evaluate import evaluate
    from rrm_harness.heads import Head, Route, Score
    from rrm_harness.hookspecs import Register, RegisterFolder, hookimpl
    from rrm_harness.metrics import Rule
    from rrm_harness.ranking import OpenJudge, Ranking, rank
    from rrm_harness.recipe import Recipe, RewardModel, Shape
    from rrm_harness.result import Result
    from rrm_harness.scored import Scored

__version__ = "0.1.0"

__all__ = [
    "BadRow",
    "BatchEngine",
    "Comparison",
    "Completion",
    "DataError",
    "Dataset",
    "Engine",
    "EngineError",
    "Example",
    "Failure",
    "FailuresError",
    "HarnessError",
    "Head",
    "Judge",
    "Judgment",
    "Message",
    "Model",
    "Note",
    "OpenJudge",
    "Outcome",
    "OutputError",
    "Play",
    "PluginError",
    "Race",
    "Ranking",
    "Recipe",
    "Register",
    "RegisterFolder",
    "Request",
    "Result",
    "RewardModel",
    "Route",
    "Rule",
    "Score",
    "Scored",
    "Shape",
    "SpecError",
    "StoreError",
    "Strategy",
    "TemplateError",
    "__version__",
    "chance",
    "evaluate",
    "hookimpl",
    "rank",
]


_LATER = {
    "BatchEngine": "batches",
    "Head": "heads",
    "OpenJudge": "ranking",
    "Ranking": "ranking",
    "Recipe": "recipe",
    "Register": "hookspecs",
    "RegisterFolder": "hookspecs",
    "Result": "result",
    "RewardModel": "recipe",
    "Route": "heads",
    "Rule": "metrics",
    "Score": "heads",
    "Scored": "scored",
    "Shape": "recipe",
    "evaluate": "evaluate",
    "hookimpl": "hookspecs",
    "rank": "ranking",
}


def __getattr__(name: str) -> Any:
    """Import what is heavier only when it is asked for."""
    if name in _LATER:
        return getattr(import_module(f"rrm_harness.{_LATER[name]}"), name)
    raise AttributeError(f"module 'rrm_harness' has no attribute '{name}'")


class _Package(ModuleType):
    """Keeps `evaluate` the function; importing its module would hide it."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "evaluate" and isinstance(value, ModuleType):
            value = value.evaluate
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
