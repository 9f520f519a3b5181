"""A plot of points as inline SVG: seen without a script, in the colours of the page."""

from collections.abc import Iterator
from typing import Final

from inspector.render.charts import Points, Series
from inspector.render.text import html_text

_WIDTH: Final = 460
_HEIGHT: Final = 380
_LEFT: Final = 48
_TOP: Final = 24
_RIGHT: Final = _WIDTH - 16
_BOTTOM: Final = _HEIGHT - 44
"""The frame inside of the picture, in its units."""


def svg_points(chart: Points) -> Iterator[str]:
    """The names of the series, then the plot."""
    for number, one in enumerate(chart.series):
        yield f'<span class="key"><i class="b{number % 4}"></i>{html_text(one.name)}</span>'
    described = f"{chart.title}: {'; '.join(one.name for one in chart.series)}"
    yield (
        f'<svg class="points" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{html_text(described)}">'
        f'<rect x="{_LEFT}" y="{_TOP}" width="{_RIGHT - _LEFT}" height="{_BOTTOM - _TOP}"/>'
    )
    start = max(chart.x_range[0], chart.y_range[0])
    stop = min(chart.x_range[1], chart.y_range[1])
    yield (
        f'<line x1="{_across(start, chart)}" y1="{_down(start, chart)}" '
        f'x2="{_across(stop, chart)}" y2="{_down(stop, chart)}"/>'
    )
    for value in (*chart.x_range, 0.0):
        yield _label(f"{value:.1f}", _across(value, chart), _BOTTOM + 16, "middle")
    for value in (*chart.y_range, 0.0):
        yield _label(f"{value:.1f}", _LEFT - 6, _down(value, chart) + 4, "end")
    yield _label(chart.x_name, (_LEFT + _RIGHT) / 2, _HEIGHT - 8, "middle")
    yield _label(chart.y_name, _LEFT, _TOP - 10, "start")
    for number, one in enumerate(chart.series):
        yield f'<path class="p{number % 4}" d="{_dots(one, chart)}"/>'
    yield "</svg>\n"


def _dots(one: Series, chart: Points) -> str:
    """Lines of no length, which round ends make dots of."""
    return "".join(
        f"M{_across(x, chart):g} {_down(y, chart):g}h0" for x, y in zip(one.x, one.y, strict=True)
    )


def _label(text: str, x: float, y: float, anchor: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}">{html_text(text)}</text>'


def _across(value: float, chart: Points) -> float:
    return round(_LEFT + (_RIGHT - _LEFT) * share_of(value, chart.x_range), 1)


def _down(value: float, chart: Points) -> float:
    return round(_BOTTOM - (_BOTTOM - _TOP) * share_of(value, chart.y_range), 1)


def share_of(value: float, ends: tuple[float, float]) -> float:
    """Where a value lies between two ends, 0 to 1; values outside lie at an end.

    >>> share_of(1.0, (0.0, 4.0)), share_of(9.0, (0.0, 4.0))
    (0.25, 1.0)
    """
    low, high = ends
    return min(1.0, max(0.0, (value - low) / (high - low))) if high > low else 0.5
