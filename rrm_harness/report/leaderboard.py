"""Several runs by rank, with what they cost: a board for each benchmark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from rrm_harness import models, prompts
from rrm_harness.comparing import paired
from rrm_harness.comparing.headline import Headline
from rrm_harness.comparing.matching import SAME, Run, matched
from rrm_harness.comparing.ranks import ranks
from rrm_harness.errors import OutputError, SpecError
from rrm_harness.report.cells import (
    NOTHING,
    add,
    compact,
    interval,
    markdown_cell,
    markdown_cells,
    percent,
    table,
)
from rrm_harness.report.signs import visible
from rrm_harness.result import Result

if TYPE_CHECKING:
    from rich.console import Console

PAIRED = (
    "rank: 1 + how many runs are better, which is that the 95 % interval of the paired"
    " difference (bootstrap by prompt, the same draws for both) lies above 0. It is not"
    " corrected for the number of pairs; `rrm-harness compare` does that."
)
OVERLAP = (
    "Runs that are not on the same examples, whose examples cannot be read, or whose"
    " headline needs more than each example's credit, are told apart where their own"
    " intervals do not overlap."
)
STORED = (
    "seconds are those of the last command, which asks only what the store lacks; some"
    " of these runs found judgments there."
)
SIZES = "size: parameters of the model, by its card."
NUMBERS = ("rank", "accuracy", "95 % interval", "asked", "tokens", "seconds", "size")


@dataclass(frozen=True, slots=True)
class Place:
    """A run on its board; its rank is None if nothing of it could be scored."""

    rank: int | None
    result: Result


@dataclass(frozen=True, slots=True)
class Board:
    """The runs of one dataset, revision and rule, best first.

    `paired` says whether each pair was compared example by example.
    """

    dataset: str
    places: Sequence[Place]
    paired: bool

    @property
    def notes(self) -> list[str]:
        """How to read the board."""
        results = [place.result.results for place in self.places]
        said = [PAIRED] + [OVERLAP] * (not self.paired)
        said += [STORED] * any(each["cached"] for each in results)
        return said + [SIZES] * any(map(parameters, results))


def boards(runs: Sequence[Result]) -> list[Board]:
    """Put runs on boards, in the order in which their benchmarks come first."""
    groups: dict[tuple[object, ...], list[Result]] = {}
    for run in runs:
        told = run.results["manifest"]["run"]
        groups.setdefault(tuple(told.get(key) for key in SAME), []).append(run)
    return [_board(group) for group in groups.values()]


def _board(results: Sequence[Result]) -> Board:
    scored = [each for each in results if each.accuracy is not None]
    above, by_example = _better(scored)
    found = ranks(len(scored), lambda one, other: (one, other) in above)
    places = [Place(*each) for each in zip(found, scored, strict=True)]
    places.sort(key=lambda place: (place.rank or 0, -(place.result.accuracy or 0.0)))
    places += [Place(None, each) for each in results if each.accuracy is None]
    return Board(str(results[0].results["dataset"]), places, by_example)


def _better(results: Sequence[Result]) -> tuple[set[tuple[int, int]], bool]:
    """Find all (better, worse), and whether every two were paired by example."""
    if len(results) < 2:  # whose examples nothing stands beside
        return set(), True
    runs = [_read(each) for each in results]
    known = [(run.result.results, run.rows) for run in runs if run]
    found = Headline.of(known) if known else None
    headline = found if found and found.official else None
    above, by_example = set(), True
    for one, other in combinations(range(len(results)), 2):
        first, second = runs[one], runs[other]
        same = _on_the_same(first, second) if headline and first and second else None
        if headline and same:
            apart = paired.difference(headline.rule, *(each.rows for each in same))
            low, high = apart.low, apart.high
        else:
            by_example = False
            low, high = _gaps(results[one], results[other])
        if low > 0:
            above.add((one, other))
        elif high < 0:
            above.add((other, one))
    return above, by_example


def _read(result: Result) -> Run | None:
    """The run with its examples; None for one whose numbers alone can be read."""
    try:
        return Run.read("", result)
    except OutputError:
        return None


def _on_the_same(first: Run, second: Run) -> Sequence[Run] | None:
    """Both in one order; None if they are not on the same examples."""
    try:
        return matched([first, second], common=False)
    except SpecError:
        return None


def _gaps(first: Result, second: Result) -> tuple[float, float]:
    """How far the first lies above the second at least and at most, by intervals."""
    ours, theirs = first.interval or (0.0, 1.0), second.interval or (0.0, 1.0)
    return ours[0] - theirs[1], ours[1] - theirs[0]


def parameters(results: Mapping[str, Any]) -> float | None:
    """Billions of parameters of the judge's model, where its card says so."""
    model = results["manifest"].get("models", {}).get("judge", {})
    card = models.cards().get(model.get("id", ""))
    return card.parameters if card else None


