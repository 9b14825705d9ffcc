"""Properties: a name, a promise in one sentence, and how it is tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from rrm_harness.conformance.subject import Subject
from rrm_harness.errors import SpecError

Verdict = Literal["holds", "broken", "skipped"]


class Broken(AssertionError):  # noqa: N818 - a verdict, told as one
    """A promise that is not kept: what was done, what came out, what should have."""


class Skipped(Exception):  # noqa: N818 - it is no error
    """A promise that cannot be tried here; the message says what it would take."""


@dataclass(frozen=True, slots=True)
class Property:
    """Something that every plugin of a kind promises.

    Args:
        name: As reports and tests show it.
        promise: One sentence.
        attempt: Returns if it holds, raises Broken or Skipped if not.
    """

    name: str
    promise: str
    attempt: Callable[[Subject], None]

    def verdict(self, subject: Subject) -> tuple[Verdict, str]:
        """Try it on a plugin; whatever else the plugin raises breaks it as well."""
        try:
            self.attempt(subject)
        except Broken as broken:
            return "broken", str(broken)
        except Skipped as skipped:
            return "skipped", str(skipped)
        except Exception as error:
            if subject.lacking and isinstance(error, SpecError):
                return "skipped", str(error)
            raised = f"{type(error).__name__}: {short(str(error))}"
            return (
                "broken",
                f"the plugin was tried; it raised {raised}, expected no error",
            )
        return "holds", self.promise


def promise(attempt: Callable[[Subject], None]) -> Property:
    """Make a property of a function: its name, and its docstring as the promise."""
    name = attempt.__name__.replace("_", "-")
    return Property(name, (attempt.__doc__ or "").partition("\n")[0], attempt)


def insist(holds: bool, sentence: str) -> None:
    """Refuse what does not hold.

    Raises:
        Broken: It does not; the sentence is its message.
    """
    if not holds:
        raise Broken(sentence)


def short(value: object, most: int = 120) -> str:
    """A value as a sentence can quote it."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= most else f"{text[:most]}…"
