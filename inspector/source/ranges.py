"""`UrlReader`: spans of files below one URL, over obstore.

obstore refuses an answer that is not 206 and drops the token when a redirect leaves the host. The
rest is here: comparing size and ETag with the last reply, refusing a compressed body, asking again
when and as often as the server allows, and saying in one line what went wrong.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final, NoReturn

import obstore
from obstore.exceptions import (
    BaseError,
    NotSupportedError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from obstore.store import HTTPStore

from inspector.errors import RangeNotHonored, SourceError
from inspector.format.spans import Span
from inspector.source.base import Ledger
from inspector.source.patience import Pacer, Patience, TryAgain
from inspector.source.pool import call_interruptibly
from inspector.source.replies import FileVersions, Reply, check_reply, raise_refusal, refusal
from inspector.version import __version__

USER_AGENT: Final = f"s1inspect/{__version__}"

_CONNECT_TIMEOUT: Final = timedelta(seconds=10)
_BODY_TIMEOUT: Final = timedelta(minutes=10)
_FIRST_BYTE: Final = Span(0, 1)
_HEAD_REFUSED: Final = frozenset({400, 403, 405, 501})
"""Answers to HEAD of servers that know GET only, or of URLs that are signed for it alone."""


class UrlReader:
    """Reads spans of the files below one base URL, or of the base URL itself (path `""`).

    Args:
        base: a URL without a trailing slash.
        ledger: told of every request and the bytes of its body.
        headers: sent to the base's own origin only.
        patience: how long to wait and how often to ask again.
        pacer: shared by the readers of one origin; one is made where none is given.
        versions: shared by the readers of one file; `called` is the base's own name in it.
    """

    def __init__(
        self,
        base: str,
        ledger: Ledger,
        *,
        headers: Mapping[str, str],
        patience: Patience | None = None,
        pacer: Pacer | None = None,
        versions: FileVersions | None = None,
        called: str = "",
    ) -> None:
        self.base = base
        self.versions = versions or FileVersions()
        self._patience = patience or Patience()
        self._pacer = pacer or Pacer(self._patience)
        self._ledger = ledger
        self._headers = {**headers, "user-agent": USER_AGENT}
        self._called = called
        try:
            self._store = HTTPStore.from_url(
                base,
                client_options={
                    "allow_http": base.lower().startswith("http://"),
                    "connect_timeout": _CONNECT_TIMEOUT,
                    "default_headers": dict(headers),
                    "read_timeout": timedelta(seconds=self._patience.read_seconds),
                    "timeout": _BODY_TIMEOUT,
                    "user_agent": USER_AGENT,
                },
                retry_config={"max_retries": 0},
            )
        except (BaseError, ValueError) as error:
            raise SourceError(
                f"{self._named('')}: not a URL that can be read: {_first_line(str(error))}"
            ) from error

    def read(self, path: str, span: Span, *, listed_size: int | None = None) -> bytes:
        """Exactly `span` of `path`; size and ETag of the answer must be those of the last one.

        `listed_size` is what a listing says, where there is one.
        """
        return call_interruptibly(
            lambda: self._pacer.run(
                lambda: self._read(path, span, listed_size),
                lambda: self._read_carefully(path, span, listed_size),
            )
        )

    def size(self, path: str) -> int:
        """Bytes of a file, by HEAD; by its first byte where the server does not answer that."""
        return call_interruptibly(lambda: self._pacer.run(lambda: self._size(path)))

    def _read(self, path: str, span: Span, listed_size: int | None) -> bytes:
        try:
            answer = obstore.get(self._store, path, options={"range": (span.start, span.stop)})
            reply = Reply(
                Span(*answer.range),
                answer.meta["size"],
                answer.meta["e_tag"],
                answer.attributes.get("Content-Encoding"),
            )
            self._check(path, reply, span, listed_size)
            body = bytes(answer.bytes())
        except (BaseError, FileNotFoundError) as error:
            self._raise(path, error)
        return self._complete(path, span, body)

    def _read_carefully(self, path: str, span: Span, listed_size: int | None) -> bytes:
        from inspector.source.careful import open_range

        where, seconds = self._named(path), self._patience.read_seconds
        try:
            with open_range(
                self.base, path, span, headers=self._headers, where=where, seconds=seconds
            ) as (reply, parts):
                self._check(path, reply, span, listed_size)
                body = b"".join(parts)
        except TryAgain:
            self._ledger.add(byte_count=0)
            raise
        return self._complete(path, span, body)

    def _complete(self, path: str, span: Span, body: bytes) -> bytes:
        self._ledger.add(byte_count=len(body))
        if len(body) != len(span):
            message = f"{self._named(path)}: asked for {span}, the body has {len(body):,} bytes"
            raise TryAgain(SourceError(message))
        return body

    def _size(self, path: str) -> int:
        is_signed = not path and "?" in self.base
        return self._size_by_first_byte(path) if is_signed else self._size_by_head(path)

    def _size_by_head(self, path: str) -> int:
        try:
            meta = obstore.head(self._store, path)
        except (BaseError, FileNotFoundError) as error:
            is_denied = isinstance(error, PermissionDeniedError)
            if is_denied or stated_status(str(error)) in _HEAD_REFUSED:
                self._ledger.add(byte_count=0)
                return self._size_by_first_byte(path)
            self._raise(path, error)
        self._ledger.add(byte_count=0)
        self._remember(path, meta["size"], meta["e_tag"])
        return meta["size"]

    def _size_by_first_byte(self, path: str) -> int:
        self._read(path, _FIRST_BYTE, None)
        seen = self.versions.of(path or self._called)
        if seen is None:
            raise SourceError(f"{self._named(path)}: no size in the answer")
        return seen[0]

    def _check(self, path: str, reply: Reply, span: Span, listed_size: int | None) -> None:
        check_reply(reply, self._named(path), wanted=span, listed_size=listed_size)
        self._remember(path, reply.size, reply.etag)

    def _remember(self, path: str, size: int, etag: str | None) -> None:
        self.versions.check(path or self._called, self._named(path), size=size, etag=etag)

    def _named(self, path: str) -> str:
        """The URL for a message: without the query, which may be a signature."""
        base = self.base.split("?")[0]
        if path:
            return f"{base}/{path}"
        return f"{base} ({self._called})" if self._called else base

    def _raise(self, path: str, error: Exception) -> NoReturn:
        """Raise what an exception of obstore means, having counted the request if it was sent."""
        where, text = self._named(path), str(error)
        status = _status_of(error, text)
        unsent = next((cause for sign, cause in _NEVER_SENT.items() if sign in text), None)
        if unsent is not None:
            raise TryAgain(SourceError(f"{where}: {unsent}")) from error
        self._ledger.add(byte_count=0)
        if status is not None:
            reason = re.search(rf"status code: {status} ([A-Za-z ]+)", text)
            raise_refusal(where, status, reason.group(1).strip() if reason else "")
        if isinstance(error, NotSupportedError) and "Range" in text:
            raise refusal(where, 200) from error
        if "UnexpectedRange" in text:
            raise RangeNotHonored(f"{where}: {_first_line(text)}") from error
        cause, may_pass = _cause(text)
        if may_pass:
            raise TryAgain(SourceError(f"{where}: {cause}")) from error
        raise SourceError(f"{where}: {cause}") from error


_NEVER_SENT: Final = {
    "dns error": "the host name cannot be resolved",
    "ConnectionRefused": "connection refused",
}


def _status_of(error: Exception, text: str) -> int | None:
    if isinstance(error, FileNotFoundError):
        return 404
    if isinstance(error, UnauthenticatedError):
        return 401
    return 403 if isinstance(error, PermissionDeniedError) else stated_status(text)


def stated_status(text: str) -> int | None:
    """The status of an answer that obstore gives as an error, where its message has one."""
    match = re.search(r"status code: (\d{3})", text)
    return int(match.group(1)) if match else None


def _first_line(text: str) -> str:
    """The first line of obstore's message without its preamble, where the URL may be signed."""
    line = text.split("\n", 1)[0].strip().removeprefix("Generic HTTP error: ")
    line = re.sub(r"^Error performing \w+ .* - ", "", line)
    return re.sub(r"\?\S+", "?...", line)


def _cause(text: str) -> tuple[str, bool]:
    """The reason in obstore's message, and whether the next answer may be another."""
    if "certificate" in text.lower():
        return "the TLS certificate is not trusted", False
    if "TooManyRedirects" in text:
        return "too many redirects", False
    if "TimedOut" in text or "kind: Timeout" in text:
        return "no answer in time", True
    if "IncompleteBody" in text:
        return "the body was cut short", True
    innermost = re.findall(r'(?:message|error|source): "([^"]+)"', text)
    return innermost[-1] if innermost else _first_line(text), "reqwest::Error" in text
