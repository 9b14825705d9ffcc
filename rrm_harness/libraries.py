"""Libraries that come with an extra: imported when needed, missed in one sentence."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep transformers' warnings and progress bars off the screen, then undo that."""
    told = library("transformers.utils.logging", "transformers")
    level, bars = told.get_verbosity(), told.is_progress_bar_enabled()
    told.set_verbosity(logging.CRITICAL)
    told.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        told.set_verbosity(level)
        if bars:
            told.enable_progress_bar()


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
