"""What is counted of codes themselves, whatever their scale: zeros, and the largest ones."""

from itertools import pairwise
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from inspector.decode.numeric import Array
from inspector.decode.packed import unpack
from inspector.format.codings import Coding, Number

Magnitudes = npt.NDArray[np.uint8]

_LARGEST: Final = MappingProxyType(
    {
        Number.E4M3: 0x7E,
        Number.E5M2: 0x7B,
        Number.E4M3FNUZ: 0x7F,
        Number.E5M2FNUZ: 0x7F,
        Number.E3M2: 0x1F,
        Number.E2M3: 0x1F,
        Number.E2M1: 0x07,
    }
)
"""The largest finite magnitude of each format, as a code without its sign."""

_WITHOUT_MINUS_ZERO: Final = frozenset({Number.SIGNED, Number.E4M3FNUZ, Number.E5M2FNUZ})
"""Formats where the sign bit alone is no zero: -128, or the one NaN of FNUZ."""


def is_float(coding: Coding) -> bool:
    """Whether codes are floating-point numbers, which can saturate."""
    return coding.number in _LARGEST


def largest_code(coding: Coding) -> int:
    """The code of the largest finite magnitude of a floating-point format."""
    return _LARGEST[coding.number]


def code_magnitudes(codes: Array, coding: Coding, columns: int) -> Magnitudes:
    """`[rows, columns]` codes without their sign, one a byte; 0 where the code stands for zero.

    The NaN of the FNUZ formats, which is a sign alone, keeps it.
    """
    single = unpack(codes, coding.bits, columns)
    sign = 1 << (coding.bits - 1)
    if coding.number is Number.OFFSET:
        return single ^ np.uint8(sign)
    if coding.number in _WITHOUT_MINUS_ZERO:
        return np.where(single == sign, single, single & np.uint8(sign - 1))
    return single & np.uint8(sign - 1)


def saturated_codes(codes: Array, coding: Coding, columns: int) -> int:
    """How many codes are at the largest finite magnitude (448 for E4M3)."""
    return int(np.count_nonzero(code_magnitudes(codes, coding, columns) == largest_code(coding)))


def zero_blocks(
    magnitudes: Magnitudes, block: tuple[int, int], *, first_row: int = 0, first_column: int = 0
) -> int:
    """How many blocks hold only zeros, among the rows and columns given.

    `first_row` and `first_column` are those of `magnitudes[0, 0]` in the matrix: blocks are cut
    where the matrix has them.
    """
    rows, columns = magnitudes.shape
    if not magnitudes.size:
        return 0
    edges = sorted({0, *range(block[0] - first_row % block[0], rows, block[0]), rows})
    starts = sorted({0, *range(block[1] - first_column % block[1], columns, block[1])})
    count = 0
    for start, stop in pairwise(edges):
        used = np.bitwise_or.reduce(magnitudes[start:stop], axis=0)
        count += int(np.count_nonzero(np.bitwise_or.reduceat(used, starts) == 0))
    return count
