"""Weights as producers encode them: codes and scales of any format, by any rounding of the scale.

Written by the definitions, value by value where speed allows, and not with the code under test.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import ml_dtypes
import numpy as np
import numpy.typing as npt

from inspector.format.codings import Coding, Number

Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]

TYPES: Final = MappingProxyType[Number, Any](
    {
        Number.E4M3: ml_dtypes.float8_e4m3fn,
        Number.E5M2: ml_dtypes.float8_e5m2,
        Number.E4M3FNUZ: ml_dtypes.float8_e4m3fnuz,
        Number.E5M2FNUZ: ml_dtypes.float8_e5m2fnuz,
        Number.E2M1: ml_dtypes.float4_e2m1fn,
    }
)
_FP4: Final = tuple(value / 12 for value in (0, 1 / 16, 8, 12, 4, 6, 2, 3))
TABLES: Final = MappingProxyType[Number, tuple[float, ...]](
    {
        Number.NF4: (
            -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
            -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
            0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
            0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
        ),
        Number.FP4: (*_FP4, *(-value for value in _FP4)),
    }
)  # fmt: skip
"""The values of bitsandbytes' codes, by their places."""

BF16: Final = np.dtype(ml_dtypes.bfloat16)
E4M3: Final = np.dtype(ml_dtypes.float8_e4m3fn)
E8M0: Final = np.dtype(ml_dtypes.float8_e8m0fnu)


@dataclass(frozen=True, slots=True)
class Encoded:
    """`[rows, columns]` codes, one a byte; scales and zero points `[block rows, block columns]`."""

    codes: npt.NDArray[np.uint8]
    scale: Float64
    zero: Float64 | None = None


def largest_value(coding: Coding) -> float:
    """The largest value of a coding; of integers, of a symmetric range."""
    if coding.number in TYPES:
        return float(ml_dtypes.finfo(TYPES[coding.number]).max)  # type: ignore[no-untyped-call] # no stubs
    if coding.number in TABLES:
        return 1.0
    return float((1 << (coding.bits - 1)) - 1)


def blocks_of(weight: Float64, block: tuple[int, int]) -> tuple[Float64, Float64]:
    """The lowest and the highest value of each block."""
    rows, columns = (-(-size // one) for size, one in zip(weight.shape, block, strict=True))
    wide = np.full((rows * block[0], columns * block[1]), np.nan)
    wide[: weight.shape[0], : weight.shape[1]] = weight
    tiles = wide.reshape(rows, block[0], columns, block[1])
    return np.nanmin(tiles, axis=(1, 3)), np.nanmax(tiles, axis=(1, 3))


def spread(numbers: Float64, block: tuple[int, int], shape: tuple[int, ...]) -> Float64:
    """One number a place, from one a block."""
    return np.asarray(np.kron(numbers, np.ones(block))[: shape[0], : shape[1]], dtype=np.float64)


POLICIES: Final = MappingProxyType[str, Callable[[Float64, float], Any]](
    {
        "exact": lambda amax, most: amax / most,
        "exact 127.5": lambda amax, most: amax / (most + 0.5),
        "exact 128": lambda amax, most: amax / (most + 1),
        "ceil": lambda amax, most: 2.0 ** np.ceil(np.log2(amax / most)),
        "floor": lambda amax, most: 2.0 ** (np.floor(np.log2(amax)) - math.floor(math.log2(most))),
        "round": lambda amax, most: 2.0 ** np.round(np.log2(amax / most)),
    }
)
"""Name -> scale, from the largest magnitudes of blocks and the largest value of the format."""


def encode(
    weight: Float64,
    coding: Coding,
    block: tuple[int, int],
    policy: str,
    *,
    stored: Callable[[Float64], Float64] = lambda scale: scale.astype(np.float32).astype(float),
    clipped_by: float = 1.0,
) -> Encoded:
    """A weight in blocks, each with a scale by a policy; a block of zeros has the scale 1.

    Args:
        weight: `[rows, columns]`.
        coding: what it becomes.
        block: rows and columns of one scale.
        policy: one of `POLICIES`.
        stored: what the dtype of the scale makes of it, before the codes are made.
        clipped_by: by how much the weight is larger than its scale was made for.
    """
    low, high = blocks_of(weight, block)
    amax = np.maximum(-low, high)
    scale = POLICIES[policy](np.where(amax > 0, amax, 1), largest_value(coding))
    scale = stored(np.where(amax > 0, scale, 1.0))
    ratio = weight * clipped_by / spread(scale, block, weight.shape)
    return Encoded(codes_of(ratio, coding), scale)


def encode_range(
    weight: Float64, coding: Coding, block: tuple[int, int], *, clipped_by: float = 1.0
) -> Encoded:
    """Integers with a zero point, from the lowest to the highest of a block.

    As compressed-tensors makes them (`quantization/utils/helpers.py`, `calculate_qparams`).
    """
    low, high = blocks_of(weight, block)
    low, high = np.minimum(low, 0), np.maximum(high, 0)
    least = -float(1 << (coding.bits - 1))
    scale = np.where(high > low, (high - low) / ((1 << coding.bits) - 1), 1.0)
    scale = scale.astype(np.float32).astype(float)
    zero = np.rint(np.clip(least - low / scale, least, -least - 1))
    moved = weight * clipped_by / spread(scale, block, weight.shape) + spread(
        zero, block, weight.shape
    )
    return Encoded(codes_of(moved, coding), scale, zero)


def codes_of(values: Float64, coding: Coding) -> npt.NDArray[np.uint8]:
    """The nearest codes, those beyond the largest value at it."""
    most = largest_value(coding)
    if coding.number in TYPES:
        near = np.clip(values, -most, most).astype(np.float32).astype(TYPES[coding.number])
        return np.asarray(near.view(np.uint8))
    if coding.number in TABLES:
        off = np.abs(np.clip(values, -1, 1)[..., None] - np.array(TABLES[coding.number]))
        return np.asarray(off.argmin(axis=-1).astype(np.uint8))
    offset = 1 << (coding.bits - 1) if coding.number is Number.OFFSET else 0
    near = np.clip(np.rint(values), -most - 1, most).astype(np.int64) + offset
    return np.asarray(
        near.astype(np.uint8), dtype=np.uint8
    )  # the low byte of a negative number is its 8-bit code


def two_a_byte(codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Codes of 4 bits in pairs, the first in the low half."""
    return np.asarray(codes[:, ::2] | (codes[:, 1::2] << 4), dtype=np.uint8)
