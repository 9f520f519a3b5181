"""Matrices of which only what is not zero is stored, and a bitmask that says where. Pure.

compressed-tensors wrote them up to 0.13 (`compressors/sparse_compressors/`): `sparse-24-bitmask`
stores two of each four values of a row, `sparse-bitmask` all that are not zero, as one run. A bit
of the mask is set for each value that is stored, the first of a byte in its lowest bit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from inspector.catalog import TensorRow
from inspector.errors import DecodeError
from inspector.format.dtypes import Dtype
from inspector.layout.endings import Part

_OFFSETS: Final = np.dtype("<i8")
"""What torch sums counts in (`sparse_bitmask.py`, `bitmask_compress`)."""


def is_run(tensor: TensorRow) -> bool:
    """Whether the values of all rows are one run, each row's as many as it has."""
    return len(tensor.shape) == 1


def dense_shape(tensor: TensorRow, parts: Mapping[Part, TensorRow]) -> tuple[int, ...]:
    """The shape of a whole matrix, as headers tell it.

    Of a run it is that of the mask, whose bytes hold eight columns: the true number, of which the
    last byte may have fewer, is in `.shape`.
    """
    mask = parts.get(Part.BITMASK)
    if is_run(tensor) and mask is not None and mask.shape:
        return (*mask.shape[:-1], 8 * mask.shape[-1])
    if len(tensor.shape) == 2:
        return tensor.shape[0], 2 * tensor.shape[1]
    return tensor.shape


def why_unfit(tensor: TensorRow, parts: Mapping[Part, TensorRow]) -> str | None:
    """Why a bitmask, or what else tells where values belong, is not that of its tensor."""
    mask, shape = parts.get(Part.BITMASK), tensor.shape
    what = f"{tensor.name} {list(shape)} holds what is not zero"
    if mask is None:
        return f"{what}, and no bitmask is beside it"
    if mask.dtype is not Dtype.U8:
        return f"{what}; its bitmask is {mask.dtype}, not U8"
    if not is_run(tensor):
        if len(shape) == 2 and mask.shape == (shape[0], -(-shape[1] // 4)):
            return None
        return f"{what}, two of each four; its bitmask is {list(mask.shape)}"
    offsets, dense = parts.get(Part.ROW_OFFSETS), parts.get(Part.DENSE_SHAPE)
    if offsets is None or dense is None:
        missing = "row_offsets" if offsets is None else "shape"
        return f"{what}, row after row, and no {missing} is beside it"
    if offsets.dtype is not Dtype.I64 or offsets.shape != mask.shape[:-1]:
        return (
            f"{what}; its row_offsets are {offsets.dtype} {list(offsets.shape)}, its bitmask "
            f"{list(mask.shape)}"
        )
    return None


def why_undecoded(tensor: TensorRow, parts: Mapping[Part, TensorRow]) -> str | None:
    """Why a run cannot be read by rows though nothing is wrong with it."""
    mask = parts.get(Part.BITMASK)
    if is_run(tensor) and mask is not None and len(mask.shape) not in (1, 2):
        return f"sparse-bitmask of {len(mask.shape)} axes is not decoded: {list(mask.shape)}"
    return None


@dataclass(frozen=True, slots=True)
class RowStarts:
    """Where the values of each row begin in a run of `count`: `content` are I64, little-endian."""

    content: bytes
    count: int

    @property
    def rows(self) -> int:
        """Of the matrix; a vector has one."""
        return len(self.content) // _OFFSETS.itemsize

    def edges(self, start: int, stop: int) -> npt.NDArray[np.int64]:
        """`[stop - start + 1]`: where rows `[start, stop)` begin, and where the last ends.

        >>> RowStarts(np.array([0, 3, 3], dtype="<i8").tobytes(), 5).edges(1, 3).tolist()
        [3, 3, 5]
        """
        width = _OFFSETS.itemsize
        found = np.frombuffer(self.content[start * width : (stop + 1) * width], dtype=_OFFSETS)
        return np.append(found, self.count) if stop >= self.rows else found.astype(np.int64)


def parse_starts(content: bytes, *, name: str, count: int, columns: int) -> RowStarts:
    """The content of a `row_offsets` tensor that is called `name`.

    Raises:
        DecodeError: rows that do not begin at 0, go backwards, or have more values than columns.
    """
    found = RowStarts(content, count)
    edges = found.edges(0, found.rows)
    lengths = np.diff(edges)
    wrong = np.flatnonzero((lengths < 0) | (lengths > columns))
    if edges[0] != 0:
        raise DecodeError(f"{name}: its first row begins at {edges[0]:,}, not at 0")
    if len(wrong):
        row = int(wrong[0])
        raise DecodeError(
            f"{name}: row {row} begins at {edges[row]:,} and ends at {edges[row + 1]:,}, of "
            f"{count:,} values in rows of at most {columns:,}"
        )
    return found
