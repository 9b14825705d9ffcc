"""What plugins of all kinds promise."""

from __future__ import annotations

from collections.abc import Mapping

from rrm_harness.conformance.promises import insist, promise
from rrm_harness.conformance.subject import Subject


@promise
def import_weight(subject: Subject) -> None:
    """To register the plugin imports no heavy library; its first use may."""
    heavy, problem, _ = subject.fresh.told(subject.asked)
    insist(
        not problem,
        f"the plugin was registered in a fresh process; that raised {problem}, expected"
        " no error",
    )
    insist(
        not heavy,
        f"the plugin was registered in a fresh process; that imported"
        f" {', '.join(heavy)}, expected none of them before its first use: import it"
        " inside the function that needs it",
    )


def same_elsewhere(subject: Subject, here: Mapping[str, str]) -> None:
    """Refuse what comes to something else in a process with another hash seed.

    Raises:
        Broken: It does.
    """
    there = subject.fresh.told(subject.asked).came_to
    insist("error" not in there, f"in another process it raised {there.get('error')}")
    for name, digest in here.items():
        insist(
            there.get(name) == digest,
            f"a process with another PYTHONHASHSEED did the same; its {name} differ"
            " from those here, expected the same: use rrm_harness.chance for draws, and"
            " sort sets",
        )
