"""The documentation is true: its commands are commands, and what it shows runs.

A page's commands and programs are run one after the other, in a folder of the page's
own, which holds the page's blocks that have a title. A command that is no `console` is
left out if something that it needs is not here, and `lacking` finds out what: weights,
data of the hub, a server, a plugin or a run that the page does not make, or words that
the reader fills in. All are parsed and their specs built, also those that are not run.
"""

import contextlib
import importlib.util
import re
import shlex
import socket
import tomllib
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest
from click.testing import CliRunner

from rrm_harness import DataError, SpecError, hookspecs, host, models
from rrm_harness.cli import commands
from rrm_harness.conformance.subject import KINDS
from rrm_harness.specs import Spec
from rrm_harness.study_file import StudyFile
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
READ = {"directories", "directory", "file"}
"""Arguments that are runs or files to be read."""
SHELL = ("", "sh", "console")
WRITTEN_THERE = {"mentions", "king-of-the-hill", "reasons", "my-judge", "my-strategy"}
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
        if block.kind in SHELL
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


def _asked(parameters: dict[str, Any], role: str) -> Any:
    """What an option names, or the one that may be given often."""
    return parameters.get(role) or parameters.get(f"{role}s".replace("ys", "ies"))


def build(parameters: dict[str, Any]) -> None:
    """Build whatever the command's specs name."""
    plugins = host.default()
    for role, kind in ROLES.items():
        for spec in specs(_asked(parameters, role)):
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


def test_a_run_s_directory_is_no_other_run_s_on_any_page() -> None:
    """A reader who stays in one folder is not told that it holds another run."""
    found: dict[str, dict[str, str]] = {}
    for page, command in shown("rrm-harness"):
        words = [each for each in shlex.split(command) if each != "--offline"]
        if words[1] in ("run", "serve") and "--output" in words:
            output = words[words.index("--output") + 1]
            found.setdefault(output, {})[shlex.join(words)] = page

    assert {name: each for name, each in found.items() if len(each) > 1} == {}


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


def lacking(words: list[str]) -> str:
    """What a command needs that is not here, in the page's folder; empty if nothing."""
    filled_in = [
        each for each in re.findall(r"[\w-]+", " ".join(words)) if each.isupper()
    ]
    if [each for each in filled_in if len(each) > 2]:
        return f"what the reader says for {filled_in[0]}"
    if words[1] == "serve":
        return "somebody who ends it"
    given = parsed(words).params
    if words[1] == "check":
        given["judge" if words[2] == "judge" else "plugin"] = given.get("spec")
        if words[2] == "task":
            given["dataset"] = words[3].removeprefix("rrm_").replace("_", "-")
    needs = (_servers(words), _files(given), _judges(given), _datasets(given))
    return next(chain(*needs, _strategies(given)), "")


def _servers(words: list[str]) -> Iterator[str]:
    for host_name, port in re.findall(r"https?://([\w.]+):(\d+)", " ".join(words)):
        try:
            socket.create_connection((host_name, int(port)), timeout=1).close()
        except OSError:
            yield f"a server at {host_name}:{port}"


def _studied(given: dict[str, Any], kind: str) -> list[Any]:
    """What a study's file names."""
    file = given.get("file")
    if not isinstance(file, Path):
        return []
    study = StudyFile.read(file)
    return (
        [*study.datasets] if kind == "datasets" else [e["judge"] for e in study.judges]
    )


def _judges(given: dict[str, Any]) -> Iterator[str]:
    roles = [role for role, kind in ROLES.items() if kind == "judges"]
    named = [spec for role in (*roles, "published") for spec in _named(given, role)]
    for each in [*_studied(given, "judges"), *named]:
        try:
            model = host.default().build("judges", each).runs_on
        except (DataError, SpecError) as error:
            yield f"the judge {each}: {error}"
            continue
        card = models.cards().get(model.id) if model else None
        if model and not Path(model.id).is_dir() and not (card and card.folder):
            yield f"the weights of {model.id}"
    for each in _named(given, "plugin"):
        name = each.rpartition(":")[2]
        if not any(name in host.default().registry(kind) for kind in KINDS):
            yield f"the plugin {name}"


def _datasets(given: dict[str, Any]) -> Iterator[str]:
    for each in [*_studied(given, "datasets"), *_named(given, "dataset")]:
        try:
            next(iter(host.default().build("datasets", each).examples()))
        except (DataError, SpecError) as error:
            yield f"the data: {error}"


def _strategies(given: dict[str, Any]) -> Iterator[str]:
    for each in _named(given, "strategy"):
        try:
            host.default().build("strategies", each)
        except SpecError as error:
            yield f"the strategy {each}: {error}"


