"""AWQ's layout for its GEMV kernel: scales and zero points in rows that are padded. Pure.

Source: AutoAWQ `awq/modules/linear/gemv.py`, `calculate_zeros_width`.
"""

from collections.abc import Mapping
from typing import Final

from inspector.catalog import TensorRow
from inspector.errors import LayoutError
from inspector.format.codings import Action, Encoding
from inspector.layout.declared import Declared
from inspector.layout.endings import Part
from inspector.layout.scales import Granularity, ScaleGrid
from inspector.layout.windows import Window

_A_WORD: Final = 8
"""Zero points of 4 bits in a word."""


def padded_grids(
    name: str, shape: tuple[int, int], parts: Mapping[Part, TensorRow], declared: Declared
) -> tuple[ScaleGrid, ScaleGrid]:
    """The zero points and the scales of a matrix, as a declared group lays them over it.

    Raises:
        LayoutError: no size of a group is declared that makes rows of this length.
    """
    rows, columns = shape
    zeros, scale = parts[Part.ZERO_POINT], parts[Part.SCALE]
    words = zeros.shape[1]
    groups = [
        width
        for height, width in declared.blocks
        if height == 1 and columns % width == 0 and _words(columns, width) == words
    ]
    if scale.shape != (rows, _A_WORD * words) or len(groups) != 1:
        stated = [width for _, width in declared.blocks]
        raise LayoutError(
            f"{name} {list(shape)}: no one size of a group gives scales {list(scale.shape)} and "
            f"zero points {list(zeros.shape)}; declared are {stated}",
            hint="config.json states group_size in quantization_config",
        )
    block, grid = (1, groups[0]), (rows, columns // groups[0])
    return (
        ScaleGrid(
            zeros, Granularity.GROUP, block, grid, _part(rows, words, words), Action.SUBTRACT,
            Encoding.ROW_WORDS, bits=4,
        ),
        ScaleGrid(scale, Granularity.GROUP, block, grid, _part(rows, scale.shape[1], grid[1])),
    )  # fmt: skip


def _part(rows: int, stored: int, own: int) -> Window:
    """The first columns of a page, without the padding."""
    return Window(0, 1, (rows, stored), (0, rows), (0, own), transposed=False, alone=True)


def _words(columns: int, group: int) -> int:
    """Words of zero points in a row: a multiple of what 128 columns would take."""
    multiple = max(1, 128 // group)
    words = -(-columns // group // _A_WORD)
    return -(-words // multiple) * multiple
