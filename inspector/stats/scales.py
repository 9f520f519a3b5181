"""What the numbers of a scale say by themselves: finite, zero, powers of two, where they came from.

Arrays in, counts out. Every test is exact, on the bits of float32.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_LOW_HALF: Final = np.uint32(0xFFFF)

_E4M3_MAX: Final = 448.0

_HALF_STEP: Final = 2.0**-24
"""Relative error of one rounding to float32."""


@dataclass(frozen=True, slots=True)
class ScaleFigures:
    """Counts over the values of some scales.

    `usable` are finite and not zero; the counts after it are of these. `distinct` counts values of
    one scale, or is the largest of several. `in_bfloat16` are values that BF16 holds;
    `from_bfloat16` those that are a BF16 number / 448, rounded once: what a producer stores who
    takes the largest magnitude of a BF16 block.
    """

    values: int = 0
    not_finite: int = 0
    zeros: int = 0
    usable: int = 0
    negative: int = 0
    powers_of_two: int = 0
    in_bfloat16: int = 0
    from_bfloat16: int = 0
    distinct: int = 0

    def __add__(self, other: "ScaleFigures") -> "ScaleFigures":
        return ScaleFigures(
            values=self.values + other.values,
            not_finite=self.not_finite + other.not_finite,
            zeros=self.zeros + other.zeros,
            usable=self.usable + other.usable,
            negative=self.negative + other.negative,
            powers_of_two=self.powers_of_two + other.powers_of_two,
            in_bfloat16=self.in_bfloat16 + other.in_bfloat16,
            from_bfloat16=self.from_bfloat16 + other.from_bfloat16,
            distinct=max(self.distinct, other.distinct),
        )


def figures_of(values: Float32) -> ScaleFigures:
    """The counts of one scale."""
    flat = values.reshape(-1)
    finite = np.isfinite(flat)
    used = flat[finite & (flat != 0)]
    return ScaleFigures(
        values=flat.size,
        not_finite=int(flat.size - np.count_nonzero(finite)),
        zeros=int(np.count_nonzero(flat == 0)),
        usable=used.size,
        negative=int(np.count_nonzero(used < 0)),
        powers_of_two=int(np.count_nonzero(is_power_of_two(used))),
        in_bfloat16=int(np.count_nonzero((used.view(np.uint32) & _LOW_HALF) == 0)),
        from_bfloat16=int(np.count_nonzero(_is_from_bfloat16(used))),
        distinct=np.unique(used).size,
    )


def is_power_of_two(values: Float32) -> Mask:
    """Which values are 2^n, from -149 on; neither zero nor NaN is.

    2^-127, the least value of E8M0, is a subnormal float32 whose exponent field is zero: the bits
    of the exponent alone would not do.

    >>> is_power_of_two(np.array([2.0**-127, 0.5, 3, -2, 0, np.inf], dtype=np.float32)).tolist()
    [True, True, False, False, False, False]
    """
    mantissa, _ = np.frexp(values)
    return np.asarray(mantissa == np.float32(0.5), dtype=np.bool_)


def _is_from_bfloat16(values: Float32) -> Mask:
    """Which values are, to one rounding, a BF16 number / 448."""
    largest = np.abs(values.astype(np.float64)) * _E4M3_MAX
    mantissa, exponent = np.frexp(largest)
    nearest = np.ldexp(np.round(mantissa * 256), exponent - 8)
    return np.asarray(np.abs(nearest - largest) <= _HALF_STEP * largest, dtype=np.bool_)
