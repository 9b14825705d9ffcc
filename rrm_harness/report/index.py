"""The page's list of items, and the blocks that hold what each one leads to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rrm_harness.report.glance import KINDS, Glance
from rrm_harness.report.judgments import Browsed, Item, Key, Played
from rrm_harness.report.texts import Blocks, places
from rrm_harness.report.verdict import spans, thought_end

Seen = Sequence[Mapping[Key, Glance]]
PREVIEW = 90
"""Characters of a prompt that the list shows."""


def packed(browsed: Browsed, seen: Seen) -> tuple[list[Any], Blocks]:
    """The list's rows, and the blocks that hold what each row leads to."""
    blocks, rows = Blocks(), []
    for item in browsed.items:
        where = blocks.add(_detail(item, browsed.parsers, blocks))
        rows.append(_row(item, seen, where))
    blocks.close()
    return rows, blocks


def _row(item: Item, seen: Seen, where: tuple[int, int]) -> dict[str, Any]:
    example, line = item.example, item.line
    preview = example.prompt[-1].content[: 4 * PREVIEW] if example else ""
    return {
        "id": line["id"],
        "subset": line["subset"],
        "length": sum(line.get("lengths", ())),
        "preview": " ".join(preview.split())[:PREVIEW],
        "at": where,
        "runs": [
            _at_a_glance(played, run.get(item.key))
            for played, run in zip(item.runs, seen, strict=True)
        ],
    }


def _at_a_glance(played: Played | None, glance: Glance | None) -> Any:
    if played is None or glance is None:
        return None
    failures = [each["failure"] for each, _ in played.judged if "failure" in each]
    return {
        "kind": KINDS.index(glance.kind),
        "margin": glance.margin,
        "winners": played.line["winners"],
        "failures": list(dict.fromkeys(failures)),
    }


def _detail(item: Item, parsers: Sequence[str], blocks: Blocks) -> dict[str, Any]:
    example = item.example
    return {
        "cluster": item.line.get("cluster", item.line["id"]),
        "correct": item.line["correct"],
        "lengths": item.line.get("lengths"),
        "prompt": [
            [turn.role, blocks.number(turn.content)]
            for turn in (example.prompt if example else ())
        ],
        "responses": [*map(blocks.number, example.responses)] if example else None,
        "runs": [
            played and _detail_of(played, parser, blocks)
            for played, parser in zip(item.runs, parsers, strict=True)
        ],
    }


def _detail_of(played: Played, parser: str, blocks: Blocks) -> dict[str, Any]:
    kept = ("scores", "winners", "failure", "credit", "notes")
    return {
        **{name: played.line[name] for name in kept},
        "judged": [
            {
                **line,
                "texts": [
                    [reply.shown, *_text(reply.text, len(reply.shown), parser, blocks)]
                    for reply in replies
                ],
            }
            for line, replies in played.judged
        ],
        "final": played.final and played.final.table(),
        "ladder": played.ladder,
    }


def _text(text: str, shown: int, parser: str, blocks: Blocks) -> list[Any]:
    """A judge's text by its number, where its thought ends, where its verdict is."""
    marks = [places(text, *span) for span in spans(text, parser, shown)]
    return [blocks.number(text), places(text, thought_end(text))[0], marks]
