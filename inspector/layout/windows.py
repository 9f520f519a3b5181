"""Matrices inside tensors: which stored rows and columns they are, and which bytes those take."""

from dataclasses import dataclass, replace

from inspector.catalog import TensorRow
from inspector.format.spans import Span


@dataclass(frozen=True, slots=True)
class Window:
    """A matrix inside a tensor: a block of one stored `[stored_rows, stored_columns]` page.

    `page` counts such pages from the start of the tensor, which has `pages`. `transposed` says that
    the rows of the matrix run along the stored columns. `step` is 2 where gate and up take turns:
    every second row (column, where transposed) is the matrix's own. Columns count codes, however
    they are packed.

    `alone`: the tensor is the page, without an axis of pages. `order`: the stored columns are words
    that hold the codes of so many rows of the matrix; which of them is at each place.
    """

    page: int
    pages: int
    stored_shape: tuple[int, int]
    rows: tuple[int, int]
    columns: tuple[int, int]
    transposed: bool
    step: int = 1
    alone: bool = False
    order: tuple[int, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """`[rows, columns]` of the matrix, as a module of its own would have it."""
        height = self.rows[1] - self.rows[0]
        width = self.columns[1] - self.columns[0]
        if self.transposed:
            return -(-width // self.step), height
        return -(-height // self.step), width

    def turned(self) -> "Window | None":
        """The same part read along its stored rows: the transpose of a transposed matrix.

        None where the stored rows are the matrix's own already, its columns take turns with others
        in each, or a word there holds the codes of several.
        """
        if not self.transposed or self.step > 1 or self.order:
            return None
        return replace(self, transposed=False)


def run_span(tensor: TensorRow, first: int, last: int, bits: int) -> Span:
    """The bytes that hold codes `[first, last)` of a tensor that is one run of codes."""
    return Span(tensor.start + first * bits // 8, tensor.start - (-last * bits // 8))


def stored_span(
    tensor: TensorRow, window: Window | None, shape: tuple[int, ...], start: int, stop: int
) -> Span:
    """The smallest span that holds rows `[start, stop)` of a matrix stored in `tensor`.

    Rows of a transposed window need all of its rows; of an interleaved one, those between as well.
    """
    if window is None:
        row_bytes = tensor.bytes // shape[0] if shape and shape[0] else tensor.bytes
        return Span(tensor.start + start * row_bytes, tensor.start + stop * row_bytes)
    height = window.stored_shape[0]
    row_bytes = tensor.bytes // max(window.pages * height, 1)
    first, last = window.rows
    if not window.transposed:
        last = first + (stop - 1) * window.step + 1 if stop > start else first + start * window.step
        first += start * window.step
    page = tensor.start + window.page * height * row_bytes
    return Span(page + first * row_bytes, page + last * row_bytes)
