"""Draw the README's figures: `python benchmarks/figures.py [--output FOLDER]`.

Every figure is a command of `rrm-harness figure`, printed before it runs: the paper's
first figure from the runs of RRM-nano and of the policy that it trained (`make
charts`), the same axes with what is published of larger judges, accuracy against
comparisons, and the reliability of votes. A figure whose runs are not there is told and
left out, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rrm_harness.cli import commands
from rrm_harness.errors import HarnessError, OutputError
from rrm_harness.result import Result

VOTES = "voting,k=16"
ONCE = "single,order=seeded"


def nano_runs(folder: Path) -> list[Result]:
    """The finished runs of pairs that were judged with a whole thought."""
    found = [Result.read(each.parent) for each in sorted(folder.glob("*/results.json"))]
    return [
        run
        for run in found
        if "shape=" not in run.results["dataset"]
        and "thinking=" not in run.results["judge"]
    ]


def steps(folder: Path) -> tuple[str, str]:
    """Patterns of a policy's first and last measured step, over all seeds.

    Raises:
        OutputError: There are none.
    """
    names = sorted({each.parent.name for each in folder.glob("*/step-*/results.json")})
    if len(names) < 2:
        raise OutputError(f"{folder} has no two steps of a policy; make post-train")
    return f"{folder}/seed-*/{names[0]}", f"{folder}/seed-*/{names[-1]}"


def asked(given: argparse.Namespace) -> Iterator[tuple[str, list[str]]]:
    """The figures' names and the arguments of their commands."""
    runs = nano_runs(given.nano)
    once = [run for run in runs if run.results["strategy"] == ONCE]
    judges = {run.results["judge"] for run in runs if run.results["strategy"] != ONCE}
    voted = [str(run.directory) for run in runs if run.results["judge"] in judges]
    votes = [run for run in runs if run.results["strategy"] == VOTES]
    yield "published", ["--dataset", "rewardbench", "--dataset", "ppe"]
    if voted:
        yield "compute", ["--kind", "compute", *voted]
    if votes:
        sure = [str(run.directory) for run in votes]
        yield "reliability", ["--kind", "reliability", *sure]
    if once:
        before, after = steps(given.policy)
        policy = ["--before", before, "--after", after]
        names = [
            option
            for judge in sorted({run.results["judge"] for run in once})
            for option in ("--name", f"{judge}={judge.replace(',size=', ' ')}")
        ]
        places = [str(run.directory) for run in once]
        told = [*policy, *names, "--no-published"]
        yield "paper", ["--preset", "paper", *places, *told]


def draw(name: str, arguments: Sequence[str], output: Path) -> bool:
    """Run a command; say what is wrong if it cannot."""
    command = ["figure", *arguments, "--output", str(output / f"{name}.svg")]
    print(f"$ rrm-harness {shlex.join(command)}", flush=True)
    try:
        commands.main(command, standalone_mode=False)
    except HarnessError as error:
        print(f"! {error}", flush=True)
        return False
    return True


def main() -> None:
    """Draw all; end with 1 if one is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("docs/figures"))
    parser.add_argument("--nano", type=Path, default=Path("runs/nano"))
    parser.add_argument("--policy", type=Path, default=Path("runs/post-train"))
    given = parser.parse_args()
    drawn: dict[str, bool] = {}
    try:
        for name, arguments in asked(given):
            drawn[name] = draw(name, arguments, given.output)
    except HarnessError as error:
        print(f"! {error}", flush=True)
    missing = [
        name
        for name in ("published", "paper", "compute", "reliability")
        if not drawn.get(name)
    ]
    if missing:
        sys.exit(f"not drawn, for want of runs (make charts): {', '.join(missing)}")


if __name__ == "__main__":
    main()
