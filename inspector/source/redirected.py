"""Files behind a redirect to a signed URL: resolved once, used for further ranges, renewed.

The first read of a file follows the redirect in the same request. A file that is read again has its
signed URL resolved, which lasts for a time: one that has expired is resolved once more
(`docs/design/2026-11-hub-reads.md`). obstore is loaded when the first of them is asked for.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

from inspector.errors import AccessDenied
from inspector.format.spans import Span
from inspector.source.base import Ledger
from inspector.source.patience import Pacer, Patience
from inspector.source.replies import FileVersions

if TYPE_CHECKING:
    from inspector.source.ranges import UrlReader

OPEN_FILES: Final = 8
"""Files whose connections are kept, those read last. Each has its own, up to as many as are read at
once: 64 took 2.5 MB, and 64 sockets, of each of the 279 shards that a match of two models reads."""

REDIRECTED: Final = ".safetensors"
"""Weights are behind a redirect, and worth a URL of their own where they are read again."""


class Host(Protocol):
    """A hub that redirects to where the bytes are."""

    @property
    def origin(self) -> str:
        """Scheme and host, which alone gets the token."""

    @property
    def token_headers(self) -> Mapping[str, str]:
        """What opens what is not public, for the origin only."""

    def entrance(self, path: str) -> tuple[str, str]:
        """A base URL, and below it the path at which a file is asked for."""

    def signed_location(self, path: str) -> str:
        """Where the file is now, as the host says when it is asked."""


class RedirectedFiles:
    """Reads of files at one host, and of where it redirects to."""

    def __init__(self, host: Host, ledger: Ledger, patience: Patience) -> None:
        self.versions = FileVersions()
        self._host = host
        self._ledger = ledger
        self._patience = patience
        self._lock = threading.Lock()
        self._read_before: set[str] = set()
        self._entrances: dict[str, UrlReader] = {}
        self._signed: dict[str, str] = {}
        self._open: OrderedDict[str, UrlReader] = OrderedDict()
        self._resolving: dict[str, threading.Lock] = {}
        self._pacers: dict[str, Pacer] = {}

    def requests_for(self, path: str, reads: int) -> int:
        """One more than the reads where the file's signed URL has yet to be resolved."""
        is_first = path not in self._read_before
        if reads == 0 or path in self._signed or (is_first and reads == 1):
            return reads
        return reads + 1

    def read(self, path: str, span: Span, size: int) -> bytes:
        """Exactly `span` of a file that a listing gives `size` bytes."""
        if not self._is_read_again(path):
            reader, below = self._enter(path)
            return reader.read(below, span, listed_size=size)
        reader = self._signed_reader(path)
        try:
            return reader.read("", span, listed_size=size)
        except AccessDenied:
            return self._signed_reader(path, expired=reader).read("", span, listed_size=size)

    def size(self, path: str) -> int:
        """Bytes of a file that no listing has. Raises `ObjectNotFound`."""
        reader, below = self._enter(path)
        return reader.size(below)

    def _is_read_again(self, path: str) -> bool:
        """Whether weights are read for the second time. Other files stay with the host."""
        with self._lock:
            again = path.endswith(REDIRECTED) and path in self._read_before
            self._read_before.add(path)
        return again

    def _enter(self, path: str) -> "tuple[UrlReader, str]":
        base, below = self._host.entrance(path)
        with self._lock:
            reader = self._entrances.get(base)
        if reader is None:
            reader = self._reader(base, path if not below else "")
            with self._lock:
                reader = self._entrances.setdefault(base, reader)
        return reader, below

    def _signed_reader(self, path: str, *, expired: "UrlReader | None" = None) -> "UrlReader":
        """The reader of a file's signed URL, resolved once and again when `expired` is given.

        The URL is kept, the reader only as long as few others are asked for.
        """
        with self._lock:
            lock = self._resolving.setdefault(path, threading.Lock())
        with lock:
            with self._lock:
                reader = self._open.get(path)
            if reader is None or reader is expired:
                location = self._signed.get(path)
                if location is None or (expired is not None and location == expired.base):
                    location = self._host.signed_location(path)
                _, below = self._host.entrance(path)
                reader = self._reader(location, below or path)
                self._signed[path] = location
            with self._lock:
                self._open[path] = reader
                self._open.move_to_end(path)
                while len(self._open) > OPEN_FILES:
                    self._open.popitem(last=False)
            return reader

    def _reader(self, base: str, called: str) -> "UrlReader":
        """A reader whose waits and file versions are those of all readers of the same origin."""
        from inspector.source.ranges import UrlReader

        is_own = base == self._host.origin or base.startswith(f"{self._host.origin}/")
        with self._lock:
            pacer = self._pacers.setdefault(urlsplit(base).netloc, Pacer(self._patience))
        return UrlReader(
            base, self._ledger, headers=self._host.token_headers if is_own else {},
            patience=self._patience, pacer=pacer, versions=self.versions, called=called,
        )  # fmt: skip
