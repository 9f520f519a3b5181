"""Logical weights: every matrix that a name can mean, with its scale, wherever the bytes lie."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from inspector.catalog import Catalog, TensorRow
from inspector.catalog.names import NameColumns, NameColumnsBuilder, Rows
from inspector.config import ModelConfig
from inspector.errors import LayoutError
from inspector.format.spans import Span
from inspector.layout.experts import ExpertInventory, ExpertKey, Window
from inspector.layout.names import Role, role_of
from inspector.layout.scales import SCALED_DTYPES, ScaleGrid, scale_grid, scale_tensor, scale_window


@dataclass(frozen=True, slots=True)
class Weight:
    """One weight: its name, what it is as a module of its own, its tensor, its scale.

    `window` is the part of `tensor` that it is, None where it is all of it; `scale` is None for
    a weight that is stored unquantized.
    """

    name: str
    tensor: TensorRow
    shape: tuple[int, ...]
    window: Window | None
    scale: ScaleGrid | None

    @property
    def rows(self) -> int:
        """Length of the first axis; a scalar has one row."""
        return self.shape[0] if self.shape else 1

    def span(self, start: int, stop: int) -> Span:
        """The bytes of the file that hold rows `[start, stop)`, and for some windows more."""
        return stored_span(self.tensor, self.window, self.shape, start, stop)


def stored_span(
    tensor: TensorRow, window: Window | None, shape: tuple[int, ...], start: int, stop: int
) -> Span:
    """The smallest span that holds rows `[start, stop)` of a matrix stored in `tensor`."""
    if window is None:
        row_bytes = tensor.bytes // shape[0] if shape and shape[0] else tensor.bytes
        return Span(tensor.start + start * row_bytes, tensor.start + stop * row_bytes)
    height, width = window.stored_shape
    item = tensor.bytes // max(tensor.count, 1)
    first, last = (
        window.rows if window.transposed else (window.rows[0] + start, window.rows[0] + stop)
    )
    page = tensor.start + window.page * height * width * item
    return Span(page + first * width * item, page + last * width * item)


class WeightBook:
    """The weights of a checkpoint by name: stored ones, and experts inside fused tensors."""

    def __init__(self, catalog: Catalog, config: ModelConfig | None) -> None:
        self.catalog = catalog
        self.experts = ExpertInventory(catalog, config)
        self._block = config.weight_block_size if config else None
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
        for tensor in self.catalog.rows(rows):
            if role_of(tensor.name) is not Role.SCALE:
                yield self.stored(tensor)

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
        scale = scale_tensor(self.catalog, tensor)
        if scale is None:
            _refuse_unscaled(tensor.name, tensor)
            return Weight(tensor.name, tensor, tensor.shape, None, None)
        if len(tensor.shape) == 3:
            raise LayoutError(
                f"{tensor.name} {list(tensor.shape)}: fused and quantized; decoded by expert",
                hint="name an expert: layers.0.mlp.experts.0",
            )
        grid = scale_grid(tensor.shape, scale, self._block, name=tensor.name)
        return Weight(tensor.name, tensor, tensor.shape, None, grid)

    def expert(self, key: ExpertKey) -> Weight:
        """One matrix of one expert, wherever it is stored.

        Raises:
            LayoutError: not there, ambiguous, or with a scale that does not fit.
        """
        found = self.experts.find(key)
        if found.window is None:
            return self.stored(found.tensor)
        scale = scale_tensor(self.catalog, found.tensor)
        if scale is None:
            _refuse_unscaled(found.name, found.tensor)
            return Weight(found.name, found.tensor, found.shape, found.window, None)
        if self._block is None:
            raise LayoutError(
                f"{found.tensor.name}: scaled by block, and no weight_block_size declared"
            )
        window = scale_window(found.tensor, found.window, scale, self._block)
        grid = scale_grid(found.shape, scale, self._block, name=found.name, window=window)
        return Weight(found.name, found.tensor, found.shape, found.window, grid)


def _refuse_unscaled(name: str, tensor: TensorRow) -> None:
    if tensor.dtype in SCALED_DTYPES:
        raise LayoutError(
            f"{name}: {tensor.dtype} codes without a scale",
            hint="its scale is missing: no tensor of a known scale name stands beside it",
        )
