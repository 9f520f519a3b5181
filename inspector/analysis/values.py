"""The numbers of weights: statistics in one pass over their rows, however many there are.

Every figure is of decoded values. Sums run in float64, each chunk around its own mean. NaN, of a
code or of its scale, is counted in `nan_codes` and left out of all else.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import msgspec
import numpy as np

from inspector.analysis.report import Document
from inspector.decode.fp8 import is_fp8, saturated_codes, zero_blocks
from inspector.decode.numeric import Array, Float32
from inspector.layout.weights import Weight


class Rows(Protocol):
    """Some rows of a weight: as stored, and decoded."""

    codes: Array
    values: Float32
    first_row: int


class WeightReader(Protocol):
    """What reads rows of weights; a checkpoint does."""

    def iterate_rows(self, weight: Weight, start: int, stop: int) -> Iterator[Rows]:
        """Rows `[start, stop)` in pieces, in order."""


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of decoded values. `std` is of the population. None where there is no value.

    `saturated` counts codes at the largest finite magnitude, `blocks_zero` blocks of the scale that
    hold zeros only; None for a weight without codes or without blocks.
    """

    count: int
    min: float | None
    max: float | None
    mean: float | None
    std: float | None
    absmax: float | None
    zeros: int
    nan_codes: int
    saturated: int | None
    blocks_zero: int | None


class ScaleFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The scale of a weight: the tensor, and what one value of it covers."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    block: tuple[int, int]
    granularity: str


class WeightValues(msgspec.Struct, frozen=True, kw_only=True):
    """One decoded weight: `rows` is [a, b), `dtype` and `shape` are of the whole weight."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: ScaleFacts | None
    rows: tuple[int, int]
    statistics: Statistics


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was written."""

    path: str
    dtype: str
    bytes: int


class DequantDocument(Document, frozen=True, kw_only=True):
    """`s1inspect dequant --json`."""

    output: Output | None
    tensors: list[WeightValues]


Sink = Callable[[Weight, Float32], None]
"""Takes the decoded rows of a weight, piece by piece, in order."""


@dataclass(slots=True)
class _Sums:
    """Running figures; `mean` and `squares` are merged as Chan, Golub and LeVeque (1979) do."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    zeros: int = 0
    missing: int = 0

    def add(self, values: Float32) -> None:
        """Take in values, in strips that a cache holds."""
        flat = values.reshape(-1)
        with np.errstate(invalid="ignore"):  # infinities have no mean, and no spread around it
            for start in range(0, len(flat), _STRIP):
                self._add_strip(flat[start : start + _STRIP])

    def _add_strip(self, strip: Float32) -> None:
        exact = strip.astype(np.float64)
        total = float(exact.sum())
        if math.isnan(total):
            missing = np.isnan(exact)
            self.missing += int(missing.sum())
            exact = exact[~missing]
            total = float(exact.sum())
        if not len(exact):
            return
        self.low = min(self.low, float(exact.min()))
        self.high = max(self.high, float(exact.max()))
        self.zeros += len(exact) - int(np.count_nonzero(exact))
        mean = total / len(exact)
        exact -= mean
        squares = float(exact @ exact)
        count = self.count + len(exact)
        shift = mean - self.mean
        self.squares += squares + shift * shift * self.count * len(exact) / count
        self.mean += shift * len(exact) / count
        self.count = count


_STRIP = 1 << 15


def examine_weight(
    weight: Weight, reader: WeightReader, rows: tuple[int, int], sink: Sink | None = None
) -> WeightValues:
    """Decode rows `[a, b)` of a weight once: statistics of them, and the values to `sink`."""
    sums = _Sums()
    scale = weight.scale
    dtype = weight.tensor.dtype
    coded = is_fp8(dtype)
    saturated = blocks = 0
    for part in reader.iterate_rows(weight, *rows):
        sums.add(part.values)
        if coded:
            saturated += saturated_codes(part.codes, dtype)
        if scale is not None:
            blocks += zero_blocks(part.codes, scale.block, first_row=part.first_row)
        if sink is not None:
            sink(weight, part.values)
    return WeightValues(
        name=weight.name,
        dtype=str(weight.tensor.dtype),
        shape=weight.shape,
        scale=scale_facts(weight),
        rows=rows,
        statistics=_statistics(
            sums,
            saturated=saturated if coded else None,
            blocks_zero=None if scale is None else blocks,
        ),
    )


def scale_facts(weight: Weight) -> ScaleFacts | None:
    """What a report says of a weight's scale."""
    if weight.scale is None:
        return None
    tensor = weight.scale.tensor
    return ScaleFacts(
        name=tensor.name,
        dtype=str(tensor.dtype),
        shape=tensor.shape,
        block=weight.scale.block,
        granularity=str(weight.scale.granularity),
    )


def _statistics(sums: _Sums, *, saturated: int | None, blocks_zero: int | None) -> Statistics:
    some = sums.count > 0
    return Statistics(
        count=sums.count + sums.missing,
        min=sums.low if some else None,
        max=sums.high if some else None,
        mean=sums.mean if some else None,
        std=math.sqrt(sums.squares / sums.count) if some else None,
        absmax=max(abs(sums.low), abs(sums.high)) if some else None,
        zeros=sums.zeros,
        nan_codes=sums.missing,
        saturated=saturated,
        blocks_zero=blocks_zero,
    )
