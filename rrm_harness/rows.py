"""A benchmark's rows, from files or from the hub, turned into examples.

A converter turns one row into examples; what it raises as `DataError` becomes a
`BadRow` in the row's place, so one bad row never costs the others. What a dataset
needs to read rows and their fields is imported from here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rrm_harness import chance, row_hub
from rrm_harness.errors import DataError
from rrm_harness.records import BadRow, Example, Message
from rrm_harness.row_fields import Located as Located
from rrm_harness.row_fields import Row as Row
from rrm_harness.row_fields import choice as choice
from rrm_harness.row_fields import identifier as identifier
from rrm_harness.row_fields import messages as messages
from rrm_harness.row_fields import text as text
from rrm_harness.row_fields import texts as texts
from rrm_harness.row_files import SUFFIXES as SUFFIXES
from rrm_harness.row_files import files as files
from rrm_harness.row_files import fingerprint as fingerprint
from rrm_harness.row_files import read as read
from rrm_harness.row_hub import ELSEWHERE as ELSEWHERE
from rrm_harness.row_hub import from_hub as from_hub


@dataclass(frozen=True)
class Source:
    """Where a benchmark's rows are: a local file or folder, or else the hub.

    A `gated` set is one whose terms the hub asks consent to first.
    """

    repository: str
    split: str
    revision: str | None = None
    config: str | None = None
    path: Path | None = None
    pattern: str = "*"
    gated: bool = False

    def rows(self) -> Iterator[Located]:
        """Yield (place, row) of all rows."""
        if self.path is None:
            if self.gated:
                row_hub.refuse_without_token(self.repository)
            commit = row_hub.commit(self.repository, self.revision)
            hub = (self.repository, self.split, commit, self.config)
            yield from from_hub(*hub, gated=self.gated)
            return
        for file in files(self.path, self.pattern):
            yield from read(file)

    @property
    def identity(self) -> str:
        """A hash of the local files, or the hub's id, split and commit."""
        if self.path is not None:
            return fingerprint(files(self.path, self.pattern))
        config = f"/{self.config}" if self.config else ""
        commit = row_hub.commit(self.repository, self.revision) or "unresolved"
        return f"{self.repository}{config}:{self.split}@{commit}"


def convert(
    rows: Iterable[Located], to_examples: Callable[[Row], Iterable[Example]]
) -> Iterator[Example | BadRow]:
    """Yield each row's examples, or a BadRow saying where and what is wrong.

    A row whose id an earlier row has is a BadRow too. Examples that name no cluster
    have their prompt's.
    """
    seen: set[str] = set()
    for where, row in rows:
        try:
            if isinstance(row, DataError):
                raise row
            examples = list(to_examples(row))
            for example in examples:
                if example.id in seen:
                    raise DataError(
                        f"the id '{example.id}' is an earlier row's as well; give each"
                        " row its own"
                    )
        except DataError as error:
            yield BadRow(where, str(error))
            continue
        seen.update(example.id for example in examples)
        yield from map(_clustered, examples)


def _clustered(example: Example) -> Example:
    if example.cluster:
        return example
    return replace(example, cluster=prompt_cluster(example.prompt))


def prompt_cluster(prompt: tuple[Message, ...]) -> str:
    """Examples of one prompt are not independent of each other, whatever their ids."""
    return chance.digest(*map(repr, prompt)).hex()[:16]


def told_apart(
    to_examples: Callable[[Row], list[Example]],
) -> Callable[[Row], list[Example]]:
    """Mark a number that a subset has used before with a hash of the texts.

    The card does not promise that numbers are unique; rows that are alike still clash.
    """
    seen: dict[str, set[str]] = {}

    def to_distinct(row: Row) -> list[Example]:
        (example,) = to_examples(row)
        texts = [turn.content for turn in example.prompt] + [*example.responses]
        mark, marks = (
            chance.digest(*texts).hex()[:8],
            seen.setdefault(example.id, set()),
        )
        if marks and mark not in marks:
            example = replace(example, id=f"{example.id}#{mark}")
        marks.add(mark)
        return [example]

    return to_distinct
