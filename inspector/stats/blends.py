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

from inspector.stats.intervals import Interval

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

COLUMN_BLOCK: Final = 128
"""Neurons that share one FP8 scale: the target is fitted block by block, so codes serve."""

_GROUPS: Final = 16

_STEPS: Final = np.linspace(-1.0, 1.0, 33)
_ROUNDS: Final = 5
"""Shares are looked for on 33 places, then on as many around the best: at last 5e-7 apart."""


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
    sums = products.sum(axis=1)
    share = float(_mixture_shares(sums[None])[0])
    mixed = float(_residual(sums, np.float64(share)))
    chosen = float(_residual(_products(ours, own, own).sum(axis=1), np.float64(1.0)))
    half = target.size / 2
    gain = half * float(np.log(max(mixed, 1e-30) / max(chosen, 1e-30))) - neurons * float(np.log(2))
    if gain > 0:
        groups = np.arange(neurons) % _GROUPS
        share = float(from_first.mean())
        left_out = [float(from_first[groups != group].mean()) for group in range(_GROUPS)]
    else:
        by_group = products.reshape(len(products), -1, _GROUPS, products.shape[2]).sum(axis=1)
        others = 1 - np.eye(_GROUPS)
        left_out = _mixture_shares(np.einsum("gh,bhk->gbk", others, by_group)).tolist()
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


def _residual(sums: Float64, share: Float64 | np.float64) -> Float64:
    """What `share a + (1 - share) b`, with a factor for each block, leaves of the target.

    Args:
        sums: `[..., blocks, 6]`, of neurons as `_products` has them.
        share: `[...]`.
    """
    tt, aa, bb, ab, ta, tb = np.moveaxis(sums, -1, 0)
    share = np.asarray(share)[..., None]
    along = share * ta + (1 - share) * tb
    length = share**2 * aa + (1 - share) ** 2 * bb + 2 * share * (1 - share) * ab
    explained = np.divide(along**2, length, out=np.zeros_like(along), where=length > 0)
    return np.asarray(np.sum(tt - explained, axis=-1))


def _mixture_shares(sums: Float64) -> Float64:
    """`[G]` for sums `[G, blocks, 6]`: the share of 0 to 1 that leaves the least of each."""
    best, half = np.full(len(sums), 0.5), 0.5
    for _ in range(_ROUNDS):
        shares = np.clip(best[:, None] + half * _STEPS, 0.0, 1.0)
        places = _residual(sums[:, None], shares).argmin(axis=1)
        best = np.take_along_axis(shares, places[:, None], axis=1)[:, 0]
        half *= float(_STEPS[1] - _STEPS[0])
    return best
