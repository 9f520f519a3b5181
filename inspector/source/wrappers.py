"""Policies around a source, each a source itself: stop at a byte budget, remember small spans."""

import threading
from collections.abc import Mapping

from inspector.errors import BudgetExceeded
from inspector.format.spans import Span
from inspector.source.base import Ledger, Source


class Budget:
    """Refuses the read that would take the ledger past `max_bytes`, before it is sent.

    The ledger counts at the wire: what the hub's API answered is spent too, what came from a cache
    is not, and sources that share a ledger share its budget.
    """

    def __init__(self, inner: Source, max_bytes: int, ledger: Ledger) -> None:
        self._inner = inner
        self._max_bytes = max_bytes
        self._ledger = ledger
        self._on_the_way = 0
        self._lock = threading.Lock()
        self.location = inner.location
        self.kind = inner.kind
        self.commit = inner.commit
        self.subject = inner.subject

    def files(self) -> Mapping[str, int]:
        return self._inner.files()

    def size(self, path: str) -> int:
        return self._inner.size(path)

    def stamp(self, path: str) -> str | None:
        return self._inner.stamp(path)

    def requests_for(self, path: str, reads: int) -> int:
        return self._inner.requests_for(path, reads)

    def read(self, path: str, span: Span) -> bytes:
        with self._lock:
            spent = self._ledger.bytes
            if spent + self._on_the_way + len(span) > self._max_bytes:
                raise BudgetExceeded(
                    f"{self.location}/{path}: the next read of {len(span):,} bytes would go past "
                    f"--max-bytes {self._max_bytes:,}; {spent:,} were read",
                    hint="raise --max-bytes, or ask for less",
                )
            self._on_the_way += len(span)
        try:
            return self._inner.read(path, span)
        finally:
            with self._lock:
                self._on_the_way -= len(span)

    def close(self) -> None:
        self._inner.close()


class ReadAhead:
    """Reads the first `first_read` bytes of a file at once, and answers from them what it can.

    A span that begins inside and ends outside costs one more request, for the missing bytes only.
    The parser asks for exactly what it needs and knows nothing of this.
    """

    def __init__(self, inner: Source, path: str, *, first_read: int) -> None:
        self._inner = inner
        self._path = path
        self._first_read = min(first_read, inner.size(path))
        self._held = b""

    def read(self, span: Span) -> bytes:
        if not self._held and self._first_read:
            self._held = self._inner.read(self._path, Span(0, self._first_read))
        held = self._held[span.start : span.stop]
        if len(held) == len(span):
            return held
        missing = Span(span.start + len(held), span.stop)
        return held + self._inner.read(self._path, missing)
