"""A report as one HTML file: no network, every name escaped, the JSON document embedded."""

import base64
import gzip
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from html import escape as html_escape
from importlib.resources import files
from typing import Final

import msgspec

from inspector.render.charts import Chart
from inspector.render.tables import Column, Table, shown_cell
from inspector.render.text import escape, json_safe
from inspector.render.view import View

_PLAIN_BYTES: Final = 1 << 20
"""A longer document is embedded compressed: that of 48,128 experts has some 20 MB."""


def render_page(title: str, view: View) -> Iterator[str]:
    """The page, in pieces: the answer, charts, tables, and the JSON document as inert data.

    Its script is this package's own and the only one that the page's policy lets run.
    """
    script = _asset("page.js")
    name = _html(title)
    yield (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(script)}">'
        f"<style>{_asset('page.css')}</style></head><body><h1>{name}</h1>\n"
        f'<p class="answer">{_html(view.headline)}</p>\n'
    )
    for chart in view.charts():
        yield from _chart(chart)
    for table in view.tables():
        yield from _table(table)
    for line in view.footer:
        yield f'<p class="note">{_html(line)}</p>\n'
    yield from _document(view.document())
    yield f"<script>{script}</script></body></html>\n"


def _policy(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def _asset(name: str) -> str:
    return files("inspector.render").joinpath("assets", name).read_text(encoding="utf-8")


def _chart(chart: Chart) -> Iterator[str]:
    yield f"<section data-chart><h2>{_html(chart.title)}</h2>"
    text = json_safe(msgspec.json.encode(chart).decode())
    yield f'<script type="application/json">{_inert(text)}</script></section>\n'


def _table(table: Table) -> Iterator[str]:
    heading = f"<h2>{_html(table.title)}</h2>" if table.title else ""
    yield f'<section>{heading}<div class="wide"><table><thead><tr>'
    for column in table.columns:
        kind = ' class="n"' if column.right else ""
        yield f'<th scope="col"{kind}>{_html(column.name)}</th>'
    yield "</tr></thead><tbody>\n"
    for row in table.rows:
        cells = [_cell(column, cell) for column, cell in zip(table.columns, row, strict=True)]
        yield f"<tr>{''.join(cells)}</tr>\n"
    yield "</tbody></table></div></section>\n"


def _cell(column: Column, cell: object) -> str:
    """A cell as people read it; a number that is shown otherwise keeps its value to sort by."""
    kind = " class=n" if column.right else ""
    is_number = isinstance(cell, int | float) and not isinstance(cell, bool)
    value = f' data-v="{cell}"' if is_number else ""
    return f"<td{kind}{value}>{_html(shown_cell(column, cell))}</td>"


def _document(pieces: Iterable[str]) -> Iterator[str]:
    """The document as it is, or compressed where it is long."""
    held: list[str] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
    if size <= _PLAIN_BYTES:
        yield '<script type="application/json" id="document">'
        yield from map(_inert, held)
    else:
        packed = gzip.compress("".join(held).encode(), mtime=0)
        yield '<script type="application/gzip" id="document">'
        yield base64.b64encode(packed).decode()
    yield "</script>\n"


def _inert(json_text: str) -> str:
    """JSON that cannot end the element that it is in."""
    return json_text.replace("<", "\\u003c")


def _html(text: str) -> str:
    return html_escape(escape(text))
