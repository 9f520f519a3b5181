"""Checkpoints on disk. Reads are `pread`: no shared position, no copy, odd names welcome."""

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from inspector.errors import AccessDenied, ObjectNotFound, SourceChanged, SourceError
from inspector.format.spans import Span
from inspector.source.base import Ledger
from inspector.source.open_files import OpenFiles

_SETTLED_SECONDS: Final = 2.0
"""A file written in the last moments may be written again within one tick of its time stamp."""

_SNAPSHOT: Final = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class _Seen:
    """A file as it was when it was first opened, before any of it was read."""

    status: os.stat_result
    at: float


class LocalSource:
    """A directory, or one file of it (`only`). A snapshot of the hub's cache has a commit."""

    def __init__(self, root: Path, ledger: Ledger, *, only: str | None = None) -> None:
        self.location = str(root / only if only else root)
        self.kind = "file" if only else "directory"
        whole = root.absolute()
        is_snapshot = whole.parent.name == "snapshots" and _SNAPSHOT.fullmatch(whole.name)
        self.commit = whole.name if is_snapshot else None
        self._root = root
        self._only = only
        self._ledger = ledger
        self._open = OpenFiles(self._descriptor)
        self._seen: dict[str, _Seen] = {}

    @property
    def subject(self) -> str | None:
        whole = self._root.resolve()
        path = str(whole / self._only if self._only else whole)
        return path if _is_text(path) else None

    def files(self) -> Mapping[str, int]:
        return self._listing

    @cached_property
    def _listing(self) -> Mapping[str, int]:
        try:
            there = [self._only] if self._only else [path.name for path in self._root.iterdir()]
        except OSError as error:
            raise AccessDenied(f"{self._root}: {error.strerror}") from error
        paths = {name: self._root / name for name in sorted(there)}
        return {name: path.stat().st_size for name, path in paths.items() if path.is_file()}

    def size(self, path: str) -> int:
        return self._first_seen(path).status.st_size

    def stamp(self, path: str) -> str | None:
        """Times and inode as they were before the first read: what was read is no older.

        The device is left out: it is numbered anew on each machine that mounts a shared disk.
        """
        seen = self._first_seen(path)
        status = seen.status
        if seen.at - max(status.st_mtime, status.st_ctime) < _SETTLED_SECONDS:
            return None
        return f"{status.st_mtime_ns}-{status.st_ctime_ns}-{status.st_ino}"

    def requests_for(self, path: str, reads: int) -> int:
        return reads

    def read(self, path: str, span: Span) -> bytes:
        if not len(span):
            return b""
        file = self._open.take(path)
        try:
            status = os.fstat(file.descriptor)
            before = self._seen_as(path, status).status
            if (before.st_size, before.st_mtime_ns) != (status.st_size, status.st_mtime_ns):
                raise SourceChanged(
                    f"{self._root / path}: changed while it was read: {before.st_size:,} bytes "
                    f"before, {status.st_size:,} now",
                    hint="run the command again when nothing writes to the file",
                )
            content = self._content(file.descriptor, path, span)
        finally:
            self._open.give_back(file)
        self._ledger.add(byte_count=len(span))
        return content

    def close(self) -> None:
        self._open.close()
        self._seen.clear()

    def _content(self, descriptor: int, path: str, span: Span) -> bytes:
        parts = []
        position = span.start
        while position < span.stop:
            part = os.pread(descriptor, span.stop - position, position)
            if not part:
                size = os.fstat(descriptor).st_size
                raise SourceError(
                    f"{self._root / path}: asked for {span}, the file has {size:,} bytes"
                )
            parts.append(part)
            position += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _first_seen(self, path: str) -> _Seen:
        seen = self._seen.get(path)
        if seen is not None:
            return seen
        file = self._open.take(path)
        try:
            return self._seen_as(path, os.fstat(file.descriptor))
        finally:
            self._open.give_back(file)

    def _seen_as(self, path: str, status: os.stat_result) -> _Seen:
        """As the file was first; as it is now where this is the first time."""
        return self._seen.get(path) or self._seen.setdefault(path, _Seen(status, time.time()))

    def _descriptor(self, path: str) -> int:
        whole = self._root / path
        try:
            if whole.is_file():
                return os.open(whole, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise AccessDenied(f"{whole}: {error.strerror}") from error
        raise ObjectNotFound(f"{self._root}: no file {path}")


def _is_text(path: str) -> bool:
    """Whether a path is text; one that is not UTF-8 cannot be written down as it is."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
