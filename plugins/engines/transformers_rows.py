"""What waits for the transformers engine, and running as much of it as fits."""

from __future__ import annotations

import gc
from bisect import bisect_left, insort
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from rrm_harness import Completion, Failure

from . import in_process

NO_MEMORY = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "ALLOC_FAILED",
)
"""Words of torch and of the libraries below it."""


class Row(in_process.Row):
    """A request, and where it goes in the order of its batches."""

    __slots__ = ()

    @property
    def order(self) -> tuple[int, int, int]:
        """Rows that cost alike lie together; an earlier ticket goes first."""
        return (self.request.max_tokens, len(self.ids), -self.ticket)

    @property
    def group(self) -> Hashable:
        """Rows of one group differ in their last message alone; None if in no group."""
        request = self.request
        before = request.messages[:-1]
        return (before, request.bos, repr(request.chat_options)) if before else None


@dataclass(slots=True)
class Waiting:
    """The rows that wait, in order, so that the next batch is found at once."""

    _rows: dict[int, Row] = field(default_factory=dict)
    _ordered: list[tuple[int, int, int]] = field(default_factory=list)
    _groups: dict[Hashable, set[int]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: Row) -> None:
        """Take a row in."""
        self._rows[row.ticket] = row
        insort(self._ordered, row.order)
        if row.group is not None:
            self._groups.setdefault(row.group, set()).add(row.ticket)

    def remove(self, ticket: int) -> None:
        """Let a row go; nothing happens if it does not wait."""
        row = self._rows.pop(ticket, None)
        if row is None:
            return
        del self._ordered[bisect_left(self._ordered, row.order)]
        if row.group is not None:
            self._groups[row.group].discard(ticket)
            if not self._groups[row.group]:
                del self._groups[row.group]

    def longest_first(self) -> Iterator[Row]:
        """All rows, those that cost most first."""
        return (self._rows[-order[2]] for order in reversed(self._ordered))

    def mates(self, row: Row) -> list[Row]:
        """The rows of a row's group, longest first; itself alone if it has none."""
        if row.group is None:
            return [row]
        mates = [self._rows[ticket] for ticket in self._groups[row.group]]
        return sorted(mates, key=lambda each: each.order, reverse=True)


Answered = list[tuple[int, Completion]]


def answered(
    waiting: Waiting, rows: Sequence[Row], run: Callable[[Sequence[Row]], Any]
) -> Answered:
    """Run the first rows, as many as memory allows: all, or half, or a quarter ...

    `run` makes one completion of each row, in their order. What has not run still
    waits; a row that does not even fit alone has failed.
    """
    while True:
        try:
            completions = run(rows)
            break
        except Exception as error:
            if not _is_out_of_memory(error):
                raise
        free_memory()  # only here: the error's frames still held the batch
        if len(rows) == 1:
            completions = [_too_big(rows[0])]
            break
        rows = rows[: len(rows) // 2]
    for row in rows:
        waiting.remove(row.ticket)
    return [(row.ticket, each) for row, each in zip(rows, completions, strict=True)]


def _too_big(row: Row) -> Completion:
    told = f" and {row.request.writes} to write" if row.request.writes else ""
    text = f"{len(row.ids)} tokens to read{told} do not fit into memory"
    return row.failed(Failure.OUT_OF_MEMORY, text)


def _is_out_of_memory(error: Exception) -> bool:
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    said = str(error)
    return isinstance(error, RuntimeError) and any(each in said for each in NO_MEMORY)


def padded(texts: Sequence[Sequence[int]], *, left: bool) -> tuple[Any, Any]:
    """Token ids (texts, longest), and a mask that is 0 where they are padding.

    Any token will do for padding; it is before a text (`left`) or after it.
    """
    import torch

    longest = max(map(len, texts))
    ids = torch.zeros((len(texts), longest), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, text in enumerate(texts):
        start = longest - len(text) if left else 0
        ids[row, start : start + len(text)] = torch.tensor(text)
        mask[row, start : start + len(text)] = 1
    return ids, mask


def free_memory() -> None:
    """Give back what nothing uses any more."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
