"""The house is as docs/architecture.md draws it: floors, no circle, short functions.

`house` reads the code's own imports, those inside functions too.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator

import house

TIED_BY_TYPES = {
    "rrm_harness.records": {"rrm_harness.metrics"},
    **{
        f"rrm_harness.plugins.engines.openai_{part}": {
            "rrm_harness.plugins.engines.openai"
        }
        for part in ("client", "patience", "route", "routes", "server", "servers")
    },
}
"""Imports that would make a circle if they were made, and are for type checkers: a
dataset's rule and a rule's example; the parts of an engine and its options."""
LINES = 50
"""The most of a function's statements; what is long beyond them is said about them."""
LENGTHS = {"rrm_harness.records": 560}
"""A file's most lines, where it may have more than 420: all nouns are in one."""
CALLED_BY_OTHERS = re.compile(
    r"__\w+__|_repr_html_"  # Python, notebooks
    r"|pytest_\w+|runtest|repr_failure|reportinfo"  # pytest
    r"|loglikelihood\w*|tokenizer_name|get_model_info"  # lm-eval, of a model
    r"|has_\w+_docs|test_docs|fewshot_context"  # lm-eval, of a task
)
PLUGINS = tuple(f"{house.OURS}.{each}." for each in house.FOLDERS)


def functions(module: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(house.parsed(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def statements(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function's body, without its docstring."""
    body = function.body[ast.get_docstring(function) is not None :]
    first, last = (body[0].lineno, body[-1].end_lineno) if body else (1, 0)
    return (last or 0) - first + 1


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert house.circle(house.imports()) == []


def test_a_circle_that_types_alone_make_is_one_that_is_known() -> None:
    graph = house.imports(types=True)

    untied = {name: graph[name] - TIED_BY_TYPES.get(name, set()) for name in graph}
    assert house.circle(untied) == []


def test_what_is_said_to_be_for_types_is_not_imported_when_the_program_runs() -> None:
    known, runs = house.imports(types=True), house.imports()

    for name, others in TIED_BY_TYPES.items():
        assert others <= known[name] - runs[name]


def test_a_circle_would_be_noticed() -> None:
    graph = {"a": frozenset("b"), "b": frozenset("c"), "c": frozenset("a")}

    assert set(house.circle(graph)) == {"a", "b", "c"}


def test_no_rooms_import_each_other_in_a_circle() -> None:
    arrows = house.between_rooms()

    assert house.circle({room: frozenset(told) for room, told in arrows.items()}) == []


def test_the_core_imports_no_plugin() -> None:
    core = [each for each in house.files() if not each.startswith(PLUGINS)]

    for name in core:
        under = house.imports(types=True)[name]
        assert [each for each in under if each.startswith(PLUGINS)] == [], name


def test_the_core_names_no_plugin_s_module_to_import_it_later() -> None:
    for name in house.files():
        if not name.startswith(PLUGINS):
            texts = [
                node.value
                for node in ast.walk(house.parsed(name))
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            ]
            assert [
                each for each in texts if re.match(r"rrm_harness\.plugins\.\w", each)
            ] == [], name


def test_a_plugin_imports_the_core_and_the_modules_beside_it() -> None:
    kinds = f"{house.OURS}.plugins."

    for name in house.files():
        if name.startswith(kinds):
            beside = kinds + name.removeprefix(kinds).partition(".")[0]
            under = house.imports(types=True)[name]
            others = [each for each in under if each.startswith(PLUGINS)]
            assert [each for each in others if not each.startswith(beside)] == [], name


def test_every_module_has_a_room_in_the_page() -> None:
    assert [name for name, room in house.rooms().items() if not room] == []


def test_every_module_that_the_page_has_is_there() -> None:
    text = house.PAGE.read_text(encoding="utf-8")
    told = [
        each
        for _, _, modules in house.ROOM.findall(text)
        for each in re.findall(r"`([\w/]+)`", modules)
    ]

    repeated = [each for each, count in Counter(told).items() if count > 1]
    assert repeated == []
    for each in told:
        folder = house.ROOT / ("" if each.startswith("plugins/") else house.OURS)
        beside = house.ROOT / each
        assert (folder / f"{each}.py").is_file() or (
            (folder / each).is_dir() or beside.is_dir()
        ), each


def test_the_page_s_picture_is_the_code_s() -> None:
    """Else `python tests/house.py` draws it anew."""
    assert house.PAGE.read_text(encoding="utf-8") == house.drawn()


def test_no_function_is_long() -> None:
    assert [
        (module, each.name, statements(each))
        for module in house.files()
        for each in functions(module)
        if statements(each) > LINES
    ] == []


def test_no_file_is_long() -> None:
    long = {
        name: len(file.read_text(encoding="utf-8").splitlines())
        for name, file in house.files().items()
    }

    assert {
        name: lines for name, lines in long.items() if lines > LENGTHS.get(name, 420)
    } == {}


def words() -> Counter[str]:
    """How often each name stands in the program, its templates and its pages."""
    found: Counter[str] = Counter()
    for top in (*house.TOPS, "docs", "benchmarks"):
        for file in (house.ROOT / top).rglob("*"):
            if file.suffix in (".py", ".jinja", ".yaml", ".md"):
                found.update(re.findall(r"\w+", file.read_text(encoding="utf-8")))
    found.update(re.findall(r"\w+", (house.ROOT / "pyproject.toml").read_text()))
    return found


def test_nothing_is_defined_that_nothing_names() -> None:
    """Names of tests do not count: what only a test uses is used by nobody."""
    named = words()
    defined = Counter(
        node.name
        for module in house.files()
        for node in ast.walk(house.parsed(module))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    )

    unused = [name for name, count in defined.items() if named[name] <= count]
    assert [each for each in unused if not CALLED_BY_OTHERS.fullmatch(each)] == []
