"""The plugin under test, by its spec."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

from rrm_harness import host
from rrm_harness.conformance.fresh import Asked, Fresh
from rrm_harness.errors import SpecError
from rrm_harness.records import Model
from rrm_harness.specs import Spec, nearest, options

KINDS = ("judges", "strategies", "datasets", "engines")
"""What has promises to keep."""


@dataclass
class Subject:
    """A plugin that is built as often as a property needs it, from one spec."""

    kind: str
    spec: str
    fresh: Fresh = field(default_factory=lambda: Fresh([]))
    kept: dict[str, Any] = field(default_factory=dict)
    """What several properties look at, found once."""

    @classmethod
    def named(cls, text: str) -> Self:
        """Find what a spec means: `NAME,key=value`, or `KIND:NAME` if several have it.

        Raises:
            SpecError: No plugin is called that, or plugins of several kinds are, or its
                options do not build it.
        """
        kind, colon, rest = text.partition(":")
        if not colon or kind not in KINDS:
            kind, rest = _only_kind(text), text
        subject = cls(kind, rest)
        subject.fresh = Fresh([subject.asked])
        return subject

    @property
    def title(self) -> str:
        """The kind and the spec."""
        return f"{self.kind}:{self.spec}"

    @property
    def asked(self) -> Asked:
        """What a fresh process has to know."""
        origin = host.default().lookup(self.kind, _name(self.spec)).origin
        return Asked(self.kind, self.spec, origin, bool(self.lacking))

    @property
    def factory(self) -> Any:
        """What builds it."""
        return host.default().lookup(self.kind, _name(self.spec)).thing

    @property
    def options(self) -> list[str]:
        """The names of the options that a spec can give it."""
        return [each.partition("=")[0] for each in options(self.factory)]

    @cached_property
    def lacking(self) -> str:
        """Why its name alone does not build it; empty if it does.

        Raises:
            SpecError: The spec has options, and does not build it either.
        """
        try:
            _ = self.engine(Model("none")) if self.kind == "engines" else self.make()
        except SpecError as error:
            if "=" in self.spec:
                raise
            return str(error)
        except Exception:  # every property will say so
            return ""
        return ""

    def make(self) -> Any:
        """Build it anew."""
        return host.default().build(self.kind, self.spec)

    def engine(self, model: Model) -> Any:
        """Build the engine anew, for a model."""
        return host.default().engine_for(Spec.parse(self.spec), model)


def together(subjects: Iterable[Subject]) -> list[Subject]:
    """Have the subjects share one fresh process."""
    found = list(subjects)
    fresh = Fresh([each.asked for each in found])
    for each in found:
        each.fresh = fresh
    return found


def _name(spec: str) -> str:
    return spec.partition(" of ")[0].partition(",")[0].strip()


def _only_kind(spec: str) -> str:
    """The one kind that has a plugin of the spec's name."""
    name = _name(spec)
    registries = {kind: host.default().registry(kind) for kind in KINDS}
    kinds = [kind for kind, registry in registries.items() if name in registry]
    if not kinds:
        known = [each for registry in registries.values() for each in registry]
        raise SpecError(f"no plugin is called '{name}'; {nearest(name, known)}")
    if len(kinds) > 1:
        raise SpecError(
            f"'{name}' is the name of {' and '.join(kinds)}; say which:"
            f" {kinds[0]}:{spec}"
        )
    return kinds[0]
