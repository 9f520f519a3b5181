"""A report as a piece of HTML for a notebook: no script, no style of the page, names escaped.

A notebook keeps what it shows: of a long table only the first rows are in the piece.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from inspector.render.tables import Column, Table, shown_cell
from inspector.render.text import html_text
from inspector.render.view import View

_ROWS: Final = 20
_TABLES: Final = 40


def render_fragment(view: View, *, rows: int = _ROWS) -> Iterator[str]:
    """The answer, its tables, each with its first rows, and its notes."""
    yield f"<div><p><strong>{html_text(view.headline)}</strong></p>\n"
    for table in islice(view.tables(), _TABLES):
        yield from _table(table, rows)
    for line in view.footer:
        yield f"<p><small>{html_text(line)}</small></p>\n"
    if view.command is not None:
        yield f"<p><small><code>{html_text(view.command)}</code></small></p>\n"
    yield "</div>\n"


def _table(table: Table, most: int) -> Iterator[str]:
    remaining = iter(table.rows)
    first = list(islice(remaining, most))
    more = sum(1 for _ in remaining)
    if table.title:
        yield f"<p><strong>{html_text(table.title)}</strong></p>\n"
    heads = "".join(
        f'<th style="text-align: {_side(column)}">{html_text(column.name)}</th>'
        for column in table.columns
    )
    yield f"<table><thead><tr>{heads}</tr></thead><tbody>\n"
    for row in first:
        cells = "".join(
            f'<td style="text-align: {_side(column)}">{html_text(shown_cell(column, cell))}</td>'
            for column, cell in zip(table.columns, row, strict=True)
        )
        yield f"<tr>{cells}</tr>\n"
    yield "</tbody></table>\n"
    if more:
        yield f"<p><small>and {more:,} more rows</small></p>\n"


def _side(column: Column) -> str:
    return "right" if column.right else "left"
