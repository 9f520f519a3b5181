"""The contract of every source: exact spans of named files, and what reading them has cost."""

import threading
from collections.abc import Mapping
from typing import Protocol

from inspector.errors import ObjectNotFound, SourceError
from inspector.format.spans import Span


class Source(Protocol):
    """Files of one checkpoint. `read` gives exactly the span, or raises `SourceError`."""

    @property
    def location(self) -> str:
        """The checkpoint, as a person would name it."""

    @property
    def kind(self) -> str:
        """Where it lies: `directory`, `file`, `hub`, `modelscope`, `http`, `s3`, `gs` or `az`."""

    @property
    def commit(self) -> str | None:
        """The commit that every read names, where there are commits."""

    @property
    def subject(self) -> str | None:
        """What a cache calls the checkpoint, no two alike; None where it is not to be kept."""

    def files(self) -> Mapping[str, int]:
        """The files known to exist, with their sizes in bytes; relative names."""

    def size(self, path: str) -> int:
        """Bytes of one file. Raises `ObjectNotFound`."""

    def stamp(self, path: str) -> str | None:
        """What changes when the file does: commit, ETag, time of writing; None where unknown."""

    def requests_for(self, path: str, reads: int) -> int:
        """Requests that so many reads of a file would take from here on."""

    def read(self, path: str, span: Span) -> bytes:
        """The bytes of `span`: never fewer, never more. An empty span costs no request."""

    def close(self) -> None:
        """Give back connections and file descriptors."""


class Ledger:
    """Requests and bytes, counted next to the wire. One a command, shared by its sources.

    A redirect counts with the request that it answers. Bytes are bodies.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests = 0
        self.bytes = 0
        self.cached_bytes = 0

    def add_cached(self, byte_count: int) -> None:
        """Count bytes that were asked of no server, because a cache had them."""
        with self._lock:
            self.cached_bytes += byte_count

    def add(self, *, byte_count: int) -> None:
        """Count one request and the bytes of its body."""
        self.add_all(requests=1, byte_count=byte_count)

    def add_all(self, *, requests: int, byte_count: int) -> None:
        """Count what another ledger has counted."""
        with self._lock:
            self.requests += requests
            self.bytes += byte_count

    def take(self) -> tuple[int, int]:
        """The requests and bytes counted since this was last asked."""
        with self._lock:
            taken = self.requests, self.bytes
            self.requests = self.bytes = 0
            return taken


class MemorySource:
    """Files in memory. `reads` lists what was asked, for tests that count."""

    kind = "memory"
    commit = None
    subject = None

    def __init__(self, files: Mapping[str, bytes], *, location: str = "memory") -> None:
        self.location = location
        self.reads: list[tuple[str, Span]] = []
        self._files = dict(files)

    def files(self) -> Mapping[str, int]:
        return {path: len(content) for path, content in self._files.items()}

    def size(self, path: str) -> int:
        if path not in self._files:
            raise ObjectNotFound(f"{self.location}: no file {path}")
        return len(self._files[path])

    def stamp(self, path: str) -> str | None:
        return None

    def requests_for(self, path: str, reads: int) -> int:
        return reads

    def read(self, path: str, span: Span) -> bytes:
        if not len(span):
            return b""
        if span.stop > self.size(path):
            raise SourceError(f"{path}: asked for {span}, the file has {self.size(path)} bytes")
        self.reads.append((path, span))
        return self._files[path][span.start : span.stop]

    def close(self) -> None:
        """Nothing to give back."""


def read_file(source: Source, path: str, *, max_bytes: int) -> bytes:
    """A whole small file. Raises `SourceError` where it is larger than `max_bytes`."""
    size = source.size(path)
    if size > max_bytes:
        raise SourceError(
            f"{source.location}/{path}: {size:,} bytes, more than the {max_bytes:,} this may have"
        )
    return source.read(path, Span(0, size))
