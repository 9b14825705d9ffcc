"""All properties by kind, and the verdicts on a plugin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module

from rrm_harness.conformance.promises import Property, Verdict
from rrm_harness.conformance.subject import Subject
from rrm_harness.errors import SpecError
from rrm_harness.specs import nearest


@dataclass(frozen=True, slots=True)
class Checked:
    """A property's verdict on a plugin.

    Args:
        promise: What was tried.
        verdict: Whether it holds.
        sentence: The promise, or what broke it, or what it would take to try it.
    """

    promise: Property
    verdict: Verdict
    sentence: str

    @property
    def kept(self) -> bool:
        """Whether it is not broken: it holds, or cannot be tried here."""
        return self.verdict != "broken"


def properties(kind: str) -> Sequence[Property]:
    """What plugins of a kind promise: judges, strategies, datasets or engines."""
    promised: Sequence[Property] = import_module(
        f"rrm_harness.conformance.{kind}"
    ).PROMISED
    return promised


def check_subject(subject: Subject) -> Iterator[Checked]:
    """Try every property of a plugin that was found."""
    for each in properties(subject.kind):
        yield Checked(each, *each.verdict(subject))


def check_property(subject: Subject, name: str) -> Checked:
    """Try one property.

    Raises:
        SpecError: Its kind has none of that name.
    """
    known = {each.name: each for each in properties(subject.kind)}
    if name not in known:
        raise SpecError(
            f"{subject.kind} promise nothing called '{name}'; {nearest(name, [*known])}"
        )
    return Checked(known[name], *known[name].verdict(subject))
