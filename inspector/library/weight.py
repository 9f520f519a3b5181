"""`Weight`: one weight of an open checkpoint, read and decoded when its numbers are asked for."""

from typing import Any

import numpy as np

from inspector.analysis.values import (
    Looks,
    ScaleFacts,
    Statistics,
    WeightValues,
    examine_weight,
    scale_facts,
)
from inspector.checkpoint.cutting import pieces
from inspector.checkpoint.reader import Reader
from inspector.decode.numeric import Array, Float32
from inspector.errors import UsageError
from inspector.layout import weights
from inspector.render.fragment import render_fragment
from inspector.render.tables import Column, Table
from inspector.render.text import escape
from inspector.render.values import shown_scale
from inspector.render.view import View


class Weight:
    """A weight, wherever its bytes lie: a tensor, or an expert inside a fused one. Nothing is kept.

    `numpy.asarray(weight)` and `weight[0:8]` decode as `decode` and `rows` do.
    """

    def __init__(self, weight: weights.Weight, reader: Reader) -> None:
        self._weight = weight
        self._reader = reader

    @property
    def name(self) -> str:
        """The full name; that which an expert in a fused tensor would have as one of its own."""
        return self._weight.name

    @property
    def dtype(self) -> str:
        """What is stored: `F8_E4M3`, `BF16`; decoded values are float32."""
        return str(self._weight.tensor.dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the decoded values."""
        return self._weight.shape

    @property
    def shard(self) -> str:
        """The file that its bytes are in."""
        return self._weight.tensor.shard

    @property
    def scale(self) -> ScaleFacts | None:
        """The scale that goes with its codes: name, dtype, shape, block; None without one."""
        return scale_facts(self._weight)

    @property
    def stored_bytes(self) -> int:
        """Bytes of its codes, without the scale: what reading all of it takes."""
        return len(self._weight.span(0, self._weight.rows))

    def __len__(self) -> int:
        return self._weight.rows

    def rows(self, start: int = 0, stop: int | None = None) -> Float32:
        """Rows `[start, stop)` decoded, `[rows, ...]` float32; only their bytes are read.

        Raises:
            UsageError: the weight has no such rows.
            SourceError: the bytes cannot be obtained.
            DecodeError: they cannot be decoded.
        """
        first, last = self._range(start, stop)
        values = np.empty((last - first, *self.shape[1:]), dtype=np.float32)
        for part in self._reader.iterate_rows(self._weight, first, last):
            begin = part.first_row - first
            values[begin : begin + len(part.values)] = part.values
        return values

    def decode(self) -> Float32:
        """All of it, in the shape of the weight, float32."""
        return self.rows().reshape(self.shape)

    def codes(self, start: int = 0, stop: int | None = None) -> Array:
        """Rows `[start, stop)` as they are stored, without the scale, in the dtype of ml_dtypes.

        Codes of fewer bits than a byte stay packed, as bytes.

        Raises:
            UsageError: the weight has no such rows.
            SourceError: the bytes cannot be obtained.
        """
        first, last = self._range(start, stop)
        parts = [self._reader.read_codes(self._weight, *one) for one in self._pieces(first, last)]
        return np.concatenate(parts)

    def statistics(self, start: int = 0, stop: int | None = None) -> Statistics:
        """Figures of rows `[start, stop)`, some rows in memory at a time: min, mean, std, zeros."""
        return self.examine(start, stop).statistics

    def examine(self, start: int = 0, stop: int | None = None) -> WeightValues:
        """What `dequant` says of rows `[start, stop)`: `statistics`, `histogram`, `norms`."""
        rows = self._range(start, stop)
        return examine_weight(self._weight, self._reader, rows, looks=Looks(norms=True))

    def __getitem__(self, index: int | slice | tuple[slice, slice]) -> Float32:
        """`weight[3]`, `weight[0:8]`, `weight[0:8, 0:128]`; whole rows are read."""
        first, *columns = index if isinstance(index, tuple) else (index,)
        if isinstance(first, int):
            row = first + len(self) if first < 0 else first
            at: tuple[Any, ...] = (0, *columns)
            values: Float32 = self.rows(row, row + 1)[at]
            return values
        start, stop, step = first.indices(len(self))
        if step < 1:
            raise UsageError(f"{self.name}: expected a slice that goes forward, found step {step}")
        if stop <= start:
            return np.empty((0, *self.shape[1:]), dtype=np.float32)
        at = (slice(None, None, step), *columns)
        part: Float32 = self.rows(start, stop)[at]
        return part

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:  # noqa: FBT001
        """For numpy: all of it, decoded, which always makes a copy."""
        if copy is False:
            raise ValueError(f"{self.name}: decoding makes a copy")
        return self.decode().astype(dtype or np.float32, copy=False)

    def __repr__(self) -> str:
        stored = f"{self.dtype} {list(self.shape)}"
        return f"<Weight {escape(self.name)}: {stored}{self._scaled()}>"

    def _repr_html_(self) -> str:
        facts = [("dtype", self.dtype), ("shape", str(list(self.shape))), ("shard", self.shard)]
        if self.scale is not None:
            facts.append(("scale", f"{self.scale.name}{self._scaled()}"))
        table = Table((Column("stored"), Column("")), facts)
        view = View(
            headline=self.name, tables=lambda: [table], rows=lambda: table, names=list,
            document=lambda: iter(()),
        )  # fmt: skip
        return "".join(render_fragment(view))

    def _scaled(self) -> str:
        return "" if self.scale is None else f", {shown_scale(self.scale)}"

    def _pieces(self, start: int, stop: int) -> list[tuple[int, int]]:
        return list(pieces(self._weight, start, stop))

    def _range(self, start: int, stop: int | None) -> tuple[int, int]:
        last = len(self) if stop is None else stop
        if not 0 <= start < last <= len(self):
            raise UsageError(
                f"{self.name}: expected rows in [0, {len(self)}), found {start}:{last}"
            )
        return start, last
