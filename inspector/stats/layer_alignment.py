"""Which layer of another model is a layer nearest to? From one vector of each layer; no models.

Null of each pair of layers: the dimensions of the reference's vector are in any order.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from inspector.stats.correction import log10_upper_tail
from inspector.stats.shared_basis import centred_ranks

Float64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MIN_LAYERS: Final = 3
"""With fewer layers, too little is left of a vector once what all of them share is taken off."""

CLEAR: Final = 3.0
"""How far the best must stand above the second, in standard errors of their difference."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """For each layer: the nearest of the reference, its correlation, the next best one.

    `margin` is the difference of the two in its standard errors; `log10_p` is of the best one,
    times all pairs of layers. All `[L]`.
    """

    nearest: Ints
    effect: Float64
    runner_up: Float64
    margin: Float64
    log10_p: Float64

    def is_clear(self, log10_alpha: float) -> npt.NDArray[np.bool_]:
        """Which layers have one nearest layer beyond doubt."""
        return np.asarray((self.log10_p <= log10_alpha) & (self.margin >= CLEAR))


def align_layers(ours: Float64, theirs: Float64) -> Alignment | None:
    """Compare every layer of `[L, n]` with every one of `[R, n]`; None where either has too few.

    Vectors are ranked, and each side's mean over its layers is taken off: gains of all layers of
    one model are alike, and only what is a layer's own tells layers apart.
    """
    if min(len(ours), len(theirs)) < MIN_LAYERS:
        return None
    left, right = (_own_part(side) for side in (ours, theirs))
    correlation = left @ right.T
    order = np.argsort(-correlation, axis=1, kind="stable")
    nearest, second = order[:, 0], order[:, 1]
    rows = np.arange(len(left))
    effect, runner_up = correlation[rows, nearest], correlation[rows, second]
    between = np.einsum("ln,ln->l", right[nearest], right[second])
    error = np.sqrt(np.maximum(2 * (1 - between), 1e-12) / (ours.shape[1] - 1))
    z = effect * np.sqrt(ours.shape[1] - 1)
    log10_p = np.minimum(0.0, log10_upper_tail(z) + np.log10(correlation.size))
    return Alignment(nearest, effect, runner_up, (effect - runner_up) / error, log10_p)


def _own_part(layers: Float64) -> Float64:
    """Ranks of each layer less the mean over layers, of mean zero and length one."""
    ranks = np.stack([centred_ranks(layer) for layer in layers])
    ranks -= ranks.mean(axis=0)
    ranks -= ranks.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(ranks, axis=1, keepdims=True)
    return np.asarray(np.divide(ranks, norms, out=np.zeros_like(ranks), where=norms > 0))
