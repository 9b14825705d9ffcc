"""The command `reproduce`."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import mkdtemp

import click

from rrm_harness.cli_guards import guarded
from rrm_harness.cli_terminal import progress, told_how_to_resume

DIFFERS = 1


@click.command()
@click.argument(
    "directory", required=False, type=click.Path(path_type=Path), metavar="[DIR]"
)
@click.option(
    "--published",
    metavar="JUDGE",
    help="Measure anew what is published of this judge's model.",
)
@click.option(
    "--dataset",
    metavar="SPEC",
    help="The published figure's benchmark, if there are figures of several.",
)
@click.option(
    "--strategy",
    metavar="SPEC",
    help="How the published figure's benchmark is asked. [default: its own protocol]",
)
@click.option(
    "--protocol",
    default="",
    metavar="WORDS",
    help="Words of the figure's protocol; say --strategy as well.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 100),
    default=0.5,
    show_default=True,
    metavar="POINTS",
    help="How far apart published and measured may be.",
)
@click.option("--engine", metavar="SPEC", help="What runs the judge's model now.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Where the new run goes; no finished one. [default: a temporary directory]",
)
@click.option("--quiet", is_flag=True, help="No progress.")
@guarded
def reproduce(
    directory: Path | None,
    published: str | None,
    dataset: str | None,
    strategy: str | None,
    protocol: str,
    tolerance: float,
    engine: str | None,
    output: Path | None,
    quiet: bool,
) -> None:
    """Ask a finished run again and say what differs; or measure a published figure.

    DIR is a run: everything is asked anew, no judgment is reused, and each outcome is
    compared. The exit code is 0 for pass and 1 for fail.
    """
    from rrm_harness.reproduce import Remeasured, Replay, remeasure, replay

    if (directory is None) == (published is None):
        raise click.UsageError("give the DIR of a run, or --published JUDGE")
    place = output or Path(mkdtemp(prefix="rrm-harness-")) / "run"
    found: Replay | Remeasured
    with told_how_to_resume(place), progress(quiet) as advance:
        if directory is not None:
            found = replay(directory, place, engine=engine, progress=advance)
        else:
            found = remeasure(
                str(published),
                dataset,
                place,
                protocol=protocol,
                tolerance=tolerance / 100,
                strategy=strategy,
                engine=engine,
                progress=advance,
            )
    for sentence in found.sentences():
        click.echo(sentence)
    click.echo(f"the new run: {place}")
    sys.exit(0 if found.passed else DIFFERS)
