"""The lm-eval task files that this and other distributions bring."""

from __future__ import annotations

from pathlib import Path

from rrm_harness import host


def folders() -> list[Path]:
    """The folders that lie on a disk: lm-eval reads no others."""
    found = (entry.thing for entry in host.default().registry("tasks").values())
    return [each for each in found if isinstance(each, Path)]


def tasks() -> dict[str, str]:
    """Return task names (their files' stems) and who brings them, sorted."""
    found = {}
    for entry in host.default().registry("tasks").values():
        folders = [entry.thing]
        while folders:
            for each in folders.pop().iterdir():
                if each.is_dir():
                    folders.append(each)
                elif each.name.endswith(".yaml"):
                    found[each.name.removesuffix(".yaml")] = entry.origin
    return dict(sorted(found.items()))
