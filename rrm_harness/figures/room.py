"""The room for labels in the axes: where each may be, and what that costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import cos, pi, sin
from typing import TYPE_CHECKING, Any, Self

from rrm_harness.figures.drawing import INK, PIXELS
from rrm_harness.figures.estimates import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation

Color = str | tuple[float, ...]
RINGS = (5, 7, 9, 13, 18, 24, 32, 42, 54, 68, 84, 104, 130, 160, 200)
"""Points between a marker and its label, as they are tried."""
ANGLES = 24
LED = 13
"""From this ring on, a line leads from the label to its point."""
MARKER, GAP, DOTTED = 4, 1.5, 4
"""Points that a marker reaches from its middle, that labels keep between them, and that
the dots of a line are apart."""
STEPS = 14
"""How many points stand for a leader."""
UNPLACED = 1e6
NEAR = 6
"""Points around another marker in which a label would seem to be that one's."""
OVER_MARKER, OVER_BAR, OVER_LINE, CROSSED, NEXT_TO = 60, 25, 40, 90, 20
"""What it costs to cover a marker, an interval or a drawn line, to cross a leader and a
label, and to be next to another's marker, in points of distance."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A point in the data's coordinates, its interval, and what is written beside it.

    A spot without text only keeps others' labels off.
    """

    x: float
    y: float
    low: float
    high: float
    text: str = ""
    color: Color = INK

    @classmethod
    def of(cls, x: float, share: Estimate, text: str, color: Color = INK) -> Self:
        """The spot of a share on an axis of percent."""
        return cls(x, 100 * share.value, 100 * share.low, 100 * share.high, text, color)


class Room:
    """The axes in points, with what is taken.

    Boxes are arrays [left, bottom, right, top]; `taken` has those of placed labels by
    the spot's number, `ring` their distances, `paid` what their places cost.
    """

    def __init__(
        self, axes: Axes, spots: Sequence[Spot], labels: Mapping[int, Annotation]
    ) -> None:
        import numpy

        self._frame = numpy.array(axes.get_window_extent().extents) / PIXELS

        def at(places: Sequence[tuple[float, float]]) -> Any:
            return axes.transData.transform(places) / PIXELS

        self._middles: Any = at([(spot.x, spot.y) for spot in spots])
        lows = at([(spot.x, spot.low) for spot in spots])
        highs = at([(spot.x, spot.high) for spot in spots])
        self._markers = numpy.hstack([self._middles - MARKER, self._middles + MARKER])
        self._bars = numpy.hstack([lows - 1, highs + 1])
        self._lines = _dots(numpy.vstack([*_drawn_lines(axes), self._middles]))
        self._places = {
            number: self._around(number, label) for number, label in labels.items()
        }
        self.taken: dict[int, Any] = {}
        self.ring: dict[int, float] = {}
        self.paid = dict.fromkeys(labels, UNPLACED)

    @property
    def cost(self) -> float:
        """Of all labels together."""
        return sum(self.paid.values())

    def take(self, number: int) -> None:
        """Move a label to its cheapest place, if there is any."""
        import numpy

        self.taken.pop(number, None)
        boxes, rings, fixed = self._places[number]
        costs = fixed + self._moving(number, boxes, rings)
        best = int(numpy.argmin(costs))
        self.paid[number] = min(UNPLACED, float(costs[best]))
        if numpy.isfinite(costs[best]):
            self.taken[number], self.ring[number] = boxes[best], float(rings[best])

    def offset(self, number: int) -> tuple[float, float]:
        """From a spot to its label's lower left corner."""
        x, y = self.taken[number][:2] - self._middles[number]
        return float(x), float(y)

    def is_left(self, number: int) -> bool:
        """Whether a label's middle is left of its spot."""
        left, _, right, _ = self.taken[number]
        return bool((left + right) / 2 < self._middles[number][0])

    def _around(self, number: int, label: Annotation) -> tuple[Any, Any, Any]:
        """A label's places: boxes, rings, and what each costs, whatever others do."""
        import numpy

        size = numpy.array(label.get_window_extent().size) / PIXELS
        offsets, rings = _offsets(*size)
        corners = self._middles[number] + offsets
        boxes = numpy.hstack([corners, corners + size])
        low, high = boxes[:, :2] - GAP, boxes[:, 2:] + GAP
        inside = ((low >= self._frame[:2]) & (high <= self._frame[2:])).all(1)
        boxes, rings = boxes[inside], rings[inside]
        near = numpy.array([-NEAR, -NEAR, NEAR, NEAR])
        strangers = numpy.delete(self._markers, number, 0) + near
        costs = (
            rings
            + OVER_MARKER * _overlaps(boxes, self._markers).sum(1)
            + NEXT_TO * _overlaps(boxes, strangers).any(1)
            + OVER_BAR * _overlaps(boxes, self._bars).sum(1)
            + OVER_LINE * _overlaps(boxes, self._lines).any(1)
        )
        never = numpy.full(1, numpy.inf)  # so that there is always a cheapest place
        return (
            numpy.vstack([boxes, numpy.zeros((1, 4))]),
            numpy.append(rings, 0.0),
            numpy.append(costs, never),
        )

    def _moving(self, number: int, boxes: Any, rings: Any) -> Any:
        """What each place costs because of the others; infinity on their labels."""
        import numpy

        if not self.taken:
            return numpy.zeros(len(boxes))
        others = numpy.array([*self.taken.values()])
        apart = boxes + numpy.array([-GAP, -GAP, GAP, GAP])
        led = [self.line(each) for each in self.taken if self.ring[each] >= LED]
        crossed = numpy.zeros(len(boxes))
        if led:
            crossed += _overlaps(boxes, _dots(numpy.vstack(led))).any(1)
        lines = self._line(number, boxes)[:, 2:]
        over = _overlaps(_dots(lines.reshape(-1, 2)), others).any(1)
        crossed += (rings >= LED) & over.reshape(len(boxes), -1).any(1)
        on = _overlaps(apart, others).any(1)
        return numpy.where(on, numpy.inf, CROSSED * crossed)

    def line(self, number: int) -> Any:
        """The line from a spot to its placed label, as points, shape (STEPS, 2)."""
        return self._line(number, self.taken[number][None])[0]

    def _line(self, number: int, boxes: Any) -> Any:
        """From a spot to the nearest point of each box, shape (boxes, STEPS, 2).

        Far above or below a box it keeps away from corners, where no letter may be.
        """
        import numpy

        middle = self._middles[number]
        low, high = boxes[:, :2].copy(), boxes[:, 2:].copy()
        beyond = numpy.maximum(low[:, 1] - middle[1], middle[1] - high[:, 1]).clip(0)
        inset = numpy.minimum(0.3 * (high[:, 0] - low[:, 0]), beyond)
        low[:, 0] += inset
        high[:, 0] -= inset
        ends = numpy.clip(middle, low, high)
        steps = numpy.linspace(0, 1, STEPS)[None, :, None]
        return middle + steps * (ends - middle)[:, None, :]


