"""What a judge wrote, found for a comparison of a finished run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from rrm_harness.records import Example
from rrm_harness.store import Kept

Line = Mapping[str, Any]
_Content = tuple[Any, ...]


class Reply(NamedTuple):
    """A text, and the responses that it is about, in the order shown."""

    shown: tuple[int, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Replies:
    """The texts of a store, by what was asked.

    A store keeps one row for what has one content: pairs of one text under several
    ids, votes of a judge that is not sampled, a response scored alone. So a comparison
    without a row of its own is looked for under its other samples and, where the
    examples' texts are at hand, under its content.
    """

    asked: Mapping[tuple[str, tuple[int, ...]], Sequence[Kept]]
    content: Mapping[_Content, Sequence[Kept]]
    examples: Mapping[str, Example]

    @classmethod
    def of(cls, rows: Iterable[Kept], examples: Mapping[str, Example]) -> Replies:
        """Sort rows that have a text."""
        asked, content = defaultdict(list), defaultdict(list)
        for row in rows:
            if row.text:
                asked[row.example, row.shown].append(row)
                if row.example in examples:
                    key = _content(examples[row.example], row.shown)
                    content[key].append(row)
        return cls(asked, content, examples)

    def to(self, example: str, comparison: Line) -> Iterator[Reply]:
        """Yield what was written: one text, or one for each response shown.

        Where several texts may have been the one, none is given.
        """
        order, sample = tuple(comparison["order"]), comparison["sample"]
        failure, scores = comparison.get("failure", ""), comparison.get("scores", ())
        whole = Kept(example, order, sample, tuple(scores), failure, "")
        found = self._found(whole)
        if found is not None:
            yield Reply(order, found)
            return
        for place, response in enumerate(order if len(order) > 1 else ()):
            part = whole._replace(shown=(response,), scores=whole.scores[place:][:1])
            found = self._found(part)
            if found is not None:
                yield Reply((response,), found)

    def _found(self, asked: Kept) -> str | None:
        rows = self.asked.get((asked.example, asked.shown), ())
        same = [row for row in rows if row.sample == asked.sample]
        for candidates in (same, rows, self._alike(asked)):
            if candidates:
                return _only(candidates, asked)
        return None

    def _alike(self, asked: Kept) -> Sequence[Kept]:
        example = self.examples.get(asked.example)
        if example is None or max(asked.shown) >= len(example.responses):
            return ()
        rows = self.content.get(_content(example, asked.shown), ())
        return [row for row in rows if row.sample == asked.sample] or rows


def _content(example: Example, shown: tuple[int, ...]) -> _Content:
    """What an example and an order show; unequal for a response number too high."""
    texts = [example.responses[i] for i in shown if i < len(example.responses)]
    return (example.prompt, shown if len(texts) < len(shown) else tuple(texts))


def _only(rows: Sequence[Kept], asked: Kept) -> str | None:
    """The one text that these can be: by the scores or the failure, if by any."""
    alike = [row for row in rows if _told(row) == _told(asked)] or rows
    texts = {row.text for row in alike}
    return texts.pop() if len(texts) == 1 else None


def _told(row: Kept) -> tuple[str, tuple[float, ...]]:
    return row.failure, row.scores
