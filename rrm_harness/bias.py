"""Bias: what moves a judge's verdicts besides what the responses say.

Position: the place in which a response is shown. Length: its number of characters.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any, NamedTuple

from rrm_harness import chance, stats
from rrm_harness.calibration import LEAST, one_right, rightness
from rrm_harness.conduct import own_judgments, verdicts
from rrm_harness.records import Comparison
from rrm_harness.schedule import Finished

FOLDS = 5
_FOLD = chance.Prefix("length fold")
STEPS, CLOSE, SINGULAR = 50, 1e-10, 1e12
"""Of a fit: the most steps, the last one's size, and where there is none."""


@dataclass(slots=True)
class Bias:
    """Position and length, over a run's judged pairs."""

    position: Position = field(default_factory=lambda: Position())
    length: Length = field(default_factory=lambda: Length())

    def add(self, finished: Finished) -> None:
        """Count an example."""
        self.position.add(finished)
        self.length.add(finished)

    def results(self) -> dict[str, Any]:
        """Both as results.json has them; None where the data do not allow."""
        return {"position": self.position.results(), "length": self.length.results()}


@dataclass(slots=True)
class Position:
    """How often the place shown decided, by comparisons of two responses.

    Pairs that were asked in one order say something if that order was drawn from the
    run's seed, as `order=seeded` does: a judge that does not look at places then lets
    the response shown first win half the time, whatever it prefers and however often it
    is asked, and the number of its wins is binomial. Pairs that were asked in both
    orders say something where both verdicts name the same place: without a bias that is
    the first as often as the second. There each example has one voice, the place that
    won more of them, for its verdicts depend on each other.
    """

    seeded: bool = True
    first: array[int] = field(default_factory=lambda: array("b"))
    prompts: array[int] = field(default_factory=lambda: array("q"))
    pairs: int = 0
    flips: int = 0
    to_first: int = 0
    to_second: int = 0

    def add(self, finished: Finished) -> None:
        """Count an example."""
        said = verdicts(finished)
        if not said:
            return
        asked = {
            (comparison.order, comparison.sample): comparison
            for comparison, _ in finished.judged
        }
        net, cluster = 0, finished.example.cluster or finished.example.id
        for (order, sample), won in said.items():
            reverse = (order[::-1], sample)
            if reverse not in asked:
                self.seeded = self.seeded and _drawn(asked[order, sample])
                if self.seeded and won != 0.5:
                    self.first.append(won == 1)
                    self.prompts.append(hash(cluster))
            elif reverse in said and order[0] < order[1]:
                self.pairs += 1
                self.flips += won != 1 - said[reverse]
                net += int(won == said[reverse] == 1) - int(won == said[reverse] == 0)
        self.to_first += net > 0
        self.to_second += net < 0

    def results(self) -> dict[str, Any]:
        """What was asked once in seeded orders, and what was asked in both."""
        return {
            "seeded_orders": self._seeded_orders(),
            "both_orders": self._both_orders(),
        }

    def _seeded_orders(self) -> dict[str, Any] | None:
        """The rate at which the first shown wins, ties left out; an exact test.

        The test is of a judge that does not look at places, to whom each order is a
        coin; the interval is of any judge, who may say the same of a pair each time.
        """
        decided, first = len(self.first), sum(self.first)
        if not self.seeded or decided < LEAST:
            return None
        low, high, _ = stats.mean_interval(self.first, self.prompts, "first shown")
        return {
            "n": decided,
            "first_rate": first / decided,
            "first_rate_low": low,
            "first_rate_high": high,
            "p": _even(first, decided),
        }

    def _both_orders(self) -> dict[str, Any] | None:
        """Verdicts that changed with the order, and to which place they went."""
        if not self.pairs:
            return None
        whole = self.to_first + self.to_second
        return {
            "n": self.pairs,
            "flips": self.flips,
            "flip_rate": self.flips / self.pairs,
            "to_first": self.to_first,
            "to_second": self.to_second,
            "p": _even(self.to_first, whole) if whole else None,
        }


def _drawn(shown: Comparison) -> bool:
    """Whether a pair stands in the order that is drawn for it from the run's seed."""
    return shown.only(*sorted(shown.order)).shuffled().order == shown.order


def _even(part: int, whole: int) -> float:
    """The p-value of so many heads of a fair coin: two-sided, exact."""
    from scipy.stats import binomtest

    return float(binomtest(part, whole).pvalue)


