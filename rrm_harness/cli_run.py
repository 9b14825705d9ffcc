"""The command `run`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from rrm_harness.cli_guards import guarded
from rrm_harness.cli_terminal import (
    MISTAKE,
    NOTHING_JUDGED,
    progress,
    show,
    told_how_to_resume,
)
from rrm_harness.errors import HarnessError
from rrm_harness.report.signs import visible

if TYPE_CHECKING:
    from rrm_harness.result import Result

NAMED = {
    "judge": "--judge",
    "datasets": "--dataset",
    "strategies": "--strategy",
    "engine": "--engine",
    "meta_judge": "--meta-judge",
    "meta_engine": "--meta-engine",
    "policy": "--policy",
    "policy_engine": "--policy-engine",
}
"""What a study file names, so that no option does."""


@click.command()
@click.argument(
    "file", required=False, type=click.Path(path_type=Path), metavar="[STUDY]"
)
@click.option("--judge", metavar="SPEC", help="Who judges.")
@click.option(
    "--dataset",
    "datasets",
    multiple=True,
    metavar="SPEC",
    help="What is judged; may be given several times.",
)
@click.option(
    "--strategy",
    "strategies",
    multiple=True,
    metavar="SPEC",
    help="What is asked; may be given several times. [default: published protocol]",
)
@click.option("--engine", metavar="SPEC", help="What runs the judge's model.")
@click.option("--meta-judge", metavar="SPEC", help="A judge of judgments.")
@click.option("--meta-engine", metavar="SPEC", help="What runs the meta judge's model.")
@click.option("--policy", metavar="SPEC", help="What writes answers to judge.")
@click.option("--policy-engine", metavar="SPEC", help="What runs the policy's model.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="The run's directory; the same command again continues.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N examples.")
@click.option("--seed", type=int, default=0, show_default=True, help="For every draw.")
@click.option(
    "--too-long",
    type=click.Choice(["fail", "skip", "truncate"]),
    default="fail",
    show_default=True,
    help="An input that does not fit: fails, is left out, or its prompt is cut.",
)
@click.option("--skip-bad-rows", is_flag=True, help="Count malformed rows, go on.")
@click.option(
    "--reuse",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A run whose judgments may be used. [default: the output's neighbors]",
)
@click.option(
    "--no-reuse",
    is_flag=True,
    help="Use no other run's judgments; those in --output still count.",
)
@click.option(
    "--max-failures",
    type=click.IntRange(min=1),
    metavar="N",
    help="End the run, with exit code 4, once N judgments have failed.",
)
@click.option("--no-baselines", is_flag=True, help="Leave the trivial judges out.")
@click.option("--quiet", is_flag=True, help="No progress and no table.")
@guarded
@click.pass_context
def run(
    context: click.Context,
    /,
    file: Path | None,
    output: Path | None,
    quiet: bool,
    **asked: Any,
) -> None:
    """Judge datasets, or continue where the last run of them stopped.

    Several datasets or strategies are a run each, in a directory of its own inside the
    output; a judge's model is loaded once. STUDY is a YAML or TOML file that names
    judges, datasets and strategies in place of the options.
    """
    mistakes: list[HarnessError] = []

    def tell(run: str, error: HarnessError) -> None:
        told = visible(f"{run} was left out: {error}")
        click.echo(f"rrm-harness: {told}", err=True)
        mistakes.append(error)

    place, runs = _begun(context, file, output, asked)
    with told_how_to_resume(place), progress(quiet) as advance:
        done = [*runs(failed=tell, progress=advance)]
    found = [each.results for each in done]
    if found and not quiet:
        show(found)
        click.echo(f"\nresults, outcomes and judgments: {place}")
        if before := sum(each.finished_before for each in done):
            click.echo(
                f"{before:,} of {len(done):,} finished before; what they come from has"
                " not changed, so they are shown as they were",
                err=True,
            )
    if mistakes:
        sys.exit(MISTAKE)
    if all(each["failed_examples"] == each["examples"] for each in found):
        sys.exit(NOTHING_JUDGED)


def _begun(
    context: click.Context, file: Path | None, output: Path | None, asked: Any
) -> tuple[Path, Callable[..., Iterator[Result]]]:
    """Where the runs go, and what runs them."""
    from rrm_harness.study import evaluate_all, evaluate_each
    from rrm_harness.study_file import StudyFile

    if file is None:
        missing = [option for option in ("judge", "datasets") if not asked[option]]
        if missing or output is None:
            wanted = [*map(NAMED.get, missing), *(["--output"] * (output is None))]
            raise click.UsageError(
                f"give {' and '.join(map(str, wanted))}, or a STUDY file that says it"
            )
        return output, partial(evaluate_each, output=output, **_options(asked))
    given = {name: value for name, value in asked.items() if _is_given(context, name)}
    doubled = [NAMED[name] for name in given if name in NAMED]
    if doubled:
        raise click.UsageError(f"{', '.join(doubled)}: the study file names these")
    study = StudyFile.read(file)
    place = output or study.output
    if place is None:
        raise click.UsageError("give --output, or `output` in the study file")
    return place, partial(evaluate_all, study, place, **_options(given))


def _is_given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE


def _options(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The options as `evaluate` calls them; what it would do anyway is left out."""
    found = dict(asked)
    nothing, named = found.pop("no_reuse", False), found.pop("reuse", ())
    if named and nothing:
        raise click.UsageError("give --reuse or --no-reuse, not both")
    if named or nothing:
        found["reuse"] = list(named)
    if found.pop("no_baselines", False):
        found["baselines"] = False
    return found
