"""Which rows of `down_proj` a run samples: one block by chance, without rows that are outliers."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from inspector.analysis.expert_sampler import Sampler
from inspector.analysis.expert_sides import ExpertSide
from inspector.analysis.layer_references import without_nan
from inspector.layout.families import Projection

BLOCK_ROWS: Final = 128
"""Rows are chosen inside one block of this height: there every column has one FP8 scale."""

OUTLIER_RATIO: Final = 4.0
"""A row whose rms over the references exceeds this many times the median is skipped."""

_OUTLIER_REFERENCES: Final = 16


def row_block(reference: ExpertSide, layer: int, rng: np.random.Generator) -> range:
    """The block of rows that a run samples, by chance among those of `down_proj`."""
    height = reference.shape(layer, Projection.DOWN)[0]
    start = BLOCK_ROWS * int(rng.integers(max(1, height // BLOCK_ROWS)))
    return range(start, min(height, start + BLOCK_ROWS))


def outlier_sample(experts: Sequence[int]) -> Sequence[int]:
    """The references of a layer that are read over the whole block, to find outlier rows."""
    return experts[:: -(-len(experts) // _OUTLIER_REFERENCES)]


def without_outliers(sampler: Sampler, layers: Sequence[int]) -> list[int]:
    """The rows of the sampler's block whose rms is not beyond `OUTLIER_RATIO` x the median.

    Up to 16 references of each of `layers` are read over the whole block; a row that is an
    outlier in any of these layers is left out.
    """
    outlier = np.zeros(len(sampler.rows), dtype=np.bool_)
    for layer in layers:
        experts = outlier_sample(sampler.reference.experts(layer))
        raw = sampler.read(sampler.reference, layer, experts, Projection.DOWN, sampler.rows)
        rms = np.sqrt(np.mean(np.square(without_nan(raw), dtype=np.float64), axis=(0, 2)))
        outlier |= rms > OUTLIER_RATIO * np.median(rms)
    return [row for row, skipped in zip(sampler.rows, outlier, strict=True) if not skipped]
