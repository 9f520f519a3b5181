"""What the head of an answer promises, checked before its body is used."""

import threading
from dataclasses import dataclass

from inspector.errors import (
    AccessDenied,
    ObjectNotFound,
    RangeNotHonored,
    SourceChanged,
    SourceError,
)
from inspector.format.spans import Span
from inspector.source.patience import PASSING_STATUSES, TryAgain

WHOLE_FILE_HINT = "use a server or mirror that supports Range, or download the file first"


@dataclass(frozen=True, slots=True)
class Reply:
    """The head of a 206: which bytes of how many, of which version, and how they are encoded."""

    span: Span
    size: int
    etag: str | None
    encoding: str | None = None


class FileVersions:
    """Size and ETag of each file as they were first seen; another later is `SourceChanged`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[int, str | None]] = {}

    def check(self, path: str, where: str, *, size: int, etag: str | None) -> None:
        """Compare with the first answer. An ETag that is not sent says nothing.

        Whether an ETag is weak is left out: a server that compresses some answers makes it so.
        """
        opaque = etag.removeprefix("W/") if etag else None
        with self._lock:
            old_size, old_etag = self._seen.setdefault(path, (size, opaque))
            if old_etag is None:
                self._seen[path] = (old_size, opaque)
        if old_size != size or (opaque is not None and old_etag not in (None, opaque)):
            raise SourceChanged(
                f"{where}: changed between two reads: {old_size:,} bytes, ETag {old_etag} before, "
                f"{size:,} bytes, ETag {opaque} now",
                hint="run the command again",
            )

    def of(self, path: str) -> tuple[int, str | None] | None:
        """Size and ETag of a file that was seen."""
        with self._lock:
            return self._seen.get(path)


def check_reply(reply: Reply, where: str, *, wanted: Span, listed_size: int | None) -> None:
    """Raise where an answer is not to the question.

    Raises:
        SourceChanged: the file is not as long as a listing said.
        RangeNotHonored: other bytes, or bytes that were compressed on the way.
    """
    if listed_size not in (None, reply.size):
        raise SourceChanged(
            f"{where}: listed with {listed_size:,} bytes, the server says {reply.size:,}"
        )
    if reply.span != wanted:
        raise RangeNotHonored(
            f"{where}: asked for {wanted}, got {reply.span} of {reply.size:,} bytes"
        )
    if reply.encoding not in (None, "", "identity"):
        raise RangeNotHonored(
            f"{where}: asked for {wanted}, the server compressed it ({reply.encoding}); refused",
            hint=WHOLE_FILE_HINT,
        )


def refusal(where: str, status: int, reason: str = "") -> SourceError:
    """The error that an answer's status means."""
    if status == 404:
        return ObjectNotFound(f"{where}: not found (404)")
    if status in (401, 403):
        return AccessDenied(f"{where}: not allowed ({status})")
    if status == 410:
        return AccessDenied(f"{where}: gone (410), as an expired signed URL is")
    if status == 200:
        return RangeNotHonored(
            f"{where}: the server answered a range request with the whole file (200, not 206); "
            "refused",
            hint=WHOLE_FILE_HINT,
        )
    return SourceError(f"{where}: the server answered {f'{status} {reason}'.strip()}")


def raise_refusal(where: str, status: int, reason: str = "", pause: float | None = None) -> None:
    """Raise what a status means: `TryAgain` where the next answer may be another."""
    error = refusal(where, status, reason)
    if status in PASSING_STATUSES:
        raise TryAgain(error, status=status, pause=pause)
    raise error
