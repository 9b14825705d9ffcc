"""Every hook a plugin may implement, with its contract.

A plugin implements any subset, marked `@rrm_harness.hookimpl`, and calls `register`
for each thing that it offers. Names are kebab-case and belong to one plugin each.
A hook's module is imported on every command: import heavy things inside functions.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources.abc import Traversable
from typing import Any

import pluggy

hookspec = pluggy.HookspecMarker("rrm_harness")
hookimpl = pluggy.HookimplMarker("rrm_harness")

Register = Callable[[str, Callable[..., Any]], None]
RegisterFolder = Callable[[str, Traversable], None]


@hookspec
def register_judges(register: Register) -> None:
    """Call `register(name, factory)`; the factory's keywords are the spec's options.

    The factory returns a `Judge`. Its docstring's first line is shown by `list`.
    """


@hookspec
def register_strategies(register: Register) -> None:
    """Call `register(name, factory)`; the factory returns a `Strategy`.

    A parameter called `inner` makes the strategy nest: `name of inner`.
    """


@hookspec
def register_engines(register: Register) -> None:
    """Call `register(name, factory)`; the factory returns an `Engine`.

    Import the engine's library at its first use, and name the extra that brings it.
    """


@hookspec
def register_datasets(register: Register) -> None:
    """Call `register(name, factory)`; the factory returns a `Dataset`."""


@hookspec
def register_heads(register: Register) -> None:
    """Call `register(name, factory)`; the factory returns a `Head`.

    A head reads scores out of a reward model's checkpoint; import torch in its methods.
    """


@hookspec
def register_models(register: RegisterFolder) -> None:
    """Call `register(name, file)` for a TOML file of model cards, a table each.

    A table's name is the model's id; its keys are the fields of `models.Card`.
    """


@hookspec
def register_templates(register: RegisterFolder) -> None:
    """Call `register(prefix, folder)`; `prefix/x.jinja` is the folder's x.jinja."""


@hookspec
def register_tasks(register: RegisterFolder) -> None:
    """Call `register(name, folder)` for a folder of lm-eval task files."""
