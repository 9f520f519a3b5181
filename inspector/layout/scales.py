"""What the numbers beside a weight cover: tensor, channel, group or block. Pure.

The shape of a scale says which class it is; the config or the format says how large a block is, and
the two are checked against each other by ceiling division. The block size is never derived from the
grid: rows / scale rows is wrong where the last block is partial. Sources: DeepSeek-V3
`README_WEIGHTS.md` (padded blocks, ceiling division), vLLM `fp8_utils.py`.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from inspector.catalog import TensorRow
from inspector.errors import LayoutError
from inspector.format.codings import Action, Encoding
from inspector.format.spans import Span
from inspector.layout.windows import Window, stored_span

Block = tuple[int, int]


class Granularity(StrEnum):
    """What one scale covers."""

    TENSOR = "tensor"
    CHANNEL = "channel"
    GROUP = "group"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Nested:
    """Of scales that are codes: a `table` of numbers, a `scale` for each `block`, an `offset`.

    A scale is `table[code] * scale + offset`, in float32.
    """

    scale: TensorRow
    table: TensorRow
    block: int
    offset: float


@dataclass(frozen=True, slots=True)
class ScaleGrid:
    """Numbers laid over one matrix: `block` is what each covers, `action` what it does to a code.

    `shape` is of the grid, as the matrix lies; `window` is the part of the tensor's page that
    belongs to the matrix, where it is fused. `bits` is of one number that is packed in words.
    `nested` is there where the numbers are codes themselves. `row_length` is other than 0 where
    blocks go on over the ends of rows: it is how many values a row has, and the grid is one row.
    """

    tensor: TensorRow
    granularity: Granularity
    block: Block
    shape: tuple[int, int]
    window: Window | None = None
    action: Action = Action.MULTIPLY
    encoding: Encoding = Encoding.PLAIN
    bits: int = 0
    nested: Nested | None = None
    row_length: int = 0

    @property
    def whole_rows(self) -> int:
        """How many rows end where blocks do: runs of so many, from the first on, cut no block."""
        if not self.row_length:
            return self.block[0]
        return self.block[1] // math.gcd(self.row_length, self.block[1])

    @property
    def stored_columns(self) -> int:
        """Elements of a stored row; four exponents are in one word."""
        return -(-self.shape[1] // 4) if self.encoding is Encoding.E8M0_WORDS else self.shape[1]

    def rows_for(self, start: int, stop: int) -> tuple[int, int]:
        """The rows of the grid that rows `[start, stop)` of the matrix take.

        Integers that are packed down the rows come in runs of 32, which are whole words.
        """
        first, last = start // self.block[0], -(-stop // self.block[0])
        if self.encoding.is_packed_down:
            return first - first % 32, min(-(-last // 32) * 32, self.shape[0])
        return first, last

    def run_for(self, start: int, stop: int) -> tuple[int, int]:
        """Of blocks that go on over the ends of rows: those that rows `[start, stop)` have."""
        length, block = self.row_length, self.block[1]
        return start * length // block, -(-stop * length // block)

    def stored_rows(self, first: int, last: int) -> tuple[int, int]:
        """The stored rows that hold rows `[first, last)` of the grid."""
        if self.encoding.is_packed_down:
            return first * self.bits // 32, -(-last * self.bits // 32)
        return first, last

    def turned(self) -> "ScaleGrid | None":
        """The grid of the transposed matrix, where that can be read by its rows."""
        window = None if self.window is None else self.window.turned()
        if (window is None and self.tensor.count > 1) or self.encoding.is_packed_down:
            return None
        block, shape = (self.block[1], self.block[0]), (self.shape[1], self.shape[0])
        return replace(self, block=block, shape=shape, window=window)

    def span(self, start: int, stop: int) -> Span:
        """The bytes that hold the numbers of rows `[start, stop)` of the matrix."""
        if self.row_length:
            return stored_span(self.tensor, None, self.tensor.shape, *self.run_for(start, stop))
        first, last = self.rows_for(start, stop)
        if self.window is not None:
            return stored_span(self.tensor, self.window, self.shape, first, last)
        stored = self.stored_rows(0, self.shape[0])[1], self.stored_columns
        return stored_span(self.tensor, None, stored, *self.stored_rows(first, last))

    def spans(self, start: int, stop: int) -> Iterator[tuple[str, Span]]:
        """By shard, the same, and the bytes of what the numbers are decoded with."""
        yield self.tensor.shard, self.span(start, stop)
        if self.nested is not None:
            for tensor in (self.nested.table, self.nested.scale):
                yield tensor.shard, tensor.span


@dataclass(frozen=True, slots=True)
class Matrix:
    """A matrix as its scales see it: `[rows, columns]` in codes, and where in a fused tensor."""

    name: str
    shape: tuple[int, ...]
    window: Window | None = None

    @property
    def page(self) -> tuple[int, int]:
        """`[rows, columns]` of the whole page that it is a part of, as a module would have it."""
        if self.window is None:
            rows, columns = self.shape
            return rows, columns
        height, width = self.window.stored_shape
        return (width, height) if self.window.transposed else (height, width)


@dataclass(frozen=True, slots=True)
class Numbers:
    """A tensor whose numbers are laid over a matrix, and how they are stored and used."""

    tensor: TensorRow
    action: Action = Action.MULTIPLY
    encoding: Encoding = Encoding.PLAIN
    bits: int = 0

    def stored(self, rows: int, columns: int) -> tuple[int, int]:
        """The shape in which a grid of `rows` x `columns` numbers is stored."""
        if self.encoding is Encoding.E8M0_WORDS:
            return rows, -(-columns // 4)
        if self.encoding.is_packed_down:
            return -(-rows * self.bits // 32), columns
        return rows, columns


def lay_grid(
    matrix: Matrix,
    numbers: Numbers,
    declared: Sequence[Block],
    specified: Block | None = None,
    *,
    by_block_only: bool = False,
) -> ScaleGrid:
    """The grid of a matrix's numbers, proved to tile it.

    Args:
        matrix: what they are laid over.
        numbers: the tensor that holds them.
        declared: block sizes that the config states.
        specified: the block size of the number format, tried where no declared one fits.
        by_block_only: one number for all, or one a row, is not what the format has.

    Raises:
        LayoutError: the shape fits no class, or a block scale has no declared or no fitting block.
    """
    if len(matrix.shape) != 2:
        raise LayoutError(f"{matrix.name}: a scaled weight has 2 axes, not {list(matrix.shape)}")
    fitting = [block for block in declared if _fits(matrix, numbers, block)]
    if len(fitting) > 1:
        both = " and ".join(str(list(block)) for block in fitting)
        raise LayoutError(
            f"{matrix.name} {list(matrix.shape)}: its scale {numbers.tensor.name} "
            f"{list(numbers.tensor.shape)} fits blocks of {both}, which are all declared"
        )
    if not fitting and specified is not None and _fits(matrix, numbers, specified):
        fitting = [specified]
    rows, columns = (max(size, 1) for size in matrix.page)
    for block in fitting:
        if block[0] == 1 and block[1] >= columns and not by_block_only:
            return _grid(matrix, numbers, Granularity.CHANNEL, (1, columns))
        granularity = Granularity.GROUP if block[0] == 1 else Granularity.BLOCK
        return _grid(matrix, numbers, granularity, block)
    for granularity, block in (
        (Granularity.TENSOR, (rows, columns)),
        (Granularity.CHANNEL, (1, columns)),
    ):
        if not by_block_only and _is_simple(matrix, numbers, granularity, declared):
            return _grid(matrix, numbers, granularity, block)
    raise _no_grid(matrix, numbers, [*declared, *([specified] if specified else [])])


def _no_grid(matrix: Matrix, numbers: Numbers, blocks: Sequence[Block]) -> LayoutError:
    shape, tensor = list(matrix.page), numbers.tensor
    if not blocks:
        return LayoutError(
            f"{matrix.name} {list(matrix.shape)}: its scale {tensor.name} {list(tensor.shape)} "
            "is by block, and no weight_block_size is declared",
            hint="the block size is never guessed from the grid; config.json states it",
        )
    tiles = list(_stored_shape(matrix, numbers, blocks[0]))
    return LayoutError(
        f"{matrix.name}: {'' if matrix.window is None else 'a page of '}{shape} in "
        f"{list(blocks[0])} blocks needs scales {tiles}, {tensor.name} has {list(tensor.shape)}"
    )


def _tiles(shape: tuple[int, int], block: Block) -> tuple[int, int]:
    return -(-shape[0] // block[0]), -(-shape[1] // block[1])


def _stored_shape(matrix: Matrix, numbers: Numbers, block: Block) -> tuple[int, ...]:
    """The shape that the tensor of numbers must have for a block size."""
    rows, columns = _tiles(matrix.page, block)
    window = matrix.window
    if window is None:
        return numbers.stored(rows, columns)
    stored = numbers.stored(rows, columns)
    pages = () if window.alone else (window.pages,)
    return (*pages, *(reversed(stored) if window.transposed else stored))


def _fits(matrix: Matrix, numbers: Numbers, block: Block) -> bool:
    return numbers.tensor.shape == _stored_shape(matrix, numbers, block)


def _is_simple(
    matrix: Matrix, numbers: Numbers, granularity: Granularity, declared: Sequence[Block]
) -> bool:
    """Whether the numbers are one for the matrix, or one for each of its rows."""
    return numbers.tensor.shape in set(_simple_shapes(matrix, numbers, granularity, declared))


def _simple_shapes(
    matrix: Matrix, numbers: Numbers, granularity: Granularity, declared: Sequence[Block]
) -> Iterator[tuple[int, ...]]:
    rows, window = matrix.page[0], matrix.window
    pages = () if window is None or window.alone else (window.pages,)
    if granularity is Granularity.TENSOR:
        if numbers.encoding.is_packed_down:
            return  # a word of one row holds the numbers of several
        yield from ((), (1,), pages, (*pages, 1))
        if not any(height > 1 for height, _ in declared):
            yield from ((1, 1), (*pages, 1, 1))  # else it is a grid, of another block's size
    elif window is not None and window.alone:
        yield numbers.stored(rows, 1)[::-1]
    else:
        yield (*pages, *numbers.stored(rows, 1))
        if numbers.encoding in (Encoding.PLAIN, Encoding.MAXIMUM):
            yield (*pages, rows)
            if window is not None and window.transposed:
                yield (*pages, 1, rows)


def _grid(matrix: Matrix, numbers: Numbers, granularity: Granularity, block: Block) -> ScaleGrid:
    """The part of a page's numbers that belongs to a matrix of it, as a grid of its own."""
    window, tensor = matrix.window, numbers.tensor
    shape = _tiles(matrix.page, block)
    in_words = numbers.encoding is Encoding.E8M0_WORDS or numbers.encoding.is_packed_down
    if window is not None and window.alone:
        height, width = numbers.stored(*shape)[::-1]
        part = Window(0, 1, (height, width), (0, height), (0, width), transposed=True, alone=True)
        return ScaleGrid(
            tensor, granularity, block, shape, part, numbers.action, numbers.encoding, numbers.bits
        )
    if window is not None and in_words:
        raise LayoutError(f"{tensor.name}: fused and packed in words; no known scheme does that")
    if window is None or tensor.count == 1:
        if tensor.count == 1 and not in_words:
            shape, block = (1, 1), _of_matrix(block, matrix)
        return ScaleGrid(
            tensor, granularity, block, shape, None, numbers.action, numbers.encoding, numbers.bits
        )
    rows, step = _rows_of(matrix, window, block[0], tensor)
    columns = (0, shape[1])
    part = Window(
        window.page, window.pages,
        stored_shape=(shape[1], shape[0]) if window.transposed else shape,
        rows=columns if window.transposed else rows,
        columns=rows if window.transposed else columns,
        transposed=window.transposed, step=step,
    )  # fmt: skip
    return ScaleGrid(
        tensor, granularity, _of_matrix(block, matrix), part.shape, part, numbers.action,
        numbers.encoding, numbers.bits,
    )  # fmt: skip


def _of_matrix(block: Block, matrix: Matrix) -> Block:
    """A block that covers a whole page covers its matrix, and no more of it is to be said."""
    rows, columns = matrix.shape
    page_rows, page_columns = matrix.page
    return (
        rows if block[0] == page_rows else block[0],
        columns if block[1] == page_columns else block[1],
    )


def _rows_of(
    matrix: Matrix, window: Window, block_rows: int, tensor: TensorRow
) -> tuple[tuple[int, int], int]:
    """Which rows of a page's numbers a matrix takes, and by which step.

    Raises:
        LayoutError: one number covers rows of two projections, and others as well.
    """
    start, stop = window.columns if window.transposed else window.rows
    page_rows = matrix.page[0]
    if block_rows >= page_rows:
        return (0, 1), 1
    if block_rows == 1:
        return (start, stop), window.step
    if window.step > 1 or start % block_rows or (stop % block_rows and stop != page_rows):
        raise LayoutError(
            f"{tensor.name}: a block of {block_rows} spans two projections at {stop}",
        )
    return (start // block_rows, -(-stop // block_rows)), 1
