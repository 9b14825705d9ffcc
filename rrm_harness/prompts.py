"""Render prompts and reports: sandboxed Jinja over our, plugins' and users' templates.

Only values are filled in, undefined names are errors, and what a value contains is
inert text: a response with `{{` or a chat marker in it stays as it is.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from rrm_harness import host
from rrm_harness.errors import HarnessError, TemplateError
from rrm_harness.records import Message
from rrm_harness.specs import nearest

SUFFIX = ".jinja"


def names() -> dict[str, Traversable]:
    """Return every installed template by name, sorted."""
    found: dict[str, Traversable] = {}
    for prefix, entry in host.default().registry("templates").items():
        found.update(_walk(entry.thing, f"{prefix}/" if prefix else ""))
    return dict(sorted(found.items()))


def source(name: str) -> str:
    """Return a template's text: an installed name, or the path of a user's file.

    A name with a line break in it is no name but the text itself.

    Raises:
        TemplateError: There is neither.
    """
    if "\n" in name:
        return name
    installed = names()
    place: Traversable = installed[name] if name in installed else Path(name)
    try:
        return place.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateError(
            f"no template '{name}' is installed and no such file can be read;"
            f" {nearest(name, list(installed))}"
        ) from error


def digest(name: str) -> str:
    """Return the hash of a template's text, for manifests and keys."""
    return text_digest(source(name))


def text_digest(text: str) -> str:
    """Return the hash of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def render(name: str, /, **values: Any) -> str:
    """Fill a template in.

    Raises:
        TemplateError: It is missing, wrong, or uses a name that has no value.
    """
    try:
        return _parsed(name, source(name)).render(**values)
    except HarnessError:
        raise
    except Exception as error:  # whatever the expressions of a template can raise
        raise _wrong(name, error) from error


@dataclass(frozen=True, slots=True)
class Turns:
    """A judge's prompt: the chat to send, and what the reply is made to begin with."""

    messages: tuple[Message, ...]
    prefill: str = ""


ROLES = ("system", "user", "assistant")


def turns(name: str, text: str, /, **values: Any) -> Turns:
    """Fill a judge's template in: its blocks `system`, `user` and `assistant`.

    The first two are turns; `assistant` is what the reply begins with. A block that is
    absent, or has no text, is no turn. The newline before `endblock` is not part of it.
    A `text` that was read from `source` before saves reading it again.

    Raises:
        TemplateError: As `render`; or there is no block `user`.
    """
    template = _parsed(name, text)
    if "user" not in template.blocks:
        raise TemplateError(
            f"template {_called(name)} has no user turn; write it between"
            " {% block user %} and {% endblock %}"
        )
    try:
        context = template.new_context(values)
        said = {
            role: "".join(template.blocks[role](context)).removesuffix("\n")
            for role in ROLES
            if role in template.blocks
        }
    except HarnessError:
        raise
    except Exception as error:
        raise _wrong(name, error) from error
    chat = tuple(Message(role, said[role]) for role in ROLES[:2] if said.get(role))
    return Turns(chat, said.get("assistant", ""))


def _called(name: str) -> str:
    """A template's name; one that is its own text by its first line."""
    return repr(name.partition("\n")[0] + " ...") if "\n" in name else name


def _wrong(name: str, error: Exception) -> TemplateError:
    return TemplateError(
        f"template {_called(name)} does not render: {type(error).__name__}: {error}"
    )


@cache
def _parsed(name: str, text: str) -> Template:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    try:
        return environment.from_string(text)
    except TemplateSyntaxError as error:
        raise TemplateError(
            f"template {_called(name)} does not render: line {error.lineno}:"
            f" {error.message}"
        ) from error


def _walk(folder: Traversable, prefix: str) -> dict[str, Traversable]:
    found: dict[str, Traversable] = {}
    for each in folder.iterdir():
        if each.is_dir():
            found.update(_walk(each, f"{prefix}{each.name}/"))
        elif each.name.endswith(SUFFIX):
            found[prefix + each.name] = each
    return found
