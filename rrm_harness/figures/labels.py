"""Labels beside their points: none over another, none outside the axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rrm_harness.figures.drawing import MUTED
from rrm_harness.figures.room import LED, MARKER, Room, Spot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation

PASSES = 3
"""How often each label chooses."""


def place(axes: Axes, spots: Sequence[Spot]) -> list[str]:
    """Write the labels of a figure that is laid out.

    Each label takes the cheapest of the places around its point: near it, on no marker,
    interval or line; and again when all others have theirs. Of several orders in which
    they choose, the one that costs least in all is kept. There is no chance in it.

    Returns:
        The texts for which there was no room.
    """
    written = {
        number: _write(axes, spot) for number, spot in enumerate(spots) if spot.text
    }
    rooms = [Room(axes, spots, written) for _ in range(4)]
    high = sorted(written, key=lambda number: -spots[number].y)
    orders = ([*written], high[::-1], high, [*written][::-1])
    for room, order in zip(rooms, orders, strict=True):
        for number in PASSES * order:
            room.take(number)
    best = min(rooms, key=lambda room: room.cost)
    for number, label in written.items():
        if number not in best.taken:
            label.remove()
            continue
        label.set_position(best.offset(number))
        label.set_multialignment("right" if best.is_left(number) else "left")
        if best.ring[number] >= LED:
            _lead(axes, spots[number], best.line(number))
    return [spots[number].text for number in written if number not in best.taken]


def _write(axes: Axes, spot: Spot) -> Annotation:
    label = axes.annotate(
        spot.text,
        (spot.x, spot.y),
        xytext=(0, 0),
        textcoords="offset points",
        ha="left",
        va="bottom",
        color=spot.color,
        zorder=5,
    )
    label.set_in_layout(False)
    return label


def _lead(axes: Axes, spot: Spot, line: Any) -> None:
    """A thin line from a label's edge to its point."""
    start = line[-1] - line[0]
    leader = axes.annotate(
        "",
        (spot.x, spot.y),
        xytext=tuple(start),
        textcoords="offset points",
        arrowprops={
            "arrowstyle": "-",
            "color": MUTED,
            "linewidth": 0.5,
            "shrinkA": 0,
            "shrinkB": MARKER,
        },
        zorder=1.5,
    )
    leader.set_in_layout(False)
