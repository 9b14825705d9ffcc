"""What pages show of the program itself: a hook of mkdocs that fills in their markers.

A line `<!-- memory rrm -->` in a page becomes the memory that models of the judge `rrm`
take, and so on: what is shown is what is there. TABLES has the markers' first words.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from rrm_harness import host, models, parse, prompts
from rrm_harness.cli import commands
from rrm_harness.conformance.kit import properties
from rrm_harness.specs import options
from rrm_harness.tasks_folder import tasks

DOCS = Path(__file__).parent
WIDTH = 88
MARKER = re.compile(r"^<!-- ([a-z]+)((?: [a-z0-9-]+)*) -->$", re.M)
CODE = re.compile(r"`[^`\n]+`")
OURS = "rrm-harness:"
COUNTS = (2, 4, 8, 32)
COSTED = (
    *("single", "both-orders", "voting,k=5", "knockout", "knockout of voting,k=5"),
    *("elo", "elo,opponents=4", "best-of-n", "sum-voting,k=8", "repeated,k=4"),
)
MEMORY = (
    "| model | judge | parameters | bf16 | fp8 | context | licence |",
    "|---|---|--:|--:|--:|--:|---|",
)


def memory(*judges: str) -> Iterator[str]:
    """A row for each model card, of these judges or of all: what its weights take."""
    yield from MEMORY
    for card in models.cards().values():
        if judges and card.judge not in judges:
            continue
        notes = ["gated"] * card.gated + ["no weights to download"] * (not card.weights)
        size = _amount(card.parameters, "B")
        bf16, fp8 = (_amount(each, "GB") for each in (card.bf16, card.fp8))
        yield (
            f"| `{card.id}` | `{card.judge}` | {size} | {bf16} | {fp8} |"
            f" {card.context:,} | {', '.join([card.licence, *notes])} |"
        )


def _amount(billions: float, unit: str) -> str:
    """A number of billions, or of millions where it is a small one."""
    if billions >= 0.1:
        return f"{billions:.3g} {unit}"
    return f"{1000 * billions:.2g} {'M' if unit == 'B' else 'MB'}"


def published() -> Iterator[str]:
    """Every published figure that a model card has, with its protocol and source."""
    yield "| model | benchmark | value | protocol | source |"
    yield "|---|---|--:|---|---|"
    for card in models.cards().values():
        for each in card.published:
            of = each.measured_on or card.id
            yield (
                f"| `{of}` | {each.benchmark} | {100 * each.value:.2f} |"
                f" {each.protocol} | {each.source} |"
            )


def registered(kind: str) -> Iterator[str]:
    """Everything of a kind that comes along: what it is, and its options."""
    for name, entry in host.default().registry(kind).items():
        if not entry.origin.startswith(OURS):
            continue
        yield from (f"### `{name}`", "", *told(entry.thing), "")
        known = options(entry.thing)
        if known:
            yield from (f"Options: {', '.join(f'`{each}`' for each in known)}", "")


def told(thing: Any) -> Iterator[str]:
    """A docstring as Markdown: its arguments as a list, named as specs name them."""
    text, *sections = re.split(r"^(\w+):\n", inspect.getdoc(thing) or "", flags=re.M)
    yield text
    for title, entries in zip(sections[::2], sections[1::2], strict=True):
        if title == "Args":
            for each in re.findall(r"^    (\w+: .*(?:\n {5,}.*)*)", entries, re.M):
                name, _, said = each.partition(": ")
                yield f"- `{name.replace('_', '-')}`: {' '.join(said.split())}"


def costs() -> Iterator[str]:
    """The most comparisons that strategies ask, by how many responses there are."""
    yield f"| strategy | {' | '.join(f'{count} responses' for count in COUNTS)} |"
    yield "|---|" + "--:|" * len(COUNTS)
    for spec in COSTED:
        strategy = host.default().build("strategies", spec)
        told = " | ".join(f"{strategy.cost(count):,}" for count in COUNTS)
        yield f"| `{spec}` | {told} |"


def promises() -> Iterator[str]:
    """What plugins of each kind promise, as the conformance kit tries it."""
    yield "| kind | property | promise |"
    yield "|---|---|---|"
    for kind in ("judges", "strategies", "datasets", "engines"):
        for each in properties(kind):
            yield f"| {kind} | `{each.name}` | {each.promise} |"


def verdicts() -> Iterator[str]:
    """The conformance kit's verdicts on all that comes along, as they were recorded."""
    yield "| plugin | kept | not tried | broken |"
    yield "|---|--:|---|---|"
    for plugin, said in _conformance()["built-in"].items():
        kept = sum(each == "holds" for each in said.values())
        rest = {name: each for name, each in said.items() if each != "holds"}
        told = [
            "; ".join(
                f"`{name}`: {_cell(each.removeprefix(f'{verdict}: '))}"
                for name, each in rest.items()
                if each.startswith(verdict)
            )
            for verdict in ("skipped", "broken")
        ]
        yield f"| `{plugin}` | {kept} of {len(said)} | {' | '.join(told)} |"


