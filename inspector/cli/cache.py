"""`cache`: what is kept between runs, and its end."""

from datetime import UTC, datetime

from inspector.analysis.kept import CacheDocument, CacheTotals, KeptEntry
from inspector.cli.common import OutputOptions, open_shelf
from inspector.cli.options import Format
from inspector.cli.output import say, write_view
from inspector.render.kept import cache_view


def run(outputs: OutputOptions, *, clear: bool) -> None:
    """List what is kept, after clearing it where that is asked for."""
    outputs.resolved()
    shelf = open_shelf()
    removed, removed_bytes = shelf.clear() if clear else (0, 0)
    entries = [
        KeptEntry(
            kind=entry.label.kind,
            subject=entry.label.subject,
            version=entry.label.version,
            bytes=entry.bytes,
            saved=datetime.fromtimestamp(entry.saved_at, UTC).isoformat(timespec="seconds"),
            file=str(entry.path),
        )
        for entry in shelf.entries()
    ]
    document = CacheDocument(
        schema="s1inspect/cache/1",
        folder=str(shelf.folder),
        totals=CacheTotals(
            entries=len(entries),
            bytes=sum(entry.bytes for entry in entries),
            removed=removed,
            removed_bytes=removed_bytes,
        ),
        entries=entries,
    )
    view = cache_view(document)
    write_view(view, outputs, [])
    if outputs.resolved() is not Format.TABLE:
        say(view.headline)
