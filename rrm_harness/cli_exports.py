"""The options of `report` that write runs for other programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

from rrm_harness.cli_files import Command, deliver, printable, say_written, whole

if TYPE_CHECKING:
    from rrm_harness.result import Result

OPTIONS = (
    printable("--csv", "Write a row for each run"),
    printable("--json", "Write the leaderboard as JSON"),
    whole("--parquet", "Write a row for each run"),
    whole("--parquet-outcomes", "Write a row for each example of each run"),
    whole("--lm-eval", "Write lm-eval's results files", "FOLDER"),
)


def exports(command: Command) -> Command:
    """Give a command the options; each is a path, or None where it is not given."""
    return reduce(lambda given, option: option(given), reversed(OPTIONS), command)


def export(runs: Sequence[Result], asked: Mapping[str, Path | None]) -> bool:
    """Write what is asked and say where; tell whether anything was."""
    from rrm_harness.report import exports, leaderboard, lmeval_results

    given = {name: file for name, file in asked.items() if file is not None}
    if not given:
        return False
    boards = leaderboard.boards(runs)
    texts = {"csv": exports.as_csv, "json": exports.as_json}
    writers: dict[str, Callable[[Path], object]] = {
        "parquet": lambda file: exports.write_runs(file, boards),
        "parquet_outcomes": lambda file: exports.write_outcomes(file, runs),
        "lm_eval": lambda folder: lmeval_results.write(folder, runs),
    }
    for name, file in given.items():
        if name in texts:
            deliver(name, file, texts[name](boards))
        else:
            writers[name](file)
            say_written(name.replace("_", "-"), file)
    return True
