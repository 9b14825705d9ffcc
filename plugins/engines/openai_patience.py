"""When a request that failed is asked again, and how often."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from .openai_answers import Again
from .openai_server import LONGEST

if TYPE_CHECKING:
    import tenacity

    from .openai import OpenAI


class Patience:
    """When a request is asked again, and how often.

    To be told to wait is no failure, so it does not count among the retries; it may
    go on for the time of one attempt.
    """

    def __init__(self, options: OpenAI) -> None:
        self._options = options
        self._told = 0

    def ends(self, state: tenacity.RetryCallState) -> bool:
        """Whether no further attempt makes sense; asked after each that failed."""
        self._told += _told_to_wait(state)
        if state.attempt_number - self._told > self._options.retries:
            return True
        waited = state.seconds_since_start or 0.0
        return self._told > self._options.retries and waited > self._options.timeout

    def wait(self, state: tenacity.RetryCallState) -> float:
        """Seconds before the next attempt; what the server wants comes on top."""
        first = self._options.backoff
        failed = 0 if _told_to_wait(state) else state.attempt_number - self._told - 1
        doubled: float = first * 2.0 ** min(failed, 30)
        return min(LONGEST, doubled + random.uniform(0, first))  # noqa: S311


def _told_to_wait(state: tenacity.RetryCallState) -> bool:
    error = state.outcome.exception() if state.outcome else None
    return isinstance(error, Again) and error.after is not None
