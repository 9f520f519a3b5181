"""Do the codes come back when the decoded values are quantized again by the producer's rule?

The rule is told from what stands beside the codes (`rounding_rules.py`), and of floats from the
scales themselves: all are powers of two, or not. A scale that cut values off looks like one that
just fits: what was cut is gone, and its codes come back as well.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import msgspec
import numpy as np

from inspector.analysis.rounding_rules import Blocks, Rule, again, rule_of, rule_text
from inspector.decode.blocks import Factor
from inspector.decode.numeric import Array, Float32
from inspector.decode.packed import unpack
from inspector.format.codings import Action, Coding, Number
from inspector.layout.scheme_table import SchemeName
from inspector.layout.weights import Weight

_ROWS_AT_A_TIME: Final = 64
"""Of scales that each cover one row: what is computed in float64 stays in a cache."""


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What quantizing again gave: `equal` of `codes`, and `equal_scales` of `blocks`.

    A block that the selection cuts, or that has a NaN, is left out. A scale is equal within two
    units of the last place of float32: the ends of a block were rounded when they were decoded.
    """

    rule: str
    codes: int
    equal: int
    fraction: float | None
    blocks: int
    equal_scales: int


def why_not_verified(weight: Weight, columns: tuple[int, int] | None) -> str | None:
    """Why there is no rule to quantize a weight by again; None where there is one."""
    if weight.coding is None:
        return "it holds no codes"
    if columns is not None:
        return "--columns cuts its blocks"
    if weight.scheme is SchemeName.MLX:
        return "MLX moves each scale so that one end of a group is exact; the other end is lost"
    if rule_of(weight.coding, [grid.action for grid in weight.grids]) is None:
        return f"no producer's rule is known for {weight.coding.number} codes with what is beside"
    return None


class Requantizer:
    """Quantizes rows of a weight again as they come."""

    def __init__(self, weight: Weight, coding: Coding, rule: Rule) -> None:
        self._coding = coding
        self._rule = rule
        self._rows, self._columns = weight.shape
        self._power_of_two = True
        self._codes = self._equal = self._blocks = self._equal_scales = 0

    def add(self, codes: Array, values: Float32, factors: Sequence[Factor], first_row: int) -> None:
        """Take in some rows, the first of which is `first_row` of the matrix."""
        scale, outer = _scales_of(factors)
        self._power_of_two &= are_powers_of_two(scale.numbers)
        height = scale.block[0]
        stop = first_row + len(values)
        step = height if height > 1 else _ROWS_AT_A_TIME
        inner = range(first_row - first_row % step + step, stop, step)
        order, groups, starts = _columns_by_block(scale, self._columns)
        for start, end in pairwise(sorted({first_row, *inner, stop})):
            if start % height == 0 and (end % height == 0 or end == self._rows):
                rows = slice(start - first_row, end - first_row)
                first = (scale.first_row + start - first_row) // height
                own = scale.numbers[first : first + -(-(end - start) // height), groups]
                single, wide = unpack(codes[rows], self._coding.bits, self._columns), values[rows]
                if order is not None:
                    single, wide = single[:, order], wide[:, order]
                self._add_blocks(single, Blocks(wide, starts, own, outer))

    def _add_blocks(self, single: Array, blocks: Blocks) -> None:
        real = np.isfinite(blocks.lowest()) & np.isfinite(blocks.highest())
        before = single ^ 0x80 if self._coding.number is Number.SIGNED else single
        with np.errstate(invalid="ignore"):
            found, own = again(self._rule, self._coding, blocks, power_of_two=self._power_of_two)
        same = found == before
        if self._rule in (Rule.SCALED, Rule.TWO_SCALES):  # zeros of either sign
            same |= ((found | before) & ((1 << (self._coding.bits - 1)) - 1)) == 0
        kept = same[np.broadcast_to(blocks.spread(real), same.shape)]
        self._codes += kept.size
        self._equal += int(np.count_nonzero(kept))
        self._blocks += int(np.count_nonzero(real))
        near = np.abs(own - blocks.scales) <= 2 * np.spacing(np.abs(blocks.scales))
        self._equal_scales += int(np.count_nonzero(near & real))

    def verified(self) -> Verified:
        return Verified(
            rule=rule_text(self._rule, self._coding, power_of_two=self._power_of_two),
            codes=self._codes,
            equal=self._equal,
            fraction=self._equal / self._codes if self._codes else None,
            blocks=self._blocks,
            equal_scales=self._equal_scales,
        )


def requantizer_of(weight: Weight) -> Requantizer | None:
    """What quantizes a weight again, where a rule is known."""
    if weight.coding is None or why_not_verified(weight, None) is not None:
        return None
    rule = rule_of(weight.coding, [grid.action for grid in weight.grids])
    return None if rule is None else Requantizer(weight, weight.coding, rule)


def are_powers_of_two(scales: Float32) -> bool:
    """Whether every scale is a power of two; 2^-127, a subnormal of float32, is one."""
    fractions, _ = np.frexp(scales[np.isfinite(scales) & (scales != 0)])
    return bool(np.all(fractions == 0.5))


def _scales_of(factors: Sequence[Factor]) -> tuple[Factor, float | None]:
    """The scale of the blocks, and what all are multiplied by besides."""
    scale, *after = (factor for factor in factors if factor.action is not Action.SUBTRACT)
    if not after:
        return scale, None
    outer = float(after[0].numbers.reshape(-1)[0])
    return scale, 1 / outer if after[0].action is Action.DIVIDE else outer


def _columns_by_block(scale: Factor, columns: int) -> tuple[Array | None, Array, Array]:
    """The columns sorted by block where they are not, the blocks that have any, and their starts.

    Zero-sized matrices have no block.
    """
    if scale.order is None:
        starts = np.arange(0, columns, scale.block[1])
        return None, np.arange(len(starts)), starts
    order = np.argsort(scale.order, kind="stable")
    groups, starts = np.unique(scale.order[order], return_index=True)
    return order, groups, starts
