"""YAML and TOML with the line of every key, so that a mistake can be pointed at."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rrm_harness.errors import DataError

Place = tuple[str | int, ...]
"""Keys and list numbers from the top: ("judges", 1, "engine")."""
DEEPEST = 50
"""How deep lists and tables may lie in one another."""


@dataclass(frozen=True, slots=True)
class Located:
    """A file's content, and on which line each part of it begins."""

    file: Path
    content: Mapping[str, Any]
    lines: Mapping[Place, int] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path) -> Located:
        """Read a file, YAML unless it ends with .toml.

        Raises:
            DataError: It cannot be read, or is no table of keys.
        """
        try:
            text = file.read_text(encoding="utf-8")
        except OSError as error:
            raise DataError(
                f"{file}: {error.strerror}; give a readable file"
            ) from error
        except UnicodeDecodeError as error:
            raise DataError(
                f"{file}: not UTF-8 ({error.reason}); convert it"
            ) from error
        found = (_toml if file.suffix == ".toml" else _yaml)(file, text)
        if not isinstance(found.content, dict):
            raise DataError(f"{file}: must be a table of keys; it is another thing")
        return found

    def wrong(self, problem: str, *place: str | int) -> DataError:
        """The error that names the nearest line that is known, and the key."""
        known = (place[:n] for n in range(len(place), 0, -1))
        line = next((self.lines[each] for each in known if each in self.lines), None)
        where = f"{self.file}, line {line}" if line else str(self.file)
        return DataError(f"{where}, {'.'.join(map(str, place))}: {problem}")


def _toml(file: Path, text: str) -> Located:
    """TOML; Python's reader tells no lines, so keys are looked for in the text."""
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise DataError(f"{file}: not TOML ({error}); mend the file") from error
    lines: dict[Place, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if found := re.match(r'\s*\[*\s*["\']?([\w-]+)["\']?\s*[\]=.]', line):
            lines.setdefault((found[1],), number)
    return Located(file, content, lines)


def _yaml(file: Path, text: str) -> Located:
    import yaml

    try:
        _refuse_yaml(file, yaml.parse(text))
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        lines: dict[Place, int] = {}
        content = _value(loader, root, lines, ()) if root else {}
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        said = " ".join(str(error).split())[:200]
        raise DataError(f"{file}: not YAML ({said}); mend the file") from error
    return Located(file, content, lines)


def _refuse_yaml(file: Path, events: Iterable[Any]) -> None:
    """Refuse what little text can make large, before it is put together.

    Even to go on reading takes time with the square of the depth.
    """
    import yaml

    depth = 0
    for each in events:
        depth += isinstance(each, yaml.CollectionStartEvent)
        depth -= isinstance(each, yaml.CollectionEndEvent)
        if isinstance(each, yaml.AliasEvent):
            raise DataError(f"{file}: aliases (*name) are not read; write it out")
        if depth > DEEPEST:
            raise ValueError(f"more than {DEEPEST} levels deep")


def _value(loader: Any, node: Any, lines: dict[Place, int], place: Place) -> Any:
    """A node's value; the lines of its parts are noted."""
    import yaml

    lines[place] = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        return [
            _value(loader, each, lines, (*place, number))
            for number, each in enumerate(node.value)
        ]
    if isinstance(node, yaml.MappingNode):
        return dict(_items(loader, node, lines, place))
    return loader.construct_object(node)


def _items(
    loader: Any, node: Any, lines: dict[Place, int], place: Place
) -> Iterator[tuple[str, Any]]:
    seen = set()
    for key, value in node.value:
        name = str(loader.construct_object(key))
        if name in seen:
            raise ValueError(f"the key '{name}' comes twice")
        seen.add(name)
        yield name, _value(loader, value, lines, (*place, name))
        lines[*place, name] = key.start_mark.line + 1
