"""What the cache holds, as a document."""

import msgspec

from inspector.version import __version__


class KeptEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is kept: of which checkpoint, at which commit where it has one.

    `kind` is `catalog`, `listing`, `file` or `revision`, and `unusable` for what is damaged, of
    another version or left by a broken run; `saved` is a date and time in UTC.
    """

    kind: str
    subject: str
    version: str
    bytes: int
    saved: str
    age_seconds: int
    file: str


class CacheTotals(msgspec.Struct, frozen=True, kw_only=True):
    """All entries; what `--clear` removed, else zeros."""

    entries: int
    bytes: int
    removed: int
    removed_bytes: int


class CacheDocument(msgspec.Struct, frozen=True, kw_only=True):
    """`s1inspect cache --json`. Of no checkpoint, so without the fields that all others share."""

    schema: str
    tool_version: str = __version__
    folder: str
    totals: CacheTotals
    entries: list[KeptEntry]
