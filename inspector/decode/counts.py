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


_NF4_ZERO: Final = 7


_INTEGERS: Final = frozenset({Number.SIGNED, Number.OFFSET, Number.UNSIGNED})


def is_float(coding: Coding) -> bool:
    """Whether codes are floating-point numbers, which can saturate."""
    return coding.number in _LARGEST


def is_integer(coding: Coding) -> bool:
    """Whether codes are integers: of the others, those that are no floats are places in a table."""
    return coding.number in _INTEGERS


def largest_code(coding: Coding) -> int:
    """The code of the largest finite magnitude of a floating-point format."""
    return _LARGEST[coding.number]


def code_magnitudes(codes: Array, coding: Coding, columns: int) -> Magnitudes:
    """`[rows, columns]` codes without their sign, one a byte; 0 where the code stands for zero.

    The NaN of the FNUZ formats, which is a sign alone, keeps it.
    """
    single = unpack(codes, coding.bits, columns)
    sign = 1 << (coding.bits - 1)
    if coding.number is Number.UNSIGNED:
        return single
    if coding.number is Number.NF4:
        return single ^ np.uint8(_NF4_ZERO)
    if coding.number is Number.OFFSET:
        return single ^ np.uint8(sign)
    if coding.number in _WITHOUT_MINUS_ZERO:
        return np.where(single == sign, single, single & np.uint8(sign - 1))
    return single & np.uint8(sign - 1)


def saturated_codes(codes: Array, coding: Coding, columns: int) -> int:
    """How many codes are at the largest finite magnitude (448 for E4M3)."""
    return int(np.count_nonzero(code_magnitudes(codes, coding, columns) == largest_code(coding)))


class ZeroBlocks:
    """Counts the blocks that hold only zeros, of rows that come piece by piece, in order.

    `first_column` is that of the first column given, in the matrix: blocks are cut where the matrix
    has them. A block of which some rows came is counted by those.
    """

    def __init__(self, block: tuple[int, int], *, first_column: int = 0) -> None:
        self._height, self._width = block
        self._first_column = first_column
        self._row: int | None = None
        self._used: Magnitudes = np.empty(0, dtype=np.uint8)
        self._count = 0

    def add(self, magnitudes: Magnitudes, first_row: int) -> None:
        """Take in some rows; `first_row` is that of the first one, in the matrix."""
        rows, columns = magnitudes.shape
        if not magnitudes.size:
            return
        height, width = self._height, self._width
        edges = sorted({0, *range(height - first_row % height, rows, height), rows})
        starts = sorted({0, *range(width - self._first_column % width, columns, width)})
        for start, stop in pairwise(edges):
            used = np.bitwise_or.reduce(magnitudes[start:stop], axis=0)
            by_block = np.bitwise_or.reduceat(used, starts)
            row = (first_row + start) // height
            if row == self._row:
                self._used = self._used | by_block
            else:
                self._finish_row()
                self._row, self._used = row, by_block

    def count(self) -> int:
        """How many there were; nothing comes after this."""
        self._finish_row()
        self._row = None
        return self._count

    def _finish_row(self) -> None:
        if self._row is not None:
            self._count += int(np.count_nonzero(self._used == 0))
