"""What the codes of each block say without being decoded: the largest, NaN, how many at the top."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from inspector.decode.numeric import Array

_MAGNITUDE: Final = 0x7F
_NAN: Final = 0x7F
_TOP: Final = 0x7E
"""448; the code below it is 416."""

Grid = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BlockCodes:
    """Of each block of E4M3 codes, `[block rows, block columns]`.

    `largest` is the largest magnitude of a code that is a number; `nan`, `top` and `second` count
    codes that are NaN, 448 and 416, of either sign.
    """

    largest: Grid
    nan: Grid
    top: Grid
    second: Grid


def e4m3_block_codes(codes: Array, block: tuple[int, int]) -> BlockCodes:
    """The figures of each block; `codes` is `[rows, columns]` and begins at a block's edge."""
    magnitudes = codes.view(np.uint8) & _MAGNITUDE
    is_nan = magnitudes == _NAN
    numbers = np.where(is_nan, np.uint8(0), magnitudes)
    return BlockCodes(
        largest=_by_block(np.maximum, numbers, block),
        nan=_by_block(np.add, is_nan, block),
        top=_by_block(np.add, magnitudes == _TOP, block),
        second=_by_block(np.add, magnitudes == _TOP - 1, block),
    )


def _by_block(operation: np.ufunc, values: Array, block: tuple[int, int]) -> Grid:
    rows, columns = values.shape
    by_row = operation.reduceat(values, range(0, rows, block[0]), axis=0, dtype=np.int64)
    return np.asarray(operation.reduceat(by_row, range(0, columns, block[1]), axis=1))
