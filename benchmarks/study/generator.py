"""Experts as trained ones are: heavy tails, a shared mean, a low-rank subspace, outlier rows.

The generator of the similarity study. A layer's directions are shared by all its experts, so
experts without a common ancestor still resemble each other, as siblings in one residual basis do.

Shares of a neuron's variance before scaling: 5 % along the layer's mean direction (with a loading
of 1 +- 0.5), 2 % a mean of the expert's own, 25 % in a subspace of rank 64 whose spectrum falls as
i ** -0.5, 68 % its own, with a t5 factor for each neuron and 0.2 % of entries four times as large.
5 % of neurons are copies (cosine 0.6) of 256 prototypes that all experts of the layer share. Neuron
norms are lognormal and follow the loading; hidden dimensions have lognormal scales, 0.2 % of them
six times as large.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from sample_shards.build import as_bfloat16, quantize

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

RANK: Final = 64
PROTOTYPES: Final = 256
_CHUNK_VALUES: Final = 16_000_000
"""Values drawn at a time, to bound the memory of the float64 intermediates."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What all experts of a layer share, at k of its hidden dimensions."""

    mean: Float64
    subspace: Float64
    row_scales: Float64
    prototypes: Float64
    neurons: int

    def draw(self, count: int, rng: np.random.Generator) -> Float32:
        """`[count, k, neurons]`: experts that descend from nothing."""
        size = max(1, _CHUNK_VALUES // (len(self.mean) * self.neurons))
        chunks = [self._draw(min(size, count - start), rng) for start in range(0, count, size)]
        return np.concatenate(chunks) if len(chunks) > 1 else chunks[0]

    def _draw(self, count: int, rng: np.random.Generator) -> Float32:
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
    spectrum = np.arange(1, RANK + 1) ** -0.5
    subspace = rng.standard_normal((rows, RANK)) * spectrum
    subspace *= np.sqrt(0.25 / np.sum(spectrum**2))
    scales = np.exp(0.4 * rng.standard_normal(rows)) * np.where(rng.random(rows) < 0.002, 6.0, 1.0)
    return Layer(
        mean=np.sqrt(0.05) * rng.standard_normal(rows),
        subspace=subspace,
        row_scales=scales,
        prototypes=rng.standard_normal((rows, PROTOTYPES)),
        neurons=neurons,
    )


def fp8_codes(experts: Float32) -> Float32:
    """The values of the E4M3 codes of each expert `[k, m]`, without their scales.

    The producer's rule, amax / 448 for each 128 x 128 block. Of fewer than 128 rows the largest
    value is that of these rows alone, so the codes use the top of their range fully.
    """
    return np.stack([codes for codes, _ in _quantized(experts)])


def fp8_values(experts: Float32) -> Float32:
    """What a reader that multiplies codes by scales gets: `fp8_codes` times their scales."""
    rows, neurons = experts.shape[1:]
    return np.stack(
        [
            codes * scales.repeat(128, axis=0)[:rows].repeat(128, axis=1)[:, :neurons]
            for codes, scales in _quantized(experts)
        ]
    )


def _quantized(experts: Float32) -> Iterator[tuple[Float32, Float32]]:
    for expert in experts:
        codes, scales = quantize(expert, np.dtype(np.float32))
        yield codes.astype(np.float32), scales


def bf16_values(experts: Float32) -> Float32:
    """Values as a BF16 checkpoint stores them."""
    return as_bfloat16(experts)
