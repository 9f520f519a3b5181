"""Small tails of discrete tests as log10 p, and independent p-values taken together."""

import math
from collections.abc import Iterable

import numpy as np
from scipy.special import gammaln


def log10_binomial_tail(trials: int, chance: float, hits: int) -> float:
    """log10 of P(X >= hits) for X binomial; finite far below the smallest float.

    >>> round(log10_binomial_tail(10, 0.5, 10), 4)
    -3.0103
    """
    if hits <= 0 or chance >= 1:
        return 0.0
    counts = np.arange(hits, trials + 1, dtype=np.float64)
    terms = (
        gammaln(trials + 1)
        - gammaln(counts + 1)
        - gammaln(trials - counts + 1)
        + counts * math.log(chance)
        + (trials - counts) * math.log1p(-chance)
    )
    return min(0.0, float(np.logaddexp.reduce(terms)) / math.log(10))


def log10_fisher(log10_p: Iterable[float]) -> float:
    """log10 of Fisher's p of independent tests, finite far below the smallest float.

    The p-values may be larger than they need be: so is then the result.

    >>> round(log10_fisher([-2.0]), 6)
    -2.0
    """
    logs = np.asarray(list(log10_p), dtype=np.float64)
    half = -float(logs.sum()) * math.log(10)
    if half <= 0:
        return 0.0
    counts = np.arange(len(logs))
    terms = counts * math.log(half) - gammaln(counts + 1)
    return min(0.0, float(np.logaddexp.reduce(terms) - half) / math.log(10))
