"""Do two models write in the same hidden basis? Tests with exact null moments; knows no models.

The null of each: the dimensions of one side are in any order.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr

from inspector.stats.matching import prepare_references, prepare_targets, z_scores

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
    """Do rows of equal number resemble each other, dimension by dimension? Both `[n, d]`.

    Null: the dimensions of one side are in any order. Not that rows are paired at random: rows of
    equal number stand for the same token, so they are alike in how frequent it is whatever the
    basis (that null gave independent models a z of deviation 4). A dimension counts as a neuron
    does in the signed test (`matching`), each alike whatever its size, without what most rows
    share. The effect is the mean cosine of rows, less each side's mean row. None where there are
    fewer than 8 rows, or nothing in them.
    """
    if len(left) < 8:
        return None
    ours, theirs = (side[None].astype(np.float32) for side in (left, right))
    preparation, references = prepare_references(theirs)
    targets = prepare_targets(ours, preparation)
    if not targets.vectors.any() or not references.vectors.any():
        return None
    z = float(z_scores(targets, references)[0, 0])
    effect = float(np.mean(np.sum(_directions(left) * _directions(right), axis=1)))
    return Resemblance(effect, z, log10_upper_tail(z))


def centred_ranks(values: Float64) -> Float64:
    """Ranks of a vector less their mean; equal values share the mean of their ranks."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    middles = np.cumsum(counts) - (counts + 1) / 2
    return np.asarray(middles[which] - (len(values) - 1) / 2)


def nearest_rows(left: Float64, right: Float64) -> tuple[Float64, npt.NDArray[np.int64]]:
    """For each row of `left` `[n, d]`, the standard score of its best cosine and whose it is.

    Each side's mean row is taken off, and each of its dimensions is brought to one size: an outlier
    that two models have in one place by chance would make all rows alike. Under the null that a
    row's dimensions are in any order, a cosine has variance 1 / (d - 1).
    """
    cosines = _directions(left, even=True) @ _directions(right, even=True).T
    best = cosines.argmax(axis=1)
    scores = cosines[np.arange(len(cosines)), best] * np.sqrt(left.shape[1] - 1)
    return scores, best


def _directions(rows: Float64, *, even: bool = False) -> Float64:
    """Rows without their mean, to length one; 0 for a row that is the mean.

    With `even`, each column is brought to length one first.
    """
    centred = rows - rows.mean(axis=0, keepdims=True)
    return _unit(_unit(centred, axis=0) if even else centred, axis=1)


def _unit(rows: Float64, *, axis: int) -> Float64:
    norms = np.linalg.norm(rows, axis=axis, keepdims=True)
    return np.asarray(np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0))
