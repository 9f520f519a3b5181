"""`Catalog`: every tensor of a checkpoint as one row of columns; built a header at a time.

Columns are arrays and names are templates (`names.py`), so that 290,292 rows take some 15 MB.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from inspector.catalog.names import NameColumns, NameColumnsBuilder, Rows
from inspector.format.dtypes import Dtype
from inspector.format.header import Header
from inspector.format.spans import Span


class TensorRow(msgspec.Struct, frozen=True, gc=False):
    """One tensor, in the words of the JSON document, the table's columns and this code.

    `start` and `stop` count from the first byte of `shard`; `count` is elements.
    """

    name: str
    dtype: Dtype
    shape: tuple[int, ...]
    count: int
    bytes: int
    shard: str
    start: int
    stop: int

    @property
    def span(self) -> Span:
        return Span(self.start, self.stop)


@dataclass(frozen=True, slots=True)
class Catalog:
    """A table of tensors in natural order of their names, equal names in order of their shards.

    `[n]` arrays, one entry a tensor.
    """

    names: NameColumns
    shards: tuple[str, ...]
    dtypes: tuple[Dtype, ...]
    shapes: tuple[tuple[int, ...], ...]
    shard_ids: npt.NDArray[np.int32]
    dtype_ids: npt.NDArray[np.uint8]
    shape_ids: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int64]
    stops: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def all_rows(self) -> Rows:
        return np.arange(len(self), dtype=np.int64)

    def row(self, row: int) -> TensorRow:
        return next(self.rows(np.array([row], dtype=np.int64)))

    def rows(self, rows: Rows, *, chunk: int = 8192) -> Iterator[TensorRow]:
        """The rows asked for, in that order, made as they are needed."""
        for begin in range(0, len(rows), chunk):
            part = rows[begin : begin + chunk]
            counts = {i: math.prod(self.shapes[i]) for i in set(self.shape_ids[part].tolist())}
            for name, dtype, shape, shard, start, stop in zip(
                self.names.texts(part),
                self.dtype_ids[part].tolist(),
                self.shape_ids[part].tolist(),
                self.shard_ids[part].tolist(),
                self.starts[part].tolist(),
                self.stops[part].tolist(),
                strict=True,
            ):
                yield TensorRow(
                    name, self.dtypes[dtype], self.shapes[shape], counts[shape], stop - start,
                    self.shards[shard], start, stop,
                )  # fmt: skip

    def texts(self, rows: Rows, *, chunk: int = 8192) -> Iterator[str]:
        """The names of the rows asked for, in that order, made as they are needed."""
        for begin in range(0, len(rows), chunk):
            yield from self.names.texts(rows[begin : begin + chunk])

    def find(self, name: str) -> TensorRow | None:
        """The tensor of a full name, or None."""
        row = self.names.find(name)
        return None if row is None else self.row(row)

    def counts(self, rows: Rows) -> npt.NDArray[np.int64]:
        """Elements of each row."""
        by_shape = np.array([math.prod(shape) for shape in self.shapes], dtype=np.int64)
        return by_shape[self.shape_ids[rows]]

    def sizes(self, rows: Rows) -> npt.NDArray[np.int64]:
        """Bytes of each row."""
        return self.stops[rows] - self.starts[rows]

    def dtype_masks(self) -> Mapping[Dtype, npt.NDArray[np.bool_]]:
        return {dtype: self.dtype_ids == index for index, dtype in enumerate(self.dtypes)}


class CatalogBuilder:
    """Adds headers one by one, in any order, and keeps none of their objects."""

    def __init__(self) -> None:
        self._names = NameColumnsBuilder()
        self._shards: dict[str, int] = {}
        self._dtypes: dict[Dtype, int] = {}
        self._shapes: dict[tuple[int, ...], int] = {}
        self._numbers: list[npt.NDArray[np.int64]] = []

    def add(self, header: Header) -> None:
        shard = self._shards.setdefault(header.shard, len(self._shards))
        self._names.add(header.names)
        kinds = np.empty((2, len(header.kinds)), dtype=np.int64)
        for position, (dtype, shape) in enumerate(header.kinds):
            kinds[0, position] = self._dtypes.setdefault(dtype, len(self._dtypes))
            kinds[1, position] = self._shapes.setdefault(shape, len(self._shapes))
        columns = np.empty((5, len(header.names)), dtype=np.int64)
        columns[0] = shard
        columns[1:3] = kinds[:, header.kind_ids]
        columns[3] = header.starts
        columns[4] = header.stops
        self._numbers.append(columns)

    def build(self) -> Catalog:
        names = self._names.build()
        columns = np.concatenate([np.empty((5, 0), np.int64), *self._numbers], axis=1)
        shard_names = tuple(sorted(self._shards))
        position = {shard: index for index, shard in enumerate(shard_names)}
        renumbered = np.array([position[shard] for shard in self._shards], dtype=np.int32)
        by_shard = np.argsort(renumbered[columns[0]], kind="stable")
        order = by_shard[names.take(by_shard).natural_order()]
        return Catalog(
            names=names.take(order),
            shards=shard_names,
            dtypes=tuple(self._dtypes),
            shapes=tuple(self._shapes),
            shard_ids=renumbered[columns[0, order]],
            dtype_ids=columns[1, order].astype(np.uint8),
            shape_ids=columns[2, order].astype(np.int32),
            starts=columns[3, order],
            stops=columns[4, order],
        )
