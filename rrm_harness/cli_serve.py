"""The commands of `serve`: a judge for programs that ask over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.group()
def serve() -> None:
    """Serve a judge's rewards to a trainer."""


@serve.command()
@click.option("--judge", required=True, metavar="SPEC", help="Who judges.")
@click.option(
    "--strategy",
    default="elo",
    show_default=True,
    metavar="SPEC",
    help="What is asked about the completions of a prompt.",
)
@click.option("--engine", metavar="SPEC", help="What runs the judge's model.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port",
    default=5000,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="0 for a free one.",
)
@click.option(
    "--group",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many completions of a prompt are judged together.",
)
@click.option(
    "--wait",
    default=60.0,
    show_default=True,
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Judge an incomplete group once nothing was added to it for so long.",
)
@click.option(
    "--scale",
    type=click.Choice(["centered", "rank", "raw"]),
    help="What the rewards are. [default: centered; raw without --group]",
)
@click.option("--seed", type=int, default=0, show_default=True, help="For every draw.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Keeps every judgment; the same command again continues.",
)
@click.option(
    "--thinking",
    type=click.Choice(["strip", "begun", "keep"]),
    default="strip",
    show_default=True,
    help="Thoughts are left out (begun: the policy's template opens them), or judged.",
)
@click.option(
    "--unanswered",
    type=click.Choice(["judge", "last"]),
    default="judge",
    show_default=True,
    help="A completion without an answer: judged as any other, or last, unasked.",
)
@click.option(
    "--too-long",
    type=click.Choice(["fail", "truncate"]),
    default="fail",
    show_default=True,
    help="An input that does not fit: fails, or its prompt is cut.",
)
@click.option(
    "--patience",
    default=8,
    show_default=True,
    type=click.IntRange(min=0),
    metavar="N",
    help="Answer 503 once no group could be judged N times in a row; 0 for never. What"
    " has no raw score is a 503 at once.",
)
def reward(
    judge: str,
    strategy: str,
    host: str,
    port: int,
    group: int | None,
    wait: float,
    scale: Any,
    **options: Any,
) -> None:
    """Serve rewards at POST /get_reward, as OpenRLHF asks for them, until stopped."""
    from rrm_harness.rewards import GroupReward
    from rrm_harness.rewards.server import serve as serve_rewards

    options["scale"] = scale or ("centered" if group else "raw")
    with GroupReward(judge, strategy, **options) as made:
        serve_rewards(
            made,
            host,
            port,
            group,
            wait,
            lambda url: click.echo(f"rewards at {url}", err=True),
        )
