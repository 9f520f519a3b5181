"""Do values come in order? The longest run of them that never falls, and its p-value."""

import math
from bisect import bisect_right
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, logsumexp

Ints = npt.NDArray[np.int64]


def longest_ordered(values: Iterable[int]) -> int:
    """The length of the longest subsequence that never falls (patience sorting).

    >>> longest_ordered([0, 0, 3, 1, 1, 2])
    5
    """
    tops: list[int] = []
    for value in values:
        place = bisect_right(tops, value)
        tops[place : place + 1] = [value]
    return len(tops)


def log10_ordered_bound(counts: Ints, length: int) -> float:
    """At most this is log10 P(a subsequence of `length` never falls), all orders equally likely.

    The values are given, value i `counts[i]` times; their order is the null. By Markov's inequality
    P is at most the expected number of such subsequences, which is exact: C(n, length) times the
    share of ordered draws of `length` values that do not fall. At the full length it is P itself.
    """
    total = int(counts.sum())
    if length <= 1:
        return 0.0
    ways = np.full(length + 1, -np.inf)
    ways[0] = 0.0
    for count in counts[counts > 0].tolist():
        drawn = np.arange(min(count, length) + 1)
        arranged = gammaln(count + 1) - gammaln(count - drawn + 1)
        before = ways
        ways = before.copy()
        for taken in drawn[1:].tolist():
            ways[taken:] = np.logaddexp(ways[taken:], before[:-taken] + arranged[taken])
    draws = gammaln(total + 1) - gammaln(total - length + 1)
    subsets = draws - gammaln(length + 1)
    return min(0.0, float(subsets + ways[length] - draws) / math.log(10))


def log10_fisher(log10_p: Iterable[float]) -> float:
    """log10 of Fisher's combined p of independent tests; finite far below the smallest float.

    >>> round(log10_fisher([-2.0]), 6)
    -2.0
    """
    logs = np.asarray([one for one in log10_p], dtype=np.float64)
    half = -float(logs.sum()) * math.log(10)
    if half <= 0:
        return 0.0
    terms = np.arange(len(logs)) * math.log(half) - gammaln(np.arange(len(logs)) + 1)
    return min(0.0, float(logsumexp(terms) - half) / math.log(10))
