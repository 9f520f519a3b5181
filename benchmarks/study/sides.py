"""Two models in memory, as a run reads them: FP8 targets with scales, references in BF16.

`down_proj` has 128 rows, so a run has one block to choose; gate and up have their first 128 neurons
alone, which are all that a run looks at.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import ml_dtypes
import numpy as np

from benchmarks.study.generator import Float32
from inspector.analysis.expert_sides import Scales
from inspector.decode.numeric import NUMPY_DTYPES, Array
from inspector.format.dtypes import Dtype
from inspector.layout.families import Projection
from sample_shards.build import BLOCK, quantize

HEIGHT: Final = BLOCK


@dataclass(frozen=True, slots=True)
class LayerArrays:
    """Experts of one layer: `down` `[E, HEIGHT, m]`, gate and up `[E, HEIGHT hidden, neurons]`."""

    down: Float32
    gate: Float32
    up: Float32


class ModelInMemory:
    """The experts of one model, stored as `dtype` and read as values of that dtype."""

    def __init__(self, layers: Mapping[int, LayerArrays], dtype: Dtype) -> None:
        self._dtype = dtype
        self._down: dict[int, Array] = {}
        self._scales: dict[int, Float32] = {}
        self._rows: dict[tuple[int, Projection], Array] = {}
        for layer, arrays in layers.items():
            self.add(layer, arrays)

    @property
    def layers(self) -> tuple[int, ...]:
        return tuple(self._down)

    @property
    def total_bytes(self) -> int:
        return sum(3 * down.nbytes for down in self._down.values())

    def experts(self, layer: int) -> tuple[int, ...]:
        return tuple(range(len(self._down[layer])))

    def shape(self, layer: int, projection: Projection) -> tuple[int, int]:
        _, height, neurons = self._down[layer].shape
        return (height, neurons) if projection is Projection.DOWN else (neurons, height)

    def read(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> Float32:
        stored = (
            self._down[layer] if projection is Projection.DOWN else self._rows[layer, projection]
        )
        return stored[np.ix_(experts, rows)].astype(np.float32)

    def read_requests(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        del layer, projection, rows
        return len(experts)

    def read_cost(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        size = int(NUMPY_DTYPES[self._dtype].itemsize)
        return len(experts) * len(rows) * self.shape(layer, projection)[1] * size

    def scales(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> Scales | None:
        del projection
        if layer not in self._scales:
            return None
        values = self._scales[layer][list(experts)].repeat(BLOCK, axis=2)
        neurons = self._down[layer].shape[2]
        return Scales(np.repeat(values[:, :, :neurons], len(rows), axis=1), applied=False)

    def scale_cost(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        del projection, rows
        return 4 * len(experts) * self._scales[layer].shape[2] if layer in self._scales else 0

    def dtype(self, layer: int, projection: Projection) -> Dtype:
        del layer, projection
        return self._dtype

    def add(self, layer: int, arrays: LayerArrays) -> None:
        """One more layer, of which only what is stored is kept."""
        for projection, values in ((Projection.GATE, arrays.gate), (Projection.UP, arrays.up)):
            self._rows[layer, projection] = values.transpose(0, 2, 1).astype(ml_dtypes.bfloat16)
        if self._dtype is not Dtype.F8_E4M3:
            self._down[layer] = arrays.down.astype(NUMPY_DTYPES[self._dtype])
            return
        pairs = [_quantized(expert) for expert in arrays.down]
        self._down[layer] = np.stack([codes for codes, _ in pairs])
        self._scales[layer] = np.stack([scales for _, scales in pairs])


def _quantized(expert: Float32) -> tuple[Array, Float32]:
    """Codes and scales; an expert of zeros has scales of one."""
    if not expert.any():
        blocks = -(-expert.shape[1] // BLOCK)
        return expert.astype(ml_dtypes.float8_e4m3fn), np.ones((1, blocks), dtype=np.float32)
    return quantize(expert, np.dtype(np.float32))
