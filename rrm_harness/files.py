"""Files of ours: JSON that is read or refused in a sentence, and whole writes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

from rrm_harness.errors import OutputError


def read_json(path: Path) -> dict[str, Any]:
    """Read a file of ours.

    Raises:
        OutputError: It is missing or not what we wrote.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = _DECODER.decode(text)
    except OSError as error:
        raise OutputError(
            f"{path}: {error.strerror}; give the --output directory of a finished run"
        ) from error
    except (ValueError, RecursionError) as error:
        raise OutputError(
            f"{path} is damaged ({error}); delete it and run the same command again:"
            " no judgment is lost"
        ) from error
    if not isinstance(content, dict):
        raise OutputError(f"{path} is damaged; delete it and run again")
    return content


def read_lines(path: Path, digest: blake2b | None = None) -> Iterator[dict[str, Any]]:
    """Read a file of ours that has a JSON object on each line; a digest reads it too.

    Raises:
        OutputError: It is missing or not what we wrote.
    """
    again = "delete it and run the same command again: no judgment is lost"
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if digest is not None:
                    digest.update(line)
                row = _DECODER.decode(line.decode())
                if not isinstance(row, dict):
                    raise OutputError(f"{path}, line {number}, is damaged; {again}")
                yield row
    except OSError as error:
        raise OutputError(
            f"{path}: {error.strerror}; give the --output directory of a finished run"
        ) from error
    except (ValueError, RecursionError) as error:
        raise OutputError(f"{path} is damaged ({error}); {again}") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of ours")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
"""Made once: `json.loads` makes one for every line."""


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all.

    Raises:
        OutputError: It cannot be written.
    """
    with replaced(path) as part, part.open("wb") as file:
        file.write(text.encode("utf-8", "backslashreplace"))
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Give a file to write beside a path, in its place at the end; make its folder.

    Raises:
        OutputError: It cannot be written.
    """
    if path.exists() and not path.is_file():
        raise OutputError(f"{path} is no file that can be replaced; name another")
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise OutputError(
            f"{path} cannot be written ({error.strerror or error}); name another place"
        ) from error


_ENCODER = json.JSONEncoder(allow_nan=False)  # to make one costs as much as a line


def dumps(content: Mapping[str, Any], indent: int | None = None) -> str:
    """The content as JSON without NaN and infinity, which it does not have."""
    if indent is None:
        return _ENCODER.encode(content)
    return json.dumps(content, indent=indent, allow_nan=False)
