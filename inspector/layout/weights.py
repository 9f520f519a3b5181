"""Logical weights: every matrix that a name can mean, with its scale, wherever the bytes lie."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np

from inspector.catalog import Catalog, TensorRow
from inspector.catalog.names import NameColumns, NameColumnsBuilder, Rows
from inspector.config import ModelConfig
from inspector.errors import LayoutError
from inspector.format.codings import NF4, Action, Coding
from inspector.format.spans import Span
from inspector.layout.bitsandbytes import STATES, parse_state, settled_grid
from inspector.layout.declared import Declared, declared_by
from inspector.layout.endings import Form, Part
from inspector.layout.experts import ExpertInventory, ExpertKey
from inspector.layout.scales import Matrix, ScaleGrid
from inspector.layout.scheme_table import FLAT, SchemeName
from inspector.layout.schemes import scheme_name
from inspector.layout.sparse import RowStarts, is_run, parse_starts
from inspector.layout.stored import Stored, StoredWeights
from inspector.layout.windows import Window, run_span, stored_span


@dataclass(frozen=True, slots=True)
class Weight:
    """One weight: its name, what it is as a module of its own, its tensor, what decodes it.

    `shape` is of its values. `window` is the part of `tensor` that it is, None where it is all of
    it. `coding` is None for a weight that is stored unquantized; `grids` are applied to the codes
    in their order. `states` are read first, where there are such: until `settled` by them, a weight
    has the shape that its headers tell. `settled_by` is what was read so.
    `group_index` holds the group of each column, where groups are not of neighbours. `bitmask` has
    a bit for each value, where those that are zero are not stored, and `starts` says where rows
    begin in what is, where each stores as many as it has.
    """

    name: str
    tensor: TensorRow
    shape: tuple[int, ...]
    window: Window | None = None
    scheme: SchemeName | None = None
    coding: Coding | None = None
    grids: tuple[ScaleGrid, ...] = ()
    states: tuple[TensorRow, ...] = ()
    settled_by: tuple[TensorRow, ...] = ()
    group_index: TensorRow | None = None
    bitmask: TensorRow | None = None
    starts: RowStarts | None = None

    @property
    def rows(self) -> int:
        """Length of the first axis; a scalar has one row."""
        return self.shape[0] if self.shape else 1

    @property
    def scale(self) -> ScaleGrid | None:
        """The grid that is called its scale, the finest that multiplies."""
        return next((grid for grid in self.grids if grid.action is Action.MULTIPLY), None)

    def settled(self, contents: Sequence[bytes]) -> Self:
        """The weight as the contents of its `states` say that it is.

        Raises:
            LayoutError: no such state, or one that does not fit what headers say.
            DecodeError: row offsets that cannot be those of its values.
        """
        if not self.states:
            return self
        found = self._settled(self.states[0], contents[0])
        if len(self.states) > 1:
            offsets, columns, count = self.states[1], found.shape[-1], found.tensor.count
            starts = parse_starts(contents[1], name=offsets.name, count=count, columns=columns)
            found = replace(found, starts=starts)
        return replace(found, states=(), settled_by=self.states)

    def _settled(self, tensor: TensorRow, content: bytes) -> Self:
        if self.scheme is SchemeName.LLM_INT8:
            if any(content):
                raise LayoutError(
                    f"{self.name}: {tensor.name} is {content[0]}: its codes are in the order "
                    "of a kernel, which is not decoded"
                )
            return self
        if self.scheme in FLAT:
            state = parse_state(content, name=tensor.name)
            codes = NF4.codes_in(self.tensor.count, self.tensor.dtype)
            grid = settled_grid(self.name, self.grids[0], state, codes)
            return replace(self, shape=state.shape, grids=(grid,))
        width = tensor.dtype.bits // 8
        places = range(0, len(content), width)
        shape = tuple(
            int.from_bytes(content[at : at + width], "little", signed=True) for at in places
        )
        return self._with_shape(shape) if self.bitmask is None else self._with_dense_shape(shape)

    def _with_dense_shape(self, shape: tuple[int, ...]) -> Self:
        """With the stored shape of a sparse matrix, where headers tell it but for its last byte."""
        told = self.shape
        most, fewest = told[-1], told[-1] - 7 if is_run(self.tensor) else told[-1]
        if shape[:-1] != told[:-1] or not shape or not fewest <= shape[-1] <= most:
            raise LayoutError(
                f"{self.name}: its stored shape {list(shape)} does not fit {self.tensor.name} "
                f"{list(self.tensor.shape)}, whose bitmask is that of {list(told)}"
            )
        return replace(self, shape=shape)

    def _with_shape(self, shape: Sequence[int]) -> Self:
        """With the true shape of packed words, where `shape` is that of padded ones."""
        coding, tensor = self.coding, self.tensor
        words = tensor.shape[-1] if tensor.shape else 0
        fits = (
            coding is not None and len(shape) == 2 and shape[0] == self.shape[0]
            and -(-shape[1] * coding.bits // tensor.dtype.bits) == words
        )  # fmt: skip
        if not fits:
            raise LayoutError(
                f"{self.name}: its stored shape {list(shape)} does not fit {tensor.name} "
                f"{list(tensor.shape)}, which holds {list(self.shape)}"
            )
        own = (shape[0], shape[1])
        grids = tuple(
            replace(grid, block=(grid.block[0], min(grid.block[1], max(own[1], 1))))
            if grid.shape[1] == 1 and grid.block[1] == self.shape[1]
            else grid
            for grid in self.grids
        )
        return replace(self, shape=own, grids=grids)

    def turned(self) -> "Weight | None":
        """The transpose of a matrix that is stored transposed: its rows are runs of bytes.

        None where the rows of this weight are the runs already, its groups are of columns that are
        no neighbours, or an element of the runs holds codes of several columns.
        """
        coding = self.coding
        if coding is not None and coding.bits < self.tensor.dtype.bits:
            return None
        window = None if self.window is None else self.window.turned()
        grids = [grid.turned() for grid in self.grids]
        if window is None or None in grids or self.group_index is not None:
            return None
        shape = (self.shape[1], self.shape[0])
        own = tuple(grid for grid in grids if grid is not None)
        return replace(self, shape=shape, window=window, grids=own)

    def span(self, start: int, stop: int) -> Span:
        """The bytes of the file that hold rows `[start, stop)`, and for some windows more.

        Of rows that store as many values as they have, until they are settled, an even share.
        """
        if self.bitmask is not None and is_run(self.tensor):
            count = self.tensor.count
            first, last = 0, count
            if len(self.shape) == 2 and self.starts is not None:
                edges = self.starts.edges(start, stop)
                first, last = int(edges[0]), int(edges[-1])
            elif len(self.shape) == 2:
                first, last = (at * count // max(self.rows, 1) for at in (start, stop))
            return run_span(self.tensor, first, last, self.tensor.dtype.bits)
        if self.scheme in FLAT and self.coding is not None:
            columns = self.shape[1]
            return run_span(self.tensor, start * columns, stop * columns, self.coding.bits)
        return stored_span(self.tensor, self.window, self.shape, start, stop)

    def spans(self, start: int, stop: int) -> Iterator[tuple[str, Span]]:
        """By shard, the same, and the bits that say where they belong."""
        yield self.tensor.shard, self.span(start, stop)
        yield from self.mask_spans(start, stop)

    def mask_spans(self, start: int, stop: int) -> Iterator[tuple[str, Span]]:
        """By shard, the bits of rows `[start, stop)`, where there are such; of a vector all."""
        mask = self.bitmask
        if mask is None:
            return
        is_matrix = len(mask.shape) == 2
        span = stored_span(mask, None, mask.shape, start, stop) if is_matrix else mask.span
        yield mask.shard, span


class WeightBook:
    """The weights of a checkpoint by name: stored ones, and experts inside fused tensors."""

    def __init__(
        self, catalog: Catalog, config: ModelConfig | None, declared: Declared | None = None
    ) -> None:
        """`declared` says what is declared of blocks and bits, if not what `config` declares."""
        self.catalog = catalog
        own = declared or declared_by(config.quantization if config else None)
        self.in_store = StoredWeights(catalog, own)
        self.experts = ExpertInventory(self.in_store, config)
        self._fused_keys: list[ExpertKey] | None = None
        self._fused_names: NameColumns | None = None

    def fused_names(self) -> NameColumns:
        """The names that experts inside fused tensors would have as tensors of their own."""
        if self._fused_names is None:
            pairs = self.experts.fused_keys()
            builder = NameColumnsBuilder()
            builder.add([name for _, name in pairs])
            self._fused_names = builder.build()
            self._fused_keys = [key for key, _ in pairs]
        return self._fused_names

    def stored_weights(self, rows: Rows) -> Iterator[Weight]:
        """The weights among rows of the catalog; scales are not weights, they go with one."""
        is_weight = self.in_store.pairing.is_weight()
        for row in rows.tolist():
            if is_weight[row]:
                yield _whole(self.in_store, self.in_store.at(row))

    def fused_weights(self, rows: Rows) -> Iterator[Weight]:
        """The weights of rows of `fused_names`, in their natural order."""
        names = self.fused_names()
        keys = self._fused_keys or []
        order = names.take(rows).natural_order()
        for row in np.asarray(rows)[order].tolist():
            yield self.expert(keys[row])

    def stored(self, tensor: TensorRow) -> Weight:
        """A stored tensor as a weight.

        Raises:
            LayoutError: quantized, and its scale is missing or does not fit.
        """
        row = self.catalog.names.find(tensor.name)
        if row is None:
            raise LayoutError(f"{tensor.name}: not in this checkpoint")
        return _whole(self.in_store, self.in_store.at(row))

    def expert(self, key: ExpertKey) -> Weight:
        """One matrix of one expert, wherever it is stored.

        Raises:
            LayoutError: not there, ambiguous, or with a scale that does not fit.
        """
        found = self.experts.find(key)
        if found.window is None:
            return _whole(self.in_store, found.stored)
        matrix = Matrix(found.name, found.shape, found.window)
        return _weight(self.in_store, found.stored, matrix)


def _whole(weights: StoredWeights, stored: Stored) -> Weight:
    """All of a stored weight."""
    if stored.coded is not None and len(stored.shape) == 3:
        raise LayoutError(
            f"{stored.tensor.name} {list(stored.shape)}: fused and quantized; decoded by expert",
            hint="name an expert: layers.0.mlp.experts.0",
        )
    return _weight(weights, stored, Matrix(stored.name, stored.shape, stored.page))


def _weight(weights: StoredWeights, stored: Stored, matrix: Matrix) -> Weight:
    how = stored.coded
    if stored.undecoded is not None:
        error = LayoutError(f"{stored.name}: {stored.undecoded}")
        raise weights.declared.explained(error)
    if stored.misfit is not None:
        raise LayoutError(f"{stored.name}: {stored.misfit}")
    grids = weights.grids(stored, matrix)
    return Weight(
        name=matrix.name,
        tensor=stored.tensor,
        shape=matrix.shape,
        window=stored.page_of_words or (matrix.window and stored.in_elements(matrix.window)),
        scheme=None if how is None else scheme_name(how.scheme, [grid.block for grid in grids]),
        coding=None if how is None else how.coding,
        grids=grids,
        states=_states(stored),
        group_index=stored.parts.get(Part.GROUP_INDEX) if how is not None else None,
        bitmask=stored.parts.get(Part.BITMASK) if stored.form is Form.SPARSE else None,
    )


def _states(stored: Stored) -> tuple[TensorRow, ...]:
    """What has to be read of a weight before its shape is known, its order, or its rows."""
    parts = stored.parts
    if stored.form is Form.SPARSE:
        wanted = _OF_RUNS if is_run(stored.tensor) else _OF_RUNS[:1]
        return tuple(parts[part] for part in wanted if part in parts)
    found = [parts[part] for part in _STATES if part in parts and stored.coded is not None]
    return tuple(found[:1])


_STATES: Final = (Part.SHAPE, *STATES, Part.ORDERING)
_OF_RUNS: Final = (Part.DENSE_SHAPE, Part.ROW_OFFSETS)