def record(board: Board, place: Place) -> dict[str, Any]:
    """A run as one flat row, with all digits, as the exports have it."""
    results = place.result.results
    worst, best = results["bounds"]
    names = ("dataset", "judge", "strategy", "n", "accuracy")
    return {
        "rank": place.rank,
        "of": len(board.places),
        **{name: results[name] for name in names},
        "accuracy_low": results["accuracy_low"],
        "accuracy_high": results["accuracy_high"],
        "worst": worst,
        "best": best,
        "failed_examples": results["failed_examples"],
        "failed_comparisons": sum(results["failures"].values()),
        "comparisons": results["comparisons"],
        "judgments": results["judgments"],
        "cached": results["cached"],
        "prompt_tokens": results["tokens"]["prompt"],
        "completion_tokens": results["tokens"]["completion"],
        "seconds": results["seconds"],
        "parameters": parameters(results),
        "revision": results["manifest"]["run"].get("revision"),
        "seed": results["manifest"]["run"].get("seed"),
    }


def records(found: Sequence[Board]) -> list[dict[str, Any]]:
    """All runs as flat rows: board by board, best first."""
    return [record(board, place) for board in found for place in board.places]


def row(board: Board, place: Place) -> dict[str, str]:
    """A run's line in a board that people read."""
    told = record(board, place)
    strategies = {each.result.results["strategy"] for each in board.places}
    also = f" · {told['strategy']}" if len(strategies) > 1 else ""
    return {
        "run": f"{told['judge']}{also}",
        "rank": NOTHING if place.rank is None else str(place.rank),
        "accuracy": percent(told["accuracy"]),
        "95 % interval": interval(told["accuracy_low"], told["accuracy_high"]),
        "asked": compact(told["comparisons"]),
        "tokens": compact(told["prompt_tokens"] + told["completion_tokens"]),
        "seconds": compact(told["seconds"]),
        "size": _size(told["parameters"]),
    }


def _size(billions: float | None) -> str:
    """Parameters as models are called: 219k, 7.6B."""
    return compact(None if billions is None else 1e9 * billions).replace("G", "B")


def shown(found: Sequence[Board]) -> Iterator[Board]:
    """The boards that rank anything: of two runs or more."""
    return (board for board in found if len(board.places) > 1)


def show(found: Sequence[Board], console: Console) -> None:
    """Print each board of two runs or more, and how to read it."""
    for board in shown(found):
        console.print()
        console.print(f"Leaderboard of {visible(board.dataset)}", markup=False)
        console.print()
        made = table(("run",), NUMBERS)
        for place in board.places:
            add(made, row(board, place).values())
        console.print(made)
        console.print()
        for note in board.notes:
            console.print(note, markup=False)


def markdown(found: Sequence[Board]) -> str:
    """The boards of two runs or more, in Markdown; empty if there is none."""
    return prompts.render(
        "report/leaderboard.md.jinja",
        numbers=NUMBERS,
        boards=[
            {
                "dataset": markdown_cell(board.dataset),
                "rows": [
                    [*markdown_cells(row(board, place)).values()]
                    for place in board.places
                ],
                "notes": board.notes,
            }
            for board in shown(found)
        ],
    )
