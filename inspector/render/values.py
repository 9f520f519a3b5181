"""The view of decoded weights: statistics, and the first numbers of each."""

from collections.abc import Sequence
from dataclasses import dataclass

from inspector.analysis.values import DequantDocument, ScaleFacts, WeightValues
from inspector.decode.numeric import Float32
from inspector.render.document import render_json
from inspector.render.spread import spread_tables
from inspector.render.tables import Cell, Column, Table
from inspector.render.text import counted, escape, plain_number
from inspector.render.view import View

_FIGURES = (
    "count",
    "min",
    "max",
    "mean",
    "std",
    "absmax",
    "zeros",
    "nan_codes",
    "saturated",
    "blocks_zero",
)

_PREVIEW_ROWS = 4
_PREVIEW_COLUMNS = 6
_PREVIEWED = 3
"""Weights whose first numbers are shown."""


@dataclass(frozen=True, slots=True)
class Preview:
    """The first numbers of a weight: `rows` of `columns` values each."""

    name: str
    values: Sequence[Sequence[float]]


def preview_first(previews: list[Preview], name: str, values: Float32) -> None:
    """Take the first rows of a weight as its preview, of as many weights as are shown."""
    if len(previews) < _PREVIEWED and all(one.name != name for one in previews):
        previews.append(_first_of(name, values))


def _first_of(name: str, values: Float32) -> Preview:
    """The first numbers of a weight; those of a vector one below the other."""
    table = values.reshape(len(values), -1) if values.ndim else values.reshape(1, 1)
    if values.ndim == 1:
        table = table.T
    return Preview(name, table[:_PREVIEW_ROWS, :_PREVIEW_COLUMNS].tolist())


def values_view(document: DequantDocument, previews: Sequence[Preview] = ()) -> View:
    """The view of some decoded weights."""
    found = document.tensors
    count = sum(one.statistics.count for one in found)
    decoded = f"{counted(len(found), 'weight')}, {counted(count, 'value')} decoded"
    return View(
        headline=f"{document.model.location}: {decoded}",
        tables=lambda: [
            _stored(found),
            _statistics(found),
            _counts(found),
            *spread_tables(found),
            *(_preview(one) for one in previews),
        ],
        rows=lambda: _all_figures(found),
        names=lambda: (one.name for one in found),
        document=lambda: render_json(document),
    )


def _statistics(found: Sequence[WeightValues]) -> Table:
    figures = ("min", "max", "mean", "std", "absmax")
    columns = (
        Column("weight", nest=True),
        *(Column(name, right=True, show=plain_number) for name in figures),
    )
    rows = [(one.name, *(getattr(one.statistics, name) for name in figures)) for one in found]
    return Table(columns, rows)


def _stored(found: Sequence[WeightValues]) -> Table:
    columns = (Column("weight", nest=True), Column("dtype"), Column("shape"), Column("scale"))
    rows = [
        (one.name, one.dtype, _shown_shape(one), one.scale and shown_scale(one.scale))
        for one in found
    ]
    return Table(columns, rows)


def _counts(found: Sequence[WeightValues]) -> Table:
    counts = ("count", "zeros", "nan_codes", "saturated", "blocks_zero")
    columns = (Column("weight", nest=True), *(Column(name, right=True) for name in counts))
    rows = [(one.name, *(getattr(one.statistics, name) for name in counts)) for one in found]
    return Table(columns, rows)


def shown_scale(scale: ScaleFacts) -> str:
    """The dtype of a scale, and what one value of it covers."""
    is_tiled = scale.granularity in ("block", "group")
    return f"{scale.dtype} by {list(scale.block) if is_tiled else scale.granularity}"


def _shown_shape(one: WeightValues) -> Cell:
    whole = one.rows == (0, one.shape[0] if one.shape else 1)
    if whole and one.columns is None:
        return one.shape
    rows = "" if whole else " rows {}:{}".format(*one.rows)
    columns = "" if one.columns is None else " columns {}:{}".format(*one.columns)
    return f"{list(one.shape)}{rows}{columns}"


def _all_figures(found: Sequence[WeightValues]) -> Table:
    columns = [
        Column("name"), Column("dtype"), Column("shape"), Column("scale"), Column("scale_dtype"),
        Column("scale_shape"), Column("block"), Column("granularity"), Column("rows"),
        Column("columns"),
        *(Column(name, right=True) for name in _FIGURES),
    ]  # fmt: skip
    rows = []
    for one in found:
        scale = one.scale
        of_scale = (
            (None,) * 5
            if scale is None
            else (scale.name, scale.dtype, scale.shape, scale.block, scale.granularity)
        )
        figures = [getattr(one.statistics, name) for name in _FIGURES]
        rows.append((one.name, one.dtype, one.shape, *of_scale, one.rows, one.columns, *figures))
    return Table(columns, rows)


def _preview(preview: Preview) -> Table:
    width = max((len(row) for row in preview.values), default=0)
    columns = [Column(str(index), right=True, show=plain_number) for index in range(width)]
    return Table(columns, preview.values, title=f"first values of {escape(preview.name)}")
