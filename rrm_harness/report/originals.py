"""The examples of a finished run, read again from where its dataset came from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import islice
from typing import Any

from rrm_harness import host
from rrm_harness.examples import items
from rrm_harness.records import Dataset, Example

Results = Mapping[str, Any]


def originals(
    results: Results, wanted: Collection[str]
) -> tuple[dict[str, Example], str]:
    """Return the wanted examples by id, and why some or all are not to be had.

    Files move, the hub gates, and a dataset that was an object in Python has no spec:
    a report is made all the same, so whatever goes wrong here is its second value.
    """
    try:
        dataset: Dataset = host.default().made("datasets", results["dataset"])
        changed = _changed(dataset, results)
        if changed:
            return {}, changed
        good = (item for item in items(dataset) if isinstance(item, Example))
        found = {
            example.id: example
            for example in islice(good, _limit(results))
            if example.id in wanted
        }
    except Exception as error:  # whatever a plugin or a library of its can raise
        return {}, f"the dataset cannot be read again: {error}"
    missing = len(wanted) - len(found)
    return found, f"{missing:,} examples are not in it any more" if missing else ""


def same(example: Example, line: Mapping[str, Any]) -> bool:
    """Whether an example is the one that a line of outcomes.jsonl is about."""
    lengths = line.get("lengths")
    alike = lengths is None or lengths == [*map(len, example.responses)]
    return bool(alike and line["correct"] == list(example.correct))


def _changed(dataset: Dataset, results: Results) -> str:
    run = results["manifest"]["run"]
    if not str(run["dataset"]).startswith(f"{dataset.name} = "):
        return f"the dataset is now {dataset.name}, and was {run['dataset']}"
    if run["revision"] != dataset.revision:
        return (
            f"{dataset.name} is now of revision {dataset.revision}, and was of"
            f" {run['revision']}"
        )
    return ""


def _limit(results: Results) -> int | None:
    limit: int | None = results["manifest"]["run"].get("limit")
    return limit
