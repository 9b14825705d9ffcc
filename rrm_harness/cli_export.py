"""The command `export`."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import click

from rrm_harness.cli_files import deliver

KINDS = ("dpo", "best", "all")


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("directories", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="JSON lines; - for standard output.",
)
@click.option(
    "--margin",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="How much better in score; in the strategy's units.",
)
@click.option("--limit", type=click.IntRange(min=1), help="At most N rows.")
def export(
    kind: str,
    directories: tuple[Path, ...],
    output: Path,
    margin: float,
    limit: int | None,
) -> None:
    """Write rows to train on, out of finished runs, as TRL reads them.

    dpo: the best response against the worst.

    best: the best response alone, for rejection sampling.

    all: every response with its score.

    Failures and ties give no row.
    """
    from rrm_harness.result import Result
    from rrm_harness.training_sets import rows

    runs = [Result.read(directory) for directory in directories]
    found = (row for run in runs for row in rows(run, kind, margin))
    lines = [json.dumps(row, ensure_ascii=True) for row in islice(found, limit)]
    examples = sum(run.results["examples"] for run in runs)
    click.echo(f"{len(lines):,} rows of {examples:,} examples", err=True)
    deliver(kind, output, "".join(f"{line}\n" for line in lines))
