"""What one task of a study counted, and how the outcomes of several tasks add up."""

from collections.abc import Iterable

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from inspector.stats.correction import z_of_upper_tail

Float64 = npt.NDArray[np.float64]

TAILS = (1e-2, 1e-3, 1e-4, 1e-5)
"""Levels at which false positives are counted."""

BINS = 4096
"""Bins of a histogram of p-values: a distance from uniform is read to 1 / BINS."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """Counts by name, samples by name, and histograms of upper-tail p-values in `BINS` bins."""

    counts: dict[str, int] = {}
    samples: dict[str, list[float]] = {}
    histograms: dict[str, list[int]] = {}

    def share(self, hits: str, of: str) -> float:
        return self.counts[hits] / self.counts[of]


def merged(outcomes: Iterable[Outcome]) -> Outcome:
    """Counts and histograms added, samples one after another."""
    counts: dict[str, int] = {}
    samples: dict[str, list[float]] = {}
    histograms: dict[str, list[int]] = {}
    for one in outcomes:
        for name, count in one.counts.items():
            counts[name] = counts.get(name, 0) + count
        for name, values in one.samples.items():
            samples.setdefault(name, []).extend(values)
        for name, bins in one.histograms.items():
            before = histograms.get(name, [0] * len(bins))
            histograms[name] = [a + b for a, b in zip(before, bins, strict=True)]
    return Outcome(counts=counts, samples=samples, histograms=histograms)


def null_outcome(**statistics: Float64) -> Outcome:
    """Counts and histograms of statistics that should be at most standard normal.

    `counts` has `NAME tests` and, for each level of `TAILS`, `NAME at LEVEL`.
    """
    counts: dict[str, int] = {}
    histograms: dict[str, list[int]] = {}
    for name, values in statistics.items():
        counts[f"{name} tests"] = values.size
        for level in TAILS:
            counts[tail_key(name, level)] = int(np.sum(values > z_of_upper_tail(level)))
        p = ndtr(-values.ravel())
        bins = np.minimum((p * BINS).astype(np.int64), BINS - 1)
        histograms[name] = np.bincount(bins, minlength=BINS).tolist()
    return Outcome(counts=counts, histograms=histograms)


def tail_key(name: str, level: float) -> str:
    """Where `null_outcome` counts how often a statistic passed a level.

    >>> tail_key("z", 1e-05)
    'z at 1e-05'
    """
    return f"{name} at {level:g}"
