"""Permuted neurons: match on some rows, test on others, in contrast to control experts.

Neurons of a target are matched with those of a reference on half of the sampled rows; the pairs are
tested on the other half. In a shared residual basis even unrelated experts then agree (neurons that
look alike in some rows share the layer's structure in others: mean z of 7 to 17 in the study), so z
alone proves nothing. Null: z against any unrelated reference of the layer has one mean and, over
relabellings of the matched pairs, variance 1; the mean is taken from controls. One-sided.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from inspector.stats.contrast import MAD_TO_SD
from inspector.stats.matching import Prepared

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_MEDIAN_VARIANCE: Final = np.pi / 2
"""Variance of the median of n normals, times n."""

MIN_PAIRS: Final = 16
"""Fewer matched pairs are no sample."""

_MOMENT_ROWS: Final = 8
"""Rows whose products with others are held at a time: a few MB, near the processor."""


def shortlist(likeness: Sequence[Float32], count: int) -> Ints:
    """The `count` references most like each target whatever the order of neurons, `[E, count]`.

    Args:
        likeness: of targets and references by their moments, `[E, R]`, on the rows that match and
            on the rows that test.
        count: how long the list is.
    """
    return np.argsort(-np.asarray(sum(likeness)), axis=1, kind="stable")[:, :count]


def likeness_of_moments(targets: Prepared, references: Prepared) -> Float32:
    """How alike targets and references are on some rows, whatever the order of neurons, `[E, R]`.

    The correlation of third moments of the rows, freed of what all references have in common. It is
    for a rank, no test. Rows that test may be used: relabelling neurons changes no moment of
    theirs, so what it selects says nothing of the order that is tested. Moments across the halves
    would. Of neurons at an angle in k dimensions the third moments of two experts sum cosines
    cubed, the second ones (Gram matrices) squared: few retained neurons stand out of the sum over
    all pairs by k ** 0.5 more.
    """
    theirs = third_moments(references.vectors)
    common = theirs.mean(axis=0)
    theirs -= common
    ours = third_moments(targets.vectors) - common
    lengths = np.linalg.norm(theirs, axis=1)
    return np.asarray(_unit(ours) @ theirs.T / np.maximum(lengths, 1e-30), dtype=np.float32)


def third_moments(vectors: Float32) -> Float32:
    """Each expert's `sum_j x_aj x_bj x_cj` over a <= b and a <= c, times a weight: `[E, n]`.

    Of experts `[E, k, m]`. The inner product of two is the sum over all pairs of neurons of their
    inner product cubed.

    >>> one, other = np.random.default_rng(0).standard_normal((2, 1, 3, 5)).astype(np.float32)
    >>> moments = third_moments(one) @ third_moments(other).T
    >>> bool(np.allclose(moments, np.sum((one[0].T @ other[0]) ** 3), rtol=1e-4))
    True
    """
    rows, neurons = vectors.shape[1:]
    weights = [_moment_weights(start, rows) for start in range(0, rows, _MOMENT_ROWS)]
    found = np.empty((len(vectors), sum(one.size for one in weights)), dtype=np.float32)
    room = np.empty((max((len(one) for one in weights), default=0), neurons), dtype=np.float32)
    for x, moments in zip(vectors, found, strict=True):
        filled = 0
        for part in weights:
            rest = x[rows - part.shape[1] :]
            products = _products(rest, room[: len(part)])
            block = moments[filled : filled + part.size].reshape(part.shape)
            np.matmul(products, rest.T, out=block)
            block *= part
            filled += part.size
    return found


def _products(rows: Float32, into: Float32) -> Float32:
    """`x_a x_b` of the first few rows a and all b >= a, each over neurons."""
    filled = 0
    for a in range(min(_MOMENT_ROWS, len(rows))):
        count = len(rows) - a
        np.multiply(rows[a:], rows[a], out=into[filled : filled + count])
        filled += count
    return into


def _moment_weights(start: int, rows: int) -> Float32:
    """For products of a few rows a from `start` on with b >= a, by c from `start` on.

    The root of how many orders of a, b, c an entry stands for; 0 where c < a, which is counted
    elsewhere.
    """
    a, b = (one + start for one in np.triu_indices(rows - start))
    own = a < start + _MOMENT_ROWS
    a, b, c = a[own, None], b[own, None], np.arange(start, rows)
    orders = np.where((a == b) & (a == c), 1, np.where((a == b) | (a == c), 1.5, 3))
    return np.asarray(np.where(c < a, 0, orders**0.5), dtype=np.float32)


def match_neurons(target: Float32, reference: Float32) -> tuple[Ints, Ints]:
    """Mutually nearest neurons of two experts, `[h, m]` each: their indices on either side.

    One to one: of several that are equally near to one, the first.
    """
    cosines = _unit(target.T) @ _unit(reference.T).T
    theirs = cosines.argmax(axis=1)
    nearest = cosines.max(axis=0)  # argmax down the columns would take longer than the product
    mutual = np.flatnonzero(cosines[np.arange(len(theirs)), theirs] == nearest[theirs])
    _, first = np.unique(theirs[mutual], return_index=True)
    matched = mutual[np.sort(first)]
    return matched, theirs[matched]


def matched_z(target: Float32, reference: Float32, pairs: tuple[Ints, Ints]) -> float:
    """Z of matched pairs on rows that did not match them, `[h, m]` each.

    Null: the pairs are relabelled among themselves. 0 where there are fewer than `MIN_PAIRS`.
    """
    if len(pairs[0]) < MIN_PAIRS:
        return 0.0
    ours, theirs = (
        _centred(side[:, index]) for side, index in zip((target, reference), pairs, strict=True)
    )
    aligned = float(np.sum(ours * theirs))
    variance = float(np.sum((ours @ ours.T) * (theirs @ theirs.T))) / (len(pairs[0]) - 1)
    return aligned / variance**0.5 if variance > 0 else 0.0


def contrast_to_controls(z: Float64, controls: Float64) -> Float64:
    """How far z stands above the median of `controls`, in deviations of never less than 1.

    z has variance 1 over relabellings; a spread of few controls that happens to be small must not
    make it more. The error of their median is part of the deviation.
    """
    centre = float(np.median(controls))
    spread = MAD_TO_SD * float(np.median(np.abs(controls - centre)))
    deviation = max(1.0, spread) * (1 + _MEDIAN_VARIANCE / len(controls)) ** 0.5
    return np.asarray((z - centre) / deviation)


def _centred(vectors: Float32) -> Float64:
    return np.asarray(vectors - vectors.mean(axis=1, keepdims=True), dtype=np.float64)


def _unit(vectors: npt.NDArray[Any]) -> npt.NDArray[Any]:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-30))
