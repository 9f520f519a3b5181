"""A report as one HTML file: no network, every name escaped, the JSON document embedded."""

from collections.abc import Iterable, Iterator
from html import escape as html_escape
from typing import Final

from inspector.render.tables import Table, shown_cell
from inspector.render.text import escape

_STYLE: Final = (
    ":root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;"
    "max-width:75rem;padding:0 1rem}table{border-collapse:collapse;margin:1rem 0;display:block;"
    "overflow-x:auto}th,td{padding:.2rem .7rem;text-align:left;border-bottom:1px solid #8884}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}td{font-family:ui-monospace,"
    "monospace;font-size:.9em}caption{text-align:left;font-weight:600;padding:.3rem 0}"
)
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


def render_page(
    title: str, lines: Iterable[str], tables: Iterable[Table], document: Iterable[str]
) -> Iterator[str]:
    """The page, in pieces. `document` is the JSON, embedded as data that no script runs."""
    name = _html(title)
    yield (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<style>{_STYLE}</style></head><body><h1>{name}</h1>\n"
    )
    for line in lines:
        yield f"<p>{_html(line)}</p>\n"
    for table in tables:
        yield from _table(table)
    yield '<script type="application/json" id="document">'
    for piece in document:
        yield piece.replace("<", "\\u003c")
    yield "</script></body></html>\n"


def _table(table: Table) -> Iterator[str]:
    yield f"<table><caption>{_html(table.title)}</caption><thead><tr>"
    for column in table.columns:
        yield (
            f'<th class="n">{_html(column.name)}</th>'
            if column.right
            else f"<th>{_html(column.name)}</th>"
        )
    yield "</tr></thead><tbody>\n"
    for row in table.rows:
        cells = [
            f"<td{' class=n' if column.right else ''}>{_html(shown_cell(column, cell))}</td>"
            for column, cell in zip(table.columns, row, strict=True)
        ]
        yield f"<tr>{''.join(cells)}</tr>\n"
    yield "</tbody></table>\n"


def _html(text: str) -> str:
    return html_escape(escape(text))
