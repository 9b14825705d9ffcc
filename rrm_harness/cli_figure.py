"""The command `figure`: runs drawn, and what the drawing leaves unsaid printed."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rrm_harness.errors import SpecError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rrm_harness.figures.frontier import Frontier
    from rrm_harness.figures.runs import Groups, Runs, Tell

KINDS = ("frontier", "bars", "compute", "reliability")
LARGEST = 1e6
"""Billions of parameters that nobody means."""


@click.command()
@click.argument("directories", nargs=-1, metavar="[DIR]...")
@click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to; .svg, .png or .pdf.",
)
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    help="What is drawn. [default: frontier; bars if only groups are given]",
)
@click.option(
    "--preset",
    type=click.Choice(["paper"]),
    help="The frontier and the policies' bars side by side.",
)
@click.option(
    "--dataset",
    "datasets",
    multiple=True,
    metavar="SPEC",
    help="Of the DIRs, draw these; without DIRs, what is published of these.",
)
@click.option(
    "--strategy",
    "strategies",
    multiple=True,
    metavar="SPEC",
    help="Of the DIRs, draw these.",
)
@click.option(
    "--published/--no-published",
    default=True,
    show_default=True,
    help="Published figures of the same benchmarks, beside the measured.",
)
@click.option(
    "--parameters",
    multiple=True,
    metavar="JUDGE=BILLIONS",
    help="The size of a judge whose model has no card.",
)
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="JUDGE=TEXT",
    help="What a judge is called; judges of one name are one.",
)
@click.option("--before", multiple=True, metavar="DIR", help="A policy's run, before.")
@click.option("--after", multiple=True, metavar="DIR", help="A policy's run, after.")
@click.option(
    "--group", "groups", multiple=True, metavar="NAME=DIR,DIR", help="Runs of one bar."
)
@click.option(
    "--cost",
    type=click.Choice(["comparisons", "tokens", "seconds"]),
    default="comparisons",
    show_default=True,
    help="What the accuracy is drawn against, with --kind compute.",
)
@click.option(
    "--width",
    type=click.FloatRange(2, 40),
    metavar="INCHES",
    help="[default: 3.5, a column; 7, a page, for the frontier and the preset]",
)
def figure(directories: tuple[str, ...], output: Path, **asked: Any) -> None:
    """Draw finished runs with their intervals, into an SVG, PNG or PDF file.

    frontier: mean accuracy against parameters, measured and published.

    bars: groups of runs, such as a policy before and after.

    compute: accuracy against comparisons, tokens or seconds.

    reliability: how often a judge is right when it is so sure.

    A DIR may be a pattern, quoted: 'runs/seed-*/step-045'. What is drawn, what was left
    out and the published figures' sources are printed, and kept inside the file.
    """
    from rrm_harness.figures import drawing

    drawing.ending(output)
    said: list[str] = []
    try:
        with drawing.style():
            drawn = _drawn(directories, asked, said.append)
            drawing.save(drawn, output, said)
    finally:  # what was left out may be why nothing can be drawn
        for sentence in said:
            click.echo(drawing.plain(sentence))
    click.echo(f"figure: {output}")


def _drawn(directories: tuple[str, ...], asked: dict[str, Any], tell: Tell) -> Figure:
    from rrm_harness.figures.runs import Choice, expand, tell_gaps

    named = dict(_pair(each, "--name", "JUDGE=TEXT") for each in asked["names"])
    choice = Choice(asked["datasets"], asked["strategies"], named)
    grouped = {name: expand(each) for name, each in _groups(asked).items()}
    runs, groups = choice.read(expand(directories), grouped, tell)
    tell_gaps([*runs, *(run for each in groups.values() for run in each)], tell)
    kind = _kind(asked, bool(directories), bool(groups))
    return DRAWN[kind](runs, groups, asked, tell)


def _kind(asked: dict[str, Any], runs: bool, groups: bool) -> str:
    kind: str = asked["preset"] or asked["kind"]
    if asked["preset"] and asked["kind"]:
        raise click.UsageError("give --preset or --kind, not both")
    if groups and kind in KINDS and kind != "bars":
        raise click.UsageError(f"groups are drawn as bars, not as --kind {kind}")
    if runs and groups and kind != "paper":
        raise click.UsageError(
            "runs outside the groups have no place among bars; give them a --group, or"
            " draw both with --preset paper"
        )
    kind = kind or ("bars" if groups else "frontier")
    alone = kind in ("frontier", "paper") and asked["datasets"]
    if not (runs or groups or alone):
        raise click.UsageError(
            "there is nothing to draw; give run directories, or --dataset for the"
            " published figures alone"
        )
    return kind


def _frontier(runs: Runs, _: Groups, asked: dict[str, Any], tell: Tell) -> Figure:
    from rrm_harness.figures import picture

    return picture.of_frontier(_collected(runs, asked, tell), tell, asked["width"])


def _collected(runs: Runs, asked: dict[str, Any], tell: Tell) -> Frontier:
    from rrm_harness.figures import frontier
    from rrm_harness.figures.runs import dataset_name

    benchmarks = [dataset_name(each) for each in asked["datasets"]]
    sizes = dict(map(_size, asked["parameters"]))
    return frontier.collect(runs, benchmarks, sizes, asked["published"], tell)


def _paper(runs: Runs, groups: Groups, asked: dict[str, Any], tell: Tell) -> Figure:
    from rrm_harness.figures import bars, picture

    judges, policies = picture.divided(runs, groups)
    left = _collected(judges, asked, tell)
    return picture.paper(left, bars.collect(policies, tell), tell, asked["width"])


def _bars(runs: Runs, groups: Groups, asked: dict[str, Any], tell: Tell) -> Figure:
    from rrm_harness.figures import bars, picture

    drawn = bars.collect(groups or bars.by_judge(runs), tell)
    return picture.of_bars(drawn, asked["width"])


def _compute(runs: Runs, _: Groups, asked: dict[str, Any], tell: Tell) -> Figure:
    from rrm_harness.figures import compute, picture

    drawn = compute.collect(runs, asked["cost"], tell)
    return picture.of_compute(drawn, tell, asked["width"])


def _reliability(runs: Runs, _: Groups, asked: dict[str, Any], tell: Tell) -> Figure:
    from rrm_harness.figures import picture, reliability

    return picture.of_reliability(reliability.collect(runs, tell), asked["width"])


DRAWN = {
    "frontier": _frontier,
    "bars": _bars,
    "compute": _compute,
    "reliability": _reliability,
    "paper": _paper,
}


def _groups(asked: dict[str, Any]) -> dict[str, list[str]]:
    """The directories or patterns of each group, in the order in which it is drawn."""
    groups: dict[str, list[str]] = {}
    if bool(asked["before"]) != bool(asked["after"]):
        raise click.UsageError("give both --before and --after")
    for name in ("before", "after"):
        if asked[name]:
            groups[name] = list(asked[name])
    for each in asked["groups"]:
        name, listed = _pair(each, "--group", "NAME=DIR,DIR", first=True)
        groups.setdefault(name, []).extend(listed.split(","))
    return groups


def _pair(text: str, option: str, form: str, *, first: bool = False) -> tuple[str, str]:
    """Split at the last `=`, since specs have some; or at the first."""
    key, equals, value = text.partition("=") if first else text.rpartition("=")
    if not (key and equals and value):
        raise SpecError(f"{option} '{text}' is not of the form {form}")
    return key, value


def _size(text: str) -> tuple[str, float]:
    name, value = _pair(text, "--parameters", "JUDGE=BILLIONS")
    try:
        size = float(value)
    except ValueError:
        size = 0.0
    if not (isfinite(size) and 0 < size < LARGEST):
        raise SpecError(
            f"--parameters '{text}' has no size; write billions, as in JUDGE=7.6"
        )
    return name, size
