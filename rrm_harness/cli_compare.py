"""The command `compare`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from rrm_harness.cli_files import deliver, printable, refuse_two_printed


@click.command()
@click.argument("directories", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--common", is_flag=True, help="Take the examples that all have, where they differ."
)
@printable("--markdown", "Write Markdown")
@printable("--json", "Write all digits as JSON", "json_")
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

    refuse_two_printed({"markdown": markdown, "json": json_})
    if len(directories) < 2:
        raise click.UsageError("give two or more directories of finished runs")
    found = compared(directories, common=common)
    if markdown is None and json_ is None:
        from rich.console import Console

        terminal = sys.stdout.isatty()
        width = None if terminal else 100
        comparison.show(found, Console(width=width, highlight=False))
    if markdown is not None:
        deliver("markdown", markdown, comparison.markdown(found))
    if json_ is not None:
        deliver("json", json_, comparison.as_json(found))
