"""Checkpoints in object storage: `s3://`, `gs://`, `az://`, through obstore.

Endpoint and credentials come from the environment (`bucket_options.py`).
"""

import re
from collections.abc import Mapping
from functools import cached_property
from http import HTTPStatus
from typing import Final

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import ObjectStore, from_url

from inspector.errors import AccessDenied, ObjectNotFound, SourceError, UsageError
from inspector.format.spans import Span
from inspector.source.access import Access
from inspector.source.base import Ledger
from inspector.source.bucket_options import identity_hint, store_options
from inspector.source.pool import call_interruptibly
from inspector.source.ranges import stated_status
from inspector.source.replies import FileVersions, Reply, check_reply, refusal

_PAGE: Final = 1_000
"""Keys of one listing request: the most that S3's ListObjectsV2 gives."""


class BucketSource:
    """Files below a prefix of a bucket, with a listing that gives sizes and ETags."""

    commit = None

    def __init__(
        self, url: str, ledger: Ledger, *, only: str | None = None, access: Access | None = None
    ) -> None:
        self.kind = url.partition("://")[0].lower()
        self.location = f"{url}/{only}" if only else url
        self._access = access or Access()
        self._ledger = ledger
        self._only = only
        self._versions = FileVersions()
        try:
            self._store: ObjectStore = from_url(
                url, **store_options(self.kind, self._access.patience)
            )
        except (BaseError, ValueError) as error:
            raise UsageError(
                f"{url}: not a bucket that can be read: {_first_line(error)}"
            ) from error

    @property
    def subject(self) -> str:
        return self.location

    def files(self) -> Mapping[str, int]:
        if self._only:
            return {self._only: self.size(self._only)}
        return {path: size for path, (size, _) in self._listing.items()}

    def size(self, path: str) -> int:
        return self._listed(path)[0]

    def stamp(self, path: str) -> str | None:
        return self._listed(path)[1]

    def requests_for(self, path: str, reads: int) -> int:
        return reads

    def read(self, path: str, span: Span) -> bytes:
        if not len(span):
            return b""
        self._access.check_online(self.location)
        size = self._listed(path)[0]
        return call_interruptibly(lambda: self._read(path, span, size))

    def close(self) -> None:
        """Connections close with the store."""

    @cached_property
    def _listing(self) -> dict[str, tuple[int, str | None]]:
        self._access.check_online(self.location)
        return call_interruptibly(self._list)

    def _list(self) -> dict[str, tuple[int, str | None]]:
        found: dict[str, tuple[int, str | None]] = {}
        try:
            for page in obstore.list(self._store, chunk_size=_PAGE):
                self._ledger.add(byte_count=0)
                found |= {meta["path"]: (meta["size"], meta["e_tag"]) for meta in page}
        except (BaseError, FileNotFoundError) as error:
            raise self._explained("", error) from error
        if not found:
            raise ObjectNotFound(f"{self.location}: nothing has this prefix")
        return found

    def _listed(self, path: str) -> tuple[int, str | None]:
        """Size and ETag; of the one file that is wanted by HEAD, for there may be a million."""
        if self._only and path not in self.__dict__.get("_listing", {}):
            return call_interruptibly(lambda: self._head(path))
        if path not in self._listing:
            raise ObjectNotFound(f"{self.location}: no file {path}")
        return self._listing[path]

    def _head(self, path: str) -> tuple[int, str | None]:
        seen = self._versions.of(path)
        if seen is not None:
            return seen
        self._access.check_online(self.location)
        try:
            meta = obstore.head(self._store, path)
        except (BaseError, FileNotFoundError) as error:
            raise self._explained(path, error) from error
        self._ledger.add(byte_count=0)
        self._versions.check(path, self.location, size=meta["size"], etag=meta["e_tag"])
        return meta["size"], meta["e_tag"]

    def _read(self, path: str, span: Span, size: int) -> bytes:
        where = self._named(path)
        try:
            answer = obstore.get(self._store, path, options={"range": (span.start, span.stop)})
            meta = answer.meta
            encoding = answer.attributes.get("Content-Encoding")
            reply = Reply(Span(*answer.range), meta["size"], meta["e_tag"], encoding)
            check_reply(reply, where, wanted=span, listed_size=size)
            self._versions.check(path, where, size=meta["size"], etag=meta["e_tag"])
            body = bytes(answer.bytes())
        except (BaseError, FileNotFoundError) as error:
            raise self._explained(path, error) from error
        if len(body) != len(span):
            raise SourceError(f"{where}: asked for {span}, the body has {len(body):,} bytes")
        self._ledger.add(byte_count=len(body))
        return body

    def _named(self, path: str) -> str:
        return self.location if self._only or not path else f"{self.location}/{path}"

    def _explained(self, path: str, error: Exception) -> SourceError:
        where, text = self._named(path), str(error)
        if isinstance(error, FileNotFoundError):
            return ObjectNotFound(f"{where}: not found")
        if (
            isinstance(error, PermissionDeniedError | UnauthenticatedError)
            or "AccessDenied" in text
        ):
            return AccessDenied(
                f"{where}: not allowed",
                hint=identity_hint(self.kind),
            )
        status = stated_status(text)
        if status == HTTPStatus.NOT_FOUND:
            return ObjectNotFound(f"{where}: no such bucket")
        if status is not None:
            return refusal(where, status)
        return SourceError(f"{where}: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    """The first line of obstore's message; its innermost cause where there is one."""
    text = str(error)
    if "ConnectionRefused" in text:
        return "connection refused"
    if "dns error" in text:
        return "the host name cannot be resolved"
    return re.sub(r"^Generic \S+ error: ", "", text.split("\n", 1)[0].strip())
