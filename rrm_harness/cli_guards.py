"""Options of who gets in and what gets out: `--only-plugins` and `--offline`.

They act before a command begins: no plugin and no library that they are about has been
imported yet. Processes that are started later obey them too, through the environment.
"""

from __future__ import annotations

import os
from functools import reduce
from typing import Any

import click

from rrm_harness.cli_files import Command


def _only(_: click.Context, __: click.Parameter, names: str | None) -> None:
    if names is not None:
        os.environ["RRM_HARNESS_ONLY"] = names or "rrm-harness"


def _offline(_: click.Context, __: click.Parameter, asked: bool) -> None:
    from rrm_harness import offline

    if asked or offline.is_on():
        offline.switch_on()


OPTIONS: tuple[Any, ...] = (
    click.option(
        "--only-plugins",
        metavar="NAME,...",
        expose_value=False,
        is_eager=True,
        callback=_only,
        help="Import no other plugins than these and the built-in ones.",
    ),
    click.option(
        "--offline",
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_offline,
        help="Call nothing outside this machine; see prefetch.",
    ),
)


def guarded(command: Command) -> Command:
    """Give a command both options."""
    return reduce(lambda given, option: option(given), reversed(OPTIONS), command)
