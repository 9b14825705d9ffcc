"""Find the installed plugins and look up what they register."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, EntryPoint, entry_points
from typing import Any

import pluggy

from rrm_harness import hookspecs
from rrm_harness.errors import PluginError, SpecError
from rrm_harness.records import Engine, Judge, Model
from rrm_harness.specs import Spec, build, nearest, written

GROUP = "rrm_harness"
OURS = "rrm-harness"
"""The distribution whose plugins are the program itself."""
KINDS = tuple(
    hook.removeprefix("register_")
    for hook in dir(hookspecs)
    if hook.startswith("register_")
)
"""What can be registered."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A registered thing and the distribution that brought it."""

    name: str
    thing: Any
    origin: str


class Host:
    """The plugins of one process: built-in and third-party through the same door.

    Raises:
        PluginError: A plugin does not import, breaks a hook's contract, or claims
            a name that another one has.
    """

    def __init__(
        self, found: Iterable[EntryPoint] = (), plugins: Iterable[object] = ()
    ) -> None:
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)
        self._registries: dict[str, dict[str, Entry]] = {}
        if os.environ.get("RRM_HARNESS_TRACE"):
            self._manager.add_hookcall_monitoring(_trace_before, _trace_after)
        for entry in admitted(found):
            name = called(entry)
            self._add(_load(entry, name), name)
        for plugin in plugins:
            self._add(plugin, getattr(plugin, "__name__", type(plugin).__name__))

    def _add(self, plugin: object, name: str) -> None:
        if self._manager.get_plugin(name) is plugin:  # seen twice on the path
            return
        if self._manager.has_plugin(name):
            raise PluginError(f"two plugins are called {name}; give one another name")
        try:
            self._manager.register(plugin, name)
        except pluggy.PluginValidationError as error:
            raise PluginError(
                f"plugin {name}: {str(error).splitlines()[-1]}; {_without(name)}"
            ) from error
        self._refuse_misspelt(plugin, name)

    def _refuse_misspelt(self, plugin: object, name: str) -> None:
        known = [f"register_{kind}" for kind in KINDS]
        for hook in dir(plugin):
            options = self._manager.parse_hookimpl_opts(plugin, hook)
            if options is None and hook in known:
                raise PluginError(
                    f"plugin {name}: {hook} lacks its mark; write @hookimpl above it,"
                    f" or {_without(name)}"
                )
            if options is None:
                continue
            meant = options["specname"] or hook
            if meant not in known:
                raise PluginError(
                    f"plugin {name}: there is no hook '{meant}';"
                    f" {nearest(meant, known)}; {_without(name)}"
                )

    def registry(self, kind: str) -> dict[str, Entry]:
        """Return what is registered under a kind, by name, sorted."""
        if kind not in self._registries:
            self._registries[kind] = self._collect(kind)
        return self._registries[kind]

    def _collect(self, kind: str) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        hook = getattr(self._manager.hook, f"register_{kind}")
        for implementation in reversed(hook.get_hookimpls()):
            origin = implementation.plugin_name

            def register(name: str, thing: Any, origin: str = origin) -> None:
                taken = entries.get(name)
                if taken is not None:
                    raise PluginError(
                        f"two plugins register {kind} '{name}': {taken.origin} and"
                        f" {origin}; {_without(origin)}"
                    )
                entries[name] = Entry(name, thing, origin)

            try:
                self._call(hook, implementation.plugin, register)
            except PluginError:
                raise
            except Exception as error:
                raise PluginError(
                    f"plugin {origin}: {hook.name} failed"
                    f" ({type(error).__name__}: {error}); {_without(origin)}"
                ) from error
        return dict(sorted(entries.items()))

    def _call(self, hook: Any, plugin: object, register: Any) -> None:
        others = [other for other in self._manager.get_plugins() if other is not plugin]
        self._manager.subset_hook_caller(hook.name, others)(register=register)

    def registered(self) -> dict[str, dict[str, list[str]]]:
        """What each plugin registers: its name to kinds to names."""
        found: dict[str, dict[str, list[str]]] = {}
        for kind in KINDS:
            for entry in self.registry(kind).values():
                found.setdefault(entry.origin, {}).setdefault(kind, []).append(
                    entry.name
                )
        return found

    def lookup(self, kind: str, name: str) -> Entry:
        """Return one entry.

        Raises:
            SpecError: Nothing of that name is installed.
        """
        registry = self.registry(kind)
        if name not in registry:
            raise SpecError(
                f"no {kind} plugin is called '{name}'; {nearest(name, list(registry))}"
            )
        return registry[name]

    def build(self, kind: str, text: str) -> Any:
        """Build the plugin that a spec names, inner strategies first.

        Raises:
            SpecError: The spec names something unknown or has a wrong option.
        """
        built = None
        for part in reversed(self._nest(text) if kind == "strategies" else [text]):
            spec = Spec.parse(part)
            factory = self.lookup(kind, spec.name).thing
            built = build(spec, factory, **({} if built is None else {"inner": built}))
        return built

    def _nest(self, text: str) -> list[str]:
        """Split a nest of strategies; an " of " in an option's value is not one."""
        parts: list[str] = []
        for part in text.split(" of "):
            name = part.partition(",")[0].strip()
            if parts and name not in self.registry("strategies") and "=" in parts[-1]:
                parts[-1] += f" of {part}"
            else:
                parts.append(part)
        return parts

    def engine(self, text: str, judge: Judge) -> Engine:
        """Build the engine that a spec names, for the model that the judge runs on.

        Raises:
            SpecError: As `build`; or the judge runs no model.
        """
        return self.engine_for(Spec.parse(text), judge.runs_on)

    def engine_for(self, spec: Spec, model: Model | None) -> Engine:
        """Build an engine for a model.

        Raises:
            SpecError: As `engine`; none is the model of a judge that runs none.
        """
        factory = self.lookup("engines", spec.name).thing
        given: dict[str, Any] = {}
        if "model" in inspect.signature(factory).parameters:
            if model is None:
                raise SpecError(
                    f"this judge runs no model, so {spec.name} has nothing to do; leave"
                    " --engine out, or name a judge that runs one"
                )
            given["model"] = model
        built: Engine = build(spec, factory, **given)
        return built

    def spec_of(self, kind: str, built: object, *, hidden: bool = False) -> str | None:
        """The spec that builds something again, None if it cannot be written whole.

        It is read off the options of a class that is registered, unless that has a
        property `spec`; of what a function makes, its own attribute `spec` says it.

        Args:
            kind: What it is: engines, judges.
            built: It.
            hidden: Whether options that are kept out of logs are written too.
        """
        names = [
            name
            for name, entry in self.registry(kind).items()
            if entry.thing is type(built)
        ]
        if names and not isinstance(getattr(type(built), "spec", None), property):
            return written(names[0], built, hidden=hidden)
        told = getattr(built, "spec", None)
        return told if isinstance(told, str) else None

    def made(self, kind: str, named: Any) -> Any:
        """Build what a spec names; hand back what is already built."""
        return self.build(kind, named) if isinstance(named, str) else named


