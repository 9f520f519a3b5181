"""The view of decoded weights: statistics, and the first numbers of each."""

from collections.abc import Sequence
from dataclasses import dataclass

from inspector.analysis.report import Cost, Model
from inspector.analysis.values import DequantDocument, Output, WeightValues
from inspector.errors import Problem
from inspector.render.document import render_json
from inspector.render.tables import Cell, Column, Table
from inspector.render.text import decimal_bytes, escape, plain_number
from inspector.render.view import View

_FIGURES = ("count", "min", "max", "mean", "std", "absmax", "zeros", "nan_codes", "saturated", "blocks_zero")


@dataclass(frozen=True, slots=True)
class Preview:
    """The first numbers of a weight: `rows` of `columns` values each."""

    name: str
    values: Sequence[Sequence[float]]


def values_view(
    found: Sequence[WeightValues],
    previews: Sequence[Preview],
    output: Output | None,
    model: Model,
    cost: Cost,
    findings: Sequence[Problem],
) -> View:
    """The view of some decoded weights."""
    document = DequantDocument(
        schema="s1inspect/dequant/1",
        model=model,
        cost=cost,
        findings=list(findings),
        output=output,
        tensors=list(found),
    )
    count = sum(one.statistics.count for one in found)
    return View(
        headline=f"{model.location}: {len(found):,} weights, {count:,} values decoded",
        tables=lambda: [_statistics(found), *(_preview(one) for one in previews)],
        rows=lambda: _all_figures(found),
        names=lambda: (one.name for one in found),
        document=lambda: render_json(document),
        footer=(
            ()
            if output is None
            else (f"wrote {escape(output.path)}: {output.dtype}, {decimal_bytes(output.bytes)}",)
        ),
    )


def _statistics(found: Sequence[WeightValues]) -> Table:
    columns = (
        Column("name"),
        Column("dtype"),
        Column("shape"),
        *(Column(name, right=True, show=plain_number) for name in ("min", "max", "mean", "std")),
        Column("zeros", right=True),
        Column("nan_codes", right=True),
        Column("saturated", right=True),
    )
    rows = [
        (
            one.name, _with_scale(one), _shown_shape(one), one.statistics.min, one.statistics.max,
            one.statistics.mean, one.statistics.std, one.statistics.zeros,
            one.statistics.nan_codes, one.statistics.saturated,
        )
        for one in found
    ]  # fmt: skip
    return Table(columns, rows)


def _with_scale(one: WeightValues) -> str:
    if one.scale is None:
        return one.dtype
    if one.scale.granularity == "block":
        return f"{one.dtype} x {one.scale.dtype} {one.scale.block[0]}x{one.scale.block[1]}"
    return f"{one.dtype} x {one.scale.dtype} by {one.scale.granularity}"


def _shown_shape(one: WeightValues) -> Cell:
    whole = one.rows == (0, one.shape[0] if one.shape else 1)
    return one.shape if whole else f"{list(one.shape)} rows {one.rows[0]}:{one.rows[1]}"


def _all_figures(found: Sequence[WeightValues]) -> Table:
    columns = [
        Column("name"), Column("dtype"), Column("shape"), Column("scale"), Column("scale_dtype"),
        Column("scale_shape"), Column("block"), Column("granularity"), Column("rows"),
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
        rows.append((one.name, one.dtype, one.shape, *of_scale, one.rows, *figures))
    return Table(columns, rows)


def _preview(preview: Preview) -> Table:
    width = max((len(row) for row in preview.values), default=0)
    columns = [Column(str(index), right=True, show=plain_number) for index in range(width)]
    return Table(columns, preview.values, title=f"first values of {escape(preview.name)}")
