"""The view of the cache: what is kept of which checkpoint."""

from inspector.analysis.kept import CacheDocument
from inspector.render.document import render_json
from inspector.render.tables import Column, Table
from inspector.render.text import counted, decimal_bytes, short_age
from inspector.render.view import View


def cache_view(document: CacheDocument, *, cleared: bool) -> View:
    """The view of what is kept, or of what was removed."""
    totals = document.totals
    if cleared:
        headline = (
            f"{document.folder}: removed {counted(totals.removed, 'file')}, "
            f"{decimal_bytes(totals.removed_bytes)}"
        )
    else:
        files = counted(totals.entries, "file")
        headline = f"{document.folder}: {files}, {decimal_bytes(totals.bytes)}"

    def table(size: Column, age: Column) -> Table:
        columns = (Column("kind"), Column("subject"), Column("version"), size, age)
        rows = [
            (one.kind, one.subject, one.version, one.bytes, one.age_seconds)
            for one in document.entries
        ]
        return Table(columns, rows)

    return View(
        headline=headline,
        tables=lambda: [
            table(
                Column("bytes", right=True, show=decimal_bytes),
                Column("age", right=True, show=short_age),
            )
        ],
        rows=lambda: table(Column("bytes", right=True), Column("age_seconds", right=True)),
        names=lambda: (one.file for one in document.entries),
        document=lambda: render_json(document),
    )
