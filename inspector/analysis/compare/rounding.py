"""How far rounding to a dtype can move a number, to tell it from a change. Pure.

Half a unit in the last place, for the numbers that are stored; a value that was rounded to the
nearest lies no farther away.
"""

from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np

from inspector.decode.numeric import Array, Float32, to_float32
from inspector.format.dtypes import Dtype


class Precision(NamedTuple):
    """Bits of the significand with the hidden one, and log2 of the smallest subnormal."""

    bits: int
    smallest: int


PRECISION: Final = MappingProxyType(
    {
        Dtype.F8_E4M3: Precision(4, -9),
        Dtype.F8_E5M2: Precision(3, -16),
        Dtype.F8_E4M3FNUZ: Precision(4, -10),
        Dtype.F8_E5M2FNUZ: Precision(3, -17),
        Dtype.BF16: Precision(8, -133),
        Dtype.F16: Precision(11, -24),
        Dtype.F32: Precision(24, -149),
    }
)
"""OCP 8-bit Floating Point 1.0; IEEE 754; bfloat16 as F32 cut to 16 bits."""

INTEGERS: Final = frozenset({Dtype.I8})
"""Integers without an offset: a code of zero is the number zero."""


def half_units(
    codes: Array, values: Float32, dtype: Dtype, block_columns: int | None
) -> Float32 | None:
    """Half a unit in the last place of each number: `[rows, columns]`, as the codes.

    Args:
        codes: as stored.
        values: the same decoded, scale included.
        dtype: of the codes.
        block_columns: columns that share a scale, None where there is no scale.

    Returns:
        None for a dtype whose rounding is not known, and for packed codes.
    """
    if codes.shape != values.shape:
        return None
    if dtype in INTEGERS and block_columns is not None:
        units = np.full(codes.shape, 0.5, dtype=np.float32)
        plain = codes.astype(np.float32)
    elif dtype in PRECISION:
        plain = to_float32(codes, dtype)
        units = _of_floats(plain, PRECISION[dtype])
    else:
        return None
    if block_columns is None:
        return units
    return units * _scales(plain, values, block_columns)


def _of_floats(plain: Float32, precision: Precision) -> Float32:
    """Half the distance of neighbours at each number; at zero, half the smallest subnormal."""
    _, exponents = np.frexp(np.where(np.isfinite(plain), plain, 0))
    smallest = precision.smallest - 1
    halves = np.where(plain == 0, smallest, np.maximum(exponents - precision.bits - 1, smallest))
    return np.ldexp(np.float32(1), halves).astype(np.float32)


def _scales(plain: Float32, values: Float32, columns: int) -> Float32:
    """The scale of each number, from the numbers of its row's block that are not zero.

    A row of a block that is all zeros has lost its scale; it is taken for infinite, which allows
    any change: nothing can be said of it.
    """
    rows, width = plain.shape
    padding = ((0, 0), (0, -width % columns))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.abs(np.where(plain != 0, values / plain, 0))
    blocks = np.pad(np.nan_to_num(ratio), padding).reshape(rows, -1, columns)
    scale = blocks.max(axis=2, initial=0)
    scale[scale == 0] = np.inf
    return np.repeat(scale, columns, axis=1)[:, :width].astype(np.float32)
