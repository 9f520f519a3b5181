"""Rows of weights, from their bytes to float32, wherever they are stored."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

import numpy as np

from inspector.analysis.report import Reads
from inspector.checkpoint.cutting import (
    CHUNK_BYTES,
    decoded_together,
    dense_rows,
    kept_places,
    pieces,
    stored_rows,
    window_rows,
)
from inspector.checkpoint.discover import REMOTE_KINDS
from inspector.checkpoint.policy import ReadPolicy
from inspector.decode.beside import nested_numbers, numbers
from inspector.decode.blocks import Factor, Order, decode_rows
from inspector.decode.numeric import Array, Float32, stored_array, to_float32
from inspector.errors import DecodeError, LayoutError
from inspector.format.spans import Span
from inspector.layout.scales import ScaleGrid
from inspector.layout.sparse import is_run
from inspector.layout.weights import Weight
from inspector.source.base import Source
from inspector.source.coalescing import Coalesced
from inspector.source.pool import map_ordered

_READS_AHEAD: Final = 3

JOINT_GAP: Final = 64 * 1024
"""Bytes between two spans that are read along over a network: fewer than pass by while a request is
on its way. On disk none are: a read there costs less than the bytes."""

JOINT_BYTES: Final = 8 * CHUNK_BYTES
"""Spans that are merged with each other: what they hold stays well below 200 MB."""


@dataclass(slots=True)
class Rows:
    """Rows of one weight: `codes` as stored; `first_row` counts in the weight.

    `factors` are what is applied to the codes, from the first of these rows on.
    """

    weight: Weight
    codes: Array
    first_row: int
    factors: Sequence[Factor]
    _values: Float32 | None = None

    @property
    def values(self) -> Float32:
        """Decoded, when they are first asked for.

        Raises:
            DecodeError: they cannot be.
        """
        if self._values is None:
            self._values = _decoded(self.weight, self.codes, self.factors)
        return self._values

    def unrounded(self) -> Float32:
        """The values, such that rounding them to fewer bits is the only rounding."""
        if self.weight.coding is None:
            return self.values
        columns = self.weight.shape[1]
        return decode_rows(self.codes, self.weight.coding, columns, self.factors, to_odd=True)


@dataclass(frozen=True, slots=True)
class Part:
    """Rows `[start, stop)` of a weight, and of them `columns` `[a, b)`, or all."""

    weight: Weight
    start: int
    stop: int
    columns: tuple[int, int] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the values."""
        shape = self.weight.shape
        if self.columns is not None:
            shape = (*shape[:-1], self.columns[1] - self.columns[0])
        return (self.stop - self.start, *shape[1:]) if shape else ()

    @property
    def is_estimate(self) -> bool:
        """Whether its spans are an even share of a run, of which it is unread where rows begin."""
        weight = self.weight
        is_unread_run = bool(weight.states) and weight.bitmask is not None and is_run(weight.tensor)
        return is_unread_run and (self.start, self.stop) != (0, weight.rows)

    def spans(self) -> Iterator[tuple[str, Span]]:
        """Every span that is read for it, by shard: what stands beside the codes, and the codes."""
        weight = self.weight
        for tensor in (*weight.states, weight.group_index):
            if tensor is not None:
                yield tensor.shard, tensor.span
        for grid in weight.grids:
            yield from grid.spans(self.start, self.stop)
        for piece in pieces(weight, self.start, self.stop):
            yield from weight.spans(*piece)

    def shards(self) -> Iterator[str]:
        """The file of each span, and that of what settled the weight, which was read before."""
        yield from (tensor.shard for tensor in self.weight.settled_by)
        for shard, _ in self.spans():
            yield shard


