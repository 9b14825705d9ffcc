"""The documentation is true: its commands are commands, and what it shows runs.

In a page a `console` block and a `python` block are run, one after the other, in a
folder of the page's own, which holds the page's blocks that have a title. All other
commands are parsed and their specs built, for they need weights, hardware or a network.
"""

import contextlib
import importlib.util
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest
from click.testing import CliRunner

from rrm_harness import hookspecs, host, models
from rrm_harness.cli import commands
from rrm_harness.specs import Spec
from rrm_harness.tasks_folder import tasks

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = {
    page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8")
    for page in [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
}
BLOCK = re.compile(
    r'^```(?P<kind>\w*)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```$', re.M | re.S
)
ROLES = {
    "judge": "judges",
    "meta_judge": "judges",
    "policy": "judges",
    "dataset": "datasets",
    "strategy": "strategies",
}
"""Which options are specs, by the names that click has for them."""
ENGINES = {"engine": "judge", "policy_engine": "policy", "meta_engine": "meta_judge"}
"""And which of the others' models an engine runs."""
WRITTEN_THERE = {"mentions", "king-of-the-hill", "reasons"}
"""Plugins that a page has the reader write."""


class Block(NamedTuple):
    kind: str
    title: str
    text: str


def blocks(page: str) -> list[Block]:
    found = BLOCK.finditer(PAGES[page])
    return [Block(each["kind"], each["title"] or "", each["text"]) for each in found]


def lines(text: str) -> Iterator[list[str]]:
    """A block's commands as words, without comments and settings of variables."""
    whole = re.sub(r"\$\([^)]*\)", "X", text.replace("\\\n", " "))
    for line in whole.splitlines():
        with contextlib.suppress(ValueError):  # a row of JSON, say
            words = shlex.split(line, comments=True)
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                del words[0]
            if words:
                yield words


def matched(words: list[str]) -> Iterator[str]:
    """The words with the files that a pattern stands for, as a shell has them."""
    for word in words:
        if "*" in word:
            yield from sorted(map(str, Path().glob(word)))
        else:
            yield word


def shown(program: str) -> list[tuple[str, str]]:
    """Every command of a program, with its page."""
    return [
        (page, shlex.join(words))
        for page in PAGES
        for block in blocks(page)
        if block.kind in ("", "sh", "console")
        for words in lines(block.text)
        if words[0] == program
    ]


def ours(kind: str) -> list[str]:
    registered = host.default().registry(kind).values()
    return [each.name for each in registered if each.origin.startswith("rrm-harness:")]


@cache
def generated() -> Any:
    """The module that fills in the pages' markers."""
    spec = importlib.util.spec_from_file_location("generated", DOCS / "generated.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def written(page: str, folder: Path) -> Path:
    """The folder, with the files that the page shows."""
    for block in blocks(page):
        if block.title:
            (folder / block.title).write_text(block.text, encoding="utf-8")
    return folder


def parsed(words: list[str]) -> click.Context:
    """Parse a command as click does, without running it."""
    command, name = commands, "rrm-harness"
    context = click.Context(command, info_name=name)
    rest = [word for word in words[1:] if word != "--offline"]  # it acts at once
    while isinstance(command, click.Group):
        name, *rest = rest
        found = command.get_command(context, name)
        assert found is not None, f"no command is called {name}"
        command = found
    return command.make_context(name, rest, parent=context)


def specs(values: Any) -> list[str]:
    """Those of an option that name something; SPEC and its like stand for any."""
    given = [values] if isinstance(values, str) else values
    named = [each for each in given or () if not each.isupper()]
    return [each for each in named if Spec.parse(each).name not in WRITTEN_THERE]


def build(parameters: dict[str, Any]) -> None:
    """Build whatever the command's specs name."""
    plugins = host.default()
    for role, kind in ROLES.items():
        for spec in specs(parameters.get(role) or parameters.get(f"{role}s")):
            plugins.build(kind, spec)
    published = parameters.get("published")  # a judge of `reproduce`, a flag elsewhere
    for role, of in ENGINES.items():
        for spec in specs(parameters.get(role)):
            judges = [
                plugins.build("judges", each)
                for each in specs(parameters.get(of) or published)
            ]
            model = judges[0].runs_on if judges else models.Model("any/model")
            plugins.engine_for(Spec.parse(spec), model).close()


@pytest.mark.parametrize(("page", "command"), shown("rrm-harness"))
def test_a_command_that_is_shown_is_one(
    page: str, command: str, tmp_path: Path
) -> None:
    with contextlib.chdir(written(page, tmp_path)):
        for replies in re.findall(r"recorded,path=([\w.-]+)", command):
            Path(replies).touch()
        context = parsed(shlex.split(command))

        build(context.params)


def test_lm_eval_takes_every_command_that_is_shown() -> None:
    from lm_eval._cli.harness import HarnessCLI

    parser = HarnessCLI()._subparsers.choices["run"]
    for _, command in shown("lm_eval"):
        parser.parse_args(shlex.split(command)[1:])


def test_every_target_that_is_shown_is_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = {shlex.split(command)[1] for _, command in shown("make")}

    assert [each for each in targets if f"\n{each}:" not in makefile] == []


def test_every_program_that_is_shown_is_there() -> None:
    programs = {shlex.split(command)[1] for _, command in shown("python")} - {"-m"}

    assert [each for each in programs if not (ROOT / each).is_file()] == []


RUN = [
    page
    for page in PAGES
    if page not in ("README.md", "docs/training.md")  # they have tests of their own
    and any(each.kind in ("console", "python") for each in blocks(page))
]


@pytest.mark.parametrize("page", RUN)
def test_what_a_page_shows_runs(page: str, tmp_path: Path) -> None:
    with contextlib.chdir(written(page, tmp_path)):
        for block in blocks(page):
            if block.kind == "python" and not block.title:
                program = compile(block.text, page, "exec")
                exec(program, {"__name__": "page"})  # noqa: S102
            for words in lines(block.text) if block.kind == "console" else ():
                done = CliRunner().invoke(commands, [*matched(words[1:])])

                assert done.exit_code == 0, (words, done.output, done.exception)


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        ("judges", "docs/judges"),
        ("datasets", "docs/benchmarks.md"),
        ("strategies", "docs/howto/strategies.md"),
        ("engines", "docs/howto/engines.md"),
        ("heads", "docs/judges"),
    ],
)
def test_every_plugin_is_in_a_page_that_somebody_wrote(kind: str, place: str) -> None:
    text = "".join(text for page, text in PAGES.items() if page.startswith(place))

    assert [name for name in ours(kind) if f"`{name}`" not in text] == []


