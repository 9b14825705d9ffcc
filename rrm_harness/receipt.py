"""The receipt of a finished run: what its results came from.

While nothing of that has changed, the results are what the same command would give
again, and are handed out as they are. Where that is in doubt the run is played again,
which asks its engine nothing that the store holds.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from hashlib import file_digest
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

from rrm_harness import chance
from rrm_harness.errors import OutputError, StoreError
from rrm_harness.files import dumps, read_json, write_whole
from rrm_harness.output import DIGEST, OUTCOMES, RECEIPT, RESULTS, RunDirectory
from rrm_harness.result import Result

OURS = __name__.partition(".")[0]
BESIDE = ("plugins", "tasks", "templates")
"""Packages of ours whose folders may lie beside the first."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The receipt of a run, in its directory once it is finished.

    `source` is empty where it cannot be told what the results come from.
    """

    run: RunDirectory
    source: str

    @classmethod
    def of(
        cls,
        run: RunDirectory,
        manifest: Mapping[str, Any],
        plugins: Iterable[object],
        specs: Sequence[object],
        options: Sequence[object],
    ) -> Self:
        """Hash what the results come from, besides the judgments.

        That is what was asked, the code of this package and of the plugins' packages
        (each file's size and time), what else is installed, and our environment
        variables. They do not tell all if a plugin is an object in place of a spec, or
        if its code lies where it is still being written.
        """
        if not all(isinstance(each, str | None) for each in specs):
            return cls(run, "")
        parts = [part for each in plugins for part in _parts(each)]
        modules = {kind.__module__ for each in parts for kind in type(each).__mro__}
        packages = {OURS} | {name.partition(".")[0] for name in modules}
        packages -= sys.stdlib_module_names
        if not all(map(_is_installed, packages - {OURS})):
            return cls(run, "")
        source = chance.digest(
            repr([*specs, *options]),
            repr(manifest["run"]),
            repr(manifest["asked"]),
            sys.version,
            repr(sorted(_variables())),
            repr(sorted(_distributions())),
            repr(sorted(_state(file) for each in packages for file in _code(each))),
        )
        return cls(run, source.hex())

    def fits(self) -> bool:
        """Whether the run is finished and its results would come out the same.

        Failures would not: the next run asks them again.
        """
        try:
            left = read_json(self.run.path / RECEIPT)
            if not self.source or left != self._content(sound=True):
                return False
            results = Result.read(self.run.path).results
            whole = results.get("outcomes") == _digest(self.run.path / OUTCOMES)
        except (OSError, OutputError, StoreError):
            return False
        return whole and not results["failures"]

    def leave(self) -> None:
        """Write it beside the results."""
        if self.source:
            write_whole(
                self.run.path / RECEIPT, dumps(self._content(sound=False)) + "\n"
            )

    def _content(self, *, sound: bool) -> dict[str, Any]:
        return {
            "source": self.source,
            "results": _digest(self.run.path / RESULTS),
            "judgments": self.run.store.count(sound=sound),
        }


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return file_digest(content, DIGEST).hexdigest()


def _variables() -> Iterator[tuple[str, str]]:
    return (each for each in os.environ.items() if each[0].startswith("RRM_HARNESS_"))


def _distributions() -> Iterator[str]:
    """What is installed, by the names of its folders, which have the version."""
    for place in filter(os.path.isdir, sys.path):
        names = os.listdir(place)
        yield from (
            name for name in names if name.endswith((".dist-info", ".egg-info"))
        )


def _is_installed(package: str) -> bool:
    """Whether all code of a package lies where installers put it."""
    places = [Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")]
    files = [*_code(package)]
    return bool(files) and all(
        any(file.is_relative_to(place) for place in places) for file in files
    )


def _code(package: str) -> set[Path]:
    """The files of a package, imported yet or not; none of one that has no place."""
    parts = [f"{OURS}.{each}" for each in BESIDE] if package == OURS else []
    files: set[Path] = set()
    for name in (package, *parts):
        try:
            found = find_spec(name)
        except (ImportError, ValueError):  # of a program that is run, for one
            continue
        for folder in (found and found.submodule_search_locations) or ():
            found_there = Path(folder).rglob("*.py")
            files.update(each for each in found_there if not each.name.startswith("."))
        if found and found.has_location and found.origin:
            files.add(Path(found.origin))
    return files


def _parts(plugin: object) -> Iterator[object]:
    """A plugin and those that it is made of, such as a strategy's inner one."""
    yield plugin
    if is_dataclass(plugin):
        for each in fields(plugin):
            value = getattr(plugin, each.name)
            for part in value if isinstance(value, list | tuple) else (value,):
                yield from _parts(part)


def _state(file: Path) -> tuple[str, int, int]:
    try:
        status = file.stat()
    except FileNotFoundError:  # deleted just now
        return str(file), -1, -1
    return str(file), status.st_size, status.st_mtime_ns
