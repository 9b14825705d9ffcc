"""Libraries that come with an extra: imported when needed, missed in one sentence."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from rrm_harness.errors import EngineError


def library(name: str, extra: str) -> Any:
    """Import a library that the harness itself does without.

    Raises:
        EngineError: It does not import; names the extra that brings it.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise _missing(name, extra, str(error)) from error


def refuse_missing(name: str, extra: str) -> None:
    """Refuse to begin without a library, before anything else takes its time.

    Raises:
        EngineError: It is not installed; names the extra that brings it.
    """
    if find_spec(name) is None:
        raise _missing(name, extra, "it is not installed")


def _missing(name: str, extra: str, problem: str) -> EngineError:
    return EngineError(
        f"this needs {name} ({problem}); run pip install 'rrm-harness[{extra}]'"
    )
