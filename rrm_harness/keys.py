"""Keys of judgments: a hash of all that determines an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from operator import attrgetter
from typing import Any

from rrm_harness import chance
from rrm_harness.records import Comparison, Example, Request


class Keys:
    """Keys of comparisons.

    Args:
        identities: By role, the judge's identity and that of its engine, if any.
    """

    def __init__(self, identities: Mapping[str, tuple[str, str]]) -> None:
        self._asked: dict[str, chance.Prefix] = {}
        self._alone: dict[str, chance.Prefix] = {}
        for role, identity in identities.items():
            known = chance.digest(*identity).hex()
            as_judge = "judge" if role == "policy" else role
            self._asked[role] = chance.Prefix(known, as_judge)
            self._alone[role] = chance.Prefix(known, role)
        self._last: tuple[Example | None, str] = (None, "")

    def of(
        self, comparison: Comparison, contents: Sequence[str], sampled: bool = True
    ) -> bytes:
        """Hash what determines the answer.

        That is the requests' contents, and where they are sampled the run's seed and
        the sample number; without requests it is all that the comparison says. A
        policy that makes requests is asked what it would be asked as the judge.
        """
        drawn = (comparison.seed, comparison.sample)
        if contents:
            asked = self._asked[comparison.role]
            return (
                asked.digest(*contents, *drawn) if sampled else asked.digest(*contents)
            )
        return self._alone[comparison.role].digest(
            self._shown(comparison.example),
            repr(comparison.order),
            comparison.critique,
            *drawn,
        )

    def _shown(self, example: Example) -> str:
        """An example as text; kept, for one of many responses is asked about often."""
        if self._last[0] is not example:
            self._last = (example, repr(example))
        return self._last[1]


_NAMES = [each.name for each in fields(Request)]
_DEFAULTS = {each.name: each.default for each in fields(Request)}
_values = attrgetter(*_NAMES)
_SEED = _NAMES.index("seed")
_CACHED = [name for name in _NAMES if name not in ("messages", "chat_options")]
_cached = attrgetter(*_CACHED)


def content(request: Request) -> str:
    """A request as text, without what is at its default: new fields change no key."""
    options = request.chat_options
    rest = (repr(options) if options else "", *_cached(request))
    try:
        told = _told(*rest)
    except TypeError:  # a list, where a tuple is expected, has no hash
        told = _told.__wrapped__(*rest)
    return f"[('messages', {request.messages!r}){told}]"


@lru_cache(1024, typed=True)  # most requests of a run differ in their messages alone
def _told(chat_options: str, *values: Any) -> str:
    """The fields after the messages, in their order."""
    told = {
        name: repr(value)
        for name, value in zip(_CACHED, values, strict=True)
        if value != _DEFAULTS[name]
    }
    if chat_options:
        told["chat_options"] = chat_options
    return "".join(f", ({name!r}, {told[name]})" for name in _NAMES if name in told)


def seeded(request: Request, content: str, comparison: Comparison) -> Request:
    """The request, with a seed of its own if it is sampled and has none."""
    if not request.sampled or request.seed is not None:
        return request
    seed = chance.seed(comparison.seed, comparison.sample, content)
    values = [*_values(request)]  # several times as fast as `dataclasses.replace`
    values[_SEED] = seed
    return Request(*values)
