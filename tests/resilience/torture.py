"""Kill runs at two hundred moments and print what that cost.

    python tests/resilience/torture.py [--scale SHARE] [--only NAME]

Every strategy with an engine in the run's own process; a server; the transformers
engine with RRM-nano; Ray, its driver and its workers; reports that are being written,
and stores that are being upgraded. After each kill the store is checked and the same
command continues; what it ends with must be what an undisturbed run has. Then files are
damaged as power cuts do (`--only cuts`), or in one bit (`--only flips`), and runs are
asked to go on. `killing.py` says what counts as asked, kept and lost.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))
from resilience import cases, power
from resilience.killing import Killed
from resilience.power import AS_UNDISTURBED, REFUSED, WRONG

HEAD = (
    "| killed | kills | in start-up / judging / finishing | at a system call | lives |"
    " store check | answers given | asked twice | most of one kill | age of these |"
    " ended as undisturbed |\n" + "|---" * 11 + "|"
)


class Row(NamedTuple):
    """A line of the table."""

    name: str
    killed: Sequence[Killed]
    lives: int
    problems: Sequence[str]

    def line(self) -> str:
        """The row in Markdown."""
        phases = [each.phase for each in self.killed]
        intact = all(each.integrity in ("ok", "no store yet") for each in self.killed)
        told: list[Any] = [
            self.name,
            len(phases),
            " / ".join(str(phases.count(each)) for each in PHASES),
            sum(each.where.startswith("at ") for each in self.killed),
            self.lives,
            "ok" if intact else "BROKEN",
            sum(each.asked for each in self.killed),
            sum(each.lost for each in self.killed),
            max((each.lost for each in self.killed), default=0),
            f"{max((each.age for each in self.killed), default=0.0):.2f} s",
            f"NO: {len(self.problems)}" if self.problems else "yes",
        ]
        return f"| {' | '.join(map(str, told))} |"


ENDS = (AS_UNDISTURBED, REFUSED, WRONG)
DRAWS = 10
"""Of each way to damage a file."""
FLIPS = 100
"""Of each file of which one bit is another."""
PHASES = ("start-up", "judging", "finishing")


def main() -> int:
    """Print the table; 1 if anything was wrong."""
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("--scale", type=float, default=1.0, help="of the 200 kills")
    asked.add_argument("--only", default="", help="cases whose name has this in it")
    options = asked.parse_args()
    began = time.monotonic()
    rows: list[Row] = []
    print(HEAD, flush=True)
    with TemporaryDirectory(prefix="torture-") as folder:
        found = cases.all_of(Path(folder), options.only, options.scale)
        for case, kills in found:
            case.live(kills)
            rows.append(Row(case.name, case.killed, case.lives, case.problems))
            print(rows[-1].line(), flush=True)
    killed = [each for row in rows for each in row.killed]
    problems = [f"{row.name}: {each}" for row in rows for each in row.problems]
    print(Row("all", killed, sum(row.lives for row in rows), problems).line())
    print()
    for name, table in (("cuts", power.cuts(DRAWS)), ("flips", power.flips(FLIPS))):
        if options.only in ("", name):
            problems += damaged(table)
    print(f"\n{time.monotonic() - began:,.0f} s", *problems, sep="\n")
    return int(bool(problems))


def damaged(table: power.Table) -> list[str]:
    """Print what becomes of damaged files; return what was wrong."""
    print("| damaged | times | as undisturbed | refused in one sentence | otherwise |")
    print("|---" * 5 + "|")
    wrong = []
    for name, found in table:
        ends = [found[each] for each in (AS_UNDISTURBED, REFUSED, WRONG)]
        print(
            f"| {name} | {' | '.join(map(str, [found.total(), *ends]))} |", flush=True
        )
        wrong += [f"{name}: {found[WRONG]} ended otherwise"] * bool(found[WRONG])
    print()
    return wrong


if __name__ == "__main__":
    sys.exit(main())
