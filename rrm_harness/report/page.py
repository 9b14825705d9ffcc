"""The HTML page: runs at a glance and every judgment to read, in one file.

What comes from models and data is hostile. It gets into the page in two ways only: as
values of a template that escapes each one, and as JSON that is inert (`texts.block`),
from which the page's script makes text nodes. A content-security policy admits that
script and that style sheet by their hashes, and nothing else: no request, no handler.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from markupsafe import Markup

from rrm_harness.report import overview
from rrm_harness.report.escaping import template
from rrm_harness.report.glance import KINDS
from rrm_harness.report.index import packed
from rrm_harness.report.judgments import browse, choose, glances
from rrm_harness.report.texts import block
from rrm_harness.result import Result

ITEMS = 5000
"""How many items a page lets one read, unless told."""
SCRIPTS = ("dom", "store", "list", "item", "drawn", "charts", "start")
"""The parts of the page's script, in their order."""


def page(runs: Sequence[Result], most: int = ITEMS) -> str:
    """Return the page of one or more runs; at most so many items can be read in it.

    Raises:
        OutputError: A run's outcomes are missing or damaged.
    """
    seen = [glances(run) for run in runs]
    chosen = choose(seen, most)
    browsed = browse(runs, chosen)
    rows, blocks = packed(browsed, seen)
    labels = overview.labels(runs)
    index = {"runs": labels, "items": rows, "starts": blocks.starts, "kinds": KINDS}
    style, script = _part("page.css"), _script()
    made: str = template("report/page.html.jinja").render(
        policy=_policy(style, script),
        style=_ours(style),
        script=_ours(script),
        index=_ours(block(index)),
        charts=_ours(block(overview.charts(runs, seen))),
        blocks=map(_ours, blocks.done),
        title=overview.title(runs),
        runs=[*map(overview.told, runs, labels)],
        boards=overview.boards(runs, labels) if len(runs) > 1 else [],
        pairs=list(overview.pairs(seen)),
        labels=labels,
        notes=[*overview.left_out(seen, chosen), *browsed.cautions],
        items=len(chosen),
    )
    return made


def _ours(text: str) -> Markup:
    """A text that is not escaped: a file of ours, or JSON that `block` made inert."""
    return Markup(text)  # noqa: S704 - for the reason above


@cache
def _part(name: str) -> str:
    place = files("rrm_harness.templates") / "report" / name
    text: str = place.read_text(encoding="utf-8")
    return text


def _script() -> str:
    """The parts as one script, whose names are in a scope of their own."""
    parts = "\n".join(_part(f"page-{name}.js") for name in SCRIPTS)
    return f'"use strict";\n{{\n{parts}}}\n'


def _policy(style: str, script: str) -> str:
    """The content-security policy: this style and this script, and nothing else."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src '{_hash(script)}'",
            f"style-src '{_hash(style)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "trusted-types 'none'",
            "require-trusted-types-for 'script'",
        ]
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
