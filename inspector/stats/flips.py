"""Sign flips: the alignment test on outer products, which do not change where a neuron is negated.

`up` and `down` of a neuron can both be negated without a change of what the expert computes. Each
k-vector x is replaced by the upper triangle of `x x^T`; then the signed test of
`stats/matching.py` runs on these features. Null, as there: the neurons of the reference are
exchangeable. One-sided: agreement up to the sign of each neuron.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from inspector.stats.matching import (
    Preparation,
    Prepared,
    prepare_references,
    prepare_targets,
    standardised,
)

Float32 = npt.NDArray[np.float32]

MAX_FLIP_ROWS: Final = 16
"""Rows that are used: 136 products. More gain little and cost with the square."""


def outer_products(vectors: Float32) -> Float32:
    """`[experts, k (k + 1) / 2, m]`: for each neuron the products of its values in two rows.

    >>> outer_products(np.array([[[1.0], [-2.0]]], dtype=np.float32)).ravel()
    array([ 1., -2.,  4.], dtype=float32)
    """
    first, second = np.triu_indices(vectors.shape[1])
    found = np.empty((len(vectors), len(first), vectors.shape[2]), dtype=np.float32)
    for one, products in zip(vectors, found, strict=True):
        np.multiply(one[first], one[second], out=products)
    return found


def prepare_flip_references(raw: Float32) -> tuple[Preparation, Prepared]:
    """References of one layer, `[R, k, m]` raw rows, for `z_scores` up to signs."""
    features = _features(raw)
    return prepare_references(features, out=features)


def prepare_flip_targets(raw: Float32, preparation: Preparation) -> Prepared:
    """Targets, `[E, k, m]` raw rows, for `z_scores` up to signs."""
    return prepare_targets(_features(raw), preparation)


def _features(raw: Float32) -> Float32:
    return outer_products(standardised(raw[:, :MAX_FLIP_ROWS]))
