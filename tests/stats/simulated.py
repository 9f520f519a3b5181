"""Children of simulated experts, drawn in one call. The generator is that of `benchmarks.study`."""

import numpy as np

from benchmarks.study import operators
from benchmarks.study.generator import Float32, Layer, draw_layer, fp8_codes

__all__ = ["Layer", "draw_layer", "drifted", "quantized", "reinitialised"]

quantized = fp8_codes


def drifted(parents: Float32, layer: Layer, sigma: float, rng: np.random.Generator) -> Float32:
    """Children: each parent plus `sigma` times a draw that shares the layer's directions."""
    return operators.drifted(parents, layer.draw(len(parents), rng), sigma)


def reinitialised(
    parents: Float32, layer: Layer, fraction: float, rng: np.random.Generator
) -> Float32:
    """Each expert with a fraction of its neurons drawn anew."""
    mask = operators.neuron_mask(len(parents), parents.shape[2], fraction, rng)
    return operators.replaced(parents, layer.draw(len(parents), rng), mask)
