"""Codes to values: unpacked, then what stands beside them applied block by block.

The commonest case, FP8 codes times block scales, is one pass of the kernel of `fused.py` where that
was compiled. All else is done in strips of rows that a cache holds, step by step. Every product of
a code and a scale is rounded once: what comes before the last step is exact. NaN codes and NaN
scales give NaN: audits count them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from inspector.decode import fused
from inspector.decode.numeric import Array, Float32
from inspector.decode.packed import code_values
from inspector.errors import DecodeError
from inspector.format.codings import Action, Coding

STRIP_ELEMENTS: Final = 1 << 18
"""Values decoded at a time: 64 rows of 4096 stay in a 1 MB cache. Medians of 25 rounds for 18.9 M
E4M3 codes by 128x128: 11.2 ms, with strips of half the size 11.7, an eighth 13.2."""

Order = npt.NDArray[np.int64]
"""`[columns]`: the group of each column."""

Work = npt.NDArray[Any]
"""Values on the way: float32, or float64 where a step before the last is not exact."""


@dataclass(frozen=True, slots=True)
class Factor:
    """Numbers `[grid rows, grid columns]`, each over a `block` of rows and columns of codes.

    `first_row` is the row of the grid's first block that the first row of codes is. `order` says
    which column of the grid each column of codes has, where groups are not of neighbours.
    `first_block` is there where blocks go on over the ends of rows: the numbers are one row then,
    `first_block` says which of all the first is, and `first_row` counts in the whole matrix.
    """

    numbers: Float32
    block: tuple[int, int]
    action: Action = Action.MULTIPLY
    first_row: int = 0
    order: Order | None = None
    first_block: int | None = None

    def apply(self, strip: Work, start: int, columns: int) -> None:
        """Change rows `[start, start + len(strip))` in place; they lie in one row of blocks."""
        block_rows, block_columns = self.block
        first = self.first_row + start
        if self.first_block is not None:
            own = self.run(first, len(strip), columns)
            _OPERATIONS[self.action](strip, own, out=strip)
            return
        if block_rows == 1:
            own = self.numbers[first : first + len(strip)]
        else:
            own = self.numbers[first // block_rows : first // block_rows + 1]
        if self.order is not None:
            own = own[:, self.order]
        elif own.shape[1] > 1:
            # Repeating is quicker than broadcasting over runs of a group's length.
            own = np.repeat(own, block_columns, axis=1)[:, :columns]
        _OPERATIONS[self.action](strip, own, out=strip)

    def run(self, first: int, rows: int, columns: int) -> Float32:
        """`[rows, columns]`: the number of each value, of blocks that go on over the ends of rows.

        >>> two = Factor(np.array([[7, 8]], dtype=np.float32), (1, 4), first_block=1)
        >>> two.run(1, 1, 6)
        array([[7., 7., 8., 8., 8., 8.]], dtype=float32)
        """
        width = self.block[1]
        start, stop = first * columns, (first + rows) * columns
        low, high = start // width, -(-stop // width)
        before = self.first_block or 0
        wide = np.repeat(self.numbers[0, low - before : high - before], width)
        found: Float32 = wide[start - low * width : stop - low * width].reshape(rows, columns)
        return found


_OPERATIONS: Final = {
    Action.SUBTRACT: np.subtract,
    Action.MULTIPLY: np.multiply,
    Action.DIVIDE: np.divide,
    Action.ADD: np.add,
}


def decode_rows(
    codes: Array, coding: Coding, columns: int, factors: Sequence[Factor], *, to_odd: bool = False
) -> Float32:
    """The values of some rows of a quantized matrix, `[rows, columns]`.

    Args:
        codes: `[rows, stored]` elements, as stored.
        coding: what a code means.
        columns: of the matrix, in codes.
        factors: applied in their order.
        to_odd: round what float32 cannot hold to the neighbour whose last bit is 1. Rounding that
            to a format of at most 22 bits gives what rounding the exact value once would (Boldo
            and Melquiond, 2008); rounding to nearest twice does not.

    Raises:
        DecodeError: the numbers of a factor do not tile the codes.
    """
    rows = len(codes)
    for factor in factors:
        check_tiles(factor, rows, columns)
    values = np.empty((rows, columns), dtype=np.float32)
    match factors:
        case [Factor(numbers, block, Action.MULTIPLY, first_row, None, None)] if (
            not to_odd and fused.takes(coding)
        ):
            fused.multiply_blocks(codes, coding, numbers, block, first_row=first_row, out=values)
        case _:
            decode_strips(codes, coding, factors, values, to_odd=to_odd)
    return values


@np.errstate(over="ignore", invalid="ignore")  # infinities and NaN are values here
def decode_strips(
    codes: Array, coding: Coding, factors: Sequence[Factor], out: Float32, *, to_odd: bool = False
) -> None:
    """What `decode_rows` gives for any factors, strip by strip, into `out` `[rows, columns]`."""
    exact = not to_odd and _are_exact(factors)
    rows, columns = out.shape
    for start, stop in _strips(rows, columns, factors):
        strip = out[start:stop]
        code_values(codes[start:stop], coding, strip)
        if exact:
            for factor in factors:
                factor.apply(strip, start, columns)
            continue
        work = strip.astype(np.float64)
        for factor in factors:
            factor.apply(work, start, columns)
        strip[...] = rounded_to_odd(work) if to_odd else work


def rounded_to_odd(values: npt.NDArray[np.float64]) -> Float32:
    """Float64 as float32; what does not fit goes to the neighbour whose last bit is 1.

    >>> rounded_to_odd(np.array([1.0, 1 + 2.0**-30])).tolist()
    [1.0, 1.0000001192092896]
    """
    with np.errstate(over="ignore"):
        near = values.astype(np.float32)
    back = near.astype(np.float64)
    other = np.nextafter(near, np.where(values > back, np.float32(np.inf), np.float32(-np.inf)))
    is_even = near.view(np.uint32) & 1 == 0
    fits = (back == values) | np.isinf(near) | np.isnan(near)
    result: Float32 = np.where(is_even & ~fits, other, near)
    return result


def _are_exact(factors: Sequence[Factor]) -> bool:
    """Whether float32 holds what comes before the last step: of codes of at most 8 bits.

    Whole numbers may be taken off; a product may be added to where its scale has 16 bits or fewer.
    """
    adds = any(factor.action is Action.ADD for factor in factors)
    for factor in factors:
        numbers = factor.numbers
        if factor.action is Action.SUBTRACT and not np.array_equal(numbers, np.rint(numbers)):
            return False
        if adds and factor.action is Action.MULTIPLY and (numbers.view(np.uint32) & 0xFF).any():
            return False
    return True


def _strips(rows: int, columns: int, factors: Sequence[Factor]) -> list[tuple[int, int]]:
    """Rows `[0, rows)` in strips, none of which crosses the edge of a block."""
    edges = {*range(0, rows, max(1, STRIP_ELEMENTS // max(columns, 1))), rows}
    for factor in factors:
        height = factor.block[0]
        if height > 1:
            edges.update(range(height - factor.first_row % height, rows, height))
    return list(pairwise(sorted(edges)))


def _is_within(order: Order, groups: int) -> bool:
    return not order.size or 0 <= int(order.min()) <= int(order.max()) < groups


def check_tiles(factor: Factor, rows: int, columns: int) -> None:
    """Refuse a factor whose numbers are not those of so many rows and columns of codes.

    Raises:
        DecodeError: they do not tile them.
    """
    height, width = factor.block
    shape, order = factor.numbers.shape, factor.order
    if factor.first_block is not None:
        last = -(-(factor.first_row + rows) * columns // width) - factor.first_block
        if len(shape) != 2 or shape[1] < last:
            raise DecodeError(
                f"{[rows, columns]} from row {factor.first_row} in blocks of {width} needs {last} "
                f"scales, got {list(shape)}"
            )
        return
    if order is not None and (len(order) != columns or not _is_within(order, shape[-1])):
        raise DecodeError(
            f"an order of {len(order)} columns, in groups {order.min(initial=0)} to "
            f"{order.max(initial=0)}, for {[rows, columns]} in {shape[-1]} groups"
        )
    wide = -(-columns // width) if order is None else shape[-1]
    needed = (-(-(factor.first_row + rows) // height), wide)
    if len(shape) != 2 or shape[0] < needed[0] or shape[1] != needed[1]:
        raise DecodeError(
            f"{[rows, columns]} from row {factor.first_row} in {[height, width]} blocks needs "
            f"scales {list(needed)}, got {list(shape)}"
        )
