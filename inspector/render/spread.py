"""Histograms, norms and checks of decoded weights as tables: bars of block characters."""

from collections.abc import Sequence
from typing import Final

from inspector.analysis.histogram import Histogram
from inspector.analysis.requantize import Verified
from inspector.analysis.values import WeightValues
from inspector.render.tables import Cell, Column, Table
from inspector.render.text import plain_number

_HEIGHTS: Final = "▁▂▃▄▅▆▇█"
_WIDTHS: Final = " ▏▎▍▌▋▊▉█"
_BAR_CELLS: Final = 40
"""With its edges and its count, a bar fits a terminal of 80 columns."""


def spread_tables(found: Sequence[WeightValues]) -> list[Table]:
    """The histograms of some weights, in a line each; of one alone, a bar for every bin."""
    drawn = [(one.name, one.histogram) for one in found if one.histogram is not None]
    tables = []
    if len(found) == 1 and drawn:
        tables.append(_bars(drawn[0][1]))
    elif drawn:
        tables.append(_lines(drawn))
    normed = [one for one in found if one.norms is not None]
    if normed:
        tables.append(_norms(normed))
    checked = [(one.name, one.verified) for one in found if one.verified is not None]
    if checked:
        tables.append(_verified(checked))
    return tables


def sparkline(counts: Sequence[int]) -> str:
    """A block as high as its count for each bin; nothing at all is a space.

    >>> sparkline([0, 1, 4, 8])
    ' ▁▄█'
    """
    most = max(counts, default=0)
    return "".join(
        _HEIGHTS[(len(_HEIGHTS) * count - 1) // most] if count else " " for count in counts
    )


def bar(count: int, most: int) -> str:
    """A bar of up to 40 cells, in eighths of one; a count above nothing shows.

    >>> bar(3, 120), bar(1, 10**6), bar(0, 1)
    ('█', '▏', '')
    """
    eighths = -(-count * _BAR_CELLS * 8 // most) if most else 0
    return ("█" * (eighths // 8) + _WIDTHS[eighths % 8]).rstrip()


def _lines(drawn: Sequence[tuple[str, Histogram]]) -> Table:
    columns = (
        Column("weight", nest=True), Column("from", right=True, show=plain_number),
        Column("spread"), Column("to", show=plain_number),
        Column("below", right=True), Column("above", right=True),
    )  # fmt: skip
    rows = [
        (name, one.edges[0], sparkline(one.counts), one.edges[-1], one.below, one.above)
        for name, one in drawn
    ]
    return Table(columns, rows)


def _bars(one: Histogram) -> Table:
    columns = (
        Column("from", right=True, show=plain_number), Column("to", right=True, show=plain_number),
        Column("values", right=True), Column("spread"),
    )  # fmt: skip
    most = max(one.counts)
    rows: list[tuple[Cell, ...]] = [
        (low, high, count, bar(count, most))
        for low, high, count in zip(one.edges, one.edges[1:], one.counts, strict=False)
    ]
    if one.below:
        rows.insert(0, (None, one.edges[0], one.below, ""))
    if one.above:
        rows.append((one.edges[-1], None, one.above, ""))
    return Table(columns, rows)


def _norms(found: Sequence[WeightValues]) -> Table:
    figures = ("min", "median", "max")
    columns = (
        Column("norms of", nest=True), Column("axis"),
        *(Column(name, right=True, show=plain_number) for name in figures),
        Column("largest", right=True), Column("zeros", right=True),
    )  # fmt: skip
    rows = [
        (one.name, axis, norms.min, norms.median, norms.max, norms.largest, norms.zeros)
        for one in found
        if one.norms is not None
        for axis, norms in (("rows", one.norms.rows), ("columns", one.norms.columns))
    ]
    return Table(columns, rows)


def _verified(checked: Sequence[tuple[str, Verified]]) -> Table:
    columns = (
        Column("quantized again", nest=True), Column("rule"),
        *(Column(name, right=True) for name in ("codes", "equal", "blocks", "equal_scales")),
    )  # fmt: skip
    rows = [
        (name, one.rule, one.codes, one.equal, one.blocks, one.equal_scales)
        for name, one in checked
    ]
    return Table(columns, rows)
