"""The command line: run, report, list, check, serve, new, demo, path.

Exit codes: 0 finished; 1 a check or a reproduction found something; 2 a mistake that
the message says how to mend; 3 finished, but every example failed; 4 ended by
--max-failures; 130 interrupted.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rrm_harness import __version__
from rrm_harness.cli_check import check
from rrm_harness.cli_compare import compare
from rrm_harness.cli_export import export as export_rows
from rrm_harness.cli_exports import export, exports
from rrm_harness.cli_figure import figure
from rrm_harness.cli_files import deliver, printable, refuse_two_printed, whole
from rrm_harness.cli_guards import guarded
from rrm_harness.cli_new import new
from rrm_harness.cli_prefetch import prefetch
from rrm_harness.cli_reproduce import reproduce
from rrm_harness.cli_run import run
from rrm_harness.cli_serve import serve
from rrm_harness.cli_terminal import (
    INTERRUPTED,
    MISTAKE,
    TOO_MANY_FAILED,
    console,
    progress,
    show,
)
from rrm_harness.errors import FailuresError, HarnessError
from rrm_harness.report.signs import visible

if TYPE_CHECKING:
    from rrm_harness.models import Card

LISTED = (
    "judges",
    "strategies",
    "engines",
    "heads",
    "datasets",
    "models",
    "tasks",
    "templates",
    "parsers",
    "plugins",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="rrm-harness")
@guarded
def commands() -> None:
    """Evaluate reward models and LLM judges.

    A judge, a dataset and a strategy in; numbers with intervals out. SPEC is a name
    with options: voting,k=5. Strategies nest: "knockout of both-orders of voting,k=5".
    """


@commands.command()
@click.argument("directories", nargs=-1, required=True, type=click.Path(path_type=Path))
@printable("--markdown", "Write a page of Markdown")
@whole("--html", "Write a page to browse the judgments; it is one file")
@click.option(
    "--items",
    type=click.IntRange(min=0),
    default=5000,
    show_default=True,
    help="The most items that can be read in the page.",
)
@exports
def report(
    directories: tuple[Path, ...],
    markdown: Path | None,
    html: Path | None,
    items: int,
    **exported: Path | None,
) -> None:
    """Show finished runs: one in detail, or several side by side, by rank."""
    from rrm_harness.report import leaderboard, tables
    from rrm_harness.result import Result

    refuse_two_printed({"markdown": markdown, **exported})
    results = [Result.read(directory) for directory in directories]
    runs = [result.results for result in results]
    written = export(results, exported)
    if html is not None:
        from rrm_harness.report.page import page

        deliver("html", html, page(results, items))
        written = True
    if markdown is not None:
        boards = leaderboard.markdown(leaderboard.boards(results))
        deliver("markdown", markdown, tables.markdown(runs) + boards)
    elif not written:
        show(runs)
        leaderboard.show(leaderboard.boards(results), console())


@commands.command(name="list")
@click.argument("kind", type=click.Choice(LISTED))
@guarded
def list_(kind: str) -> None:
    """List what is installed, its options, and the distribution that brings it."""
    if kind == "plugins":
        from rrm_harness.cli_plugins import show_plugins

        show_plugins()
        return
    from rrm_harness import host, parse, prompts
    from rrm_harness.specs import options
    from rrm_harness.tasks_folder import tasks

    rows: list[tuple[str, str, str, list[str]]]
    if kind == "templates":
        rows = [(name, prompts.digest(name), "", []) for name in prompts.names()]
    elif kind == "tasks":
        rows = [(name, "", origin, []) for name, origin in tasks().items()]
    elif kind == "models":
        from rrm_harness import models

        rows = [(each.id, _known(each), "", []) for each in models.cards().values()]
    elif kind == "parsers":
        rows = [(name, _summary(each), "", []) for name, each in parse.PARSERS.items()]
    else:
        rows = [
            (each.name, _summary(each.thing), each.origin, options(each.thing))
            for each in host.default().registry(kind).values()
        ]
    if not rows:
        click.echo(f"no {kind} are installed")
    width = max((len(name) for name, *_ in rows), default=0)
    for name, summary, origin, known in rows:
        ours = origin.startswith("rrm-harness:") or not origin
        click.echo(f"{name:<{width}}  {summary}" + ("" if ours else f"  [{origin}]"))
        if known:
            click.echo(f"{'':<{width}}  {', '.join(known)}")


commands.add_command(run)
commands.add_command(reproduce)
commands.add_command(check)
commands.add_command(compare)
commands.add_command(export_rows)
commands.add_command(prefetch)
commands.add_command(serve)
commands.add_command(figure)
commands.add_command(new)


@commands.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("runs/demo"),
    show_default=True,
    help="The runs' directory; the same command again continues there.",
)
def demo(output: Path) -> None:
    """Judge small sums with RRM-nano and its baselines, under several strategies."""
    from rrm_harness.demo import demonstrate, runnable

    with progress(quiet=False, label="demo") as advance:
        runs = demonstrate(output, advance)
    show(runs)
    click.echo(
        "\naccuracy: percent; worst–best: had all failures been wrong, or right;"
        "\ncached: judgments that an earlier row had paid for."
        "\n\nThe pairs have one right answer of two, best-of-k one to seven of eight;"
        "\nwhere it stands and how long it is tells nothing, so judges that read"
        "\nnothing stay near chance."
    )
    if runnable():
        click.echo(
            "rrm-nano thinks and is sampled, so that votes and more"
            "\ncomparisons help it (docs/nano.md says how much, on 2,000 pairs);"
            "\nnano-head is of its size and scores without a thought."
        )
    else:
        click.echo(
            "\nThe trivial judges alone were asked: rrm-nano is a model, and runs with"
            "\n  pip install 'rrm-harness[transformers]'"
        )
    click.echo(
        f"\nThe runs are in {output}; the same command again asks failures alone."
        "\nNext, your own judge and data:"
        "\n  rrm-harness run --judge recorded,path=FILE --dataset jsonl,path=FILE"
        " --output DIR"
    )


@commands.command()
@click.argument("kind", type=click.Choice(["tasks", "templates"]))
def path(kind: str) -> None:
    """Print the folder of the built-in lm-eval tasks or templates."""
    from importlib.resources import as_file, files

    with as_file(files(f"rrm_harness.{kind}")) as folder:
        click.echo(folder)


def main() -> None:
    """Run a command; mistakes are one sentence on standard error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal may lack our signs
    try:
        commands.main(standalone_mode=False)
    except HarnessError as error:
        click.echo(f"rrm-harness: {visible(str(error))}", err=True)
        sys.exit(TOO_MANY_FAILED if isinstance(error, FailuresError) else MISTAKE)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)


def _known(card: Card) -> str:
    """A model's card in one line."""
    size = f"{card.parameters:g} B, {card.bf16:g} GB bf16, {card.fp8:g} GB fp8"
    told = [f"judge {card.judge}", size, f"context {card.context:,}", card.licence]
    told += ["gated"] * card.gated + ["no weights to download"] * (not card.weights)
    return "; ".join(told)


def _summary(thing: Any) -> str:
    return (thing.__doc__ or "").strip().partition("\n")[0]
