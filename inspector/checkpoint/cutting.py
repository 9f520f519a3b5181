"""Rows out of the bytes that were read for them: whole tensors, windows of fused ones."""

from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from inspector.decode.numeric import NUMPY_DTYPES, Array, stored_array
from inspector.decode.packed import rows_of_run, rows_of_words
from inspector.errors import DecodeError
from inspector.format.dtypes import Dtype
from inspector.layout.scheme_table import FLAT
from inspector.layout.sparse import is_run
from inspector.layout.weights import Weight
from inspector.layout.windows import Window

CHUNK_BYTES: Final = 8 << 20
"""Stored bytes that are held and decoded at a time: 32 MB as float32 from FP8."""


def stored_rows(content: bytes, weight: Weight, start: int, stop: int) -> Array:
    """Rows `[start, stop)` of a weight as they are stored: `[rows, stored elements]`.

    Codes that are packed stay so, as bytes; a weight without codes keeps all of its axes.
    """
    dtype = weight.tensor.dtype
    if weight.window is not None and weight.window.order:
        return _rows_across_words(content, weight.window, dtype, start, stop)
    if weight.window is not None:
        page = window_rows(content, weight.window, dtype, start, stop)
        return page[:, 0] if len(weight.shape) == 1 else page
    if weight.coding is None:
        shape = (stop - start, *weight.shape[1:]) if weight.shape else ()
        return stored_array(content, dtype, shape)
    if weight.scheme in FLAT:
        columns = weight.shape[1]
        return rows_of_run(content, start * columns, stop - start, columns)
    return _elements(content, dtype, stop - start)


def dense_rows(content: bytes, mask: bytes, weight: Weight, start: int, stop: int) -> Array:
    """Rows `[start, stop)` of which a mask says what is stored: `[rows, columns]`, zeros elsewhere.

    Of a vector, whose content and mask are read whole, `[rows]`.

    Raises:
        DecodeError: the bits of a row are not as many as its values.
    """
    places = kept_places(mask, weight, start, stop)
    kept = _elements(content, weight.tensor.dtype, 1)
    found = np.zeros(places.shape, dtype=kept.dtype)
    found[places] = kept[0]
    return found if len(weight.shape) == 2 else found[0, start:stop]


def kept_places(mask: bytes, weight: Weight, start: int, stop: int) -> npt.NDArray[np.bool_]:
    """`[rows, columns]`: which values of rows `[start, stop)` are stored; a vector is one row.

    Raises:
        DecodeError: the bits of a row are not as many as its values.
    """
    columns = weight.shape[-1]
    first, last = (start, stop) if len(weight.shape) == 2 else (0, 1)
    stored = _elements(mask, Dtype.U8, last - first)
    bits = np.unpackbits(stored, axis=1, count=columns, bitorder="little")
    counts = bits.sum(axis=1, dtype=np.int64)
    if weight.starts is not None:
        wanted = np.diff(weight.starts.edges(first, last))
    else:
        wanted = np.full(len(counts), weight.tensor.shape[-1], dtype=np.int64)
    wrong = np.flatnonzero(counts != wanted)
    if len(wrong):
        row = int(wrong[0])
        raise DecodeError(
            f"{weight.name}: its bitmask has {counts[row]:,} bits in row {first + row}, of which "
            f"{wanted[row]:,} values are stored"
        )
    return np.asarray(bits.view(np.bool_))


def window_rows(content: bytes, window: Window, dtype: Dtype, start: int, stop: int) -> Array:
    """Rows `[start, stop)` of a matrix, from the span that `stored_span` gives for them."""
    count = max(0, (stop - start - 1) * window.step + 1)
    height = window.rows[1] - window.rows[0] if window.transposed else count
    page = _elements(content, dtype, height)
    if not window.transposed:
        return page[:: window.step, slice(*window.columns)]
    first = window.columns[0] + start * window.step
    return page[:, first : first + count : window.step].T


def _rows_across_words(
    content: bytes, window: Window, dtype: Dtype, start: int, stop: int
) -> Array:
    """Rows `[start, stop)`, repacked each by itself, of a page whose words hold several rows."""
    each = len(window.order)
    first = start // each
    page = _elements(content, dtype, window.rows[1] - window.rows[0])
    words = page[:, first : -(-stop // each)]
    return rows_of_words(words, window.order)[start - each * first : stop - each * first]


def pieces(weight: Weight, start: int, stop: int) -> list[tuple[int, int]]:
    """`[start, stop)` cut into pieces of some `CHUNK_BYTES`, at block edges where there are such.

    A transposed window is one piece: any of its rows needs all of its bytes, and a sparse vector.
    Rows that store as many values as they have are cut for what they are when they are decoded.
    """
    if weight.window is not None and weight.window.transposed:
        return [(start, stop)]
    row_bytes = len(weight.span(start, stop)) // max(1, stop - start)
    if weight.bitmask is not None and is_run(weight.tensor):
        if len(weight.shape) != 2:
            return [(start, stop)] if stop > start else []
        row_bytes = weight.shape[1] * weight.tensor.dtype.bits // 8
    return _cut(weight, start, stop, row_bytes)


def decoded_together(weight: Weight, codes: Array, start: int, stop: int) -> list[tuple[int, int]]:
    """The rows `[start, stop)` of one piece cut again, where it was not cut for its size."""
    if weight.window is None or not weight.window.transposed or codes.nbytes <= CHUNK_BYTES:
        return [(start, stop)]
    return _cut(weight, start, stop, codes.nbytes // len(codes))


def _cut(weight: Weight, start: int, stop: int, row_bytes: int) -> list[tuple[int, int]]:
    """`[start, stop)` in pieces of some `CHUNK_BYTES`, at block edges where there are such."""
    step = max(1, CHUNK_BYTES // max(1, row_bytes))
    if weight.scale is not None and weight.scale.block[0] <= step:
        step -= step % weight.scale.block[0]
    edges = [start, *range(start - start % step + step, stop, step), stop]
    return list(pairwise(edges)) if stop > start else []


def _elements(content: bytes, dtype: Dtype, rows: int) -> Array:
    """`[rows, stored elements]`; those below a byte as the bytes that hold them."""
    elements = np.frombuffer(content, dtype=NUMPY_DTYPES.get(dtype, np.dtype(np.uint8)))
    return elements.reshape(rows, elements.size // max(rows, 1))
