"""What the comparison of two weights adds up, part by part: sums, and what no number contradicts.

`device_sums.py` adds the same on a device; tests hold the two against each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from inspector.analysis.compare.rounding import half_units
from inspector.analysis.values import Rows
from inspector.decode.numeric import Array, Float32
from inspector.layout.scales import Granularity
from inspector.layout.weights import Weight


@dataclass(slots=True)
class PairSums:
    """Sums of each part that was read: products, squares, squared differences and rounding."""

    products: list[float] = field(default_factory=list)
    squares: list[float] = field(default_factory=list)
    ref_squares: list[float] = field(default_factory=list)
    differences: list[float] = field(default_factory=list)
    rounding: float = 0.0
    largest: float = 0.0
    same_codes: bool = True
    same_values: bool = True
    within_rounding: bool = True

    def begin_part(self, *, same_codes: bool) -> None:
        """Begin with another part, whose sums are one observation."""
        for total in (self.products, self.squares, self.ref_squares, self.differences):
            total.append(0.0)
        self.same_codes &= same_codes


@dataclass(frozen=True, slots=True)
class PartRows:
    """Some rows of one of the two weights, and of them `columns` `[a, b)`, or all."""

    weight: Weight
    pieces: Sequence[Rows]
    columns: tuple[int, int] | None

    def codes(self) -> Array:
        """As stored, `[rows, stored elements]`."""
        return self.cut(_joined([self.as_rows(piece.codes) for piece in self.pieces]))

    def values(self) -> Float32:
        """Decoded, `[rows, columns]`."""
        return self.cut(_joined([self.as_rows(piece.values) for piece in self.pieces]))

    def as_rows(self, array: Array) -> Array:
        """`[rows, all else]`; a vector is a row a number."""
        return array.reshape(array.shape[0] if self.weight.shape else 1, -1)

    def cut(self, rows: Array) -> Array:
        """The columns of the part, where rows hold others too."""
        columns = self.columns
        if columns is None or rows.shape[1] == columns[1] - columns[0]:
            return rows
        return rows[:, slice(*columns)]

    @property
    def is_packed(self) -> bool:
        """Whether an element holds several codes."""
        coding = self.weight.coding
        return coding is not None and coding.bits < self.weight.tensor.dtype.bits

    def scale_columns(self, width: int) -> int | None:
        """Columns that share a scale, of so many; None where there is no scale."""
        scale = self.weight.scale
        if scale is None:
            return None
        return scale.block[1] if scale.granularity is Granularity.BLOCK else max(1, width)


def _joined(rows: Sequence[Array]) -> Array:
    return rows[0] if len(rows) == 1 else np.concatenate(rows)


def are_same_codes(ours: PartRows, theirs: PartRows) -> bool:
    """Whether both are the same bytes of one dtype."""
    dtypes = [one.weight.tensor.dtype for one in (ours, theirs)]
    return dtypes[0] is dtypes[1] and ours.codes().tobytes() == theirs.codes().tobytes()


_STRIP_VALUES: Final = 1 << 16
"""Numbers taken in at a time: a dozen arrays of them stay in a cache."""

SLACK: Final = 2.0**-12
"""Share of a number that scales in F32 or BF16 may add to the rounding of codes."""


def add_part(sums: PairSums, ours: PartRows, theirs: PartRows) -> None:
    """Take in one part, in strips that a cache holds; its sums are one observation."""
    sums.begin_part(same_codes=sums.same_codes and are_same_codes(ours, theirs))
    left, right = ((one.codes(), one.values()) for one in (ours, theirs))
    columns = left[1].shape[1]
    step = max(1, _STRIP_VALUES // max(1, columns))
    for start in range(0, len(left[1]), step):
        strip = slice(start, start + step)
        one, other = ((codes[strip], values[strip]) for codes, values in (left, right))
        units = [_units(ours, *one), _units(theirs, *other)]
        _add_strip(sums, one[1], other[1], [unit for unit in units if unit is not None])


def _add_strip(
    sums: PairSums, values: Float32, ref_values: Float32, units: Sequence[Float32]
) -> None:
    """Take in some rows. A number that is NaN or infinite in both is unchanged, in one it is not.

    Products are added by numpy's own pairwise sum: the last digit of a dot product of BLAS depends
    on how many threads it has. `units` are the half units of those whose rounding is known.
    """
    left, right = values.astype(np.float64), ref_values.astype(np.float64)
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    finite = np.isfinite(left) & np.isfinite(right)
    sums.same_values &= bool(same.all())
    left, right = np.where(finite, left, 0), np.where(finite, right, 0)
    change = left - right
    sums.largest = max(sums.largest, float(np.abs(change).max(initial=0)))
    for total, one, other in (
        (sums.products, left, right),
        (sums.squares, left, left),
        (sums.ref_squares, right, right),
        (sums.differences, change, change),
    ):
        total[-1] += float((one * other).sum())
    known = [one.astype(np.float64) for one in units]
    allowed = sum(known) + SLACK * np.maximum(np.abs(left), np.abs(right))
    sums.within_rounding &= bool(
        len(known) == 2 and (finite | same).all() and (np.abs(change) <= allowed).all()
    )
    for one in known:
        sums.rounding += float(np.square(np.where(np.isfinite(one), one, 0)).sum()) / 3


def _units(side: PartRows, codes: Array, values: Float32) -> Float32 | None:
    """Half units of some rows; None where their rounding is not known."""
    if side.is_packed:
        return None
    columns = side.scale_columns(codes.shape[1])
    return half_units(codes, values, side.weight.tensor.dtype, columns)
