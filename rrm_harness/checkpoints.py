"""A checkpoint's folder: its config, and what weights it holds, by headers alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rrm_harness.errors import EngineError

INDEX = "model.safetensors.index.json"
LONGEST = 100 << 20
"""No header has more bytes: safetensors allows none."""


def config(place: Path) -> dict[str, Any]:
    """The folder's config, as it is written.

    Raises:
        EngineError: There is none that can be read.
    """
    return _read(place / "config.json")


def generation_config(place: Path) -> dict[str, Any]:
    """How the model's authors would have it write; nothing if they say nothing.

    Raises:
        EngineError: It is there and cannot be read.
    """
    file = place / "generation_config.json"
    return _read(file) if file.exists() else {}


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text("utf-8"))
        if not isinstance(found, dict):
            raise ValueError("it is no object")
    except (OSError, ValueError, RecursionError) as error:
        raise EngineError(
            f"{file} cannot be read ({error}); name a folder with the model's own files"
        ) from error
    return found


def listed(place: Path) -> list[Path]:
    """The folder's weights, in order: what its index lists, else all there are.

    What is listed need not be there: a download may be under way.

    Raises:
        EngineError: There is an index that cannot be read.
    """
    if (place / INDEX).exists():
        listed = _read(place / INDEX).get("weight_map") or {}
        names = [*listed.values()] if isinstance(listed, dict) else [listed]
        for name in names:
            if not isinstance(name, str) or not name or _leads_out(name):
                raise EngineError(
                    f"{place / INDEX} lists {name!r:.60}, which is no file of that"
                    " folder; name a folder with the model's own files"
                )
        return [place / name for name in sorted(set(names))]
    found = place.glob("*.safetensors")
    return sorted(each for each in found if not each.name.startswith("."))


def _leads_out(name: str) -> bool:
    """Whether a path that should be inside a folder may lie elsewhere."""
    return name.startswith("/") or ".." in name.split("/")


def files(place: Path) -> list[Path]:
    """The folder's weights.

    Raises:
        EngineError: There are none.
    """
    found = listed(place)
    if not found:
        raise EngineError(f"{place} has no safetensors; name a folder with some")
    return found


def weights(place: Path) -> dict[str, Path]:
    """Each weight's name and the file that holds it, by the files' own headers.

    Raises:
        EngineError: There are no safetensors, or one cannot be read.
    """
    return {
        name: file
        for file in files(place)
        for name in header(file)[0]
        if name != "__metadata__"
    }


def header(file: Path) -> tuple[dict[str, Any], int]:
    """A file's header, and where what it describes begins.

    Raises:
        EngineError: It is no safetensors file, or a part of one.
    """
    try:
        with file.open("rb") as opened:
            size = int.from_bytes(opened.read(8), "little")
            if size > LONGEST:
                raise ValueError(f"a header of {size} bytes")
            found = json.loads(opened.read(size))
        if not isinstance(found, dict):
            raise ValueError("a header that is no object")
    except (OSError, ValueError, RecursionError) as error:
        raise EngineError(
            f"{file} is not readable safetensors ({error}); download it again"
        ) from error
    return found, 8 + size
