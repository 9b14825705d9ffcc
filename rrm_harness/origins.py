"""Where installed plugins come from: known without importing any of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, entry_points
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from rrm_harness import host


@dataclass(frozen=True, slots=True)
class Origin:
    """A distribution that brings plugins.

    Args:
        name: What it is called.
        version: Its version.
        place: How it was installed and where its code lies.
        admitted: Its plugins that may run.
        kept_out: Those that are not even imported.
    """

    name: str
    version: str
    place: str
    admitted: Sequence[EntryPoint]
    kept_out: Sequence[EntryPoint]


def origins(found: Iterable[EntryPoint] | None = None) -> list[Origin]:
    """Return every distribution that brings plugins, by name; ours is the first.

    Raises:
        SpecError: RRM_HARNESS_ONLY names something that is not installed.
    """
    installed = entry_points(group=host.GROUP) if found is None else found
    every = list(dict.fromkeys(installed))  # one may be seen twice on the path
    admitted = host.admitted(every)
    by_name: dict[str, list[EntryPoint]] = {}
    for entry in sorted(every, key=host.called):
        by_name.setdefault(host.called(entry).partition(":")[0], []).append(entry)
    return [
        Origin(
            name,
            entries[0].dist.version if entries[0].dist else "unknown",
            _place(entries[0].dist),
            [entry for entry in entries if entry in admitted],
            [entry for entry in entries if entry not in admitted],
        )
        for name, entries in sorted(by_name.items(), key=_ours_first)
    ]


def _ours_first(named: tuple[str, Any]) -> tuple[bool, str]:
    return named[0] != host.OURS, named[0]


def others() -> dict[str, str]:
    """Name and version of each distribution but ours whose plugins may run."""
    return {
        origin.name: origin.version
        for origin in origins()
        if origin.admitted and origin.name != host.OURS
    }


def _place(found: Distribution | None) -> str:
    """How a distribution was installed, as its installer wrote it down (PEP 610)."""
    if found is None:
        return "unknown"
    folder = Path(str(found.locate_file("")))
    try:
        said = json.loads(found.read_text("direct_url.json") or "{}")
        url = _without_password(str(said.get("url", "")))
        if said.get("dir_info", {}).get("editable"):
            return f"editable, {_path(url)}"
        if "vcs_info" in said:
            commit = said["vcs_info"].get("commit_id", "unknown")
            return f"built from {url} at commit {commit}, in {folder}"
        if url:
            return f"built from {_path(url)}, in {folder}"
    except (AttributeError, ValueError):
        pass  # it is not what the installer should have written: say where it lies
    installer = (found.read_text("INSTALLER") or "").strip()
    return f"wheel by {installer}, in {folder}" if installer else f"in {folder}"


def _path(url: str) -> str:
    """A file's address as its path."""
    return unquote(urlsplit(url).path) if url.startswith("file:") else url


def _without_password(url: str) -> str:
    """An address without the name, password and query that it may hold."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host, query="", fragment="").geturl()
