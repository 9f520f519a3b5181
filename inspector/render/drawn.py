"""Charts in letters, for a terminal. Where there is no room, several cells are one letter."""

from collections import Counter
from collections.abc import Iterator, Sequence
from textwrap import fill
from typing import Final

from inspector.render.charts import Chart, HeatMap, Points
from inspector.render.svg import share_of
from inspector.render.text import escape

_SHADES: Final = " ░▒▓█"
_MARKS: Final = "ox+*"
_LINES: Final = 32
"""Most lines of a map of numbers. One of categories has a line for each row."""

_PLOT_HEIGHT: Final = 21
_PLOT_WIDTH: Final = 61
_SCALE: Final = 8
"""Letters of a number beside a plot."""

Cells = Sequence[float | None]


def drawn(chart: Chart, width: int) -> Iterator[str]:
    """The lines of a chart; its title may be wider than `width`."""
    yield escape(chart.title)
    if isinstance(chart, Points):
        yield from _plot(chart, width)
    elif chart.categories:
        yield from _category_map(chart, width)
    else:
        yield from _number_map(chart, width)


def _category_map(chart: HeatMap, width: int) -> Iterator[str]:
    """A letter for the most frequent category of some columns."""
    edge, step = _columns(chart, width)
    for name, row in zip(chart.rows, chart.values, strict=True):
        letters = (_most_frequent(part, chart.symbols) for part in _parts(row, step))
        yield f"{escape(name):>{edge}} {''.join(letters)}".rstrip()
    yield _extent(chart, edge, step, "the most frequent of")
    legend = zip(chart.symbols, chart.categories, strict=True)
    yield fill(", ".join(f"{symbol} {escape(name)}" for symbol, name in legend), width)


def _number_map(chart: HeatMap, width: int) -> Iterator[str]:
    """A shade for the largest value of some rows and columns, blank for the lowest fifth."""
    edge, step = _columns(chart, width)
    high = max((value for row in chart.values for value in row if value is not None), default=0.0)
    steps = -(-len(chart.rows) // _LINES)
    for start in range(0, len(chart.rows), steps):
        rows = [_parts(row, step) for row in chart.values[start : start + steps]]
        letters = (
            _shade([one for part in parts for one in part], high)
            for parts in zip(*rows, strict=True)
        )
        yield f"{escape(chart.rows[start]):>{edge}} {''.join(letters)}".rstrip()
    what = "the largest of" if steps == 1 else f"the largest of {steps} {escape(chart.row_name)}s x"
    yield _extent(chart, edge, step, what, always=steps > 1)
    marks = len(_SHADES)
    shades = (f"{_SHADES[at]} {at * high / marks:.1f}" for at in range(1, marks))
    yield f"{', '.join(shades)} to {high:.1f}"


def _plot(chart: Points, width: int) -> Iterator[str]:
    """Points as letters, dots where both coordinates are equal."""
    columns = max(2, min(_PLOT_WIDTH, width - _SCALE - 1))
    grid = [[" "] * columns for _ in range(_PLOT_HEIGHT)]
    for column in range(columns):
        low, high = chart.x_range
        value = low + (high - low) * column / (columns - 1)
        if chart.y_range[0] <= value <= chart.y_range[1]:
            grid[_line(value, chart)][column] = "."
    for mark, one in zip(_MARKS, chart.series, strict=False):
        for x, y in zip(one.x, one.y, strict=True):
            grid[_line(y, chart)][round(share_of(x, chart.x_range) * (columns - 1))] = mark
    labels = {_line(value, chart): f"{value:.1f}" for value in (0.0, *chart.y_range)}
    for number, letters in enumerate(grid):
        yield f"{labels.get(number, ''):>{_SCALE - 1}} {''.join(letters)}".rstrip()
    ends = (f"{value:.1f}" for value in chart.x_range)
    yield f"{'':{_SCALE}}{next(ends)}{next(ends):>{columns - len(f'{chart.x_range[0]:.1f}')}}"
    marked = [f"{mark} {escape(one.name)}" for mark, one in zip(_MARKS, chart.series, strict=False)]
    yield fill("; ".join([f"across: {escape(chart.x_name)}", ". where equal", *marked]), width)


def _line(value: float, chart: Points) -> int:
    return round((1 - share_of(value, chart.y_range)) * (_PLOT_HEIGHT - 1))


def _columns(chart: HeatMap, width: int) -> tuple[int, int]:
    """The width of the names of rows, and how many columns are one letter."""
    edge = max((len(escape(name)) for name in chart.rows), default=0)
    return edge, max(1, -(-len(chart.columns) // max(1, width - edge - 1)))


def _extent(chart: HeatMap, edge: int, step: int, what: str, *, always: bool = False) -> str:
    """Which columns there are, and what a letter stands for."""
    first, last = escape(chart.columns[0]), escape(chart.columns[-1])
    name = escape(chart.column_name)
    merged = f"; a letter is {what} {step} {name}s" if step > 1 or always else ""
    return f"{'':{edge}} {name} {first} to {last}{merged}"


def _parts(row: Cells, step: int) -> list[Cells]:
    return [row[start : start + step] for start in range(0, len(row), step)]


def _most_frequent(part: Cells, symbols: Sequence[str]) -> str:
    counts = Counter(int(value) for value in part if value is not None)
    return symbols[counts.most_common(1)[0][0]] if counts else " "


def _shade(part: Cells, high: float) -> str:
    """A letter as dark as the largest of some values.

    >>> _shade([1.0, 9.0, None], 10.0), _shade([1.0], 10.0), _shade([None], 10.0)
    ('█', ' ', ' ')
    """
    value = max((one for one in part if one is not None), default=0.0)
    if value <= 0 or high <= 0:
        return _SHADES[0]
    return _SHADES[min(len(_SHADES) - 1, int(len(_SHADES) * value / high))]
