"""A report as one HTML file: no network, every name escaped, the JSON document embedded."""

import base64
import gzip
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import Final

import msgspec

from inspector.render.charts import Chart, Points
from inspector.render.svg import svg_points
from inspector.render.tables import Column, Table, shown_cell
from inspector.render.text import html_text, json_safe
from inspector.render.view import View

_PLAIN_BYTES: Final = 1 << 20
"""A longer document is embedded compressed: that of 48,128 experts has some 20 MB."""

_PLAIN_CHART: Final = 1 << 16
"""The same of a chart: scores of 512 x 128 experts are 0.3 MB, and half of that when packed."""


def render_page(title: str, view: View) -> Iterator[str]:
    """The page, in pieces: the answer, charts, tables, and the JSON document as inert data.

    Its script is this package's own and the only one that the page's policy lets run.
    """
    yield from page_start(title, "page")
    yield f'<h1>{html_text(title)}</h1>\n<p class="answer">{html_text(view.headline)}</p>\n'
    yield from charts_and_tables(view, heading="h2")
    yield from embedded(view.document(), "s1inspect.json")
    yield page_end("page")


def page_start(title: str, *assets: str) -> Iterator[str]:
    """All before the content: the policy, and the styles of `assets`, one after the other."""
    yield (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html_text(title)}'
        '</title><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(_script(assets))}">'
        f"<style>{''.join(_asset(f'{name}.css') for name in assets)}</style></head><body>"
    )


def page_end(*assets: str) -> str:
    """All behind the content: the one script that may run, of the same `assets`."""
    return f"<script>{_script(assets)}</script></body></html>\n"


def charts_and_tables(view: View, *, heading: str) -> Iterator[str]:
    """A report below its answer; `heading` is the element of the titles."""
    for chart in view.charts():
        yield from _chart(chart, heading)
    for table in view.tables():
        yield from _table(table, heading)
    for line in view.footer:
        yield f'<p class="note">{html_text(line)}</p>\n'
    if view.command is not None:
        yield f'<p class="note"><code>{html_text(view.command)}</code></p>\n'


def _script(assets: Iterable[str]) -> str:
    return "".join(_asset(f"{name}.js") for name in assets)


def _policy(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def _asset(name: str) -> str:
    return files("inspector.render").joinpath("assets", name).read_text(encoding="utf-8")


def _chart(chart: Chart, heading: str) -> Iterator[str]:
    title = f"<{heading}>{html_text(chart.title)}</{heading}>"
    if isinstance(chart, Points):
        yield f"<section>{title}\n"
        yield from svg_points(chart)
        yield "</section>\n"
        return
    yield f"<section data-chart>{title}"
    yield from _data([json_safe(msgspec.json.encode(chart).decode())], "", most=_PLAIN_CHART)
    yield "</section>\n"


def _table(table: Table, heading: str) -> Iterator[str]:
    title = f"<{heading}>{html_text(table.title)}</{heading}>" if table.title else ""
    yield f'<section>{title}<div class="wide"><table><thead><tr>'
    for column in table.columns:
        kind = ' class="n"' if column.right else ""
        yield f'<th scope="col"{kind}>{html_text(column.name)}</th>'
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
    return f"<td{kind}{value}>{html_text(shown_cell(column, cell))}</td>"


def embedded(pieces: Iterable[str], name: str, *, key: str = "document") -> Iterator[str]:
    """A document as inert data, packed where it is long; it is downloaded under `name`."""
    attributes = f' class="document" data-name="{html_text(name)}" id="{key}"'
    yield from _data(pieces, attributes, most=_PLAIN_BYTES)


def _data(pieces: Iterable[str], attributes: str, *, most: int) -> Iterator[str]:
    """JSON that no browser runs, packed where it is longer than `most`."""
    held: list[str] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
    if size <= most:
        yield f'<script type="application/json"{attributes}>'
        yield from map(_inert, held)
    else:
        packed = gzip.compress("".join(held).encode(), mtime=0)
        yield f'<script type="application/gzip"{attributes}>'
        yield base64.b64encode(packed).decode()
    yield "</script>\n"


def _inert(json_text: str) -> str:
    """JSON that cannot end the element that it is in."""
    return json_text.replace("<", "\\u003c")
