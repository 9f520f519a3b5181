"""The numbers of weights: statistics in one pass over their rows, however many there are.

Every figure is of decoded values. Sums run in float64, each chunk around its own mean. NaN, of a
code or of its scale, is counted in `nan_codes` and left out of all else.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec
import numpy as np

from inspector.analysis.histogram import Histogram, Tally
from inspector.analysis.norms import Norms, NormSums
from inspector.analysis.report import Cost, Document, Model
from inspector.analysis.requantize import Verified, requantizer_of
from inspector.analysis.sums import Sums
from inspector.decode.blocks import Factor
from inspector.decode.counts import ZeroBlocks, code_magnitudes, is_float, largest_code
from inspector.decode.numeric import Array, Float32
from inspector.errors import Problem
from inspector.format.codings import Action
from inspector.layout.weights import Weight


class Rows(Protocol):
    """Some rows of a weight: as stored, and decoded."""

    codes: Array
    first_row: int
    factors: Sequence[Factor]

    @property
    def values(self) -> Float32:
        """Decoded."""

    def unrounded(self) -> Float32:
        """The values, such that rounding them to fewer bits is the only rounding."""


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
    """One decoded weight: `rows` is [a, b), `shape` is of the whole weight, `dtype` as stored.

    `columns` is [a, b) where not all were taken; `norms` and `verified` are there where asked for.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: ScaleFacts | None
    rows: tuple[int, int]
    columns: tuple[int, int] | None
    statistics: Statistics
    histogram: Histogram | None
    norms: Norms | None
    verified: Verified | None


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was written; `overflowed` finite values became infinite in its dtype."""

    path: str
    dtype: str
    bytes: int
    overflowed: int


class DequantDocument(Document, frozen=True, kw_only=True):
    """`s1inspect dequant --json`."""

    output: Output | None
    tensors: list[WeightValues]


def dequant_document(
    found: Sequence[WeightValues],
    output: Output | None,
    model: Model,
    cost: Cost,
    problems: Sequence[Problem],
) -> DequantDocument:
    """The document of some decoded weights; `output` is the file that they were written to."""
    return DequantDocument(
        schema="s1inspect/dequant/1",
        model=model,
        cost=cost,
        findings=list(problems),
        output=output,
        tensors=list(found),
    )


Sink = Callable[[Weight, Float32], None]
"""Takes the decoded rows of a weight, piece by piece, in order."""


@dataclass(frozen=True, slots=True)
class Looks:
    """What to look at besides the statistics; `columns` `[a, b)` are all there is, if given.

    `narrow`: the sink rounds what it takes to fewer bits than float32 has.
    """

    columns: tuple[int, int] | None = None
    norms: bool = False
    verify: bool = False
    narrow: bool = False


def examine_weight(
    weight: Weight,
    reader: WeightReader,
    rows: tuple[int, int],
    sink: Sink | None = None,
    looks: Looks | None = None,
) -> WeightValues:
    """Decode rows `[a, b)` of a weight once: figures of them, and the values to `sink`."""
    looks = looks or Looks()
    sums, tally, codes = Sums(), Tally(), _CodeCounts(weight, looks.columns)
    is_matrix = len(weight.shape) == 2
    first, last = looks.columns or (0, weight.shape[-1] if weight.shape else 1)
    norms = NormSums(last - first) if looks.norms and is_matrix else None
    again = requantizer_of(weight) if looks.verify and looks.columns is None else None
    for part in reader.iterate_rows(weight, *rows):
        values = _cut(part.values, looks.columns)
        sums.add(values)
        tally.add(values)
        codes.add(part.codes, part.first_row)
        if norms is not None:
            norms.add(values)
        if again is not None:
            again.add(part.codes, values, part.factors, part.first_row)
        if sink is not None:
            sink(weight, _cut(part.unrounded(), looks.columns) if looks.narrow else values)
    return WeightValues(
        name=weight.name,
        dtype=str(weight.tensor.dtype),
        shape=weight.shape,
        scale=scale_facts(weight),
        rows=rows,
        columns=looks.columns,
        statistics=_statistics(sums, codes),
        histogram=tally.histogram(sums.mean, sums.std),
        norms=None if norms is None else norms.norms(),
        verified=None if again is None else again.verified(),
    )


def _cut(values: Float32, columns: tuple[int, int] | None) -> Float32:
    return values if columns is None else np.ascontiguousarray(values[:, slice(*columns)])


class _CodeCounts:
    """What is counted of codes, not of values: the largest ones, and blocks of zeros."""

    def __init__(self, weight: Weight, columns: tuple[int, int] | None) -> None:
        self._coding = weight.coding
        self._columns = weight.shape[-1] if weight.shape else 0
        self._own = slice(*(columns or (0, self._columns)))
        scale = weight.scale
        shifted = any(grid.action in (Action.SUBTRACT, Action.ADD) for grid in weight.grids)
        self._zeros = (
            None
            if scale is None or shifted or scale.row_length or weight.group_index is not None
            else ZeroBlocks(scale.block, first_column=self._own.start)
        )
        self.saturated = None if self._coding is None or not is_float(self._coding) else 0

    def add(self, codes: Array, first_row: int) -> None:
        """Count the codes of some rows in, as they are stored, in strips that a cache holds."""
        if self._coding is None:
            return
        for start in range(0, len(codes), _STRIP_ROWS):
            strip = codes[start : start + _STRIP_ROWS]
            magnitudes = code_magnitudes(strip, self._coding, self._columns)[:, self._own]
            if self.saturated is not None:
                self.saturated += int(np.count_nonzero(magnitudes == largest_code(self._coding)))
            if self._zeros is not None:
                self._zeros.add(magnitudes, first_row + start)

    @property
    def blocks_zero(self) -> int | None:
        """How many blocks of the scale hold zeros only."""
        return None if self._zeros is None else self._zeros.count()


_STRIP_ROWS: Final = 64


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


def _statistics(sums: Sums, codes: _CodeCounts) -> Statistics:
    some = sums.count > 0
    return Statistics(
        count=sums.count + sums.missing,
        min=sums.low if some else None,
        max=sums.high if some else None,
        mean=sums.mean if some else None,
        std=sums.std if some else None,
        absmax=max(abs(sums.low), abs(sums.high)) if some else None,
        zeros=sums.zeros,
        nan_codes=sums.missing,
        saturated=codes.saturated,
        blocks_zero=codes.blocks_zero,
    )