@cache
def default() -> Host:
    """Return the host of all installed plugins, loaded on first use."""
    return Host(entry_points(group=GROUP))


def admitted(found: Iterable[EntryPoint]) -> list[EntryPoint]:
    """The plugins that may run, sorted; the others are not even imported.

    RRM_HARNESS_DISABLE keeps out what it names, and RRM_HARNESS_ONLY all that it does
    not name but the built-in ones. Either names plugins or whole distributions.

    Raises:
        SpecError: RRM_HARNESS_ONLY names something that is not installed.
    """
    ordered = sorted(found, key=lambda entry: (entry.name, _origin(entry)))
    disabled, only = _named("RRM_HARNESS_DISABLE"), _named("RRM_HARNESS_ONLY")
    known = {name for entry in ordered for name in _names(entry)} | {OURS}
    for name in sorted(only - known):
        brought = sorted({OURS, *map(_origin, ordered)})
        raise SpecError(
            f"no plugin or distribution is called '{name}', which --only-plugins or"
            f" RRM_HARNESS_ONLY names; {nearest(name, brought)}"
        )
    return [
        entry
        for entry in ordered
        if not disabled & _names(entry)
        and (not only or only & _names(entry) or _origin(entry) == OURS)
    ]


def called(entry: EntryPoint) -> str:
    """A plugin's name with its distribution's."""
    return f"{_origin(entry)}:{entry.name}"


def _names(entry: EntryPoint) -> set[str]:
    """What an option may call a plugin."""
    return {entry.name, _origin(entry), called(entry)}


def _named(variable: str) -> set[str]:
    names = os.environ.get(variable, "").split(",")
    return {name.strip() for name in names if name.strip()}


def _origin(entry: EntryPoint) -> str:
    return _name(entry.dist) if entry.dist else "unknown distribution"


@cache
def _name(distribution: Distribution) -> str:
    """A distribution's name, read once: it is parsed anew each time it is asked."""
    return distribution.name


def _load(entry: EntryPoint, name: str) -> object:
    try:
        return entry.load()
    except Exception as error:
        raise PluginError(
            f"plugin {name} does not import ({type(error).__name__}: {error});"
            f" {_without(name)}"
        ) from error


def _without(name: str) -> str:
    return f"set RRM_HARNESS_DISABLE={name} to run without it"


def _trace_before(hook: str, implementations: Sequence[Any], _: Any) -> None:
    names = ", ".join(each.plugin_name for each in implementations)
    sys.stderr.write(f"rrm-harness trace: {hook} -> {names}\n")


def _trace_after(outcome: Any, hook: str, *_: Any) -> None:
    if outcome.exception:
        sys.stderr.write(f"rrm-harness trace: {hook} raised {outcome.exception}\n")
