"""Two parents: were they averaged (interpolation), or does each neuron come from one (chimera)?

Two models of a target with known parents are compared by description length: every neuron is
`alpha a + beta b` with common weights, or every neuron is one of `a`, `b` times a common factor,
which costs one bit a neuron. Neurons count alike: each is weighted by the inverse of its length
squared.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from inspector.stats.retention import Interval

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

COLUMN_BLOCK: Final = 128
"""Neurons that share one FP8 scale: the target is fitted block by block, so codes serve."""

_GROUPS: Final = 16


class Blend(StrEnum):
    """How two parents went into one expert."""

    INTERPOLATION = "interpolation"
    CHIMERA = "chimera"


@dataclass(frozen=True, slots=True)
class BlendFit:
    """The better model, the first parent's share of the two, and by how much it is better.

    `share` is of weights or of neurons, with a 95 % jackknife interval; `gain` is the difference of
    the description lengths in nats, never negative; `neurons` is the size of the sample.
    """

    blend: Blend
    share: Interval
    gain: float
    neurons: int


def fit_blend(target: Float32, first: Float32, second: Float32) -> BlendFit:
    """Fit both models to a target and two accepted parents, `[k, m]` raw rows each."""
    neurons = target.shape[1]
    norms = np.linalg.norm(target, axis=0)
    weights = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
    ours, one, other = (_centred(side * weights) for side in (target, first, second))
    products = _products(ours, one, other)
    from_first = _cosines(ours, one) >= _cosines(ours, other)
    own = np.where(from_first, one, other)
    mixed = _residual(products, _mixture_share(products))
    chosen = _residual(_products(ours, own, own), 1.0)
    half = target.size / 2
    gain = half * float(np.log(max(mixed, 1e-30) / max(chosen, 1e-30))) - neurons * float(np.log(2))
    groups = np.arange(max(neurons, COLUMN_BLOCK)) % _GROUPS
    if gain > 0:
        share = float(from_first.mean())
        left_out = [float(from_first[groups[:neurons] != group].mean()) for group in range(_GROUPS)]
    else:
        share = _mixture_share(products)
        left_out = [
            _mixture_share(products[:, groups[:COLUMN_BLOCK] != group]) for group in range(_GROUPS)
        ]
    error = float(np.sqrt((_GROUPS - 1) / _GROUPS * np.sum((np.array(left_out) - share) ** 2)))
    return BlendFit(
        Blend.CHIMERA if gain > 0 else Blend.INTERPOLATION,
        Interval(share, max(0.0, share - 1.96 * error), min(1.0, share + 1.96 * error)),
        abs(gain),
        neurons,
    )


def _centred(rows: Float64) -> Float64:
    """Without the mean of each row over the neurons of a block: they have one factor in common."""
    edges = range(0, rows.shape[1], COLUMN_BLOCK)
    blocks = [rows[:, start : start + COLUMN_BLOCK] for start in edges]
    return np.concatenate([block - block.mean(axis=1, keepdims=True) for block in blocks], axis=1)


def _cosines(one: Float64, other: Float64) -> Float64:
    norms = np.linalg.norm(one, axis=0) * np.linalg.norm(other, axis=0)
    products = np.einsum("km,km->m", one, other, dtype=np.float64)
    return np.asarray(products / np.maximum(norms, 1e-30))


def _products(target: Float64, first: Float64, second: Float64) -> Float64:
    """`[blocks, COLUMN_BLOCK, 6]`: per neuron t.t, a.a, b.b, a.b, t.a, t.b; padded with zeros."""
    squares = ((target, target), (first, first), (second, second))
    pairs = (*squares, (first, second), (target, first), (target, second))
    sums = np.stack([np.einsum("km,km->m", *pair, dtype=np.float64) for pair in pairs], axis=1)
    padding = -len(sums) % COLUMN_BLOCK
    return np.pad(sums, ((0, padding), (0, 0))).reshape(-1, COLUMN_BLOCK, len(pairs))


def _residual(products: Float64, share: float) -> float:
    """What `share a + (1 - share) b`, with a factor for each block, leaves of the target."""
    tt, aa, bb, ab, ta, tb = products.sum(axis=1).T
    along = share * ta + (1 - share) * tb
    length = share**2 * aa + (1 - share) ** 2 * bb + 2 * share * (1 - share) * ab
    explained = np.divide(along**2, length, out=np.zeros_like(along), where=length > 0)
    return float(np.sum(tt - explained))


def _mixture_share(products: Float64) -> float:
    """The share that leaves the least."""
    from scipy.optimize import minimize_scalar  # 0.1 s to load: few matches come to it

    found = minimize_scalar(
        lambda share: _residual(products, share), bounds=(0.0, 1.0), method="bounded"
    )
    return float(found.x)
