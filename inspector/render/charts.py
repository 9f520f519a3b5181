"""Charts of a report: values that a page or a terminal draws. What is drawn was computed."""

from collections.abc import Sequence

import msgspec


class HeatMap(msgspec.Struct, frozen=True, kw_only=True, tag="heat_map", tag_field="kind"):
    """A value for every row and column, None where there is none.

    With `categories` the values are positions in it, and `symbols` has a letter for each; without,
    numbers. `notes` has a text for each value, or is empty.
    """

    title: str
    row_name: str
    column_name: str
    rows: Sequence[str]
    columns: Sequence[str]
    values: Sequence[Sequence[float | None]]
    categories: Sequence[str] = ()
    symbols: Sequence[str] = ()
    notes: Sequence[Sequence[str]] = ()


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Points of one kind: as many `y` as `x`."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


class Points(msgspec.Struct, frozen=True, kw_only=True):
    """Points beside the line on which both coordinates are equal, as of a QQ plot.

    What lies outside of the ranges is drawn at their edge.
    """

    title: str
    x_name: str
    y_name: str
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    series: Sequence[Series]


Chart = HeatMap | Points