@pytest.mark.parametrize(
    "kind", ["judges", "strategies", "datasets", "engines", "heads"]
)
def test_the_reference_names_every_plugin(kind: str) -> None:
    text = generated().filled(PAGES["docs/reference/names.md"])

    assert [name for name in ours(kind) if f"### `{name}`" not in text] == []


def test_the_reference_names_every_task_and_template() -> None:
    from rrm_harness import prompts

    text = generated().filled(PAGES["docs/reference/names.md"])

    named = [*tasks(), *prompts.names()]
    assert [name for name in named if f"- `{name}`" not in text] == []


def test_every_hook_is_in_the_page_on_plugins() -> None:
    hooks = [name for name in dir(hookspecs) if name.startswith("register_")]

    page = PAGES["docs/howto/plugins.md"]
    assert [hook for hook in hooks if f"`{hook}`" not in page] == []


def test_the_reference_has_every_command() -> None:
    text = generated().filled(PAGES["docs/reference/commands.md"])

    assert [
        name for name in commands.commands if f"## `rrm-harness {name}`" not in text
    ] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_marker_is_filled_in(page: str) -> None:
    markers = generated().MARKER.findall(PAGES[page])

    assert [each for each, _ in markers if each not in generated().TABLES] == []


def test_every_model_s_memory_is_told_as_its_card_has_it() -> None:
    text = generated().filled(PAGES["docs/judges/memory.md"])

    for card in models.cards().values():
        (row,) = (line for line in text.splitlines() if f"| `{card.id}` |" in line)
        if card.parameters >= 0.1:
            assert f"| {card.bf16:.3g} GB | {card.fp8:.3g} GB |" in row


def test_a_family_s_page_has_the_memory_of_all_its_models() -> None:
    pages = [text for page, text in PAGES.items() if page.startswith("docs/judges/")]
    told = "".join(
        generated().filled(text) for text in pages if "<!-- memory -->" not in text
    )

    needed = [
        card.id
        for card in models.cards().values()
        if not card.folder and card.judge != "solver"
    ]
    assert [each for each in needed if f"| `{each}` |" not in told] == []
