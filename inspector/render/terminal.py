"""Tables on a terminal, by rich. Text, never markup: a name in brackets stays a name."""

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from inspector.render.tables import Table, shown_cell

_WIDE_ROWS = 2_000


def render_terminal(table: Table, console: Console) -> Iterator[str]:
    """The table at the console's width; long ones in parts, so that the first rows come at once."""
    if table.title:
        yield _text(console, Text(table.title, style="bold"))
    part = _empty(table)
    count = 0
    for row in table.rows:
        cells = [Text(shown_cell(c, cell)) for c, cell in zip(table.columns, row, strict=True)]
        part.add_row(*cells)
        count += 1
        if count % _WIDE_ROWS == 0:
            yield _text(console, part)
            part = _empty(table)
    if part.row_count or not count:
        yield _text(console, part)


def _empty(table: Table) -> RichTable:
    rich_table = RichTable(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    for position, column in enumerate(table.columns):
        rich_table.add_column(
            Text(column.name),
            justify="right" if column.right else "left",
            overflow="fold",
            no_wrap=column.right,
            ratio=None,
            style="cyan" if position == 0 else "",
        )
    return rich_table


def _text(console: Console, what: RichTable | Text) -> str:
    with console.capture() as capture:
        console.print(what)
    return capture.get()