def _drawn_lines(axes: Axes) -> Iterator[Any]:
    """The axes' lines in points, dotted so densely that no letter fits between."""
    import numpy
    from matplotlib.path import Path

    for line in axes.get_lines():
        if line.get_linestyle() != "None":
            drawn = line.get_path().transformed(line.get_transform())
            corners = numpy.array(drawn.vertices) / PIXELS
            longest = numpy.abs(numpy.diff(corners, axis=0)).max(initial=1.0)
            yield Path(corners).interpolated(int(longest // DOTTED) + 1).vertices


def _offsets(width: float, height: float) -> tuple[Any, Any]:
    """Where a label's lower left corner can be from its point, nearest ring first.

    Returns:
        Arrays of shapes (places, 2) and (places,): the corners, and their rings.
    """
    import numpy

    turns = [2 * pi * number / ANGLES for number in range(ANGLES)]
    corners = [
        (
            cos(turn) * (ring + width / 2) - width / 2,
            sin(turn) * (ring + height / 2) - height / 2,
        )
        for ring in RINGS
        for turn in turns
    ]
    return numpy.array(corners), numpy.repeat(numpy.array(RINGS, float), ANGLES)


def _dots(line: Any) -> Any:
    """Points as boxes without an extent."""
    import numpy

    return numpy.hstack([line, line])


def _overlaps(some: Any, others: Any) -> Any:
    """Which boxes overlap which, shape (len(some), len(others))."""
    left, bottom, right, top = some.T[:, :, None]
    return (
        (left < others[:, 2])
        & (bottom < others[:, 3])
        & (right > others[:, 0])
        & (top > others[:, 1])
    )
