"""The conformance kit: what a plugin of each kind promises, and whether one keeps it.

`pytest --rrm-conformance NAME` and `rrm-harness check plugin NAME` ask it; so does a
test of one's own, with `names` and `verdict`. No model is needed: judges are answered
from a script, strategies by judges that are made up.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # every pytest imports this package for its plugin's sake
    from collections.abc import Iterator

    from rrm_harness.conformance.kit import Checked
    from rrm_harness.conformance.subject import Subject


def names(kind: str) -> list[str]:
    """Name what a kind promises: judges, strategies, datasets or engines."""
    from rrm_harness.conformance.kit import properties

    return [each.name for each in properties(kind)]


def verdict(kind: str, spec: str, promise: str) -> Checked:
    """Say whether a plugin keeps a promise; `kept` is False if it is broken.

    Args:
        kind: Judges, strategies, datasets or engines.
        spec: The plugin: `NAME` or `NAME,key=value`.
        promise: One of the kind's `names`.

    Raises:
        SpecError: The spec names nothing, or cannot be built.
    """
    from rrm_harness.conformance.kit import check_property

    return check_property(_subject(f"{kind}:{spec}"), promise)


def check(spec: str) -> Iterator[Checked]:
    """Try every promise of a plugin.

    Args:
        spec: `NAME`, `NAME,key=value`, or `KIND:NAME` where several kinds have the
            name.

    Raises:
        SpecError: As `verdict`.
    """
    from rrm_harness.conformance.kit import check_subject

    return check_subject(_subject(spec))


@cache
def _subject(spec: str) -> Subject:
    """One subject for all questions, so that one other process answers for it."""
    from rrm_harness.conformance.subject import Subject

    return Subject.named(spec)
