"""Do the codes come back when the decoded values are quantized again by the producer's rule?

Two rules are in use: a scale of `amax / largest` (DeepSeek-V3, InternLM/xtuner `hf_to_fp8.py`), and
that rounded up to a power of two (DeepGEMM `ceil_to_ue8m0`, DeepSeek-V3.1 and later). Which one is
meant is told from the scales themselves: all are powers of two, or not. A scale that cut values
off looks like one that just fits: what was cut is gone, and its codes come back as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Final

import ml_dtypes
import msgspec
import numpy as np
import numpy.typing as npt

from inspector.decode.blocks import Factor
from inspector.decode.numeric import Array, Float32
from inspector.format.codings import Action, Coding, Number

_FORMATS: Final = MappingProxyType(
    {
        Number.E4M3: (np.dtype(ml_dtypes.float8_e4m3fn), 448.0),
        Number.E5M2: (np.dtype(ml_dtypes.float8_e5m2), 57344.0),
        Number.E4M3FNUZ: (np.dtype(ml_dtypes.float8_e4m3fnuz), 240.0),
        Number.E5M2FNUZ: (np.dtype(ml_dtypes.float8_e5m2fnuz), 57344.0),
    }
)
"""The formats that are verified: numpy's dtype, and the largest value."""


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What quantizing again gave: `equal` of `codes`, and `equal_scales` of `blocks`.

    A block that the selection cuts, or that has a NaN, is left out. A scale is equal within one
    unit of the last place of float32: the largest value of a block was rounded when it was decoded.
    """

    rule: str
    codes: int
    equal: int
    fraction: float | None
    blocks: int
    equal_scales: int


@dataclass(slots=True)
class Requantizer:
    """Quantizes rows again as they come. `rows` is how many the whole matrix has."""

    coding: Coding
    rows: int
    power_of_two: bool = True
    codes: int = 0
    equal: int = 0
    blocks: int = 0
    equal_scales: int = 0

    def add(self, codes: Array, values: Float32, factor: Factor, first_row: int) -> None:
        """Take in some rows, the first of which is `first_row` of the matrix."""
        height, width = factor.block
        stop = first_row + len(values)
        inner = range(first_row - first_row % height + height, stop, height)
        for start, end in pairwise(sorted({first_row, *inner, stop})):
            if start % height == 0 and (end % height == 0 or end == self.rows):
                rows = slice(start - first_row, end - first_row)
                grid_row = (factor.first_row + start - first_row) // height
                self._row_of_blocks(codes[rows], values[rows], factor.numbers[grid_row], width)

    def _row_of_blocks(self, codes: Array, values: Float32, scales: Float32, width: int) -> None:
        dtype, largest = _FORMATS[self.coding.number]
        amax = np.maximum.reduceat(np.abs(values).max(axis=0), range(0, values.shape[1], width))
        real = np.isfinite(amax)
        wanted = amax.astype(np.float64) / largest
        own = wanted.astype(np.float32)
        if self.power_of_two:
            own = _ceil_power_of_two(wanted).astype(np.float32)
            # The largest value rounded down to half of what the format holds: up to a sixteenth
            # above it the scale was this, and below that half of this.
            own = np.where(amax == scales * np.float32(largest / 2), scales, own)
        wide = np.repeat(np.where(own > 0, own, 1), width)[: values.shape[1]]
        kept = np.repeat(real, width)[: values.shape[1]]
        again = (values[:, kept] / wide[kept]).astype(dtype).view(np.uint8)
        before = codes.view(np.uint8)[:, kept]
        same = (again == before) | (((again | before) & 0x7F) == 0)  # zeros of either sign
        self.codes += same.size
        self.equal += int(np.count_nonzero(same))
        self.blocks += int(np.count_nonzero(real))
        near = np.abs(own - scales) <= np.spacing(np.abs(scales))
        self.equal_scales += int(np.count_nonzero(near & real))

    def verified(self) -> Verified:
        rounded = " rounded up to a power of two" if self.power_of_two else ""
        return Verified(
            rule=f"amax / {_FORMATS[self.coding.number][1]:g}{rounded}",
            codes=self.codes,
            equal=self.equal,
            fraction=self.equal / self.codes if self.codes else None,
            blocks=self.blocks,
            equal_scales=self.equal_scales,
        )


def can_verify(coding: Coding | None, actions: Sequence[Action]) -> bool:
    """Whether a weight has FP8 codes and one scale: the rules of others are not told apart."""
    return coding is not None and coding.number in _FORMATS and list(actions) == [Action.MULTIPLY]


def are_powers_of_two(scales: Float32) -> bool:
    """Whether every scale is a power of two; 2^-127, a subnormal of float32, is one."""
    fractions, _ = np.frexp(scales[np.isfinite(scales) & (scales != 0)])
    return bool(np.all(fractions == 0.5))


def _ceil_power_of_two(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    fractions, exponents = np.frexp(values)
    return np.ldexp(1.0, np.where(fractions == 0.5, exponents - 1, exponents)) * (values > 0)