@dataclass(slots=True)
class Length:
    """How length and being right go together, over pairs with one correct response.

    Lengths are in characters. It keeps four numbers and the cluster's hash of each
    example.
    """

    _halves_right: array[int] = field(default_factory=lambda: array("b"))
    _correct: array[int] = field(default_factory=lambda: array("I"))
    _wrong: array[int] = field(default_factory=lambda: array("I"))
    _clusters: array[int] = field(default_factory=lambda: array("q"))
    _folds: array[int] = field(default_factory=lambda: array("b"))

    def add(self, finished: Finished) -> None:
        """Count an example, if something about it was asked and answered."""
        example, outcome = finished.example, finished.outcome
        if not one_right(example) or not outcome.winners:
            return
        if not own_judgments(finished):
            return
        (correct,) = example.correct
        cluster = example.cluster or example.id
        self._halves_right.append(int(2 * rightness(finished)))
        self._correct.append(len(example.responses[correct]))
        self._wrong.append(len(example.responses[1 - correct]))
        self._clusters.append(hash(cluster))
        self._folds.append(fold(cluster))

    def results(self) -> dict[str, Any] | None:
        """Length bias; None with fewer prompts than LEAST, or of equal lengths only."""
        import numpy

        right = numpy.array(self._halves_right) / 2
        correct, wrong = (
            numpy.array(each, float) for each in (self._correct, self._wrong)
        )
        if stats.distinct(self._clusters) < LEAST or (correct == wrong).all():
            return None
        longer, shorter = correct > wrong, correct < wrong
        unequal = longer | shorter
        return {
            "n": int(unequal.sum()),
            "longer_chosen": float(
                numpy.where(longer, right, 1 - right)[unequal].mean()
            ),
            "longer_correct": float(longer[unequal].mean()),
            "correct_longer": self._part(right, longer, "longer"),
            "correct_shorter": self._part(right, shorter, "shorter"),
            "length_only": self._part(
                guessed_by_length(correct, wrong, self._folds),
                numpy.full(len(right), True),
                "length only",
            ),
            "controlled": at_equal_length(right, correct - wrong, self._clusters),
        }

    def _part(self, values: Any, chosen: Any, name: str) -> dict[str, Any] | None:
        """The mean of the chosen values and its interval; None without any."""
        if not chosen.any():
            return None
        taken = values[chosen].tolist()
        clusters = stats.numbered(self._clusters)[chosen]
        low, high, _ = stats.mean_interval(taken, clusters, "length bias", name)
        return {
            "n": len(taken),
            "accuracy": sum(taken) / len(taken),
            "accuracy_low": low,
            "accuracy_high": high,
        }


def fold(cluster: str) -> int:
    """Which of FOLDS folds a prompt is in."""
    return _FOLD.seed(cluster) % FOLDS


def guessed_by_length(correct: Any, wrong: Any, folds: Sequence[int]) -> Any:
    """Which pairs a logistic regression on lengths gets right: 1, 0, or 0.5 for a tie.

    It sees the differences of the lengths and of their logarithms, and whether a
    difference favors one response must not depend on which of them is called first, so
    it has no intercept. Each pair is guessed by a fit on the other of FOLDS keyed
    folds of prompts. Two invented pairs, one of each difference and undecided, keep
    weights finite where length tells everything (Greenland and Mansournia 2015).

    Args:
        correct: Lengths of the correct responses, shape (pairs,).
        wrong: Lengths of the others, shape (pairs,).
        folds: The `fold` of each pair's prompt.

    Returns:
        Shape (pairs,).
    """
    import numpy

    differences = numpy.stack([correct - wrong, numpy.log1p(correct)], axis=1)
    differences[:, 1] -= numpy.log1p(wrong)
    number = numpy.array(folds)
    guessed = numpy.full(len(number), 0.5)
    for each in {*folds}:
        train, test = differences[number != each], differences[number == each]
        scale = numpy.sqrt((train**2).mean(axis=0))
        if len(train) == 0 or not scale.all():
            continue  # nothing to learn from
        asked = numpy.concatenate([train / scale, numpy.eye(2)])
        answered = numpy.concatenate([numpy.ones(len(train)), [0.5, 0.5]])
        weights = _logistic(answered, asked).weights
        guessed[number == each] = (numpy.sign(test / scale @ weights) + 1) / 2
    return guessed


