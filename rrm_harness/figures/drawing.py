"""The common style of figures, safe texts, and files whose bytes repeat."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rrm_harness.errors import OutputError
from rrm_harness.files import replaced

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, GRID, SHADE = "#1A1A1A", "#595959", "#E4E4E4", "#E3EEF6"
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
"""Colors that color-blind eyes tell apart; never the only difference.

Source: M. Okabe and K. Ito, Color Universal Design (2008).
"""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":")
HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "oo", "++")
COLUMN, PAGE = 3.5, 7.0
"""Inches that a column and a page of a paper are wide."""
SIZE = 8
"""Points; nothing is written smaller."""
LETTER, KEY = 4.7, 34
"""Points that a letter takes on average, and the sign and gaps of a legend's entry."""
PIXELS = 4
"""Pixels of a point while a figure is laid out: letters are measured as finely."""
DPI = 300
HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Mn", "Me")
"""Categories of characters that show nothing, or over others."""
FORMATS = ("svg", "png", "pdf")
FONT = "DejaVu Sans"
"""Comes along with matplotlib, so it is the same on every machine."""
SETTINGS = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": SIZE,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "errorbar.capsize": 2,
    "figure.dpi": 72 * PIXELS,
    "font.family": FONT,
    "font.size": SIZE,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.6,
    "legend.borderaxespad": 0,
    "legend.fontsize": SIZE,
    "legend.frameon": False,
    "legend.handletextpad": 0.5,
    "lines.linewidth": 1.2,
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "rrm-harness",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "xtick.labelsize": SIZE,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "ytick.labelsize": SIZE,
}


def pen(number: int) -> dict[str, Any]:
    """How the figure's line of that number is drawn: never by its color alone."""
    return {
        "color": PALETTE[number % len(PALETTE)],
        "marker": MARKERS[number % len(MARKERS)],
        "linestyle": DASHES[number % len(DASHES)],
    }


@contextmanager
def style() -> Iterator[None]:
    """Draw and save in here: our settings over the library's own, not over a user's.

    A `$` in a name is a `$`: no text is read as mathematics.
    """
    import matplotlib.style

    with matplotlib.style.context(["default", SETTINGS]):
        yield


def blank(width: float, height: float) -> Figure:
    """An empty figure of some inches, which keeps its parts apart by itself."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def settle(figure: Figure) -> None:
    """Lay the parts out, for good: what comes after moves nothing."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def legend(axes: Axes) -> None:
    """Put the legend above the axes, where it hides nothing.

    What has intervals comes first, shaded areas last.
    """
    from matplotlib.collections import PolyCollection
    from matplotlib.container import ErrorbarContainer

    handles, labels = axes.get_legend_handles_labels()

    def rank(number: int) -> tuple[bool, bool]:
        area = isinstance(handles[number], PolyCollection)
        return area, not isinstance(handles[number], ErrorbarContainer)

    order = sorted(range(len(labels)), key=rank)
    axes.legend(
        [handles[each] for each in order],
        [labels[each] for each in order],
        loc="lower left",
        bbox_to_anchor=(0, 1.03),
        ncols=_columns(labels, axes.get_window_extent().width / PIXELS),
    )


def _columns(labels: Sequence[str], room: float) -> int:
    """How many columns of a legend fit into so many points: all, or equal ones."""
    widths = [len(label) * LETTER + KEY for label in labels]
    return len(labels) if sum(widths) <= room else max(1, int(room // max(widths)))


def dark(color: str) -> tuple[float, ...]:
    """A color of the palette as ink: dark enough on white for small letters."""
    from matplotlib.colors import to_rgb

    return tuple(0.55 * part for part in to_rgb(color))


def plain(text: str) -> str:
    """A text in one line of visible characters.

    Control characters, directions, surrogates and piled-up accents are left out.
    """
    composed = unicodedata.normalize("NFC", " ".join(text.split()))
    return "".join(
        each for each in composed if unicodedata.category(each) not in HIDDEN
    )


def short(text: str, most: int = 32) -> str:
    """A name to draw: plain, in the font's characters, its middle left out if long."""
    known = _characters()
    drawn = "".join(each if ord(each) in known else "\ufffd" for each in plain(text))
    if len(drawn) <= most:
        return drawn
    tail = (most - 1) // 2
    return f"{drawn[: most - 1 - tail]}…{drawn[-tail:]}"


@cache
def _characters() -> frozenset[int]:
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont(FONT)).get_charmap())


def ending(path: Path) -> str:
    """The format that a file's name asks for.

    Raises:
        OutputError: It is none of ours.
    """
    asked = path.suffix[1:].lower()
    if asked not in FORMATS:
        raise OutputError(
            f"{path} has no ending that says its format; name it .svg, .png or .pdf"
        )
    return asked


def save(figure: Figure, path: Path, caption: Sequence[str] = ()) -> None:
    """Write a figure whole, with its caption inside; the same figure, the same bytes.

    Letters are outlines in SVG, so that they look and fit alike everywhere, and
    embedded fonts in PDF; the caption is text in both.

    Raises:
        OutputError: The format is unknown or the file cannot be written.
    """
    buffer, kind = BytesIO(), ending(path)
    said = plain(" ".join(caption))
    figure.savefig(buffer, format=kind, dpi=DPI, metadata=_metadata(kind, said))
    with replaced(path) as part:
        part.write_bytes(buffer.getvalue())


def _metadata(kind: str, caption: str) -> dict[str, Any]:
    """What says where a file comes from, without the time at which it was made."""
    made: dict[str, dict[str, Any]] = {
        "svg": {"Creator": "rrm-harness", "Description": caption, "Date": None},
        "png": {"Software": "rrm-harness", "Description": caption},
        "pdf": {"Creator": "rrm-harness", "Subject": caption, "CreationDate": None},
    }
    return made[kind]
