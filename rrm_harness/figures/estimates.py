"""Shares with their 95 % intervals, and the means of several."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import fmean
from typing import NamedTuple

from rrm_harness.stats import LEVEL


class Estimate(NamedTuple):
    """A share and its 95 % interval, all 0–1."""

    value: float
    low: float
    high: float


def of_one(estimates: Sequence[Estimate]) -> Estimate:
    """The mean of runs that asked the same examples.

    Their errors may all be one, so the interval is the mean of theirs: exact if they
    err together, too wide if they do not.
    """
    return Estimate(*map(fmean, zip(*estimates, strict=True)))


def of_several(estimates: Sequence[Estimate]) -> Estimate:
    """The mean over benchmarks, whose examples are independent.

    The interval keeps the asymmetry of its parts (method of variance estimates
    recovery).

    Source: G. Y. Zou and A. Donner, Statistics in Medicine 27 (2008), 1693-1702.
    """
    count, mean = len(estimates), fmean(each.value for each in estimates)
    below = sqrt(sum((each.value - each.low) ** 2 for each in estimates)) / count
    above = sqrt(sum((each.high - each.value) ** 2 for each in estimates)) / count
    return Estimate(mean, max(0.0, mean - below), min(1.0, mean + above))


def student(values: Sequence[float]) -> Estimate:
    """The mean of at least two values and Student's interval, not cut at 0 or 1."""
    from scipy.stats import sem, t

    mean, error = fmean(values), float(sem(values))
    reach = float(t.ppf((1 + LEVEL) / 2, len(values) - 1)) * error
    return Estimate(mean, mean - reach, mean + reach)
