"""PPE's measures of the best of K: the area under the ROC curve, the leaders' curve."""

from collections.abc import Sequence
from typing import Any

from rrm_harness import Scored, stats

ORDERS = 100
"""Random orders in which the responses come in."""


def _arrays(row: Scored) -> tuple[Any, Any]:
    """A row's scores, None if some are missing, and truths."""
    import numpy

    count = sum(name.startswith("truth_") for name in row.values)
    truths = numpy.array([row.values[f"truth_{index}"] for index in range(count)])
    if "score_0" not in row.values:
        return None, truths
    return numpy.array([row.values[f"score_{i}"] for i in range(count)]), truths


def roc_auc(rows: Sequence[Scored]) -> float | None:
    """The area under the curve of scores brought to 0–1 in each question.

    A question whose scores are all equal is at 0.5; one without scores is left out.
    None if all responses are right, or none.
    """
    import numpy
    from scipy.stats import rankdata

    scores, truths = [], []
    for own, truth in map(_arrays, rows):
        if own is not None:
            span = own.max() - own.min()
            scores.append((own - own.min()) / span if span else own * 0 + 0.5)
            truths.append(truth)
    right = numpy.concatenate(truths) == 1 if truths else numpy.zeros(0, dtype=bool)
    if right.all() or not right.any():
        return None
    ranks = rankdata(numpy.concatenate(scores))[right]
    pairs = len(ranks) * (len(right) - len(ranks))
    return float((ranks.sum() - len(ranks) * (len(ranks) + 1) / 2) / pairs)


def curve_measures(rows: Sequence[Scored]) -> dict[str, Any]:
    """The mean over questions and orders of the leader's truth after 1 … K responses.

    `max_score` is the mean over orders of the curve's maximum, `end_score` its end and
    `loss` its mean squared distance to the curve of a judge that is always right.
    """
    import numpy

    width = max(sum(name.startswith("truth_") for name in row.values) for row in rows)
    sums = numpy.zeros((2, ORDERS, width))
    for row in rows:
        curves = best_of_k_curves(row)
        missing = width - curves.shape[2]
        sums += numpy.pad(curves, ((0, 0), (0, 0), (0, missing)), mode="edge")
    judged, oracle = sums / len(rows)
    return {
        "curve": judged.mean(axis=0).tolist(),
        "max_score": float(judged.max(axis=1).mean()),
        "end_score": float(judged[:, -1].mean()),
        "loss": float(((judged - oracle) ** 2).mean()),
    }


def best_of_k_curves(row: Scored) -> Any:
    """The truth of the leader after 1 … K responses, the judge's and the oracle's.

    Shape (2, ORDERS, K). The first of equal scores leads. A question without scores is
    worth its credit throughout.
    """
    import numpy

    scores, truths = _arrays(row)
    places = numpy.arange(len(truths))
    generator = stats.generator("best-of-k", row.id)
    orders = generator.permuted(numpy.tile(places, (ORDERS, 1)), axis=1)
    shown = truths[orders]
    oracle = numpy.maximum.accumulate(shown, axis=1)
    if scores is None:
        return numpy.stack([numpy.full(shown.shape, row.credit), oracle])
    highest = numpy.maximum.accumulate(scores[orders], axis=1)
    rises = numpy.zeros(shown.shape, dtype=int)
    rises[:, 1:] = (highest[:, 1:] > highest[:, :-1]) * places[1:]
    leaders = numpy.maximum.accumulate(rises, axis=1)
    return numpy.stack([numpy.take_along_axis(shown, leaders, axis=1), oracle])
