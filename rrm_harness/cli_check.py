"""The commands `check judge`, `check parity`, `check plugin` and `check task`."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rrm_harness.check_parity import Parity

DIFFERS = 1


@click.group()
def check() -> None:
    """Look at a judge, compare engines, try a plugin or an lm-eval task.

    Exit codes: 0 nothing wrong; 1 something is; 2 a mistake in the command.
    """


@check.command()
@click.argument("spec")
@click.option(
    "--dataset",
    default="sample",
    metavar="SPEC",
    show_default=True,
    help="Its first example that the judge takes is shown.",
)
def judge(spec: str, dataset: str) -> None:
    """Print a judge's prompt as its model reads it, with room and memory."""
    from rrm_harness import host
    from rrm_harness.check_judge import look

    plugins = host.default()
    looked = look(plugins.build("judges", spec), plugins.build("datasets", dataset))
    for number, text in enumerate(looked.inputs, 1):
        click.echo(f"input {number} of {len(looked.inputs)} {text}\n")
    width = max(len(name) for name, _ in looked.facts)
    for name, value in looked.facts:
        click.echo(f"{name:<{width}}  {value}")
    for problem in looked.problems:
        click.echo(f"! {problem}")
    sys.exit(DIFFERS if looked.problems else 0)


@check.command()
@click.option("--judge", "spec", required=True, metavar="SPEC", help="Who judges.")
@click.option(
    "--engines",
    required=True,
    metavar="SPECS",
    help="Engines, the reference first: transformers,vllm,dtype=float32.",
)
@click.option(
    "--dataset",
    default="sample",
    metavar="SPEC",
    show_default=True,
    help="Whose examples are asked.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=16,
    show_default=True,
    help="How many.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0, min_open=True),
    default=1e-3,
    show_default=True,
    help="How far apart two raw scores may be.",
)
def parity(spec: str, engines: str, dataset: str, limit: int, tolerance: float) -> None:
    """Ask several engines the same, and say whether and why they differ."""
    from rrm_harness import host
    from rrm_harness.check_parity import parity as compared

    plugins = host.default()
    built = plugins.build("judges", spec)
    specs = split_engines(engines)
    for each in specs:
        plugins.engine(each, built)  # a wrong spec is told before anything loads
    rows = compared(
        built,
        {each: partial(plugins.engine, each, built) for each in specs},
        plugins.build("datasets", dataset),
        limit=limit,
        tolerance=tolerance,
    )
    for row in rows:
        click.echo(line(row, reference=row is rows[0]))
        for reason in row.reasons:
            click.echo(f"! {row.engine}: {reason}")
    sys.exit(0 if all(row.agrees for row in rows) else DIFFERS)


@check.command()
@click.argument("name")
@click.option(
    "--metadata",
    multiple=True,
    metavar="KEY=VALUE",
    help="As lm_eval's --metadata and --model_args; may be given several times.",
)
@click.option(
    "--include-path",
    type=click.Path(path_type=Path),
    help="A folder with further task files.",
)
@click.option("--reply", default="", metavar="TEXT", help="What the model answers.")
def task(
    name: str, metadata: tuple[str, ...], include_path: Path | None, reply: str
) -> None:
    """Try an lm-eval task on two documents: render, ask, read, score.

    NAME is a task, a group, a tag, or a YAML file; any task of lm-eval's will do.
    """
    from rrm_harness.check_task import attempt

    pairs = [each.partition("=") for each in metadata]
    given = {key: value for key, _, value in pairs}
    all_tried = attempt(name, given, include_path, reply)
    for tried in all_tried:
        click.echo(f"task {tried.name}")
        for text in tried.requests:
            click.echo(f"\nthe first request:\n{text}\n")
        width = max((len(fact) for fact, _ in tried.facts), default=0)
        for fact, value in tried.facts:
            click.echo(f"{fact:<{width}}  {value}")
        for problem in tried.problems:
            click.echo(f"! {problem}")
    sys.exit(DIFFERS if any(each.problems for each in all_tried) else 0)


@check.command()
@click.argument("spec")
def plugin(spec: str) -> None:
    """Try what a judge, strategy, dataset or engine promises; no model is needed.

    SPEC is NAME, NAME,key=value, or KIND:NAME where several kinds have the name. It
    fails if a promise is broken, and if none could be tried.
    """
    from rrm_harness.conformance import check as tried

    rows = list(tried(spec))
    width = max(len(row.promise.name) for row in rows)
    click.echo(f"{'property':<{width}}  verdict")
    for row in rows:
        click.echo(f"{row.promise.name:<{width}}  {row.verdict:<7}  {row.sentence}")
    verdicts = {row.verdict for row in rows if row.promise.name != "import-weight"}
    fine = "broken" not in {row.verdict for row in rows} and "holds" in verdicts
    sys.exit(0 if fine else DIFFERS)


def split_engines(text: str) -> list[str]:
    """Split `transformers,vllm,dtype=float32` into specs: options follow a name."""
    specs: list[str] = []
    for part in text.split(","):
        if "=" in part and specs:
            specs[-1] += f",{part}"
        else:
            specs.append(part.strip())
    if len(specs) < 2 or not all(specs):
        raise click.UsageError("give at least two engines: --engines transformers,vllm")
    if len(set(specs)) < len(specs):
        raise click.UsageError("give two engines that differ, if only in an option")
    return specs


def line(row: Parity, *, reference: bool) -> str:
    """A row as one line."""
    if reference:
        return f"{row.engine}: {row.rows} requests, the reference"
    what = "texts"
    largest = ""
    if row.largest is not None:
        what, largest = "raw scores", f", largest difference {row.largest:.2g}"
    return (
        f"{row.engine}: {row.differ} of {row.rows} {what} differ{largest};"
        f" {row.flips} of {row.judged} judgments flip"
    )
