"""Calibration: whether a judge is right as often as it is sure."""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from rrm_harness import stats
from rrm_harness.conduct import own_judgments
from rrm_harness.records import Example
from rrm_harness.schedule import Finished

if TYPE_CHECKING:
    import numpy

BINS = 10
"""Of equal width from 1/2 to 1; each holds its upper end, the first also its lower."""
COVERAGE = (0.25, 0.5, 0.75, 1.0)
LEAST = 30
"""With fewer prompts nothing is said: any number would be noise."""
DRAWN = 200_000_000
"""The most rows that a bootstrap draws in all; millions of rows need fewer draws."""
METHOD = "bootstrap by prompt"
SHARE, SIGMOID = "winner's share", "sigmoid of the margin"
CAST = " of the votes cast"
"""Where votes were saved: a majority of all five may be three of the three asked."""


def one_right(example: Example) -> bool:
    """Whether it is a pair of which exactly one response is correct."""
    return len(example.responses) == 2 and len(example.correct) == 1


def rightness(finished: Finished) -> float:
    """1 if the outcome of such a pair is right, 0 if it is wrong, 0.5 for a tie."""
    winners = finished.outcome.winners
    if len(winners) == 2:
        return 0.5
    return 1.0 if winners == finished.example.correct else 0.0


@dataclass(slots=True)
class Calibration:
    """Confidences of a run's pairs that have one correct response and an outcome.

    The confidence is that the outcome's winner is the correct response. A response's
    score is the mean over all judgments of the pair. If every judgment of the run has
    two scores that are not negative and sum to 1 (verdicts, votes, probabilities), the
    confidence is the winner's score; else scores are rewards, and it is the sigmoid of
    the winner's margin. A tie is a confidence of 1/2 and half right. Where the winner's
    score is the lower one, as a majority of votes may go against the mean of
    probabilities, the confidence is 1/2.

    It keeps two numbers and the cluster's hash of each example.

    Args:
        logits: Whether rewards are logits. If not, only shares have a confidence.
    """

    logits: bool = True
    _margins: array[float] = field(default_factory=lambda: array("d"))
    _halves_right: array[int] = field(default_factory=lambda: array("b"))
    _clusters: array[int] = field(default_factory=lambda: array("q"))
    _shares: bool = True
    _saved: bool = False

    def add(self, finished: Finished) -> None:
        """Count an example."""
        example, winners = finished.example, finished.outcome.winners
        if not one_right(example) or not winners:
            return
        said = [
            dict(zip(comparison.order, judgment.scores, strict=True))
            for comparison, judgment in own_judgments(finished)
        ]
        if len(said) == 1:
            first, second = said[0].get(0), said[0].get(1)
        else:
            first = _mean([scores[0] for scores in said if 0 in scores])
            second = _mean([scores[1] for scores in said if 1 in scores])
        if first is None or second is None:
            return
        self._saved |= bool(finished.outcome.notes.get("votes_saved"))
        if self._shares:
            self._shares = all(map(_sums_to_one, said))
        sign = 0 if len(winners) == 2 else 1 if winners == (0,) else -1
        self._margins.append(sign * (first - second) if sign else 0.0)
        self._halves_right.append(int(2 * rightness(finished)))
        self._clusters.append(hash(example.cluster or example.id))

    def results(self) -> dict[str, Any] | None:
        """Calibration as results.json has it.

        None with fewer prompts than LEAST, and for a judge that is never between a tie
        and certainty, as one verdict is: it has no confidence to measure.
        """
        import numpy

        if not (self._shares or self.logits):
            return None
        sure = self._confidences()
        if stats.distinct(self._clusters) < LEAST or numpy.isin(sure, (0.5, 1.0)).all():
            return None
        rows = _Rows(sure, numpy.array(self._halves_right) / 2, _bins(sure))
        ece, brier = self._intervals(rows)
        return {
            "confidence": (SHARE if self._shares else SIGMOID) + CAST * self._saved,
            "n": len(sure),
            "ece": rows.ece(),
            "ece_low": ece.low,
            "ece_high": ece.high,
            "brier": rows.brier(),
            "brier_low": brier.low,
            "brier_high": brier.high,
            "bins": _reliability(rows),
            **self._by_coverage(rows),
        }

    def _confidences(self) -> Any:
        """Shape (examples,), 1/2 to 1; rounded, so that equal votes are equal."""
        import numpy

        margins = numpy.maximum(numpy.array(self._margins), 0.0)
        raw = (1 + margins) / 2 if self._shares else 1 / (1 + numpy.exp(-margins))
        return numpy.round(raw, 12)

    def _intervals(self, rows: _Rows) -> tuple[stats.Interval, stats.Interval]:
        """Of ECE and Brier score, by a bootstrap of whole prompts.

        ECE adds up absolute gaps, which noise only ever raises, so that no bootstrap of
        it reaches down to a calibrated judge's 0. Its lower end is the smallest share
        of the gaps that were found which, with a bootstrap's noise on top, comes to the
        ECE that was found in 2.5 % of the draws; its upper end is the bootstrap's own.
        """
        import numpy

        drawn = [
            (rows.gaps(weights), rows.brier(weights))
            for weights in redraws(self._clusters, "calibration")
        ]
        gaps = numpy.array([each for each, _ in drawn])
        ece = stats.percentile_interval(abs(gaps).sum(axis=1), METHOD)
        low = _least_share(rows.gaps(), gaps) * rows.ece()
        brier = stats.percentile_interval([each for _, each in drawn], METHOD)
        return ece._replace(low=low, high=max(ece.high, rows.ece())), brier

    def _by_coverage(self, rows: _Rows) -> dict[str, Any]:
        """Accuracy among the surest, and the area under the risk-coverage curve.

        Examples of equal confidence are a whole: each counts as their mean, as if they
        stood in every order. The curve's area is the mean error rate among the k surest
        over all k (AURC; Geifman, Uziel and El-Yaniv 2019, arXiv 1805.08206).
        """
        import numpy

        _, group, sizes = numpy.unique(
            -rows.confidence, return_inverse=True, return_counts=True
        )
        mean = numpy.bincount(group, rows.right) / sizes
        surest = numpy.argsort(group, kind="stable")
        counts = numpy.arange(1, len(surest) + 1)
        accuracy = numpy.cumsum(mean[group[surest]]) / counts
        margins = -numpy.sort(-numpy.array(self._margins))  # as sure as `surest`
        parts = []
        for coverage in COVERAGE:
            last = ceil(coverage * len(surest)) - 1
            margin = max(0.0, float(margins[last]))
            parts.append(
                {
                    "coverage": coverage,
                    "n": last + 1,
                    "confidence": float(rows.confidence[surest[last]]),
                    "margin": margin if isfinite(margin) else None,
                    "accuracy": float(accuracy[last]),
                }
            )
        return {"coverage": parts, "aurc": float(numpy.mean(1 - accuracy))}


