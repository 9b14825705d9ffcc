"""The options of `report` that write runs for other programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rrm_harness.cli_compare import FILE, deliver

if TYPE_CHECKING:
    from rrm_harness.result import Result

Command = Callable[..., Any]
WHOLE = click.Path(path_type=Path)
OPTIONS = (
    ("--csv", FILE, "FILE", "Write a row for each run; - for standard output."),
    ("--json", FILE, "FILE", "Write the leaderboard as JSON; - for standard output."),
    ("--parquet", WHOLE, "FILE", "Write a row for each run."),
    ("--parquet-outcomes", WHOLE, "FILE", "Write a row for each example of each run."),
    ("--lm-eval", WHOLE, "FOLDER", "Write lm-eval's results files."),
)


def exports(command: Command) -> Command:
    """Give a command the options; each is a path, or None where it is not given."""
    made = [
        click.option(name, type=kind, metavar=metavar, help=text)
        for name, kind, metavar, text in OPTIONS
    ]
    return reduce(lambda decorated, option: option(decorated), reversed(made), command)


def export(runs: Sequence[Result], asked: dict[str, Path | None]) -> bool:
    """Write what is asked; say whether anything was."""
    from rrm_harness.report import exports, leaderboard, lmeval_results

    given = {name: file for name, file in asked.items() if file is not None}
    if not given:
        return False
    boards = leaderboard.boards(runs)
    writers: dict[str, Callable[[Path], object]] = {
        "csv": lambda file: deliver(file, exports.as_csv(boards)),
        "json": lambda file: deliver(file, exports.as_json(boards)),
        "parquet": lambda file: exports.write_runs(file, boards),
        "parquet_outcomes": lambda file: exports.write_outcomes(file, runs),
        "lm_eval": lambda folder: lmeval_results.write(folder, runs),
    }
    for name, file in given.items():
        writers[name](file)
    return True
