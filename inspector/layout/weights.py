"""Logical weights: every matrix that a name can mean, with its scale, wherever the bytes lie."""

from collections.abc import Iterator, Mapping, Sequence
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
from inspector.layout.stored import Stored, StoredWeights
from inspector.layout.windows import Window, run_span, stored_span


@dataclass(frozen=True, slots=True)
class Weight:
    """One weight: its name, what it is as a module of its own, its tensor, what decodes it.

    `shape` is of its values. `window` is the part of `tensor` that it is, None where it is all of
    it. `coding` is None for a weight that is stored unquantized; `grids` are applied to the codes
    in their order. `state` is read first, where there is one: until `settled` by it, a weight has
    the shape that its headers tell. `settled_by` is what was read so.
    `group_index` holds the group of each column, where groups are not of neighbours. `bitmask` has
    a bit for each value, where those that are zero are not stored.
    """

    name: str
    tensor: TensorRow
    shape: tuple[int, ...]
    window: Window | None = None
    scheme: SchemeName | None = None
    coding: Coding | None = None
    grids: tuple[ScaleGrid, ...] = ()
    state: TensorRow | None = None
    settled_by: TensorRow | None = None
    group_index: TensorRow | None = None
    bitmask: TensorRow | None = None

    @property
    def rows(self) -> int:
        """Length of the first axis; a scalar has one row."""
        return self.shape[0] if self.shape else 1

    @property
    def scale(self) -> ScaleGrid | None:
        """The grid that is called its scale, the finest that multiplies."""
        return next((grid for grid in self.grids if grid.action is Action.MULTIPLY), None)

    def settled(self, content: bytes) -> Self:
        """The weight as the content of its `state` says that it is.

        Raises:
            LayoutError: no such state, or one that does not fit what headers say.
        """
        if self.state is None:
            return self
        if self.scheme is SchemeName.LLM_INT8:
            if any(content):
                raise LayoutError(
                    f"{self.name}: {self.state.name} is {content[0]}: its codes are in the order "
                    "of a kernel, which is not decoded"
                )
            return replace(self, state=None, settled_by=self.state)
        if self.scheme in FLAT:
            state = parse_state(content, name=self.state.name)
            codes = NF4.codes_in(self.tensor.count, self.tensor.dtype)
            grid = settled_grid(self.name, self.grids[0], state, codes)
            own = replace(self, shape=state.shape, grids=(grid,))
            return replace(own, state=None, settled_by=self.state)
        width = self.state.dtype.bits // 8
        places = range(0, len(content), width)
        return self._with_shape(
            [int.from_bytes(content[at : at + width], "little", signed=True) for at in places]
        )

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
        return replace(self, shape=own, grids=grids, state=None, settled_by=self.state)

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
        """The bytes of the file that hold rows `[start, stop)`, and for some windows more."""
        if self.scheme in FLAT and self.coding is not None:
            columns = self.shape[1]
            return run_span(self.tensor, start * columns, stop * columns, self.coding.bits)
        return stored_span(self.tensor, self.window, self.shape, start, stop)

    def spans(self, start: int, stop: int) -> Iterator[tuple[str, Span]]:
        """By shard, the same, and the bits that say where they belong."""
        yield self.tensor.shard, self.span(start, stop)
        if self.bitmask is not None:
            span = stored_span(self.bitmask, None, self.bitmask.shape, start, stop)
            yield self.bitmask.shard, span


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
    if how is not None and how.undecoded is not None:
        error = LayoutError(f"{stored.name}: {how.undecoded}")
        raise weights.declared.explained(error)
    grids = weights.grids(stored, matrix)
    return Weight(
        name=matrix.name,
        tensor=stored.tensor,
        shape=matrix.shape,
        window=stored.page_of_words or (matrix.window and stored.in_elements(matrix.window)),
        scheme=None if how is None else scheme_name(how.scheme, [grid.block for grid in grids]),
        coding=None if how is None else how.coding,
        grids=grids,
        state=_state(stored.parts) if how is not None else None,
        group_index=stored.parts.get(Part.GROUP_INDEX) if how is not None else None,
        bitmask=stored.parts.get(Part.BITMASK) if stored.form is Form.SPARSE else None,
    )


def _state(parts: Mapping[Part, TensorRow]) -> TensorRow | None:
    """What has to be read of a quantized weight before its shape is known, or its order."""
    return next((parts[part] for part in _STATES if part in parts), None)


_STATES: Final = (Part.SHAPE, *STATES, Part.ORDERING)
