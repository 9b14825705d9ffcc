"""Who imports whom: the modules, and the rooms that docs/architecture.md puts them in.

`python tests/house.py` draws that page's picture anew. An import counts wherever in a
file it stands, inside a function too, for there a circle only hides; one that types
alone need (`if TYPE_CHECKING:`) is kept apart, since it is gone when the program runs.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
OURS = "rrm_harness"
FOLDERS = ("plugins", "tasks", "templates")
"""What is installed under the package and lies beside it."""
TOPS = {OURS: OURS, **{each: f"{OURS}.{each}" for each in FOLDERS}}
ROOM = re.compile(r"^\| \*\*([a-z -]+)\*\* \| ([^|]+) \| (`[^|]+`) \|$", re.M)
PICTURE = re.compile(
    r"(?<=<!-- python tests/house.py draws this: -->\n)```\n.*?```\n", re.S
)
Graph = Mapping[str, frozenset[str]]
"""What each imports."""


@cache
def files() -> Mapping[str, Path]:
    """Every module's file, by its name; a package's face counts if it does anything."""
    found: dict[str, Path] = {}
    for top, name in TOPS.items():
        for file in sorted((ROOT / top).rglob("*.py")):
            if len(ast.parse(file.read_text(encoding="utf-8")).body) < 2:
                continue
            parts = file.relative_to(ROOT / top).with_suffix("").parts
            found[".".join((name, *parts)).removesuffix(".__init__")] = file
    return found


@cache
def parsed(module: str) -> ast.Module:
    return ast.parse(files()[module].read_text(encoding="utf-8"))


@cache
def imports(*, types: bool = False) -> Graph:
    """What each module imports of ours; with `types` also what types alone need."""
    return {each: frozenset(_imported(each, types)) - {each} for each in files()}


def _imported(module: str, types: bool) -> Iterator[str]:
    for node in _statements(parsed(module), types):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name in files())
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(module, node)
            for each in node.names:
                name = f"{base}.{each.name}"
                if name in files() or base in files():
                    yield name if name in files() else base


def _statements(node: ast.AST, types: bool) -> Iterator[ast.AST]:
    """All nodes, but for those that only a type checker reads."""
    yield node
    for each in ast.iter_child_nodes(node):
        checked = isinstance(each, ast.If) and "TYPE_CHECKING" in ast.unparse(each.test)
        if types or not checked:
            yield from _statements(each, types)


def _absolute(module: str, node: ast.ImportFrom) -> str:
    """The module that a `from` names, its leading dots resolved."""
    if not node.level:
        return node.module or ""
    inside = files()[module].name == "__init__.py"
    parts = module.split(".")[: None if inside else -1]
    up = parts[: len(parts) - node.level + 1]
    return ".".join([*up, node.module] if node.module else up)


def circle(graph: Graph) -> list[str]:
    """Names that import each other in a loop, the first twice; empty if none do."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


@cache
def rooms() -> Mapping[str, str]:
    """Each module's room, as the page's table has it; those beside it by their folder.

    A package is in the table as a whole, with a slash behind its name.
    """
    told = {
        each.rstrip("/"): room
        for room, _, modules in ROOM.findall(PAGE.read_text(encoding="utf-8"))
        for each in re.findall(r"`([\w/]+)`", modules)
    }
    return {each: told.get(_part(each), "") for each in files()}


def _part(module: str) -> str:
    """The name that the table has for a module: of ours, of a package, or of a kind."""
    parts = module.split(".")[1:] or ["__init__"]
    return "/".join(parts[:2]) if parts[0] == "plugins" else parts[0]


def between_rooms() -> Mapping[str, Counter[str]]:
    """How many imports each room has of each other one."""
    found: dict[str, Counter[str]] = {each: Counter() for each in rooms().values()}
    for module, imported in imports().items():
        for each in imported:
            if rooms()[each] != rooms()[module]:
                found[rooms()[module]][rooms()[each]] += 1
    return found


def floors(graph: Graph) -> Mapping[str, int]:
    """Every name's floor: one above the highest that it imports, 1 for the ground."""
    found: dict[str, int] = {}
    for each in TopologicalSorter(graph).static_order():
        found[each] = 1 + max((found[under] for under in graph[each]), default=0)
    return found


def picture() -> Iterator[str]:
    """The rooms from the top floor down, and what each imports, how often."""
    arrows = between_rooms()
    floor = floors({room: frozenset(told) for room, told in arrows.items()})
    wide = max(map(len, arrows))
    yield f"floor  {'room':<{wide}}  imports"
    for room in sorted(arrows, key=lambda each: (-floor[each], each)):
        under = sorted(arrows[room], key=lambda each: (-floor[each], each))
        told = ", ".join(f"{each} {arrows[room][each]}" for each in under)
        yield f"{floor[room]:>5}  {room:<{wide}}  {told}".rstrip()


def drawn() -> str:
    """The page with the picture as it should be."""
    lines = "\n".join(picture())
    page = PAGE.read_text(encoding="utf-8")
    return PICTURE.sub(lambda _: f"```\n{lines}\n```\n", page, count=1)


if __name__ == "__main__":
    PAGE.write_text(drawn(), encoding="utf-8")
