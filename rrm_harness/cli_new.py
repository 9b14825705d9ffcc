"""The command `new`."""

from __future__ import annotations

from pathlib import Path

import click

TRIED = {
    "judge": "--judge {name} --dataset sample",
    "prompted": "--judge {name},model=FOLDER --engine transformers --dataset sample"
    " --strategy knockout",
    "strategy": "--judge longest --dataset sample --strategy {name}",
    "dataset": "--judge longest --dataset {name}",
    "engine": "--judge llm --engine {name} --dataset sample --strategy knockout",
}
"""The options that try a new plugin of a kind."""


@click.command()
@click.argument("kind", type=click.Choice(["judge", "strategy", "dataset", "engine"]))
@click.argument("name")
@click.option("--prompted", is_flag=True, help="A judge that asks a chat model.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Where to. [default: rrm-harness-NAME]",
)
def new(kind: str, name: str, prompted: bool, output: Path | None) -> None:
    """Write a plugin of your own: a distribution with a test, to install and change."""
    from rrm_harness.scaffold import Scaffold

    if prompted and kind != "judge":
        raise click.UsageError("--prompted is for judges")
    made = Scaffold(kind, name, prompted)
    folder = output or Path(made.distribution)
    for file in made.write(folder):
        click.echo(file)
    tried = TRIED["prompted" if prompted else kind].format(name=name)
    click.echo(
        f"\nNext:\n  pip install -e '{folder}[test]'\n  pytest {folder}"
        f"\n  rrm-harness run {tried} --output runs/{name}"
    )
