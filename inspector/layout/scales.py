"""Which scale belongs to a weight, and what one scale covers. Pure.

The name says that a tensor is a scale; its shape says which class it is (tensor, channel, group,
block); the config says how large a block is, and the two are checked against each other by ceiling
division. The block size is never derived from the grid: rows / scale rows is wrong where the last
block is partial. Sources: DeepSeek-V3 `README_WEIGHTS.md` (padded blocks, ceiling division), vLLM
`fp8_utils.py`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from inspector.catalog import Catalog, TensorRow
from inspector.errors import LayoutError
from inspector.format.dtypes import Dtype
from inspector.layout.experts import Window

_SCALE_NAMES: Final = ("{weight}_scale_inv", "{module}.scale", "{weight}_scale")
"""Names of a weight's scale, in the order they are looked for; `module` is without `.weight`, or
without `.qweight` where the codes are a tensor below the weight (`fc.weight.qweight`)."""

SCALED_DTYPES: Final = frozenset(
    {Dtype.F8_E4M3, Dtype.F8_E5M2, Dtype.F8_E4M3FNUZ, Dtype.F8_E5M2FNUZ, Dtype.I8}
)
"""Dtypes whose codes mean nothing without a scale; one that is missing is an error, not a 1."""


class Granularity(StrEnum):
    """What one scale covers."""

    TENSOR = "tensor"
    CHANNEL = "channel"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class ScaleGrid:
    """The scale of one matrix: `tensor` holds the multipliers, `block` is what each covers.

    `window` is the part of the tensor's page that belongs to the matrix, where it is fused.
    """

    tensor: TensorRow
    granularity: Granularity
    block: tuple[int, int]
    window: Window | None = None


def scale_tensor(catalog: Catalog, weight: TensorRow) -> TensorRow | None:
    """The tensor that holds the scales of a stored weight, or None."""
    module = weight.name.removesuffix(".weight").removesuffix(".qweight")
    for pattern in _SCALE_NAMES:
        name = pattern.format(weight=weight.name, module=module)
        if name != weight.name:
            found = catalog.find(name)
            if found is not None:
                return found
    return None


def scale_grid(
    weight_shape: tuple[int, ...],
    scale: TensorRow,
    declared_block: tuple[int, int] | None,
    *,
    name: str,
    window: Window | None = None,
) -> ScaleGrid:
    """The grid of a matrix's scales, proved to tile it.

    Args:
        weight_shape: `[rows, columns]` of the matrix.
        scale: its scale tensor.
        declared_block: `weight_block_size` of the config, or None.
        name: the weight's, for messages.
        window: the part of `scale` that belongs to the matrix, where several share a tensor.

    Raises:
        LayoutError: the shape fits no class, or a block scale has no declared or no fitting block.
    """
    shape = window.shape if window else scale.shape
    if len(weight_shape) != 2:
        raise LayoutError(f"{name}: a scaled weight has 2 axes, this one {list(weight_shape)}")
    rows, columns = weight_shape
    if shape in ((), (1,), (1, 1)) and not _is_block(shape, weight_shape, declared_block):
        return ScaleGrid(scale, Granularity.TENSOR, (rows, columns), window)
    if shape in ((rows,), (rows, 1)) and not _is_block(shape, weight_shape, declared_block):
        return ScaleGrid(scale, Granularity.CHANNEL, (1, columns), window)
    if declared_block is None:
        raise LayoutError(
            f"{name} {[rows, columns]}: its scale {scale.name} {list(shape)} is by block, and no "
            "weight_block_size is declared",
            hint="the block size is never guessed from the grid; config.json states it",
        )
    if not _is_block(shape, weight_shape, declared_block):
        tiles = _tiles(weight_shape, declared_block)
        raise LayoutError(
            f"{name}: {[rows, columns]} in {list(declared_block)} blocks needs scales "
            f"{list(tiles)}, {scale.name} has {list(shape)}"
        )
    return ScaleGrid(scale, Granularity.BLOCK, declared_block, window)


def scale_window(
    weight: TensorRow, window: Window, scale: TensorRow, block: tuple[int, int]
) -> Window:
    """The part of a fused tensor's scales that belongs to one expert's matrix.

    Args:
        weight: the fused tensor, `[E, a, b]`.
        window: the matrix in it.
        scale: `[E, ceil(a / block_a), ceil(b / block_b)]` scales.
        block: of the matrix as a module of its own; a transposed tensor's blocks are transposed.

    Raises:
        LayoutError: a block spans two projections, or the shapes do not fit.
    """
    stored_block = (block[1], block[0]) if window.transposed else block
    expected = tuple(
        -(-size // step) for size, step in zip(window.stored_shape, stored_block, strict=True)
    )
    if scale.shape != (weight.shape[0], *expected):
        raise LayoutError(
            f"{scale.name} {list(scale.shape)}: expected {[weight.shape[0], *expected]}"
        )
    edges = []
    for (start, stop), size, step in zip(
        (window.rows, window.columns), window.stored_shape, stored_block, strict=True
    ):
        if start % step or (stop % step and stop != size):
            raise LayoutError(f"{scale.name}: a block of {step} spans two projections at {stop}")
        edges.append((start // step, -(-stop // step)))
    return Window(window.page, (expected[0], expected[1]), edges[0], edges[1], window.transposed)


def _tiles(shape: tuple[int, ...], block: tuple[int, int]) -> tuple[int, ...]:
    return tuple(-(-size // step) for size, step in zip(shape, block, strict=True))


def _is_block(
    shape: tuple[int, ...], weight_shape: tuple[int, ...], block: tuple[int, int] | None
) -> bool:
    return block is not None and shape == _tiles(weight_shape, block)
