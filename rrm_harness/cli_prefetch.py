"""`prefetch`: download what a run needs, so that it can go on with `--offline`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rrm_harness.cli_guards import guarded

if TYPE_CHECKING:
    from rrm_harness import Model


@click.command()
@click.option("--judge", "judges", multiple=True, metavar="SPEC", help="Its model.")
@click.option("--dataset", "datasets", multiple=True, metavar="SPEC", help="Its rows.")
@click.option(
    "--model",
    "named",
    multiple=True,
    metavar="ID",
    help="A model by its id, such as one whose tokenizer an engine uses.",
)
@guarded
def prefetch(
    judges: tuple[str, ...], datasets: tuple[str, ...], named: tuple[str, ...]
) -> None:
    """Download judges' models and datasets, for runs with --offline.

    Each option may be given several times. Everything goes into the hub's own caches.
    """
    if not (judges or datasets or named):
        raise click.UsageError("name what to download: --judge, --dataset or --model")
    for spec in judges:
        _fetch_judge(spec)
    for name in named:
        from rrm_harness.records import Model as Named

        _fetch_model(name, Named(name))
    for spec in datasets:
        _fetch_dataset(spec)


def _fetch_judge(spec: str) -> None:
    from rrm_harness import host

    model = host.default().build("judges", spec).runs_on
    if model is None:
        click.echo(f"{spec}: runs no model, so there is nothing to download")
    else:
        _fetch_model(spec, model)


def _fetch_model(asked: str, model: Model) -> None:
    from rrm_harness import models

    folder = models.folder(model)
    click.echo(f"{asked}: {models.fingerprint(model)} in {folder}")


def _fetch_dataset(spec: str) -> None:
    from rrm_harness import Example, host

    data = host.default().build("datasets", spec)
    good = sum(isinstance(item, Example) for item in data.examples())
    click.echo(f"{spec}: {good:,} examples of revision {data.revision}")
