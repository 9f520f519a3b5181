"""The directory tree a hub serves: repositories, their files, and ranges of them."""

import hashlib
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Final

from tests.hub.wire import Ask, Reply, Slice, text_reply

LINKED_ABOVE: Final = 10_000_000
"""Other files than shards are stored as large files too when they are longer than this."""

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file of a repository; `name` is its path inside the repository.

    The digests are made from name, size and modification time: hashing sparse terabytes would
    take hours, and clients may only compare them.
    """

    path: Path
    name: str
    size: int
    mtime_ns: int

    @property
    def linked(self) -> bool:
        """Is it a large file, kept outside git and served by the CDN?"""
        return self.name.endswith(".safetensors") or self.size > LINKED_ABOVE

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self._fingerprint).hexdigest()

    @property
    def git_oid(self) -> str:
        return hashlib.sha1(self._fingerprint, usedforsecurity=False).hexdigest()

    @property
    def cdn_etag(self) -> str:
        """What the object store behind the CDN calls the file: not the digest the hub gives."""
        return f'"{hashlib.md5(self._fingerprint, usedforsecurity=False).hexdigest()}"'

    @property
    def hub_etag(self) -> str:
        return f'"{self.sha256 if self.linked else self.git_oid}"'

    @property
    def _fingerprint(self) -> bytes:
        return f"{self.name}:{self.size}:{self.mtime_ns}".encode()


def find_file(root: Path, repository: str, name: str) -> StoredFile | None:
    """The file `name` of `repository`, or None; a directory is no file."""
    path = root / repository / name
    if ".." in f"{repository}/{name}".split("/"):
        return None
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return StoredFile(path, name, status.st_size, status.st_mtime_ns)


def repository_files(root: Path, repository: str) -> Iterator[StoredFile]:
    """Every file of a repository, by name."""
    top = root / repository
    for path in sorted(top.rglob("*")):
        stored = find_file(root, repository, path.relative_to(top).as_posix())
        if stored is not None:
            yield stored


def asked_span(value: str | None, size: int) -> tuple[int, int] | None:
    """The `[start, stop)` a Range header asks for; None for the whole file.

    A malformed or multiple range counts as none, as RFC 9110 §14.2 allows. A range that holds no
    byte of the file gives an empty span.

    >>> asked_span("bytes=0-9", 100), asked_span("bytes=90-", 100), asked_span("bytes=-5", 100)
    ((0, 10), (90, 100), (95, 100))
    >>> asked_span("bytes=100-", 100), asked_span("bytes=0-1,4-5", 100)
    ((100, 100), None)
    """
    match = _RANGE.fullmatch(value or "")
    if match is None or match[0] == "bytes=-":
        return None
    if not match[1]:
        return max(0, size - int(match[2])), size
    start = min(int(match[1]), size)
    if not match[2]:
        return start, size
    if int(match[2]) < int(match[1]):
        return None
    return start, min(int(match[2]) + 1, size)


def file_reply(
    stored: StoredFile, ask: Ask, etag: str, headers: Mapping[str, str] | None = None
) -> Reply:
    """Answer a GET or HEAD of a file: 200, 206, 412 (If-Match) or 416."""
    head = {
        "Content-Type": "application/octet-stream",
        "ETag": etag,
        "Last-Modified": formatdate(stored.mtime_ns // 10**9, usegmt=True),
        "Accept-Ranges": "bytes",
        **(headers or {}),
    }
    if ask.headers.get("if-match", etag) not in {etag, "*"}:
        return text_reply(412, "Precondition Failed", {"ETag": etag})
    span = asked_span(ask.headers.get("range"), stored.size) if ask.method == "GET" else None
    if span is None:
        return Reply(200, head, Slice(stored.path, 0, stored.size))
    start, stop = span
    if start == stop:
        refusal = {"Content-Range": f"bytes */{stored.size}"}
        return text_reply(416, "Range Not Satisfiable", refusal)
    head["Content-Range"] = f"bytes {start}-{stop - 1}/{stored.size}"
    return Reply(206, head, Slice(stored.path, start, stop))
