"""Neurons of experts beside the same ones of their parents: their cosines, the parents' lengths."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from inspector.stats.matching import Preparation, row_standards, strips, unit_neurons

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class NeuronPairs:
    """Neurons of n experts beside the same ones of their parents, each `[n, m]`.

    `cosines` are of a pair, `lengths` of the parent's neurons, relative to their rms.
    """

    cosines: Float64
    lengths: Float64

    def take(self, experts: Ints | slice) -> "NeuronPairs":
        """Those of some experts."""
        return NeuronPairs(self.cosines[experts], self.lengths[experts])

    def opposite(self) -> "NeuronPairs":
        """Those of experts with every neuron negated."""
        return NeuronPairs(-self.cosines, self.lengths)


def neuron_pairs(
    targets: Float32,
    references: Float32,
    preparation: Preparation,
    parents: Ints | None = None,
) -> NeuronPairs:
    """Each neuron of n targets beside the same one of its reference.

    Args:
        targets: `[n, k, m]` raw rows.
        references: `[R, k, m]` raw rows.
        preparation: of the layer: both sides lose the directions that all experts share.
        parents: which reference is each target's, `[n]`; None where it is that of its place.

    Rows are standardised by the parent's mean and deviation on both sides: the child's own depend
    on its new neurons.
    """
    return Parents(references, preparation).pairs(targets, parents)


class Parents:
    """Parents `[R, k, m]`, ready for `pairs` with several sets of children.

    `lengths` are of their neurons `[R, m]`, relative to the rms, with every row weighing the same.
    """

    def __init__(self, raw: Float32, preparation: Preparation) -> None:
        units = unit_neurons(raw)
        self._preparation = preparation
        self._mean, self._scale = row_standards(units)
        self._directions = self._directions_of(units, self._mean, self._scale)
        rows = raw * self._scale
        lengths = np.sqrt(np.einsum("rkm,rkm->rm", rows, rows), dtype=np.float64)
        self.lengths = lengths / np.maximum(rms(lengths[:, None]), 1e-30)[:, None]

    def pairs(self, children: Float32, parents: Ints | None = None) -> NeuronPairs:
        """Children beside the parent of each, by default that of its place."""
        own = np.arange(len(children)) if parents is None else parents
        cosines = np.empty((len(children), children.shape[2]))
        for strip in strips(children):
            units, parent = unit_neurons(children[strip]), own[strip]
            ours = self._directions_of(units, self._mean[parent], self._scale[parent])
            np.einsum("nkm,nkm->nm", ours, self._directions[parent], out=cosines[strip])
        return NeuronPairs(cosines, self.lengths[own])

    def drifted_cosines(
        self, raw: Float32, noise: Float32, drifts: Sequence[float]
    ) -> Iterator[Float64]:
        """Of parents with `raw + drift noise`, `[R, m]` for each drift.

        `raw` are their rows, or what rounding makes of these.

        Until a child's neurons get unit norm all is linear in it, and so are inner products: those
        of a neuron, its noise and the mean that is taken off give the cosines at any drift.
        """
        one, other, mean = (self.turned(part) for part in (raw, noise, self._mean))
        towards = [_inner(part, self._directions) for part in (one, other, mean)]
        lengths = _inner(raw, raw), _inner(raw, noise), _inner(noise, noise)
        squares = _inner(one, one), _inner(one, other), _inner(other, other)
        off = _inner(one, mean), _inner(other, mean), _inner(mean, mean)
        for drift in drifts:
            unit = 1 / np.sqrt(np.maximum(_square(lengths, drift), 1e-30))
            along = (towards[0] + drift * towards[1]) * unit - towards[2]
            crossed = (off[0] + drift * off[1]) * unit
            square = _square(squares, drift) * unit**2 - 2 * crossed + off[2]
            yield along / np.sqrt(np.maximum(square, 1e-30))

    def turned(self, vectors: Float32) -> Float64:
        """Rows on the scale of the parents', without the directions that all experts share."""
        basis = self._preparation.basis.astype(np.float64)
        scaled = vectors.astype(np.float64) * self._scale
        return np.asarray(scaled - basis.T @ (basis @ scaled))

    def kept_without_directions(self, squares: Float64) -> float:
        """What `turned` keeps of vectors whose rows are independent, of mean `squares` `[R, k]`.

        A ratio of mean squares.
        """
        basis = self._preparation.basis.astype(np.float64)
        left = 1 - np.square(basis).sum(axis=0)
        scaled = squares * np.square(self._scale[:, :, 0], dtype=np.float64)
        return float(np.sum(scaled * left) / max(float(squares.sum()), 1e-30))

    def _directions_of(self, units: Float32, mean: Float32, scale: Float32) -> Float32:
        """Of units, which are changed."""
        units -= mean
        units *= scale
        return self._preparation.projected(units, out=units)


def rms(experts: Float32 | Float64) -> Float64:
    """Root mean square of each expert: `[n]`, of `[n, k, m]`."""
    return np.asarray(np.sqrt(np.mean(np.square(experts, dtype=np.float64), axis=(1, 2))))


def _inner(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> Float64:
    """Of each neuron of `[R, k, m]`; one of the two may have one for all neurons."""
    one, other = np.broadcast_arrays(one, other)
    return np.asarray(np.einsum("rkm,rkm->rm", one, other, dtype=np.float64))


def _square(products: Sequence[Float64], drift: float) -> Float64:
    """Of `a + drift b`, where `products` are a.a, a.b and b.b."""
    return products[0] + 2 * drift * products[1] + drift**2 * products[2]
