"""What the codes of each block say without being decoded: the largest, NaN, how many at the top."""

from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from inspector.decode.blocks import Order
from inspector.decode.counts import is_float, is_integer, largest_code
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

    Of NF4, whose two signs have other values, those of the positive one, which has more of them.

    >>> magnitude_levels(Coding(Number.E2M1, 4))
    (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
    """
    table = code_table(coding)
    if is_float(coding):
        return tuple(table[: largest_code(coding) + 1].tolist())
    if is_integer(coding):
        return tuple(float(value) for value in range(1 << (coding.bits - 1)))
    return tuple(np.unique(table[table >= 0]).tolist())


def block_codes(
    codes: Array,
    coding: Coding,
    columns: int,
    block: tuple[int, int],
    *,
    two_ended: bool = False,
    is_run: bool = False,
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
        is_run: blocks go on over the ends of rows: of all these rows together there is one row of
            blocks.
        order: the columns in the order in which blocks have them; None for as they are.
    """
    single = unpack(codes, coding.bits, columns)
    if order is not None:
        single = single[:, order]
    if is_run:
        single = single.reshape(1, single.size)
    if is_float(coding):
        return _of_floats(single, coding, block)
    folded = (_from_middle if two_ended else _folded)(coding)[single]
    top = len(magnitude_levels(coding)) - 1
    none = np.zeros(_tiles(single.shape, block), dtype=np.int64)
    if two_ended:
        ends = sum((_any(single == code, block) for code in _ends(coding)), none)
    else:
        ends = _any(folded == top, block)
    return BlockCodes(
        largest=_largest(folded, block),
        nan=none,
        infinite=none,
        top=_count(folded == top, block),
        second=_count(folded == top - 1, block),
        ends=ends,
    )


def _ends(coding: Coding) -> tuple[int, int]:
    """The codes of the lowest and of the highest integer."""
    table = code_table(coding)
    return int(table.argmin()), int(table.argmax())


@lru_cache(maxsize=16)
def _from_middle(coding: Coding) -> Bytes:
    """`[2 ** bits]` distance of every integer code from the middle of all: 0 of the next to it."""
    table = code_table(coding)
    steps = table - table.min()
    half = len(table) // 2
    middle: Bytes = np.where(steps < half, half - 1 - steps, steps - half).astype(np.uint8)
    return middle


@lru_cache(maxsize=16)
def _folded(coding: Coding) -> Bytes:
    """`[2 ** bits]` magnitude of every code that is no float, as a place in `magnitude_levels`.

    It counts from the largest of its sign: the lowest integer has no like, and is as the next one;
    NF4 has a value fewer below zero.
    """
    table, top = code_table(coding), len(magnitude_levels(coding)) - 1
    if is_integer(coding):
        return np.minimum(np.abs(table), top).astype(np.uint8)
    folded = np.zeros(len(table), dtype=np.uint8)
    for sign in (table, -table):
        largest_first = np.argsort(-sign)[: np.count_nonzero(sign > 0)]
        folded[largest_first] = top - np.arange(len(largest_first))
    return folded


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
