"""`Table`: columns and rows of cells, streamed as TSV, CSV, Markdown, JSON lines or terminal text.

A cell is text, a number, a list of numbers or None. No arithmetic: what is shown was computed.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import msgspec

from inspector.render.text import csv_safe, escape, json_safe

Cell = Any


@dataclass(frozen=True, slots=True)
class Column:
    """A column: `name` is the JSON field's. `show` makes a cell's text for people, if not as it is.

    `nest` lets a terminal say the prefixes that dotted names share once; first column only.
    """

    name: str
    right: bool = False
    show: Callable[[Any], str] | None = None
    nest: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows; `rows` may be read once. `title` is for people."""

    columns: Sequence[Column]
    rows: Iterable[Sequence[Cell]]
    title: str = ""


def plain_cell(cell: Cell) -> str:
    """A cell as data: raw numbers, lists as `[1, 2]`, nothing for None; controls escaped.

    >>> plain_cell((1536, 4096)), plain_cell(None), plain_cell(True)
    ('[1536, 4096]', '', 'true')
    """
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, int):
        return str(cell)
    if isinstance(cell, list | tuple):
        return f"[{', '.join([plain_cell(item) for item in cell])}]"
    return escape(str(cell))


def shown_cell(column: Column, cell: Cell) -> str:
    """A cell for people: thousands separated, or as the column shows it."""
    if cell is None:
        return ""
    if column.show is not None:
        return column.show(cell)
    if isinstance(cell, int) and not isinstance(cell, bool):
        return f"{cell:,}"
    return plain_cell(cell)


def render_tsv(table: Table) -> Iterator[str]:
    """A header line, then a line a row. Tabs and newlines in cells are escaped."""
    yield "\t".join(column.name for column in table.columns) + "\n"
    for row in table.rows:
        yield "\t".join([plain_cell(cell) for cell in row]) + "\n"


def render_csv(table: Table) -> Iterator[str]:
    """RFC 4180, with text that could be a formula quoted off."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")

    def line(cells: Sequence[str]) -> str:
        buffer.seek(0)
        buffer.truncate()
        writer.writerow(cells)
        return buffer.getvalue()

    yield line([column.name for column in table.columns])
    for row in table.rows:
        yield line(
            [
                csv_safe(plain_cell(cell)) if isinstance(cell, str) else plain_cell(cell)
                for cell in row
            ]
        )


def render_jsonl(table: Table) -> Iterator[str]:
    """One JSON object a row, under the column names."""
    names = [column.name for column in table.columns]
    for row in table.rows:
        yield json_safe(msgspec.json.encode(dict(zip(names, row, strict=True))).decode()) + "\n"


def render_markdown(table: Table) -> Iterator[str]:
    """A table of GitHub-flavoured Markdown."""
    if table.title:
        yield f"\n**{_markdown(table.title)}**\n\n"
    yield "| " + " | ".join(column.name for column in table.columns) + " |\n"
    yield "|" + "|".join(" ---: " if column.right else " --- " for column in table.columns) + "|\n"
    for row in table.rows:
        cells = [
            _markdown(shown_cell(column, cell))
            for column, cell in zip(table.columns, row, strict=True)
        ]
        yield "| " + " | ".join(cells) + " |\n"


_MARKDOWN: Final = MappingProxyType({letter: f"\\{letter}" for letter in "\\`*_[]|<>"})


def _markdown(text: str) -> str:
    return "".join(_MARKDOWN.get(letter, letter) for letter in text)
