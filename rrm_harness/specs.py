"""Specs: `name,key=value` on the command line to a built plugin.

Strategies nest with " of ": `knockout of both-orders of voting,k=5`.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from rrm_harness.errors import SpecError

Factory = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Spec:
    """A plugin's name and its options as text."""

    name: str
    options: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> Spec:
        """Read `name,key=value,...`.

        Raises:
            SpecError: The name is empty, or an option has no `=` or comes twice.
        """
        name, *pairs = [part.strip() for part in text.split(",")]
        if not name:
            raise SpecError(f"'{text}' has no name; write name or name,key=value")
        options: dict[str, str] = {}
        for pair in pairs:
            key, equals, value = pair.partition("=")
            if not equals or not key or key in options:
                raise SpecError(
                    f"'{pair}' in '{text}' is not one key=value;"
                    " write name,key=value,key=value"
                )
            options[key] = value
        return cls(name, options)


def nearest(name: str, known: list[str]) -> str:
    """Say which known name was probably meant, and list them all."""
    from difflib import get_close_matches

    close = get_close_matches(name, known, n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"{hint}known: {', '.join(sorted(known)) or 'none'}"


def build(spec: Spec, factory: Factory, **given: Any) -> Any:
    """Call a factory with a spec's options, each converted to its parameter's type.

    One that has `**rest: str` is given, as text, what else the spec says.

    Raises:
        SpecError: An option is unknown, missing, or not of its type.
    """
    parameters = _parameters(factory)
    takes_more = _takes_more(factory)
    hints = get_type_hints(_annotated(factory))
    arguments = dict(given)
    for key, text in spec.options.items():
        name = key.replace("-", "_")
        if name not in parameters and takes_more:
            arguments[key] = text
            continue
        if name not in parameters or not _plain(hints.get(name, str)):
            known = [
                other.replace("_", "-")
                for other in parameters
                if _plain(hints.get(other, str))
            ]
            raise SpecError(f"{spec.name} has no option '{key}'; {nearest(key, known)}")
        arguments[name] = _convert(spec.name, key, text, hints.get(name, str))
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in arguments:
            option = name.replace("_", "-")
            raise SpecError(
                f"{spec.name} needs {option}=...; write {spec.name},{option}=VALUE"
            )
    for name in given:
        if name not in parameters:
            raise SpecError(
                f"{spec.name} takes no {name} strategy; put it last in the nest"
            )
    return factory(**arguments)


def written(name: str, built: Any, *, hidden: bool = False) -> str | None:
    """The spec of a plugin that is a dataclass; None if an option cannot be written.

    Parameters that no spec gives, as an engine's model, are no options of it.
    """
    hints = get_type_hints(_annotated(type(built)))  # others may not be importable
    given = []
    for each in fields(built) if is_dataclass(built) else ():
        plain = _plain(hints.get(each.name))
        if not each.init or not (plain or (each.repr and _has_default(each))):
            continue
        value = getattr(built, each.name)
        if value == _default(each):
            continue
        if not plain or value is None or "," in str(value) or not (hidden or each.repr):
            return None
        shown = str(value).lower() if isinstance(value, bool) else value
        given.append(f"{each.name.replace('_', '-')}={shown}")
    return ",".join([name, *given])


def _default(option: Field[Any]) -> Any:
    made = option.default_factory
    return option.default if made is MISSING else made()


def _has_default(option: Field[Any]) -> bool:
    return _default(option) is not MISSING


def options(factory: Factory) -> list[str]:
    """The options that a spec can give, each with its values or its default.

    Dots stand for what a factory with `**rest` takes besides.
    """
    hints = get_type_hints(_annotated(factory))
    named = [
        f"{name.replace('_', '-')}={_shown(parameter, hints.get(name, str))}"
        for name, parameter in _parameters(factory).items()
        if _plain(hints.get(name, str))
    ]
    return [*named, "..."] if _takes_more(factory) else named


def _parameters(factory: Factory) -> dict[str, inspect.Parameter]:
    """A factory's parameters that have names of their own."""
    return {
        name: parameter
        for name, parameter in inspect.signature(factory).parameters.items()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }


def _takes_more(factory: Factory) -> bool:
    """Whether it has a `**rest`; that of a protocol's class is there for nobody."""
    if getattr(_annotated(factory), "__module__", "") == "typing":
        return False
    return any(
        parameter.kind is parameter.VAR_KEYWORD
        for parameter in inspect.signature(factory).parameters.values()
    )


def _shown(parameter: inspect.Parameter, hint: Any) -> str:
    choices = [
        str(value)
        for each in _options(hint)
        if get_origin(each) is Literal
        for value in get_args(each)
    ]
    if choices:  # the default comes first
        return "|".join(sorted(choices, key=lambda each: each != parameter.default))
    if parameter.default in (parameter.empty, None, ""):
        return str(_options(hint)[0].__name__).upper()
    shown = str(parameter.default)
    return shown.lower() if isinstance(parameter.default, bool) else shown


def _annotated(factory: Factory) -> Any:
    """The function that bears a factory's annotations."""
    while isinstance(factory, functools.partial):
        factory = factory.func
    return factory.__init__ if inspect.isclass(factory) else factory


def _options(hint: Any) -> list[Any]:
    """The types that an option may have, None left out."""
    if get_origin(hint) in (Union, types.UnionType):
        return [each for each in get_args(hint) if each is not type(None)]
    return [hint]


def _plain(hint: Any) -> bool:
    return all(
        each in (str, int, float, bool, Path) or get_origin(each) is Literal
        for each in _options(hint)
    )


def _convert(name: str, key: str, text: str, hint: Any) -> Any:
    problems = []
    for each in _options(hint):
        if get_origin(each) is Literal:
            if text in get_args(each):
                return text
            problems.append(f"one of {', '.join(map(str, get_args(each)))}")
        elif each is bool:
            if text.lower() in ("true", "false"):
                return text.lower() == "true"
            problems.append("true or false")
        else:
            try:
                return each(text)
            except ValueError:
                problems.append(
                    {int: "a whole number", float: "a number"}.get(each, "valid")
                )
    raise SpecError(f"{name},{key}={text}: {key} must be {' or '.join(problems)}")
