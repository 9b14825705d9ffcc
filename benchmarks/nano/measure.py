r"""Measure RRM-nano: `python benchmarks/nano/measure.py [--output FOLDER] [--n 2000]`.

Every run leaves its results.json in FOLDER and continues if it is there already; what
one strategy asked, the next one finds. Prints the tables of docs/nano.md: accuracy by
size, by votes, by how far the judge thinks, best of 8 and of 32, with intervals, and
exact paired tests.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from rrm_harness import evaluate, host

SIZES = ("0.03m", "0.06m", "0.09m", "0.2m")
ONCE = "single,order=seeded"


class Run(NamedTuple):
    """A judge, the dataset's options after its size, a strategy."""

    judge: str
    shape: str
    strategy: str

    @property
    def name(self) -> str:
        """The run's folder."""
        words = f"{self.judge} {self.shape} {self.strategy}"
        return "".join(
            each if each.isalnum() or each in ".-" else "_" for each in words
        )


def runs(given: argparse.Namespace) -> Iterator[Run]:
    """Every run, those of one judge one after another."""
    pairs = f"n={given.n},seed=1"
    eight = f"shape=best-of-k,k=8,n={given.n // 10},seed=2"
    many = f"shape=best-of-k,k=32,n={given.n // 40},seed=3"
    for size in reversed(SIZES):
        judge = f"rrm-nano,size={size}"
        yield Run(judge, pairs, ONCE)
        yield Run(judge, pairs, "voting,k=5")
        if size == SIZES[-1]:
            yield Run(judge, pairs, "voting,k=16")
            for shape in (eight, many):
                yield Run(judge, shape, "knockout")
                yield Run(judge, shape, "elo")
            for thinking in ("short", "none"):
                yield Run(f"{judge},thinking={thinking}", pairs, ONCE)
    for size in SIZES:
        yield Run(f"nano-head,size={size}", pairs, ONCE)
        yield Run(f"nano-head,size={size}", eight, "best-of-n")


def measured(given: argparse.Namespace) -> dict[Run, Mapping[str, Any]]:
    """The results of all runs; a judge's model is loaded once."""
    found: dict[Run, Mapping[str, Any]] = {}
    plugins = host.default()
    engine, loaded = None, ""
    for run in runs(given):
        if not run.judge.startswith(given.only):
            continue
        if run.judge != loaded:
            if engine is not None:
                engine.close()
            judge = plugins.build("judges", run.judge)
            engine, loaded = plugins.engine(given.engine, judge), run.judge
        result = evaluate(
            run.judge,
            f"nano-arithmetic,{run.shape}",
            run.strategy,
            engine=engine,
            output=given.output / run.name,
        )
        found[run] = result.results
        print(_row(run, result.results), flush=True)
    return found


def _row(run: Run, results: Mapping[str, Any]) -> str:
    failed = sum(results["failures"].values())
    asked = max(1, results["judgments"])
    cells = (
        f"`{run.judge}`",
        f"`{run.shape}`",
        f"`{run.strategy}`",
        f"{results['n']:,}",
        f"{100 * results['accuracy']:.2f}",
        f"{100 * results['accuracy_low']:.2f}–{100 * results['accuracy_high']:.2f}",
        f"{100 * failed / asked:.2f}",
        f"{results['tokens']['completion'] / asked:.0f}",
        f"{results['comparisons']:,}",
        f"{results['seconds']:.0f}",
    )
    return "| " + " | ".join(cells) + " |"


HEADER = (
    "| judge | nano-arithmetic | strategy | n | accuracy, % | 95 % interval |"
    " failed judgments, % | tokens a judgment | comparisons | seconds |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


def paired(given: argparse.Namespace, first: Run, second: Run) -> str:
    """McNemar's exact test on the examples that one of two runs got right alone.

    Two-sided; ties and failures, worth a half, count for neither.
    """
    from scipy.stats import binomtest

    worth = [_credits(given.output / run.name) for run in (first, second)]
    better = sum(worth[1][each] > worth[0][each] for each in worth[0])
    worse = sum(worth[1][each] < worth[0][each] for each in worth[0])
    test = binomtest(better, better + worse) if better + worse else None
    p = f"{test.pvalue:.2g}" if test else "1"
    return f"| `{first.strategy}` | `{second.strategy}` | {better} | {worse} | {p} |"


def _credits(place: Path) -> dict[str, float]:
    lines = (place / "outcomes.jsonl").read_text(encoding="utf-8").splitlines()
    rows = map(json.loads, lines)
    return {row["id"]: row["credit"] for row in rows}


def pairings(found: Sequence[Run]) -> Iterator[tuple[Run, Run]]:
    """One vote against five, five against sixteen, of each size."""
    for size in SIZES:
        votes = [
            run
            for run in found
            if run.judge == f"rrm-nano,size={size}" and "best-of-k" not in run.shape
        ]
        yield from pairwise(votes)


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--output", type=Path, default=Path("runs/nano"))
    asked.add_argument("--engine", default="transformers")
    asked.add_argument("--only", default="", help="runs of judges that begin so")
    asked.add_argument("--n", type=int, default=2000, help="held-back pairs")
    given = asked.parse_args()
    print(HEADER)
    found = measured(given)
    print("\n| size | one | other | right by the other alone | by the one alone | p |")
    print("|---|---|---|---|---|---|")
    for first, second in pairings([*found]):
        size = first.judge.partition("size=")[2]
        print(f"| {size} " + paired(given, first, second))


if __name__ == "__main__":
    main()
