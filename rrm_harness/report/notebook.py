"""A run as a notebook shows it: a table, and what to know before believing it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rrm_harness.report import tables
from rrm_harness.report.cautions import cautions
from rrm_harness.report.escaping import template


def html(results: Mapping[str, Any]) -> str:
    """A run's headline and parts as an HTML table without script or style sheet."""
    made: str = template("report/notebook.html.jinja").render(
        run=tables.row(results), parts=[*tables.parts(results)], said=cautions(results)
    )
    return made
