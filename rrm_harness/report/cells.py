"""Numbers and tables as every report shows them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rrm_harness.report.signs import visible

if TYPE_CHECKING:
    from rich.table import Table

NOTHING = "–"


def percent(value: float | None) -> str:
    """A share in percent."""
    return NOTHING if value is None else f"{100 * value:.2f}"


def interval(low: float | None, high: float | None) -> str:
    """An interval of shares in percent."""
    return f"{percent(low)}–{percent(high)}"


def bounds(both: Iterable[float]) -> str:
    """The worst and the best that a share could be, in percent."""
    return "–".join(map(percent, both))


def part_of(part: int, whole: int) -> str:
    """A part of a count, in whole percent."""
    return f"{100 * part / whole:.0f} %" if whole else NOTHING


def signed(value: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    return f"{100 * value:+.2f}".replace("-", "−")


def chance(value: float) -> str:
    """A p value; never 0."""
    return "<.0001" if value < 0.0001 else f"{value:.4f}"


def compact(value: float | None) -> str:
    """A count or a time in few signs: 950, 12.3k, 4.56M."""
    if value is None:
        return NOTHING
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size * 0.9995:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def markdown_cell(value: str) -> str:
    """A text that cannot end its cell of a Markdown table, nor be markup in it."""
    plain = visible(" ".join(value.split())).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([|\[`])", r"\\\1", plain)


def markdown_cells(named: Mapping[str, str]) -> dict[str, str]:
    """All of a row's texts as cells."""
    return {name: markdown_cell(value) for name, value in named.items()}


def table(texts: Sequence[str], numbers: Sequence[str]) -> Table:
    """A plain table whose texts fold where it is narrow; its numbers are never cut."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False)
    for name in texts:
        made.add_column(name, overflow="fold")
    for name in numbers:
        made.add_column(name, no_wrap=True, justify="right", min_width=len(name))
    return made


def add(made: Table, cells: Iterable[str]) -> None:
    """Add a row; its cells are texts: no markup, and no sign that a terminal obeys."""
    from rich.text import Text

    made.add_row(*(Text(visible(cell)) for cell in cells))
