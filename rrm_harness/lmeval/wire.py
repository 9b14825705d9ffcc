"""A played example as JSON: what our model answers lm-eval, and our tasks read.

lm-eval's models answer with texts. Ours answers with this one, so that a task can score
whole outcomes, failures included, and lm-eval's logs hold what was judged.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rrm_harness.records import Comparison, Example, Failure, Judgment, Outcome
from rrm_harness.schedule import Finished

FORMAT = 1
EXCERPT = 200
"""Characters of a failure's text that are kept; all of it is in the store."""
_COUNTS = ("judgments", "stored", "prompt_tokens", "completion_tokens", "too_long")


def dumped(finished: Finished) -> dict[str, Any]:
    """A played example as plain lists, numbers and texts.

    Judged responses that are not the example's own, as those of a policy, are among
    `sets`, and `of` says which.
    """
    own = finished.example.responses
    sets = list(
        dict.fromkeys([own, *(c.example.responses for c, _ in finished.judged)])
    )
    return {
        "rrm": FORMAT,
        "id": finished.example.id,
        "outcome": _outcome(finished.outcome),
        "sets": [list(each) for each in sets[1:]],
        "judged": [
            {**_judged(*each), "of": sets.index(each[0].example.responses)}
            for each in finished.judged
        ],
        "notes": dict(sorted(finished.notes.items())),
        **{name: getattr(finished, name) for name in _COUNTS},
    }


def loaded(content: Mapping[str, Any], example: Example) -> Finished:
    """The played example, of the example that its task knows."""
    sets = [replace(example, responses=tuple(each)) for each in content["sets"]]
    asked = [example, *sets]
    return Finished(
        example,
        _loaded_outcome(content["outcome"]),
        [_loaded_judged(each, asked[each["of"]]) for each in content["judged"]],
        **{name: content[name] for name in _COUNTS},
        notes=defaultdict(int, content["notes"]),
        done=True,
    )


def read(text: str) -> dict[str, Any] | None:
    """What `dumped` made, out of a model's answer; None if that is anything else."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    ours = isinstance(content, dict) and content.get("rrm") == FORMAT
    return content if ours else None


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "scores": {str(index): score for index, score in outcome.scores.items()},
        "failure": outcome.failure,
        "uncertain": outcome.uncertain,
        "order": list(outcome.order),
        "parts": [_outcome(part) for part in outcome.parts],
        "notes": dict(outcome.notes),
    }


def _loaded_outcome(content: Mapping[str, Any]) -> Outcome:
    failure = content["failure"]
    return Outcome(
        {int(index): score for index, score in content["scores"].items()},
        None if failure is None else Failure(failure),
        content["uncertain"],
        tuple(content["order"]),
        tuple(_loaded_outcome(part) for part in content["parts"]),
        content["notes"],
    )


def _judged(comparison: Comparison, judgment: Judgment) -> dict[str, Any]:
    return {
        "order": list(comparison.order),
        "sample": comparison.sample,
        "role": comparison.role,
        "scores": list(judgment.scores),
        "failure": judgment.failure,
        "text": judgment.text[-EXCERPT:] if judgment.failure is not None else "",
    }


def _loaded_judged(
    content: Mapping[str, Any], example: Example
) -> tuple[Comparison, Judgment]:
    order, failure = tuple(content["order"]), content["failure"]
    comparison = Comparison(example, order, content["sample"], role=content["role"])
    judgment = Judgment(
        tuple(content["scores"]),
        None if failure is None else Failure(failure),
        content["text"],
    )
    return comparison, judgment
