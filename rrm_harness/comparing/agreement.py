"""How far judges choose the same responses, beyond what chance would give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rrm_harness import chance

Choices = Sequence[str | None]
"""What a judge chose on each example; None where it failed."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two judges' agreement over the examples that both judged.

    Args:
        n: How many those are.
        share: The share of them with the same choice, None if there are none.
        kappa: Cohen's kappa, None where only one choice was ever made.
    """

    n: int
    share: float | None
    kappa: float | None


def choice(line: Mapping[str, Any]) -> str | None:
    """Return what won, by a name that tells nothing of which response is right.

    Data sets list the right response first, or anywhere. Chance agreement is reckoned
    from how often each name is chosen, so with the data's own numbers kappa would
    measure that habit. Responses are therefore renumbered by a keyed draw.

    Args:
        line: An example's line of outcomes.jsonl.
    """
    if line["failure"] is not None or not line["winners"]:
        return None
    winners = line["winners"]
    numbers = chance.permutation(len(line["lengths"]), "choices", line["id"])
    if len(winners) == 1:
        return str(numbers[winners[0]])
    return "+".join(map(str, sorted(numbers[winner] for winner in winners)))


def agreement(first: Choices, second: Choices) -> Agreement:
    """Compare two judges' choices on the same examples in the same order.

    Source: J. Cohen, Educational and Psychological Measurement 20 (1960), 37-46.
    """
    table = Counter(
        (one, other)
        for one, other in zip(first, second, strict=True)
        if one is not None and other is not None
    )
    both = table.total()
    if not both:
        return Agreement(0, None, None)
    share = sum(count for pair, count in table.items() if pair[0] == pair[1]) / both
    labels = sorted({label for pair in table for label in pair})
    if len(labels) == 1:
        return Agreement(both, share, None)
    import numpy
    from statsmodels.stats.inter_rater import cohens_kappa

    counts = numpy.array([[table[one, other] for other in labels] for one in labels])
    kappa = float(cohens_kappa(counts, return_results=False))
    return Agreement(both, share, kappa)


def alpha(judges: Sequence[Choices]) -> float | None:
    """Return Krippendorff's alpha of all judges, nominal, failures missing.

    None where no example has two choices, or only one choice was ever made.

    Source: K. Krippendorff, Computing Krippendorff's Alpha-Reliability (2011).
    """
    labels = sorted({label for each in judges for label in each if label is not None})
    place = {label: number for number, label in enumerate(labels)}
    import krippendorff
    import numpy

    counts = numpy.zeros((len(judges[0]), len(labels)))
    for choices in judges:
        for example, label in enumerate(choices):
            if label is not None:
                counts[example, place[label]] += 1
    pairable = counts[counts.sum(axis=1) > 1]
    if (pairable.sum(axis=0) > 0).sum() < 2:
        return None
    found = krippendorff.alpha(value_counts=pairable, level_of_measurement="nominal")
    return float(found)
