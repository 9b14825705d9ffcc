"""Make what the README shows of runs: `python benchmarks/figures.py [--output FOLDER]`.

Everything is a command of `rrm-harness`, printed before it runs. Figures: the paper's
first from the runs of RRM-nano and of the policy that it trained (`make charts`), the
same axes with what is published of larger judges, accuracy against comparisons, the
reliability of votes. Beside them the sizes of RRM-nano compared, and pages to browse:
of RRM-nano with a picture of it by Chromium, and, if RRM_HARNESS_DATA names the
folder of recorded data, of o1-mini's replies on JudgeBench. Pages go to runs/. What
cannot be made for want of runs is told and left out, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from subprocess import PIPE

from judgebench_page import recorded_run

from rrm_harness.cli import commands
from rrm_harness.errors import HarnessError, OutputError
from rrm_harness.result import Result

VOTES = "voting,k=16"
ONCE = "single,order=seeded"
MADE = ("published", "paper", "compute", "reliability", "compare", "page", "picture")
COMPARED = "compare.md"
ITEM = "test/2/7"
"""A question of eight solutions that a knockout decides."""


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


def told(given: argparse.Namespace) -> Iterator[tuple[str, list[str]]]:
    """What is no figure: the names, and the commands with their arguments."""
    runs = nano_runs(given.nano)
    once = [str(run.directory) for run in runs if run.results["strategy"] == ONCE]
    nano = [place for place in once if "rrm-nano" in place]
    if len(nano) > 1:
        yield "compare", ["compare", *nano, "--markdown", str(given.output / COMPARED)]
    played = [str(each) for each in sorted(given.nano.glob("*knockout"))]
    if nano and played:
        shown = [nano[0], nano[-1], played[-1]]
        yield "page", ["report", *shown, "--html", str(given.pages / "nano.html")]
    recorded = os.environ.get("RRM_HARNESS_DATA")
    if recorded:
        place = given.pages / "judgebench"
        shown = [str(run.directory) for run in recorded_run(Path(recorded), place)]
        yield "recorded", ["report", *shown, "--html", str(place / "page.html")]


def take_picture(given: argparse.Namespace) -> bool:
    """Have Chromium draw an item of the page; say so if there is no Chromium."""
    browser = shutil.which("chromium")
    page = (given.pages / "nano.html").resolve()
    if browser is None or not page.is_file():
        print("! page.png is as it was: it takes the page, and chromium", flush=True)
        return False
    command = [browser, "--headless", "--no-sandbox", "--hide-scrollbars"]
    command += ["--window-size=1280,1180", f"--screenshot={given.output / 'page.png'}"]
    subprocess.run([*command, f"{page.as_uri()}#{ITEM}"], check=True, stderr=PIPE)
    return True


def draw(name: str, arguments: Sequence[str], output: Path) -> bool:
    """Draw a figure; say what is wrong if that cannot be."""
    return run(["figure", *arguments, "--output", str(output / f"{name}.svg")])


def run(command: Sequence[str]) -> bool:
    """Run a command; say what is wrong if it cannot."""
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
    parser.add_argument("--pages", type=Path, default=Path("runs/pages"))
    given = parser.parse_args()
    made: dict[str, bool] = {}
    try:
        for name, command in told(given):
            made[name] = run(command)
        made["picture"] = take_picture(given)
        for name, arguments in asked(given):
            made[name] = draw(name, arguments, given.output)
    except HarnessError as error:
        print(f"! {error}", flush=True)
    missing = [name for name in MADE if not made.get(name)]
    if missing:
        sys.exit(f"not made, for want of runs (make charts): {', '.join(missing)}")


if __name__ == "__main__":
    main()