def faults() -> Iterator[str]:
    """Each planted fault, the promises that were found broken, and what was said."""
    yield "| plugin | what is wrong with it | found broken | the kit says |"
    yield "|---|---|---|---|"
    for each in _conformance()["planted"]:
        names = ", ".join(f"`{name}`" for name in each["broken"])
        said = _cell(" ".join(each["broken"].values()))
        yield f"| `{each['plugin']}` | {each['fault']} | {names} | {said} |"


def _conformance() -> Any:
    """What `make conformance` recorded."""
    return json.loads((DOCS / "conformance.json").read_text(encoding="utf-8"))


def _cell(text: str) -> str:
    """A text in a table's cell, with nothing in it that would be Markdown."""
    plain = re.sub(r"([\\\[\]_*<>`{}])", r"\\\1", text.replace("|", "¦"))
    return " ".join(plain.split())


def listed(names: Mapping[str, Any]) -> Iterator[str]:
    """Names, each with the first line of its docstring if it has one."""
    for name, thing in names.items():
        said = (inspect.getdoc(thing) or "").partition("\n")[0] if thing else ""
        yield f"- `{name}`" + (f": {said}" if said else "")


def helps(command: click.Command, name: str, level: int = 2) -> Iterator[str]:
    """A command's own help, and that of the commands in it."""
    settings = {**commands.context_settings, "terminal_width": WIDTH}
    context = click.Context(command, info_name=name, **settings)
    yield from (f"{'#' * level} `{name}`", "", "```text", command.get_help(context))
    yield from ("```", "")
    if isinstance(command, click.Group):
        for each, inner in sorted(command.commands.items()):
            yield from helps(inner, f"{name} {each}", min(level + 1, 4))


TABLES: Mapping[str, Callable[..., Iterator[str]]] = {
    "memory": memory,
    "published": published,
    "costs": costs,
    "promises": promises,
    "verdicts": verdicts,
    "faults": faults,
    "registered": registered,
    "parsers": lambda: listed(parse.PARSERS),
    "templates": lambda: listed(dict.fromkeys(prompts.names())),
    "tasks": lambda: listed(dict.fromkeys(tasks())),
    "commands": lambda: helps(commands, "rrm-harness"),
}


def filled(markdown: str) -> str:
    """The page with its markers replaced.

    Raises:
        KeyError: A marker is none of TABLES.
    """
    return MARKER.sub(
        lambda found: "\n".join(TABLES[found[1]](*found[2].split())), markdown
    )


def on_config(config: Any) -> Any:
    """Leave pages out of the menu that are not written yet; mkdocs calls this once.

    A name that is misspelt does not pass: its page is then in no menu, a warning.
    """
    for section in config["nav"]:
        for title, pages in section.items():
            if isinstance(pages, list):
                section[title] = [page for page in pages if _written(page)]
    return config


def _written(page: Mapping[str, str]) -> bool:
    return all((DOCS / file).is_file() for file in page.values())


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fill in a page; mkdocs calls this for each.

    Code in a table has its bars escaped for other readers of Markdown, not for mkdocs.
    """
    return CODE.sub(lambda code: code[0].replace(r"\|", "|"), filled(markdown))
