"""Checkpoints on a plain web server: a directory that an index describes, or one file."""

from collections.abc import Mapping

from inspector.errors import ObjectNotFound
from inspector.format.spans import Span
from inspector.source.access import Access
from inspector.source.base import Ledger
from inspector.source.ranges import UrlReader


class HttpSource:
    """A directory on a plain web server (with an index), or one file of it. No listing."""

    kind = "http"
    commit = None

    def __init__(
        self, base: str, ledger: Ledger, *, only: str | None = None, access: Access | None = None
    ) -> None:
        self._is_whole_url = "?" in base
        path = base.split("?")[0]
        self.location = f"{path}/{only}" if only and not self._is_whole_url else path
        access = access or Access()
        self._access = access
        self._reader = UrlReader(base, ledger, headers={}, patience=access.patience)
        self._only = only
        self._sizes: dict[str, int] = {}

    @property
    def subject(self) -> str | None:
        return None if self._is_whole_url else self.location

    def files(self) -> Mapping[str, int]:
        return {self._only: self.size(self._only)} if self._only else {}

    def size(self, path: str) -> int:
        if path not in self._sizes:
            self._access.check_online(self.location)
            self._sizes[path] = self._reader.size(self._below_base(path))
        return self._sizes[path]

    def stamp(self, path: str) -> str | None:
        self.size(path)
        seen = self._reader.versions.of(self._below_base(path))
        return seen[1] if seen else None

    def requests_for(self, path: str, reads: int) -> int:
        return reads

    def read(self, path: str, span: Span) -> bytes:
        if not len(span):
            return b""
        self._access.check_online(self.location)
        return self._reader.read(self._below_base(path), span)

    def close(self) -> None:
        """Connections close with the store."""

    def _below_base(self, path: str) -> str:
        """A URL with a query names one file by itself: a signed URL takes no path."""
        if not self._is_whole_url:
            return path
        if path != self._only:
            raise ObjectNotFound(f"{self.location}: a signed URL names no {path}")
        return ""