def at_equal_length(
    right: Any, difference: Any, clusters: Sequence[Hashable]
) -> dict[str, Any] | None:
    """Accuracy as a logistic regression predicts it for responses of equal length.

    The regression is of being right on tanh(d / sd(d)), where d is the correct
    response's length less the other's, with a variance that is robust to prompts with
    several pairs. A slope above 0 is a judge that is right more often when the right
    one is longer, as one that likes length is. It is in the spirit of AlpacaEval's
    length-controlled win rate (Dubois et al. 2024, arXiv 2404.04475, section 3), which
    also knows how hard each question is.

    Args:
        right: 1, 0, or 0.5 for a tie, shape (pairs,).
        difference: d, shape (pairs,).
        clusters: The prompts.

    Returns:
        None if there is no such fit: there are fewer prompts than LEAST, all
        differences have one sign, or one of them parts right from wrong.
    """
    import numpy

    if stats.distinct(clusters) < LEAST or not _both_signs(difference):
        return None
    if _parted(difference[right > 0], difference[right < 1]):
        return None
    slope = numpy.tanh(difference / difference.std())
    asked = numpy.stack([numpy.ones(len(slope)), slope], axis=1)
    fit = _logistic(right, asked)
    error = _robust_error(fit, right, asked, stats.numbered(clusters))
    if not fit.converged or not (error > 0).all():  # 0 where all are ties
        return None
    normal = NormalDist()
    spread = normal.inv_cdf((1 + stats.LEVEL) / 2) * error
    ends = (fit.weights - spread, fit.weights + spread)
    low, accuracy, high = (
        float(1 / (1 + numpy.exp(-each[0]))) for each in (ends[0], fit.weights, ends[1])
    )
    return {
        "n": len(right),
        "accuracy": accuracy,
        "accuracy_low": low,
        "accuracy_high": high,
        "slope": float(fit.weights[1]),
        "slope_low": float(ends[0][1]),
        "slope_high": float(ends[1][1]),
        "p": 2 * normal.cdf(-abs(float(fit.weights[1] / error[1]))),
    }


def _both_signs(difference: Any) -> bool:
    return bool(difference.min() < 0 < difference.max())


def _parted(right: Any, wrong: Any) -> bool:
    """Whether a length difference parts the right from the wrong, or one is empty."""
    if not len(right) or not len(wrong):
        return True
    return bool(right.min() >= wrong.max() or wrong.min() >= right.max())


class _Fit(NamedTuple):
    """A logistic regression: a weight for each column, and how much is known."""

    weights: Any
    information: Any
    converged: bool


def _logistic(answered: Any, asked: Any) -> _Fit:
    """Fit a logistic regression by Newton's method, which is Fisher scoring here.

    In millions of rows a library's own takes gigabytes; the tests hold this one to
    statsmodels' numbers.

    Args:
        answered: From 0 to 1, shape (rows,).
        asked: Shape (rows, columns).
    """
    import numpy

    weights = numpy.zeros(asked.shape[1])
    for _ in range(STEPS):
        chance_of = _sigmoid(asked @ weights)
        spread = chance_of * (1 - chance_of)
        information = (asked.T * spread) @ asked
        if not numpy.linalg.cond(information) < SINGULAR:
            return _Fit(weights, information, converged=False)
        step = numpy.linalg.solve(information, asked.T @ (answered - chance_of))
        weights += step
        if abs(step).max() <= CLOSE * max(1.0, abs(weights).max()):
            return _Fit(weights, information, converged=True)
    return _Fit(weights, information, converged=False)


def _robust_error(fit: _Fit, answered: Any, asked: Any, clusters: Any) -> Any:
    """Standard errors of a fit whose rows depend on each other within clusters.

    Source: K.-Y. Liang and S. L. Zeger, Biometrika 73 (1986), 13-22, with the usual
    factor for few clusters, as statsmodels has it.
    """
    import numpy

    rows, columns = asked.shape
    count = int(clusters.max()) + 1
    left = answered - _sigmoid(asked @ fit.weights)
    pulls = numpy.stack([numpy.bincount(clusters, left * each) for each in asked.T])
    inverse = numpy.linalg.pinv(fit.information)
    factor = count / (count - 1) * (rows - 1) / (rows - columns)
    return numpy.sqrt(factor * numpy.diag(inverse @ pulls @ pulls.T @ inverse))


def _sigmoid(value: Any) -> Any:
    import numpy

    return (1 + numpy.tanh(value / 2)) / 2
