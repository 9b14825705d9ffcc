"""A finished run's numbers, in memory or read back from its directory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rrm_harness.errors import OutputError
from rrm_harness.files import read_lines
from rrm_harness.output import DIGEST, OUTCOMES, RESULTS, SEALED, read_results

if TYPE_CHECKING:
    import pandas

FORMAT = SEALED
SHAPE: Mapping[str, type] = {
    "dataset": str,
    "judge": str,
    "strategy": str,
    "n": int,
    "examples": int,
    "bounds": list,
    "subsets": dict,
    "sections": dict,
    "failures": dict,
    "tokens": dict,
    "baselines": dict,
    "extra": dict,
    "manifest": dict,
}
"""What a results.json must have to be shown at all."""


@dataclass(frozen=True, slots=True, repr=False)
class Result:
    """The content of results.json and the directory that it lies in.

    `finished_before` says that the run had been finished and nothing that its results
    come from has changed, so that nothing was played.
    """

    results: Mapping[str, Any]
    directory: Path
    finished_before: bool = False

    @classmethod
    def read(cls, directory: str | Path) -> Self:
        """Read a finished run.

        Raises:
            OutputError: The directory holds no finished run of this program.
        """
        directory = Path(directory)
        results = read_results(directory / RESULTS)
        if results.get("format") not in (1, FORMAT):
            raise OutputError(
                f"{directory / RESULTS} is another program's or another version's; give"
                " the --output directory of a run that this version finished"
            )
        for name, kind in SHAPE.items():
            if not isinstance(results.get(name), kind):
                raise OutputError(
                    f"{directory / RESULTS} is damaged or another program's: field"
                    f" '{name}' is missing or of another kind; delete it and run the"
                    " same command again: no judgment is lost"
                )
        return cls(results, directory)

    @property
    def accuracy(self) -> float | None:
        """The benchmark's headline, 0–1; None when nothing could be scored."""
        value: float | None = self.results["accuracy"]
        return value

    @property
    def interval(self) -> tuple[float, float] | None:
        """The headline's 95 % interval."""
        if self.accuracy is None:
            return None
        return self.results["accuracy_low"], self.results["accuracy_high"]

    def outcomes(self) -> Iterator[dict[str, Any]]:
        """Yield each example's line of outcomes.jsonl, in the run's order.

        Raises:
            OutputError: The file is missing or damaged.
        """
        file, count, digest = self.directory / OUTCOMES, 0, DIGEST()
        for line in read_lines(file, digest):
            count += 1
            yield line
        if count != self.results["examples"]:
            raise OutputError(
                f"{file} is damaged: it has {count:,} of the run's"
                f" {self.results['examples']:,} examples; delete it and run the same"
                " command again: no judgment is lost"
            )
        if self.results.get("outcomes", digest.hexdigest()) != digest.hexdigest():
            raise OutputError(
                f"{file} is damaged, or of another run than {RESULTS} beside it; delete"
                " it and run the same command again: no judgment is lost"
            )

    def to_pandas(self) -> pandas.DataFrame:
        """A row for each example, in the run's order; the columns of outcomes.jsonl.

        Raises:
            OutputError: As `outcomes`.
        """
        import pandas

        return pandas.DataFrame(list(self.outcomes()))

    def __repr__(self) -> str:
        from rrm_harness.report import tables

        run = tables.row(self.results)
        return (
            f"<Result {run['accuracy']} % ({run['interval']}) of {run['n']} examples:"
            f" {run['judge']}, {run['strategy']}, {run['dataset']}; {self.directory}>"
        )

    def _repr_html_(self) -> str:
        from rrm_harness.report.notebook import html

        return html(self.results)
