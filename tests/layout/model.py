"""One tiny mixture of experts, and every way to store it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from inspector.decode.numeric import NUMPY_DTYPES
from inspector.format.dtypes import Dtype
from inspector.layout.families import Projection
from tests.strategies_arrays import Array, Float32, float32, random_codes

PREFIX = "model.language_model.layers"


class Order(StrEnum):
    """The two axis orders of fused tensors: `[E, in, out]` and a module's own `[E, out, in]`."""

    IN_OUT = "in_out"
    OUT_IN = "out_in"


@dataclass(frozen=True, slots=True)
class Experts:
    """Matrices of all experts of one layer, `[E, rows, columns]`, with a scale for each block."""

    codes: Mapping[Projection, Array]
    scales: Mapping[Projection, Float32]
    block: tuple[int, int]

    @property
    def count(self) -> int:
        return len(self.codes[Projection.UP])


def draw_experts(
    seed: int, *, count: int = 3, hidden: int = 8, size: int = 6, block: tuple[int, int] = (2, 4),
    dtype: Dtype = Dtype.F8_E4M3,
) -> Experts:  # fmt: skip
    """Random codes of a dtype, and random scales."""
    rng = np.random.default_rng(seed)
    shapes = {
        Projection.GATE: (size, hidden),
        Projection.UP: (size, hidden),
        Projection.DOWN: (hidden, size),
    }
    codes: dict[Projection, Array] = {}
    scales = {}
    for projection, shape in shapes.items():
        if dtype is Dtype.F8_E4M3:
            codes[projection] = random_codes(rng, dtype, (count, *shape))
        else:
            values = rng.standard_normal((count, *shape))
            codes[projection] = values.astype(NUMPY_DTYPES[dtype])
        grid = (count, -(-shape[0] // block[0]), -(-shape[1] // block[1]))
        scales[projection] = rng.lognormal(size=grid).astype(np.float32)
    return Experts(codes, scales, block)


def separate(experts: Experts, layer: int, *, scaled: bool = False) -> dict[str, Array]:
    """A tensor for each matrix."""
    tensors: dict[str, Array] = {}
    for projection, codes in experts.codes.items():
        for expert in range(experts.count):
            name = f"{PREFIX}.{layer}.mlp.experts.{expert}.{projection}.weight"
            tensors[name] = codes[expert]
            if scaled:
                tensors[f"{name}_scale_inv"] = experts.scales[projection][expert]
    return tensors


def fused(
    experts: Experts,
    layer: int,
    order: Order,
    *,
    scaled: bool = False,
    scale_dtype: Dtype = Dtype.F32,
) -> dict[str, Array]:
    """Two tensors for all experts, gate before up."""
    tensors: dict[str, Array] = {}
    for name, projections in (
        ("gate_up_proj", (Projection.GATE, Projection.UP)),
        ("down_proj", (Projection.DOWN,)),
    ):
        path = f"{PREFIX}.{layer}.mlp.experts.{name}"
        tensors[path] = _side_by_side([experts.codes[p] for p in projections], order)
        if scaled:
            scale = _side_by_side([experts.scales[p] for p in projections], order)
            tensors[f"{path}_scale_inv"] = scale.astype(NUMPY_DTYPES[scale_dtype])
    return tensors


def _side_by_side(matrices: list[Array], order: Order) -> Array:
    stored = np.concatenate([matrix.view(np.uint8) if matrix.itemsize == 1 else matrix
                             for matrix in matrices], axis=1).view(matrices[0].dtype)  # fmt: skip
    return np.ascontiguousarray(stored.transpose(0, 2, 1)) if order is Order.IN_OUT else stored


def decoded(experts: Experts, projection: Projection, expert: int, *, scaled: bool) -> Float32:
    """The matrix itself, each value times the scale of its block."""
    values = float32(experts.codes[projection][expert])
    if not scaled:
        return values
    scale = experts.scales[projection][expert]
    repeated = scale.repeat(experts.block[0], axis=0).repeat(experts.block[1], axis=1)
    return float32(values * repeated[: values.shape[0], : values.shape[1]])