class _Rows(NamedTuple):
    """Examples side by side, each array of shape (examples,)."""

    confidence: Any
    right: Any
    bins: Any

    def ece(self, weights: Any = None) -> float:
        """Expected calibration error, 0 to 1; rows count as often as `weights` say.

        The mean over the bins, weighted by their examples, of the gap between mean
        confidence and accuracy (Naeini, Cooper and Hauskrecht 2015; Guo et al. 2017,
        arXiv 1706.04599, equation 3).
        """
        return float(abs(self.gaps(weights)).sum())

    def gaps(self, weights: Any = None) -> Any:
        """Accuracy less confidence by bin, times its share of the rows; (BINS,)."""
        import numpy

        weights = numpy.ones(len(self.bins)) if weights is None else weights
        gaps = weights * (self.right - self.confidence)
        return numpy.bincount(self.bins, gaps, BINS) / weights.sum()

    def brier(self, weights: Any = None) -> float:
        """Mean squared error of the correct response's probability, 0 to 1.

        Source: G. W. Brier, Monthly Weather Review 78 (1950), 1-3; half of his sum over
        both responses, as is usual for two.
        """
        import numpy

        error = numpy.where(self.right == 0.5, 0.5, abs(self.right - self.confidence))
        return float(numpy.average(error**2, weights=weights))


def _least_share(found: Any, drawn: Any) -> float:
    """The smallest share of the found gaps, 0 to 1, that could have come to them.

    Args:
        found: The gaps, shape (BINS,).
        drawn: Those of bootstrap draws, shape (draws, BINS).
    """
    import numpy

    noise, total = drawn - found, abs(found).sum()
    for share in numpy.linspace(0, 1, 101):
        reached = abs(share * found + noise).sum(axis=1) >= total
        if reached.mean() >= (1 - stats.LEVEL) / 2:
            return float(share)
    return 1.0


def redraws(clusters: Iterable[Hashable], purpose: str) -> Iterator[numpy.ndarray]:
    """Draw whole clusters with replacement; say how often each row was drawn.

    Yields:
        Arrays of shape (rows,), stats.RESAMPLES of them or fewer on millions of rows.
    """
    import numpy

    cluster = stats.numbered(clusters)
    count = int(cluster.max()) + 1
    rng = stats.generator("bootstrap", purpose)
    for _ in range(min(stats.RESAMPLES, max(200, DRAWN // len(cluster)))):
        drawn = rng.integers(count, size=count)
        yield numpy.bincount(drawn, minlength=count)[cluster]


def _mean(values: Sequence[float]) -> float | None:
    """The mean, finite for any finite values; None without any."""
    count = len(values)
    return sum([value / count for value in values]) if count else None


def _sums_to_one(scores: Mapping[int, float]) -> bool:
    """Whether these are shares of one: both responses', none negative."""
    values = scores.values()
    return len(values) == 2 and min(values) >= 0 and abs(sum(values) - 1) <= 1e-9


def _bins(confidence: Any) -> Any:
    """The bin of each confidence; one on an edge, as 3 of 5 votes, is below it."""
    import numpy

    place = numpy.ceil(numpy.round((confidence - 0.5) * 2 * BINS, 9)) - 1
    return numpy.clip(place, 0, BINS - 1).astype(int)


def _reliability(rows: _Rows) -> list[dict[str, Any]]:
    """Each bin's ends, size, mean confidence and accuracy (None if it is empty)."""
    bins = []
    for number in range(BINS):
        inside = rows.bins == number
        n = int(inside.sum())
        bins.append(
            {
                "low": 0.5 + number / (2 * BINS),
                "high": 0.5 + (number + 1) / (2 * BINS),
                "n": n,
                "confidence": float(rows.confidence[inside].mean()) if n else None,
                "accuracy": float(rows.right[inside].mean()) if n else None,
            }
        )
    return bins
