"""Tables on a terminal, by rich. Text, never markup: a name in brackets stays a name."""

from collections.abc import Iterator, Sequence
from io import StringIO
from itertools import islice
from textwrap import fill
from typing import Final

from rich.console import Console, Group
from rich.table import Table as RichTable
from rich.text import Text

from inspector.render.drawn import drawn
from inspector.render.nesting import outline
from inspector.render.tables import Cell, Table, plain_cell, shown_cell
from inspector.render.text import escape
from inspector.render.view import View

_PART: Final = 2_000
"""Rows laid out at a time, so that the first of many come at once."""

_WIDE: Final = 100
"""From this width on, an outline is indented by two."""


def render_view(view: View, console: Console) -> Iterator[str]:
    """A report at the console's width: the answer, its tables, its charts, its notes.

    A command is one line, however long: it is there to be copied.
    """
    yield f"{fill(escape(view.headline), console.width)}\n\n"
    for table in view.tables():
        yield from render_terminal(table, console)
        yield "\n"
    for chart in view.drawn():
        yield "".join(f"{line}\n" for line in drawn(chart, console.width))
        yield "\n"
    for line in view.footer:
        yield f"{fill(escape(line), console.width)}\n"
    if view.command is not None:
        yield f"{escape(view.command)}\n"


def plain_text(view: View, *, width: int) -> Iterator[str]:
    """A report as text without colours, as a file or a string holds it."""
    return render_view(view, Console(file=StringIO(), no_color=True, width=width))


def render_terminal(table: Table, console: Console) -> Iterator[str]:
    """The table at the console's width. A column marked `nest` becomes an outline."""
    if table.title:
        yield _text(console, Text(table.title, style="bold"))
    rows = iter(table.rows)
    part = list(islice(rows, _PART))
    while True:
        yield _text(console, _rich_table(table, part, console))
        part = list(islice(rows, _PART))
        if not part:
            return


def _rich_table(table: Table, rows: Sequence[Sequence[Cell]], console: Console) -> Group:
    laid_out = RichTable(
        box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False, header_style="dim"
    )
    for column in table.columns:
        laid_out.add_column(
            Text(column.name),
            justify="right" if column.right else "left",
            overflow="fold",
            no_wrap=column.right,
        )
    if not table.columns[0].nest:
        for row in rows:
            laid_out.add_row(*_cells(table, row, 0))
        return Group(laid_out)
    lines = outline([plain_cell(row[0]) for row in rows])
    above = []
    if len(lines) > 1 and lines[0].row is None and all(line.depth for line in lines[1:]):
        above = [Text(lines[0].label, style="bold")]
        lines = lines[1:]
    indent = "  " if console.width >= _WIDE else " "
    for line in lines:
        label = Text(indent * line.depth + line.label, style="bold" if line.row is None else "")
        laid_out.add_row(label, *([] if line.row is None else _cells(table, rows[line.row], 1)))
    return Group(*above, laid_out)


def _cells(table: Table, row: Sequence[Cell], first: int) -> list[Text]:
    columns = table.columns[first:]
    return [
        Text(shown_cell(column, cell)) for column, cell in zip(columns, row[first:], strict=True)
    ]


def _text(console: Console, what: Group | Text) -> str:
    with console.capture() as capture:
        console.print(what)
    return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())
