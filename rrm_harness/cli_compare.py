"""The command `compare`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

FILE = click.Path(path_type=Path, allow_dash=True)


@click.command()
@click.argument("directories", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--common", is_flag=True, help="Take the examples that all have, where they differ."
)
@click.option(
    "--markdown",
    type=FILE,
    metavar="FILE",
    help="Write Markdown; - for standard output.",
)
@click.option(
    "--json",
    "json_",
    type=FILE,
    metavar="FILE",
    help="Write all digits as JSON; - for standard output.",
)
def compare(
    directories: tuple[Path, ...],
    common: bool,
    markdown: Path | None,
    json_: Path | None,
) -> None:
    """Compare finished runs on the same examples, pair by pair.

    Differences with intervals, exact tests corrected over all pairs, the smallest
    difference that could be found, agreement, and ranks that noise does not decide.
    """
    from rrm_harness.comparing.comparison import compare as compared
    from rrm_harness.report import comparison

    if len(directories) < 2:
        raise click.UsageError("give two or more directories of finished runs")
    found = compared(directories, common=common)
    if markdown is None and json_ is None:
        from rich.console import Console

        terminal = sys.stdout.isatty()
        width = None if terminal else 100
        comparison.show(found, Console(width=width, highlight=False))
    if markdown is not None:
        deliver(markdown, comparison.markdown(found))
    if json_ is not None:
        deliver(json_, comparison.as_json(found))


def deliver(file: Path, text: str) -> None:
    """Write a file whole, or print it where the file is `-`."""
    from rrm_harness.output import write_whole

    if str(file) == "-":
        click.echo(text, nl=False)
    else:
        write_whole(file, text)
