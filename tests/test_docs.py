"""The README is true: what it shows is there, and what is there it shows."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from rrm_harness import hookspecs, host, parse
from rrm_harness.cli import LISTED, commands

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "tests" / "example_plugin"
CODE = set(re.findall(r"`([^`\n]+)`", README))


def block_after(line: str) -> str:
    """The fenced block that follows a line of the README."""
    found = re.search(rf"^{re.escape(line)}\n+```\w*\n(.*?)^```$", README, re.M | re.S)
    assert found, f"README.md has no fenced block after {line}"
    return found[1]


def section(title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", README, re.M | re.S)
    assert found, f"README.md has no section '{title}'"
    return found[1]


def ours(kind: str) -> list[str]:
    return [
        entry.name
        for entry in host.default().registry(kind).values()
        if entry.origin.startswith("rrm-harness:")
    ]


def options_of(group: click.Group) -> Iterator[str]:
    """The options of a group's commands, and of the groups among them."""
    for command in group.commands.values():
        for parameter in command.params:
            yield from (*parameter.opts, *parameter.secondary_opts)
        if isinstance(command, click.Group):
            yield from options_of(command)


def options_of_lm_eval() -> Iterator[str]:
    """The options of `lm_eval run`, which `lm_eval` alone is as well."""
    from lm_eval._cli.harness import HarnessCLI

    for action in HarnessCLI()._subparsers.choices["run"]._actions:
        yield from action.option_strings


def tree() -> dict[str, str]:
    """The tree of "Where things are": each path and what is said about it."""
    (block,) = re.findall(r"```\n(.*?)```", section("Where things are"), re.S)
    found, folder = {}, ""
    for indent, name, said in re.findall(r"^( *)(\S+) *(.*)$", block, re.M):
        found[f"{folder if indent else ''}{name}"] = said
        folder = folder if indent else name
    return found


@pytest.mark.parametrize(
    "hook", [name for name in dir(hookspecs) if name.startswith("register_")]
)
def test_every_hook_is_in_the_readme(hook: str) -> None:
    assert f"`{hook}`" in README


@pytest.mark.parametrize("kind", ["judges", "strategies", "datasets", "engines"])
def test_every_built_in_plugin_is_in_the_readme(kind: str) -> None:
    missing = [name for name in ours(kind) if name not in CODE]

    assert missing == []


@pytest.mark.parametrize("command", commands.commands)
def test_every_command_is_in_the_readme(command: str) -> None:
    assert f"`{command}`" in README


def test_every_kind_that_can_be_listed_is_in_the_readme() -> None:
    told = next(line for line in README.splitlines() if line.startswith("| `list`"))

    assert all(kind in told for kind in LISTED)


def test_every_command_that_is_shown_exists() -> None:
    shown = set(re.findall(r"rrm-harness (?!-)(\w+)", README))

    assert shown <= set(commands.commands)


def test_every_option_that_is_shown_exists() -> None:
    shown = set(re.findall(r"(?<![\w-])--[a-z][a-z_-]*", README))

    known = {*options_of(commands), *options_of_lm_eval()}
    assert shown <= known | {"--help", "--version", "--rrm-conformance"}


def test_every_parser_that_is_shown_exists() -> None:
    shown = set(re.findall(r"parser=([a-z-]+)", README))

    assert shown <= set(parse.PARSERS)


@pytest.mark.parametrize("file", ["pyproject.toml", "rrm_harness_example.py"])
def test_the_example_plugin_is_the_readmes(file: str) -> None:
    shown = block_after(f"`{file}`")

    assert shown == (EXAMPLE / file).read_text(encoding="utf-8")


def test_the_example_plugin_has_no_other_file() -> None:
    files = {
        each.name
        for each in EXAMPLE.rglob("*")
        if each.is_file() and each.suffix != ".pyc"
    }

    assert files == {"pyproject.toml", "rrm_harness_example.py"}


def test_the_tree_names_every_module_and_nothing_that_is_not_there() -> None:
    shown = {name for name in tree() if name.startswith("rrm_harness/") and name[12:]}

    inside = ROOT / "rrm_harness"
    modules = {f"rrm_harness/{each.name}" for each in inside.glob("*.py")}
    folders = {f"rrm_harness/{each.parent.name}/" for each in inside.glob("*/*.py")}
    assert shown == modules | folders


def test_everything_in_the_tree_is_there() -> None:
    assert [name for name in tree() if not (ROOT / name).exists()] == []


def test_the_tree_says_something_about_every_module() -> None:
    silent = [name for name, said in tree().items() if not said]

    assert silent == ["rrm_harness/"]


@pytest.mark.parametrize("hook", ["judges", "strategies", "engines", "datasets"])
def test_every_hook_of_the_core_says_what_a_plugin_does(hook: str) -> None:
    contract = getattr(hookspecs, f"register_{hook}").__doc__

    assert contract.startswith("Call `register(name, factory)`")


@pytest.mark.parametrize("kind", ["judges", "strategies", "datasets", "engines"])
def test_every_built_in_plugin_says_what_it_is(kind: str) -> None:
    for name in ours(kind):
        summary = host.default().lookup(kind, name).thing.__doc__.splitlines()[0]

        assert summary.endswith("."), name
        assert "(" not in summary.split()[0], name


def test_every_task_is_in_the_readme() -> None:
    from rrm_harness.tasks_folder import tasks

    named = {word for code in CODE for word in code.split(", ")}
    assert [name for name in tasks() if name not in named] == []


def test_the_modules_of_lm_eval_s_side_are_in_its_page() -> None:
    page = (ROOT / "docs" / "lm-eval.md").read_text(encoding="utf-8")
    modules = {
        each.name for each in (ROOT / "rrm_harness" / "lmeval").glob("[a-z]*.py")
    }

    assert set(re.findall(r"(?:^|  )lmeval/(\w+\.py)", page, re.M)) == modules


def test_links_within_the_repository_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)]+)\)", README)

    assert [
        link for link in links if not (ROOT / link.partition("#")[0]).exists()
    ] == []
