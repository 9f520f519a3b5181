"""bitsandbytes' weights of 4 bits: blocks of a flat run of codes, and the state beside them. Pure.

Headers tell how many codes there are, in one column of bytes; their shape and the size of a block
are in a tensor of bytes that holds JSON (bitsandbytes 0.50 `functional.py`, `QuantState.as_dict`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from inspector.catalog import TensorRow
from inspector.errors import LayoutError
from inspector.format.dtypes import Dtype
from inspector.layout.endings import Part
from inspector.layout.scales import Granularity, Nested, ScaleGrid

BLOCKS: Final = (64, 128, 256, 512, 1024, 2048, 4096, 32)
"""Sizes that `quantize_4bit` takes, its default first."""

STATES: Final = (Part.NF4_STATE, Part.FP4_STATE)

_NESTED_BLOCK: Final = 256


@dataclass(frozen=True, slots=True)
class State:
    """What the state of a weight says: its shape, the codes of a block, and how scales are coded.

    `nested_block` is None where the scales are numbers.
    """

    shape: tuple[int, int]
    block: int
    nested_block: int | None
    offset: float


class _Fields(msgspec.Struct):
    shape: tuple[int, int]
    blocksize: int
    nested_blocksize: int | None = None
    nested_offset: float = 0.0


def parse_state(content: bytes, *, name: str) -> State:
    """The state from its bytes.

    Raises:
        LayoutError: no JSON, or without a shape of two axes and the size of a block.
    """
    try:
        fields = msgspec.json.decode(content, type=_Fields)
    except msgspec.MsgspecError as error:
        raise LayoutError(f"{name}: no state of a matrix of bitsandbytes: {error}") from error
    sizes = (*fields.shape, fields.blocksize, fields.nested_blocksize or 1)
    if min(sizes) < 1:
        raise LayoutError(f"{name}: sizes should be positive, are {list(sizes)}")
    return State(fields.shape, fields.blocksize, fields.nested_blocksize, fields.nested_offset)


def flat_grid(name: str, codes: int, parts: Mapping[Part, TensorRow]) -> ScaleGrid:
    """The scales of `codes` codes that are one row, before the state is read.

    Raises:
        LayoutError: no size of a block that bitsandbytes has fits their number.
    """
    scale = parts[Part.SCALE]
    fitting = [block for block in BLOCKS if scale.shape == (-(-codes // block),)]
    if not fitting:
        raise LayoutError(
            f"{name}: {codes:,} codes in blocks of 32 to 4096 do not make the {list(scale.shape)} "
            f"scales of {scale.name}"
        )
    inner, table = parts.get(Part.NESTED_SCALE), parts.get(Part.NESTED_CODEBOOK)
    nested = None
    if inner is not None and table is not None:
        nested = Nested(inner, table, _NESTED_BLOCK, 0.0)
        _check_nested(name, scale, nested)
    if (scale.dtype is Dtype.U8) != (nested is not None):
        raise LayoutError(
            f"{name}: its {scale.dtype} scales are {'codes' if nested is None else 'numbers'}, and "
            f"their own scales and table are {'missing' if nested is None else 'there'}"
        )
    block, shape = (1, fitting[0]), (1, scale.count)
    return ScaleGrid(scale, Granularity.GROUP, block, shape, nested=nested)


def settled_grid(name: str, flat: ScaleGrid, state: State, codes: int) -> ScaleGrid:
    """The scales of a matrix, as its state lays them over it.

    Raises:
        LayoutError: the state is not that of these codes and scales.
    """
    rows, columns = state.shape
    scale, nested = flat.tensor, flat.nested
    padded = rows * columns + rows * columns % 2
    if padded != codes or scale.shape != (-(-rows * columns // state.block),):
        raise LayoutError(
            f"{name}: its state says {list(state.shape)} in blocks of {state.block}; there are "
            f"{codes:,} codes and {list(scale.shape)} scales"
        )
    if (state.nested_block is None) != (nested is None):
        raise LayoutError(f"{name}: of nested scales, its state says what its tensors do not")
    if nested is not None and state.nested_block is not None:
        nested = replace(nested, block=state.nested_block, offset=state.offset)
        _check_nested(name, scale, nested)
    straddles = columns % state.block != 0
    shape = (rows, columns // state.block) if not straddles else (1, scale.count)
    return replace(
        flat, block=(1, state.block), shape=shape, nested=nested,
        row_length=columns if straddles else 0,
    )  # fmt: skip


def _check_nested(name: str, scale: TensorRow, nested: Nested) -> None:
    needed = -(-scale.count // nested.block)
    if nested.scale.shape != (needed,) or nested.table.shape != (256,):
        raise LayoutError(
            f"{name}: {scale.count:,} scales in blocks of {nested.block} need {[needed]} scales "
            f"of their own and a table of [256], got {list(nested.scale.shape)} and "
            f"{list(nested.table.shape)}"
        )
