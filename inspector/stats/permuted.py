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


def shortlist(halves: Sequence[tuple[Prepared, Prepared]], count: int) -> Ints:
    """The `count` references most like each target whatever the order of neurons, `[E, count]`.

    Args:
        halves: targets and references, on the rows that match and on the rows that test.
        count: how long the list is.

    Ranks the correlation of third moments of the rows of a half, freed of what all references have
    in common, summed over the halves. A rank, not a test. Rows that test may be used: relabelling
    neurons changes no moment of theirs, so what it selects says nothing of the order that is
    tested. Moments across the halves would. Of neurons at an angle in k dimensions the third
    moments of two experts sum cosines cubed, the second ones (Gram matrices) squared: few retained
    neurons stand out of the sum over all pairs by k ** 0.5 more.
    """
    alike = sum(_moment_correlations(targets, references) for targets, references in halves)
    return np.argsort(-np.asarray(alike), axis=1, kind="stable")[:, :count]


def third_moments(vectors: Float32) -> Float32:
    """`sum_j x_aj x_bj x_cj` of each expert `[E, k, m]`, over a <= b and all c, `[E, n]`.

    The inner product of two is the sum over all pairs of neurons of their inner product cubed.

    >>> one, other = np.random.default_rng(0).standard_normal((2, 1, 3, 5)).astype(np.float32)
    >>> moments = third_moments(one) @ third_moments(other).T
    >>> bool(np.allclose(moments, np.sum((one[0].T @ other[0]) ** 3), rtol=1e-4))
    True
    """
    first, second = np.triu_indices(vectors.shape[1])
    weights = np.where(first == second, 1, 2**0.5).astype(np.float32)[:, None]
    found = np.empty((len(vectors), len(first) * vectors.shape[1]), dtype=np.float32)
    for x, moments in zip(vectors, found, strict=True):
        products = x[first]
        products *= x[second]
        products *= weights
        np.matmul(products, x.T, out=moments.reshape(-1, len(x)))
    return found


def match_neurons(target: Float32, reference: Float32) -> tuple[Ints, Ints]:
    """Mutually nearest neurons of two experts, `[h, m]` each: their indices on either side."""
    cosines = _unit(target.T) @ _unit(reference.T).T
    theirs = cosines.argmax(axis=1)
    ours = cosines.argmax(axis=0)
    matched = np.flatnonzero(ours[theirs] == np.arange(len(theirs)))
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


def _moment_correlations(targets: Prepared, references: Prepared) -> Float32:
    theirs = third_moments(references.vectors)
    common = theirs.mean(axis=0)
    theirs -= common
    ours = third_moments(targets.vectors) - common
    lengths = np.linalg.norm(theirs, axis=1)
    return np.asarray(_unit(ours) @ theirs.T / np.maximum(lengths, 1e-30), dtype=np.float32)


def _centred(vectors: Float32) -> Float64:
    return np.asarray(vectors - vectors.mean(axis=1, keepdims=True), dtype=np.float64)


def _unit(vectors: npt.NDArray[Any]) -> npt.NDArray[Any]:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-30))
