"""Do two models write in the same hidden basis? Tests with exact null moments; knows no models.

The null of each: dimensions, or rows, of the two sides are paired at random.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr

Float64 = npt.NDArray[np.float64]

_LN10: Final = float(np.log(10))


@dataclass(frozen=True, slots=True)
class Resemblance:
    """An effect, its standard score under the null, and the one-sided log10 p of `tests` such.

    `effect` is a correlation or a mean cosine; -1 to 1.
    """

    effect: float
    z: float
    log10_p: float


def log10_upper_tail(z: float, *, tests: int = 1) -> float:
    """log10 of the normal's upper tail at z, times the tests it is the best of; at most 0.

    >>> round(log10_upper_tail(0.0), 3), round(log10_upper_tail(10.0), 1)
    (-0.301, -23.1)
    """
    return min(0.0, float(log_ndtr(-z)) / _LN10 + float(np.log10(tests)))


def rank_correlation(left: Float64, right: Float64, *, tests: int = 1) -> Resemblance | None:
    """Spearman's correlation of two vectors `[n]`, whose variance under the null is 1 / (n - 1).

    None where either is constant.
    """
    ranks = [centred_ranks(side) for side in (left, right)]
    norm = float(np.sqrt((ranks[0] @ ranks[0]) * (ranks[1] @ ranks[1])))
    if not norm:
        return None
    effect = float(ranks[0] @ ranks[1]) / norm
    z = effect * float(np.sqrt(len(left) - 1))
    return Resemblance(effect, z, log10_upper_tail(z, tests=tests))


def matched_rows(left: Float64, right: Float64) -> Resemblance | None:
    """The mean cosine of rows of equal number, against rows paired at random: both `[n, d]`.

    Each side's mean row is taken off first. The sum over a random pairing has the mean and variance
    of Hoeffding (1951), so that rows which all resemble each other make no evidence. None where
    there are fewer than 8 rows.
    """
    cosines = _cosines(left, right)
    count = len(cosines)
    if count < 8:
        return None
    centred = (
        cosines
        - cosines.mean(axis=0, keepdims=True)
        - cosines.mean(axis=1, keepdims=True)
        + cosines.mean()
    )
    deviation = float(np.sqrt((centred * centred).sum() / (count - 1)))
    if not deviation:
        return None
    matched = np.diagonal(cosines)
    z = float(matched.sum() - count * cosines.mean()) / deviation
    return Resemblance(float(matched.mean()), z, log10_upper_tail(z))


def centred_ranks(values: Float64) -> Float64:
    """Ranks of a vector less their mean; equal values share the mean of their ranks."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    middles = np.cumsum(counts) - (counts + 1) / 2
    return np.asarray(middles[which] - (len(values) - 1) / 2)


def nearest_rows(left: Float64, right: Float64) -> tuple[Float64, npt.NDArray[np.int64]]:
    """For each row of `left` `[n, d]`, the standard score of its best cosine and whose it is.

    Each side's mean row is taken off. Under the null that a row's dimensions are in any order, a
    cosine has variance 1 / (d - 1).
    """
    cosines = _cosines(left, right)
    best = cosines.argmax(axis=1)
    scores = cosines[np.arange(len(cosines)), best] * np.sqrt(left.shape[1] - 1)
    return scores, best


def _cosines(left: Float64, right: Float64) -> Float64:
    """`[n, m]` cosines of rows without their side's mean; 0 for a row that is the mean."""
    sides = []
    for side in (left, right):
        rows = side - side.mean(axis=0, keepdims=True)
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        sides.append(np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0))
    return np.asarray(sides[0] @ sides[1].T)
