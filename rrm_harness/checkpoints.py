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
    try:
        found: dict[str, Any] = json.loads((place / "config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise EngineError(
            f"{place}/config.json cannot be read ({error}); name a folder with the"
            " model's own files"
        ) from error
    return found


def files(place: Path) -> list[Path]:
    """The folder's weights, in order: what its index lists, else all there are.

    Raises:
        EngineError: There are none.
    """
    index = place / INDEX
    if index.exists():
        listed = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
        found = [place / name for name in sorted(listed)]
    else:
        found = sorted(place.glob("*.safetensors"))
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
            found: dict[str, Any] = json.loads(opened.read(size))
    except (OSError, ValueError) as error:
        raise EngineError(
            f"{file} is not readable safetensors ({error}); download it again"
        ) from error
    return found, 8 + size
