"""HTML templates whose values are hostile: each is escaped, and nothing is unseen."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from rrm_harness import prompts
from rrm_harness.report.signs import visible


@cache
def template(name: str) -> Any:
    """A template of ours that escapes every value and shows what is unseen."""
    environment = ImmutableSandboxedEnvironment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: (
            visible(value)
            if isinstance(value, str) and not isinstance(value, Markup)
            else value
        ),
    )
    return environment.from_string(prompts.source(name))
