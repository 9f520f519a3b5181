"""Figures read off an outcome, each with its count and a 95 % interval.

Intervals take tests as independent. Tests of one layer share experts, so they are somewhat narrow.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import betaincinv
from scipy.stats import binom

from benchmarks.study.outcome import BINS, Outcome, tail_key

CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Reached:
    """A value, its interval, and how many tests, children or errors it was read from."""

    value: float
    low: float
    high: float
    count: int


Reader = Callable[[Outcome], Reached]


@dataclass(frozen=True, slots=True)
class Figure:
    """What is read, and the bound it should keep (`<= 1.3`, `>= 0.99`; empty: none is asked)."""

    name: str
    read: Reader
    demand: str = ""


def share(hits: str, of: str) -> Reader:
    """One count over another, with the exact binomial interval of Clopper and Pearson."""

    def read(outcome: Outcome) -> Reached:
        return proportion(outcome.counts[hits], outcome.counts[of])

    return read


def proportion(hits: int, count: int) -> Reached:
    """`hits / count` with the exact binomial interval.

    >>> proportion(0, 20_480).high < 2e-4
    True
    """
    tail = (1 - CONFIDENCE) / 2
    low = float(betaincinv(hits, count - hits + 1, tail)) if hits else 0.0
    high = float(betaincinv(hits + 1, count - hits, 1 - tail)) if hits < count else 1.0
    return Reached(hits / count, low, high, count)


def over(hits: str, of: str, times: float) -> Reader:
    """A share times a number: how it compares with the bound `1 / times`."""

    def read(outcome: Outcome) -> Reached:
        one = proportion(outcome.counts[hits], outcome.counts[of])
        return Reached(one.value * times, one.low * times, one.high * times, one.count)

    return read


def tail_ratio(statistic: str, level: float) -> Reader:
    """False positives at a level over the level: 1 where the statistic is standard normal."""
    return over(tail_key(statistic, level), f"{statistic} tests", 1 / level)


def uniform_distance(statistic: str) -> Reader:
    """Kolmogorov-Smirnov distance of the p-values from uniform, at the edges of `BINS` bins.

    The interval is that of Dvoretzky, Kiefer, Wolfowitz and Massart.
    """

    def read(outcome: Outcome) -> Reached:
        bins = np.array(outcome.histograms[statistic])
        count = int(bins.sum())
        steps = np.arange(1, BINS + 1) / BINS
        distance = float(np.abs(np.cumsum(bins) / count - steps).max())
        margin = math.sqrt(math.log(2 / (1 - CONFIDENCE)) / (2 * count))
        return Reached(distance, max(0.0, distance - margin), distance + margin, count)

    return read


def median(sample: str) -> Reader:
    """The median of a sample, between two of its order statistics."""
    return quantile(sample, 0.5)


def quantile(sample: str, level: float) -> Reader:
    """A quantile of a sample; the interval is between two of its order statistics."""

    def read(outcome: Outcome) -> Reached:
        values = np.sort(outcome.samples[sample])
        tail = (1 - CONFIDENCE) / 2
        ranks = np.asarray(binom.ppf([tail, 1 - tail], len(values), level), dtype=np.int64)
        low, high = values[np.clip(ranks, 0, len(values) - 1)]
        return Reached(float(np.quantile(values, level)), float(low), float(high), len(values))

    return read
