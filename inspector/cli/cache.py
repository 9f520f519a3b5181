"""`cache`: what is kept between runs, and its end."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from inspector.analysis.kept import CacheDocument, CacheTotals, KeptEntry
from inspector.cli.common import OutputOptions
from inspector.cli.options import Format
from inspector.cli.output import say, write_view
from inspector.render.kept import cache_view
from inspector.source.resolve import ALIASES
from inspector.source.shelf import Entry, open_shelf

_UNUSABLE: Final = "unusable"


def run(outputs: OutputOptions, checkpoint: str | None, *, clear: bool) -> None:
    """List what is kept, of one checkpoint or of all, after clearing it where that is asked for."""
    outputs.resolved()
    name = None if checkpoint is None else _name(checkpoint)
    shelf = open_shelf()
    removed, removed_bytes = shelf.clear(name) if clear else (0, 0)
    entries = [_kept(entry, time.time()) for entry in shelf.entries(name)]
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
    view = cache_view(document, cleared=clear)
    write_view(view, outputs, [])
    if outputs.resolved() is not Format.TABLE:
        say(view.headline)


def _name(checkpoint: str) -> str:
    """The name of a checkpoint as the shelf may know it: a whole path, or what was typed."""
    if Path(checkpoint).exists():
        return str(Path(checkpoint).resolve())
    return ALIASES.get(checkpoint, checkpoint.removeprefix("hf://").partition("@")[0])


def _kept(entry: Entry, now: float) -> KeptEntry:
    label = entry.label
    return KeptEntry(
        kind=label.kind if label else _UNUSABLE,
        subject=label.subject if label else entry.path.name,
        version=label.version if label else "",
        bytes=entry.bytes,
        saved=datetime.fromtimestamp(entry.saved_at, UTC).isoformat(timespec="seconds"),
        age_seconds=max(0, round(now - entry.saved_at)),
        file=str(entry.path),
    )
