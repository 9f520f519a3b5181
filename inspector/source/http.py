"""Byte ranges over HTTP, through obstore. A reply is checked before its body is used.

obstore refuses an answer that is not 206 and a Content-Range that is not the one asked for, retries
429, 5xx and bodies cut short, and drops the token when a redirect leaves the host. What it does not
do is here: comparing size and ETag with the last reply, and saying in one line what went wrong.
"""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import obstore
from obstore.exceptions import (
    BaseError,
    NotSupportedError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from obstore.store import HTTPStore

from inspector.errors import (
    AccessDenied,
    ObjectNotFound,
    RangeNotHonored,
    SourceChanged,
    SourceError,
)
from inspector.format.spans import Span
from inspector.source.base import Ledger
from inspector.source.pool import call_interruptibly
from inspector.version import __version__

USER_AGENT: Final = f"s1inspect/{__version__}"

_CONNECT_TIMEOUT: Final = timedelta(seconds=10)
_TOTAL_TIMEOUT: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a server that does not answer, and how often to ask again."""

    read_timeout: timedelta = timedelta(seconds=30)
    retry_timeout: timedelta = timedelta(seconds=60)
    max_retries: int = 5


class UrlReader:
    """Reads spans of the files below one base URL, or of the base URL itself (path `""`).

    `headers` go to the base's own origin only.
    """

    def __init__(
        self,
        base: str,
        ledger: Ledger,
        *,
        headers: Mapping[str, str],
        patience: Patience | None = None,
    ) -> None:
        patience = patience or Patience()
        self.base = base
        self._ledger = ledger
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[int, str | None]] = {}
        try:
            self._store = HTTPStore.from_url(
                base,
                client_options={
                    "allow_http": base.lower().startswith("http://"),
                    "connect_timeout": _CONNECT_TIMEOUT,
                    "default_headers": dict(headers),
                    "read_timeout": patience.read_timeout,
                    "timeout": _TOTAL_TIMEOUT,
                    "user_agent": USER_AGENT,
                },
                retry_config={
                    "max_retries": patience.max_retries,
                    "retry_timeout": patience.retry_timeout,
                },
            )
        except (BaseError, ValueError) as error:
            raise SourceError(
                f"{self._named('')}: not a URL that can be read: {_first_line(str(error))}"
            ) from error

    def read(self, path: str, span: Span, *, file_size: int | None = None) -> bytes:
        """Exactly `span` of `path`; size and ETag of the answer must be those of the last one.

        `file_size` is what a listing says, where there is one.
        """
        return call_interruptibly(lambda: self._read(path, span, file_size))

    def size(self, path: str) -> int:
        """Bytes of a file, by HEAD; by its first byte where the URL may be signed for GET alone."""
        return call_interruptibly(lambda: self._size(path))

    def _read(self, path: str, span: Span, file_size: int | None) -> bytes:
        try:
            answer = obstore.get(self._store, path, options={"range": (span.start, span.stop)})
            if file_size not in (None, answer.meta["size"]):
                raise SourceChanged(
                    f"{self._named(path)}: listed with {file_size:,} bytes, the server says "
                    f"{answer.meta['size']:,}"
                )
            self._check(path, answer.meta["size"], answer.meta["e_tag"])
            if answer.range != (span.start, span.stop):
                raise RangeNotHonored(
                    f"{self._named(path)}: asked for {span}, got {Span(*answer.range)} of "
                    f"{answer.meta['size']:,} bytes"
                )
            body = bytes(answer.bytes())
        except (BaseError, FileNotFoundError) as error:
            raise self._explained(path, error) from error
        if len(body) != len(span):
            raise SourceError(
                f"{self._named(path)}: asked for {span}, the body has {len(body):,} bytes"
            )
        self._ledger.add(byte_count=len(body))
        return body

    def _size(self, path: str) -> int:
        is_signed = not path and "?" in self.base
        try:
            if is_signed:
                meta = obstore.get(self._store, path, options={"range": (0, 1)}).meta
            else:
                meta = obstore.head(self._store, path)
        except (BaseError, FileNotFoundError) as error:
            raise self._explained(path, error) from error
        self._check(path, meta["size"], meta["e_tag"])
        self._ledger.add(byte_count=int(is_signed))
        return meta["size"]

    def _check(self, path: str, size: int, etag: str | None) -> None:
        with self._lock:
            seen = self._seen.setdefault(path, (size, etag))
        if seen != (size, etag):
            raise SourceChanged(
                f"{self._named(path)}: changed between two reads: {seen[0]:,} bytes, "
                f"ETag {seen[1]} before, {size:,} bytes, ETag {etag} now",
                hint="run the command again",
            )

    def _named(self, path: str) -> str:
        """The URL for a message: without the query, which may be a signature."""
        base = self.base.split("?")[0]
        return f"{base}/{path}" if path else base

    def _explained(self, path: str, error: Exception) -> SourceError:
        where = self._named(path)
        text = str(error)
        if isinstance(error, FileNotFoundError):
            return ObjectNotFound(f"{where}: not found (404)")
        if isinstance(error, UnauthenticatedError | PermissionDeniedError):
            return AccessDenied(f"{where}: not allowed ({_status(text) or 'no permission'})")
        if _status(text) == "410":
            return AccessDenied(f"{where}: gone (410), as an expired signed URL is")
        if isinstance(error, NotSupportedError) and "Range" in text:
            return RangeNotHonored(
                f"{where}: the server answered a range request with the whole file; refused",
                hint="use a server or mirror that supports Range, or download the file first",
            )
        if "UnexpectedRange" in text:
            return RangeNotHonored(f"{where}: {_first_line(text)}")
        return SourceError(f"{where}: {_cause(text)}")


class HttpSource:
    """A directory on a plain web server (with an index), or one file of it. No listing."""

    kind = "http"
    commit = None

    def __init__(self, base: str, ledger: Ledger, *, only: str | None = None) -> None:
        self._is_whole_url = "?" in base
        path = base.split("?")[0]
        self.location = f"{path}/{only}" if only and not self._is_whole_url else path
        self._reader = UrlReader(base, ledger, headers={})
        self._only = only
        self._sizes: dict[str, int] = {}

    def files(self) -> Mapping[str, int]:
        return {self._only: self.size(self._only)} if self._only else {}

    def size(self, path: str) -> int:
        if path not in self._sizes:
            self._sizes[path] = self._reader.size(self._below_base(path))
        return self._sizes[path]

    def read(self, path: str, span: Span) -> bytes:
        return self._reader.read(self._below_base(path), span) if len(span) else b""

    def close(self) -> None:
        """Connections close with the store."""

    def _below_base(self, path: str) -> str:
        """A URL with a query names one file by itself: a signed URL takes no path."""
        if not self._is_whole_url:
            return path
        if path != self._only:
            raise ObjectNotFound(f"{self.location}: a signed URL names no {path}")
        return ""


def _first_line(text: str) -> str:
    """The first line of obstore's message without its preamble, where the URL may be signed."""
    line = text.split("\n", 1)[0].strip().removeprefix("Generic HTTP error: ")
    line = re.sub(r"^Error performing \w+ .* - ", "", line)
    return re.sub(r"\?\S+", "?...", line)


def _status(text: str) -> str | None:
    match = re.search(r"status code: (\d{3})", text)
    return match.group(1) if match else None


def _cause(text: str) -> str:
    """The reason in obstore's message: a status, or the innermost error of its debug output."""
    status = re.search(r"status code: (\d{3} [A-Za-z ]+)", text)
    if status:
        return f"the server answered {status.group(1).strip()}"
    innermost = re.findall(r'(?:message|error|source): "([^"]+)"', text)
    reasons = re.findall(r"kind: (\w+)", text)
    if "dns error" in text:
        return "the host name cannot be resolved"
    if "ConnectionRefused" in text:
        return "connection refused"
    if "certificate" in text.lower():
        return "the TLS certificate is not trusted"
    if "TimedOut" in text or "Timeout" in reasons:
        return "no answer in time"
    if "TooManyRedirects" in text:
        return "too many redirects"
    if "IncompleteBody" in text:
        return "the body was cut short"
    return innermost[-1] if innermost else _first_line(text)
