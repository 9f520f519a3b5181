"""Do values come in order? The most of them that never fall, and the p-value of so many."""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from scipy.special import gammaln


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


def log10_ordered_bound(counts: Sequence[int], length: int) -> float:
    """At most this is log10 P(some subsequence of `length` never falls); the full length is exact.

    Null: the values are given, value i `counts[i]` times, and each order of them is as likely. By
    Markov's inequality P is at most the expected number of such subsequences: C(n, length) times
    the chance that `length` of the values, drawn one after the other, do not fall.

    >>> round(10 ** log10_ordered_bound([1, 1, 1], 3), 6)
    0.166667
    """
    return _bound(tuple(sorted(count for count in counts if count)), length)


@lru_cache(maxsize=4096)
def _bound(counts: tuple[int, ...], length: int) -> float:
    """The bound does not depend on which value comes how often: layers often ask the same."""
    if length <= 1:
        return 0.0
    ways = np.full(length + 1, -np.inf)
    ways[0] = 0.0
    for count in counts:
        arranged = gammaln(count + 1) - gammaln(count - np.arange(min(count, length) + 1) + 1)
        before = ways
        ways = before.copy()
        for taken in range(1, len(arranged)):
            ways[taken:] = np.logaddexp(ways[taken:], before[:-taken] + arranged[taken])
    return min(0.0, float(ways[length] - gammaln(length + 1)) / math.log(10))
