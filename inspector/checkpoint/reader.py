"""Rows of weights, from their bytes to float32, wherever they are stored."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from inspector.analysis.report import Reads
from inspector.checkpoint.policy import ReadPolicy
from inspector.decode.fp8 import decode_block_scaled
from inspector.decode.numeric import Array, Float32, stored_array, to_float32
from inspector.format.spans import Span
from inspector.layout.scales import ScaleGrid
from inspector.layout.weights import Weight, stored_span
from inspector.source.base import Source
from inspector.source.coalescing import Coalesced
from inspector.source.pool import map_ordered

CHUNK_BYTES: Final = 8 << 20
"""Stored bytes that are held and decoded at a time: 32 MB as float32 from FP8."""

_READS_AHEAD: Final = 3

JOINT_GAP: Final = 64 * 1024
"""Bytes between two spans that are read along: fewer than pass by while a request is on its way."""


@dataclass(slots=True)
class Rows:
    """Rows of one weight: `codes` as stored, `values` decoded; `first_row` counts in the weight."""

    codes: Array
    values: Float32
    first_row: int


@dataclass(frozen=True, slots=True)
class Part:
    """Rows `[start, stop)` of a weight."""

    weight: Weight
    start: int
    stop: int

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the values."""
        weight = self.weight
        return (self.stop - self.start, *weight.shape[1:]) if weight.shape else ()


class Reader:
    """Reads weights from a source. Its memory does not grow with what is read."""

    def __init__(self, source: Source, policy: ReadPolicy) -> None:
        self._source = Coalesced(source, max_gap=JOINT_GAP, max_read=CHUNK_BYTES)
        self._jobs = min(policy.jobs, _READS_AHEAD)

    def expect(self, parts: Sequence[Part]) -> Reads:
        """Announce what `iterate_rows` will be asked for: neighbours are read together then.

        Returns:
            The requests and bytes that it will take.
        """
        wanted: dict[str, list[Span]] = {}
        for part in parts:
            weight = part.weight
            if weight.scale is not None:
                wanted.setdefault(weight.scale.tensor.shard, []).append(_scale_span(weight.scale))
            pieces = _pieces(weight, part.start, part.stop)
            spans = [weight.span(*piece) for piece in pieces]
            wanted.setdefault(weight.tensor.shard, []).extend(spans)
        planned = self._source.expect(wanted)
        return Reads(
            requests=sum(
                self._source.requests_for(path, len(reads)) for path, reads in planned.items()
            ),
            bytes=sum(len(read) for reads in planned.values() for read in reads),
        )

    def iterate_rows(self, weight: Weight, start: int, stop: int) -> Iterator[Rows]:
        """Rows `[start, stop)` in pieces that do not cut a block, in order.

        Raises:
            SourceError: the bytes cannot be obtained.
            DecodeError: they cannot be decoded.
        """
        scale = None if weight.scale is None else self._read_scale(weight.scale)
        pieces = _pieces(weight, start, stop)
        codes = map_ordered(lambda piece: self.read_codes(weight, *piece), pieces, jobs=self._jobs)
        for (first, _), part in zip(pieces, codes, strict=True):
            if weight.scale is None or scale is None:
                values = to_float32(part, weight.tensor.dtype)
            else:
                values = decode_block_scaled(
                    part, weight.tensor.dtype, scale, weight.scale.block, first_row=first
                )
            yield Rows(part, values, first)

    def read_values(self, weight: Weight, start: int, stop: int) -> Float32:
        """Rows `[start, stop)` decoded, in one read and one for the scales: `[rows, ...]`."""
        codes = self.read_codes(weight, start, stop)
        if weight.scale is None:
            return to_float32(codes, weight.tensor.dtype)
        scale = self._read_scale(weight.scale)
        return decode_block_scaled(
            codes, weight.tensor.dtype, scale, weight.scale.block, first_row=start
        )

    def read_codes(self, weight: Weight, start: int, stop: int) -> Array:
        """Rows `[start, stop)` as stored, without the scale: `[rows, ...]`."""
        tensor, window = weight.tensor, weight.window
        content = self._source.read(tensor.shard, weight.span(start, stop))
        if window is None:
            shape = (stop - start, *tensor.shape[1:]) if tensor.shape else ()
            return stored_array(content, tensor.dtype, shape)
        height = window.rows[1] - window.rows[0] if window.transposed else stop - start
        page = stored_array(content, tensor.dtype, (height, window.stored_shape[1]))
        first, last = window.columns
        if window.transposed:
            return page[:, first + start : first + stop].T
        return page[:, first:last]

    def read_scale_rows(self, weight: Weight, rows: Sequence[int]) -> Float32:
        """The multiplier of each value in those rows, `[rows, columns]`; ones without a scale."""
        columns = weight.shape[1]
        if weight.scale is None:
            return np.ones((len(rows), columns), dtype=np.float32)
        block_rows, block_columns = weight.scale.block
        scale = self._read_scale(weight.scale)[np.asarray(rows) // block_rows]
        return np.repeat(scale, block_columns, axis=1)[:, :columns]

    def _read_scale(self, grid: ScaleGrid) -> Float32:
        """The multipliers of a whole weight: `[scale rows, scale columns]`."""
        tensor, window = grid.tensor, grid.window
        if window is None:
            content = self._source.read(tensor.shard, _scale_span(grid))
            values = to_float32(stored_array(content, tensor.dtype, tensor.shape), tensor.dtype)
            return values.reshape(values.shape[0] if values.size > 1 else 1, -1)
        height = window.rows[1] - window.rows[0]
        content = self._source.read(tensor.shard, _scale_span(grid))
        page = stored_array(content, tensor.dtype, (height, window.stored_shape[1]))
        part = page[:, window.columns[0] : window.columns[1]]
        return to_float32(part.T if window.transposed else part, tensor.dtype)


def _scale_span(grid: ScaleGrid) -> Span:
    """The bytes that hold the multipliers of a whole weight."""
    window = grid.window
    if window is None:
        return grid.tensor.span
    return stored_span(grid.tensor, window, window.shape, 0, window.shape[0])


def _pieces(weight: Weight, start: int, stop: int) -> list[tuple[int, int]]:
    """`[start, stop)` cut into pieces of some `CHUNK_BYTES`, at block edges.

    A transposed window is one piece: any of its rows needs all of its bytes.
    """
    if weight.window is not None and weight.window.transposed:
        return [(start, stop)]
    row_bytes = max(1, len(weight.span(start, stop)) // max(1, stop - start))
    step = max(1, CHUNK_BYTES // row_bytes)
    if weight.scale is not None:
        block_rows = weight.scale.block[0]
        step = max(block_rows, step - step % block_rows)
    edges = [start, *range(start - start % step + step, stop, step), stop]
    return list(pairwise(edges)) if stop > start else []
