"""Experts as trained ones are: heavy tails, a shared mean, a low-rank subspace, outlier rows.

The generator of the similarity study. A layer's directions are shared by all its experts, so
experts without a common ancestor still resemble each other, as siblings in one residual basis do.
"""

from dataclasses import dataclass

import ml_dtypes
import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

_RANK = 64
_PROTOTYPES = 256


@dataclass(frozen=True, slots=True)
class Layer:
    """What all experts of a layer share, at the `k` sampled rows of `down_proj`."""

    mean: Float64
    subspace: Float64
    row_scales: Float64
    prototypes: Float64
    neurons: int

    def draw(self, count: int, rng: np.random.Generator) -> Float32:
        """`[count, k, neurons]`: experts that descend from nothing."""
        rows = len(self.mean)
        loading = 1 + 0.5 * rng.standard_normal((count, 1, self.neurons))
        own_mean = np.sqrt(0.02) * rng.standard_normal((count, rows, 1))
        shared = self.subspace @ rng.standard_normal((count, self.subspace.shape[1], self.neurons))
        noise = np.sqrt(0.68) * rng.standard_normal((count, rows, self.neurons))
        noise *= np.sqrt(3 / rng.chisquare(5, (count, 1, self.neurons)))
        noise *= np.where(rng.random(noise.shape) < 0.002, 4.0, 1.0)
        experts = loading * self.mean[:, None] + own_mean + shared + noise
        copied = rng.random((count, 1, self.neurons)) < 0.05
        chosen = rng.integers(self.prototypes.shape[1], size=(count, self.neurons))
        prototypes = np.moveaxis(self.prototypes[:, chosen], 0, 1)
        experts = np.where(copied, 0.6 * prototypes + 0.8 * experts, experts)
        norms = np.exp(0.4 * rng.standard_normal((count, 1, self.neurons)) + 0.2 * (loading - 1))
        return np.asarray(experts * norms * self.row_scales[:, None], dtype=np.float32)


def draw_layer(rows: int, neurons: int, rng: np.random.Generator) -> Layer:
    """A layer's shared directions."""
    spectrum = np.arange(1, _RANK + 1) ** -0.5
    subspace = rng.standard_normal((rows, _RANK)) * spectrum
    subspace *= np.sqrt(0.25 / np.sum(spectrum**2))
    scales = np.exp(0.4 * rng.standard_normal(rows)) * np.where(rng.random(rows) < 0.002, 6.0, 1.0)
    return Layer(
        mean=np.sqrt(0.05) * rng.standard_normal(rows),
        subspace=subspace,
        row_scales=scales,
        prototypes=rng.standard_normal((rows, _PROTOTYPES)),
        neurons=neurons,
    )


def drifted(parents: Float32, layer: Layer, sigma: float, rng: np.random.Generator) -> Float32:
    """Children: each parent plus `sigma` times a draw that shares the layer's directions."""
    noise = layer.draw(len(parents), rng)
    ratio = np.sqrt(np.mean(parents**2, axis=(1, 2)) / np.mean(noise**2, axis=(1, 2)))
    return np.asarray(parents + sigma * ratio[:, None, None] * noise, dtype=np.float32)


def reinitialised(
    parents: Float32, layer: Layer, fraction: float, rng: np.random.Generator
) -> Float32:
    """Each expert with a fraction of its neurons drawn anew."""
    fresh = rng.random((len(parents), 1, parents.shape[2])) < fraction
    return np.where(fresh, layer.draw(len(parents), rng), parents).astype(np.float32)


def quantized(experts: Float32) -> Float32:
    """The values of E4M3 codes under one scale for each 128 columns of rows in one block."""
    scale = 2.0 ** np.ceil(np.log2(np.abs(experts).max(axis=(1, 2), keepdims=True) / 448))
    codes = (experts / scale).astype(ml_dtypes.float8_e4m3fn)
    return np.asarray(codes, dtype=np.float32)
