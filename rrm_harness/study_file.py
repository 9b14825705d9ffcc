"""A whole study in one file: judges by datasets by strategies, in YAML or TOML.

    output: runs/study
    judges:
      - longest
      - {judge: "rrm,size=7b", engine: vllm}
    datasets: [rewardbench, rm-bench]
    strategies: ["single,order=seeded", "voting,k=5"]

What is wrong is told with its line and key, before anything is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from rrm_harness import host
from rrm_harness.errors import DataError, EngineError, SpecError
from rrm_harness.located import Located
from rrm_harness.specs import Spec, nearest
from rrm_harness.too_long import TooLong

ENGINES = {"engine": "judge", "meta_engine": "meta_judge", "policy_engine": "policy"}
"""Each with whom it runs."""
ROLES = ("engine", "meta_judge", "meta_engine", "policy", "policy_engine")
OPTIONS: Mapping[str, type] = {
    "seed": int,
    "limit": int,
    "too_long": str,
    "skip_bad_rows": bool,
    "baselines": bool,
}
"""Those of `evaluate` that hold for the whole study."""
KEYS = ("judges", "datasets", "strategies", "output", *ROLES, *OPTIONS)
KIND = {str: "a text", int: "a whole number", bool: "true or false", list: "a list"}


@dataclass(frozen=True, slots=True)
class StudyFile:
    """What is to be run.

    Args:
        judges: Each with the roles beside it, by the names that `evaluate` has.
        datasets: Specs, at least one.
        strategies: Specs; each dataset's published protocol if there is none.
        output: The directory of all runs; none if the file does not say.
        options: Those of `evaluate` that hold for all runs.
    """

    judges: tuple[Mapping[str, str], ...]
    datasets: tuple[str, ...]
    strategies: tuple[str, ...] = ()
    output: Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path) -> StudyFile:
        """Read and check a file.

        Raises:
            DataError: It cannot be read, or a key is unknown, missing or wrong; the
                message names its line.
            SpecError: A spec names something unknown or has a wrong option.
        """
        return _Reader(Located.read(file)).study()


@dataclass(frozen=True, slots=True)
class _Reader:
    """Takes a file's content apart."""

    located: Located

    @property
    def content(self) -> Mapping[str, Any]:
        return self.located.content

    def study(self) -> StudyFile:
        for key in self.content:
            if key not in KEYS:
                raise self.located.wrong(
                    f"'{key}' is no key; {nearest(key, [*KEYS])}", key
                )
        shared = {role: self._spec(role) for role in ROLES if role in self.content}
        asked = []
        for number, judge in enumerate(self._judges()):
            asked.append({**shared, **judge})
            self._make_engines(asked[-1], judge, number)
        output = self._one("output", str)
        return StudyFile(
            tuple(asked),
            tuple(self._specs("datasets", "datasets")),
            tuple(self._specs("strategies", "strategies", needed=False)),
            Path(output) if output else None,
            dict(self._options()),
        )

    def _options(self) -> Iterator[tuple[str, Any]]:
        for key, kind in OPTIONS.items():
            if key in self.content:
                yield key, self._one(key, kind)
        limit = self.content.get("limit")
        if limit is not None and limit < 1:
            raise self.located.wrong(f"this must be 1 or more; it is {limit}", "limit")
        too_long = self.content.get("too_long")
        if too_long is not None and too_long not in get_args(TooLong):
            known = ", ".join(get_args(TooLong))
            raise self.located.wrong(f"this must be one of {known}", "too_long")

    def _judges(self) -> Iterator[dict[str, str]]:
        for number, judge in enumerate(self._list("judges", needed=True)):
            place = ("judges", number)
            table = {"judge": judge} if isinstance(judge, str) else judge
            if not isinstance(table, dict) or "judge" not in table:
                raise self.located.wrong(
                    "a judge is a spec, or a table with 'judge' and perhaps 'engine'",
                    *place,
                )
            yield {key: self._role(key, table[key], *place) for key in table}

    def _role(self, key: str, spec: Any, *place: str | int) -> str:
        if key not in ("judge", *ROLES):
            known = nearest(key, ["judge", *ROLES])
            raise self.located.wrong(f"a judge has no '{key}'; {known}", *place, key)
        return self._built(_kind(key), spec, *place, key)

    def _make_engines(
        self, asked: Mapping[str, str], own: Mapping[str, str], number: int
    ) -> None:
        """Make each engine with the judge that it runs, which takes no hardware."""
        for role, runs in ENGINES.items():
            if role not in asked or runs not in asked:
                continue
            judge = asked[runs]
            try:
                built = host.default().build("judges", judge)
                host.default().engine(asked[role], built).close()
            except (DataError, EngineError, SpecError) as error:
                place = ("judges", number, role) if role in own else (role,)
                who = "" if role in own else f"with {judge}: "
                raise self.located.wrong(f"{who}{error}", *place) from error

    def _spec(self, key: str) -> str:
        return self._built(_kind(key), self.content[key], key)

    def _specs(self, key: str, kind: str, *, needed: bool = True) -> Iterator[str]:
        for number, spec in enumerate(self._list(key, needed=needed)):
            yield self._built(kind, spec, key, number)

    def _list(self, key: str, *, needed: bool) -> list[Any]:
        found = self.content.get(key, [])
        if not isinstance(found, list) or (needed and not found):
            raise self.located.wrong("this must be a list of at least one spec", key)
        return found

    def _one(self, key: str, kind: type) -> Any:
        value = self.content.get(key)
        if value is not None and type(value) is not kind:
            raise self.located.wrong(
                f"this must be {KIND[kind]}; it is {value!r:.60}", key
            )
        return value

    def _built(self, kind: str, spec: Any, *place: str | int) -> str:
        """The spec, if it can be built; of an engine, which needs a judge, the name."""
        if not isinstance(spec, str):
            raise self.located.wrong(f"a spec is a text; this is {spec!r:.60}", *place)
        try:
            if kind == "engines":
                host.default().lookup(kind, Spec.parse(spec).name)
            else:
                host.default().build(kind, spec)
        except (DataError, SpecError) as error:
            raise self.located.wrong(str(error), *place) from error
        return spec


def _kind(role: str) -> str:
    return "engines" if role.endswith("engine") else "judges"