def _named(given: dict[str, Any], role: str) -> list[str]:
    """The specs of an option."""
    found = _asked(given, role) or ()
    if found is True:  # `figure` has a flag of a judge's option's name
        return []
    return [found] if isinstance(found, str) else list(found)


def _files(given: dict[str, Any]) -> Iterator[str]:
    """Runs and files that are read, and not there."""
    for name, value in given.items():
        listed = value if isinstance(value, list | tuple) else [value]
        for each in listed if name in READ else ():
            if each is not None and not [*Path().glob(str(each))]:
                yield f"{each}, which the page does not make"


def short(words: list[str]) -> list[str]:
    """The command as it is run here: of what a model judges, a few examples."""
    asks = words[1] == "run" and "--engine" in words and "--limit" not in words
    return [*words, "--limit", "4"] if asks else words


RUN = [
    page
    for page in PAGES
    if any(each.kind in ("", "sh", "console", "python") for each in blocks(page))
]
TESTED_APART = {"docs/training.md"}
"""Pages whose programs have tests of their own, with a trainer."""


@pytest.mark.parametrize("page", RUN)
def test_what_a_page_shows_runs(page: str, tmp_path: Path) -> None:
    with contextlib.chdir(written(page, tmp_path)):
        for block in blocks(page):
            program = block.kind == "python" and not block.title
            if program and page not in TESTED_APART:
                exec(compile(block.text, page, "exec"), {"__name__": "page"})  # noqa: S102
            for words in lines(block.text) if block.kind in SHELL else ():
                if words[0] == "rrm-harness" and (
                    block.kind == "console" or not lacking(words)
                ):
                    done = CliRunner().invoke(commands, [*matched(short(words)[1:])])

                    assert done.exit_code == 0, (words, done.output, done.exception)


def test_a_command_that_needs_nothing_is_not_left_out() -> None:
    assert lacking(["rrm-harness", "list", "judges"]) == ""
    assert (
        lacking(shlex.split("rrm-harness run --judge rrm-nano --dataset sample")) == ""
    )


@pytest.mark.parametrize(
    ("command", "needs"),
    [
        (
            "run --judge rrm,size=7b --dataset sample",
            "the weights of Reward-Reasoning/",
        ),
        ("run --judge longest --dataset rewardbench", "the data: allenai/reward-bench"),
        ("run --judge mine --dataset sample", "the judge mine: no judges plugin"),
        (
            "run --judge longest --dataset sample --strategy mine",
            "the strategy mine: no strategies plugin",
        ),
        ("check plugin mine", "the plugin mine"),
        ("check task rrm_rewardbench", "the data: allenai/reward-bench"),
        ("check judge rrm,size=7b", "the weights of Reward-Reasoning/RRM-7B"),
        ("run --judge longest --dataset pandalm,path=FILE", "what the reader says"),
        ("report runs/none", "runs/none, which the page does not make"),
        ("serve reward --judge longest", "somebody who ends it"),
        (
            "run --judge longest --dataset sample --engine openai,url=http://localhost:1",
            "a server at localhost:1",
        ),
    ],
)
def test_what_a_command_lacks_is_found(
    command: str, needs: str, tmp_path: Path
) -> None:
    with contextlib.chdir(tmp_path):
        assert lacking(["rrm-harness", *shlex.split(command)]).startswith(needs)


def test_programs_of_others_are_shown_where_there_is_a_cluster() -> None:
    """What else is shown is ours, or has a test of its own here or in tests/install."""
    known = {"rrm-harness", "lm_eval", "make", "pip", "pytest", "python"}

    others = {
        (page, words[0])
        for page in PAGES
        for block in blocks(page)
        if block.kind in ("sh", "console")
        for words in lines(block.text)
        if words[0] not in known
    }
    assert {page for page, _ in others} <= {"docs/scale.md"}


def test_every_extra_that_is_installed_is_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    for page, command in shown("pip"):
        for extras in re.findall(r"(?:\.|rrm-harness)\[([\w,]+)\]", command):
            known = {*project["optional-dependencies"]}
            assert {*extras.split(",")} <= known, (page, command)


def test_a_folder_that_is_installed_and_tested_is_one_that_new_writes() -> None:
    """`pip install` of it and `pytest` are walked by test_scaffold, for each kind."""
    for page, command in [*shown("pip"), *shown("pytest")]:
        for name in re.findall(r"rrm-harness-([\w-]+)", command):
            assert f"rrm-harness new {name.removeprefix('my-')} {name}" in PAGES[page]


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
