"""What the codes of each block say without being decoded: the largest, NaN, how many at the top."""

from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from inspector.decode.blocks import Order
from inspector.decode.counts import is_float, largest_code
from inspector.decode.numeric import Array
from inspector.decode.packed import code_table, unpack
from inspector.format.codings import Coding, Number

Bytes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Grid = npt.NDArray[np.int64]

_INFINITE: Final = MappingProxyType({Number.E5M2: 0x7C})
_FIRST_NAN: Final = MappingProxyType({Number.E4M3: 0x7F, Number.E5M2: 0x7D})
_NAN_IS_A_SIGN: Final = frozenset({Number.E4M3FNUZ, Number.E5M2FNUZ})


@dataclass(frozen=True, slots=True)
class BlockCodes:
    """Of each block of codes, `[block rows, block columns]`.

    `largest` is the largest magnitude of a code that is a number; `nan` and `infinite` count codes
    that are none; `top` and `second` those at the largest magnitude and at the one below, of either
    sign. `ends` is how many of the ends of the format are reached: of all but integers with a zero
    point, the two signs are one.
    """

    largest: Grid
    nan: Grid
    infinite: Grid
    top: Grid
    second: Grid
    ends: Grid


def code_range(coding: Coding) -> tuple[float, float]:
    """The lowest and the highest value of a code.

    >>> code_range(Coding(Number.SIGNED, 8))
    (-128.0, 127.0)
    """
    table = code_table(coding)
    finite = table[np.isfinite(table)]
    return float(finite.min()), float(finite.max())


@lru_cache(maxsize=16)
def magnitude_levels(coding: Coding) -> tuple[float, ...]:
    """The values of magnitudes 0, 1, ... of a coding, as `BlockCodes.largest` counts them.

    >>> magnitude_levels(Coding(Number.E2M1, 4))
    (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
    """
    if is_float(coding):
        return tuple(code_table(coding)[: largest_code(coding) + 1].tolist())
    return tuple(float(value) for value in range(1 << (coding.bits - 1)))


def block_codes(
    codes: Array,
    coding: Coding,
    columns: int,
    block: tuple[int, int],
    *,
    two_ended: bool = False,
    order: Order | None = None,
) -> BlockCodes:
    """The figures of each block.

    Args:
        codes: `[rows, stored]` elements, which begin at a block's edge.
        coding: what a code means.
        columns: codes of a row.
        block: rows and columns of one.
        two_ended: integers with a zero point: the lowest and the highest are the ends of a range,
            and magnitudes count from its middle.
        order: the columns in the order in which blocks have them; None for as they are.
    """
    single = unpack(codes, coding.bits, columns)
    if order is not None:
        single = single[:, order]
    if is_float(coding):
        return _of_floats(single, coding, block)
    folded = _folded(coding, two_ended=two_ended)[single]
    highest, lowest = _ends(coding)
    top = (1 << (coding.bits - 1)) - 1
    none = np.zeros(_tiles(single.shape, block), dtype=np.int64)
    ends = _any(folded == top, block)
    if two_ended:
        ends = _any(single == highest, block) + _any(single == lowest, block)
    return BlockCodes(
        largest=_largest(folded, block),
        nan=none,
        infinite=none,
        top=_count(folded == top, block),
        second=_count(folded == top - 1, block),
        ends=ends,
    )


def _ends(coding: Coding) -> tuple[int, int]:
    """The codes of the highest and of the lowest integer."""
    half = 1 << (coding.bits - 1)
    return (2 * half - 1, 0) if coding.number is Number.OFFSET else (half - 1, half)


@lru_cache(maxsize=16)
def _folded(coding: Coding, *, two_ended: bool) -> Bytes:
    """`[2 ** bits]` magnitude of every integer code, its distance from the middle if two-ended."""
    values = code_table(coding)
    middle = np.where(values < 0, -1 - values, values)
    largest = np.float32((1 << (coding.bits - 1)) - 1)
    return (middle if two_ended else np.minimum(np.abs(values), largest)).astype(np.uint8)


def _of_floats(single: Bytes, coding: Coding, block: tuple[int, int]) -> BlockCodes:
    sign, top = 1 << (coding.bits - 1), largest_code(coding)
    magnitudes = single & np.uint8(sign - 1)
    none = np.zeros(_tiles(single.shape, block), dtype=np.int64)
    nan, infinite, numbers = none, none, magnitudes
    if coding.number in _NAN_IS_A_SIGN:
        nan = _count(single == sign, block)
    elif coding.number in _FIRST_NAN:
        nan = _count(magnitudes >= _FIRST_NAN[coding.number], block)
        numbers = np.where(magnitudes > top, np.uint8(0), magnitudes)
    if coding.number in _INFINITE:
        infinite = _count(magnitudes == _INFINITE[coding.number], block)
    at_top = _count(magnitudes == top, block)
    return BlockCodes(
        largest=_largest(numbers, block),
        nan=nan,
        infinite=infinite,
        top=at_top,
        second=_count(magnitudes == top - 1, block),
        ends=np.minimum(at_top, 1),
    )


def _tiles(shape: tuple[int, ...], block: tuple[int, int]) -> tuple[int, int]:
    return -(-shape[0] // block[0]), -(-shape[1] // block[1])


def _count(mask: Mask, block: tuple[int, int]) -> Grid:
    """How many there are in each block; few are, so that they are found first."""
    rows, columns = np.divmod(np.flatnonzero(mask), mask.shape[1])
    height, width = _tiles(mask.shape, block)
    places = rows // block[0] * width + columns // block[1]
    return np.bincount(places, minlength=height * width).reshape(height, width)


def _any(mask: Mask, block: tuple[int, int]) -> Grid:
    return np.minimum(_count(mask, block), 1)


def _largest(magnitudes: Bytes, block: tuple[int, int]) -> Grid:
    rows, columns = magnitudes.shape
    if block[0] > 1:
        starts = range(0, rows, block[0])
        magnitudes = np.stack([magnitudes[at : at + block[0]].max(axis=0) for at in starts])
    if block[1] < columns:
        magnitudes = np.maximum.reduceat(magnitudes, range(0, columns, block[1]), axis=1)
    else:
        magnitudes = magnitudes.max(axis=1, keepdims=True, initial=0)
    return magnitudes.astype(np.int64)