class Reader:
    """Reads weights from a source. Its memory does not grow with what is read."""

    def __init__(self, source: Source, policy: ReadPolicy) -> None:
        max_gap = JOINT_GAP if source.kind in REMOTE_KINDS else 0
        self._source = Coalesced(
            source, max_gap=max_gap, max_read=CHUNK_BYTES, max_held=JOINT_BYTES
        )
        self._jobs = min(policy.jobs, _READS_AHEAD)

    def expect(self, parts: Sequence[Part]) -> Reads:
        """Announce what `iterate_rows` will be asked for: neighbours are read together then.

        Returns:
            The requests and bytes that it will take.
        """
        return self.expect_spans(chain.from_iterable(map(Part.spans, parts)))

    def expect_spans(self, spans: Iterable[tuple[str, Span]]) -> Reads:
        """Announce spans by shard, each to be read once, in this order.

        Returns:
            The requests and bytes that it will take.
        """
        return self._cost(self._source.expect(spans))

    def plan(self, parts: Sequence[Part]) -> Reads:
        """The requests and bytes that parts would take, were they announced."""
        return self.plan_spans(chain.from_iterable(map(Part.spans, parts)))

    def plan_spans(self, spans: Iterable[tuple[str, Span]]) -> Reads:
        """The requests and bytes that spans by shard would take, were they announced."""
        return self._cost(self._source.plan(spans))

    def _cost(self, planned: Mapping[str, Sequence[Span]]) -> Reads:
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
        factors = self._read_grids(weight, start, stop)
        edges = pieces(weight, start, stop)
        codes = map_ordered(lambda piece: self.read_codes(weight, *piece), edges, jobs=self._jobs)
        for (first, last), whole in zip(edges, codes, strict=True):
            for begin, end in decoded_together(weight, whole, first, last):
                part = whole[begin - first : end - first] if whole.ndim else whole
                own = _moved(factors, begin - start)
                yield Rows(weight, part, begin, own)

    def read_values(self, weight: Weight, start: int, stop: int) -> Float32:
        """Rows `[start, stop)` decoded, in one read and one for each grid: `[rows, ...]`."""
        codes = self.read_codes(weight, start, stop)
        return _decoded(weight, codes, self._read_grids(weight, start, stop))

    def read_unscaled(self, weight: Weight, start: int, stop: int) -> Float32:
        """Rows `[start, stop)` as their codes stand for, without any scale: `[rows, ...]`."""
        return _decoded(weight, self.read_codes(weight, start, stop), [])

    def read_codes(self, weight: Weight, start: int, stop: int) -> Array:
        """Rows `[start, stop)` as stored, without the scale: `[rows, ...]`."""
        self._check_settled(weight)
        content, *masks = (self._source.read(*one) for one in weight.spans(start, stop))
        if masks:
            return dense_rows(content, masks[0], weight, start, stop)
        return stored_rows(content, weight, start, stop)

    def check_places(self, weight: Weight, start: int, stop: int) -> None:
        """Hold the bits of rows `[start, stop)` against what is stored, without reading that.

        Raises:
            DecodeError: the bits of a row are not as many as its values.
        """
        self._check_settled(weight)
        for span in weight.mask_spans(start, stop):
            kept_places(self._source.read(*span), weight, start, stop)

    def _check_settled(self, weight: Weight) -> None:
        if weight.states:
            raise LayoutError(f"{weight.name}: its shape is in {weight.states[0].name}, unread")

    def settle(self, weights: Sequence[Weight]) -> list[Weight]:
        """The weights as their `states` say that they are, where they have such.

        Raises:
            LayoutError: a state that does not fit what headers say.
            DecodeError: row offsets that cannot be those of a weight's values.
        """
        states = [tensor for weight in weights for tensor in weight.states]
        self._source.expect((tensor.shard, tensor.span) for tensor in states)
        contents = map_ordered(
            lambda tensor: self._source.read(tensor.shard, tensor.span), states, jobs=self._jobs
        )
        return [weight.settled([next(contents) for _ in weight.states]) for weight in weights]

    def settled(self, weight: Weight) -> Weight:
        """One weight as its `states` say that it is; what was announced stays so.

        Raises:
            LayoutError: a state that does not fit what headers say.
            DecodeError: row offsets that cannot be those of its values.
        """
        return weight.settled([self._source.read(one.shard, one.span) for one in weight.states])

    def _read_grids(self, weight: Weight, start: int, stop: int) -> list[Factor]:
        """What is applied to the codes of rows `[start, stop)`, read for those rows."""
        factors = []
        order = self.read_order(weight)
        for grid in weight.grids:
            values = self.read_numbers(grid, start, stop)
            if grid.row_length:
                factors.append(_run_of(values, grid, start, stop))
                continue
            first_row = start - grid.rows_for(start, stop)[0] * grid.block[0]
            own = order if grid.shape[1] > 1 else None
            factors.append(Factor(values, grid.block, grid.action, first_row, own))
        return factors

    def read_order(self, weight: Weight) -> Order | None:
        """The group of each column, where there is such an index.

        One that has a -1 was never filled: groups are of neighbours then, as compressed-tensors
        reads it (0.9, `quantization/lifecycle/forward.py`).

        Raises:
            DecodeError: no index of the columns of these groups.
        """
        tensor = weight.group_index
        if tensor is None:
            return None
        content = self._source.read(tensor.shard, tensor.span)
        order = stored_array(content, tensor.dtype, tensor.shape).astype(np.int64)
        if (order == -1).any():
            return None
        groups = max(grid.shape[1] for grid in weight.grids)
        found = [int(order.min(initial=0)), int(order.max(initial=0))]
        if order.shape != weight.shape[1:] or found[0] < 0 or found[1] >= groups:
            raise DecodeError(
                f"{tensor.name} {list(order.shape)} has groups {found[0]} to {found[1]}; "
                f"{weight.name} {list(weight.shape)} has {groups}, counted from 0"
            )
        return order

    def read_numbers(self, grid: ScaleGrid, start: int, stop: int) -> Float32:
        """The numbers that rows `[start, stop)` of the grid's matrix take: `[grid rows, columns]`.

        Of blocks that go on over the ends of rows, those that the rows have: `[1, blocks]`.

        Raises:
            SourceError: the bytes cannot be obtained.
        """
        dtype = grid.tensor.dtype
        content = self._source.read(grid.tensor.shard, grid.span(start, stop))
        if grid.row_length:
            first, last = grid.run_for(start, stop)
            stored = stored_array(content, dtype, (1, last - first))
            return self._unnested(stored, grid, first)
        first, last = grid.rows_for(start, stop)
        if grid.nested is not None:
            stored = stored_array(content, dtype, (last - first, grid.shape[1]))
            return self._unnested(stored, grid, first * grid.shape[1])
        if grid.window is None:
            count = grid.stored_rows(first, last)[1] - grid.stored_rows(first, last)[0]
            stored = stored_array(content, dtype, (count, grid.stored_columns))
        else:
            stored = window_rows(content, grid.window, dtype, *grid.stored_rows(first, last))
        return numbers(stored, dtype, grid.encoding, columns=grid.shape[1], bits=grid.bits)

    def _unnested(self, stored: Array, grid: ScaleGrid, first: int) -> Float32:
        """Numbers that may be codes themselves, the first of which is `first` of all in order."""
        nested = grid.nested
        if nested is None:
            return to_float32(stored, grid.tensor.dtype)
        table, scales = (
            to_float32(
                stored_array(self._source.read(one.shard, one.span), one.dtype, one.shape),
                one.dtype,
            )
            for one in (nested.table, nested.scale)
        )
        return nested_numbers(stored, table, scales, nested.block, nested.offset, first)

    def read_scale_rows(self, weight: Weight, rows: Sequence[int]) -> Float32:
        """The multiplier of each value in those rows, `[rows, columns]`; ones without a scale."""
        columns, scale = weight.shape[1], weight.scale
        if scale is None:
            return np.ones((len(rows), columns), dtype=np.float32)
        start, stop = min(rows), max(rows) + 1
        block_rows, block_columns = scale.block
        grid = self.read_numbers(scale, start, stop)
        if scale.row_length:
            run = _run_of(grid, scale, start, stop).run(start, stop - start, columns)
            return np.take(run, np.asarray(rows) - start, axis=0)
        found = grid[np.asarray(rows) // block_rows - scale.rows_for(start, stop)[0]]
        order = self.read_order(weight) if scale.shape[1] > 1 else None
        if order is not None:
            return np.take(found, order, axis=1)
        return np.repeat(found, block_columns, axis=1)[:, :columns]


def _run_of(numbers: Float32, grid: ScaleGrid, start: int, stop: int) -> Factor:
    """Of blocks that go on over the ends of rows, those that rows `[start, stop)` have."""
    first = grid.run_for(start, stop)[0]
    return Factor(numbers, grid.block, grid.action, first_row=start, first_block=first)


def _moved(factors: Sequence[Factor], rows: int) -> list[Factor]:
    """Factors for codes that begin some rows farther on."""
    return [replace(factor, first_row=factor.first_row + rows) for factor in factors]


def _decoded(weight: Weight, codes: Array, factors: Sequence[Factor]) -> Float32:
    if weight.coding is None:
        return to_float32(codes, weight.tensor.dtype)
    return decode_rows(codes, weight.coding, weight.shape[1], factors)
