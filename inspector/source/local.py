"""Checkpoints on disk. Reads are `pread`: no shared position, no copy, odd names welcome."""

import os
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from inspector.errors import AccessDenied, ObjectNotFound, SourceChanged, SourceError
from inspector.format.spans import Span
from inspector.source.base import Ledger

_SETTLED_SECONDS: Final = 2.0
"""A file written in the last moments may be written again within one tick of its time stamp."""

_SNAPSHOT: Final = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class _Opened:
    """A file as it was when it was opened, before any of it was read."""

    descriptor: int
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
        self._lock = threading.Lock()
        self._opened: dict[str, _Opened] = {}

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
        return self._open(path).status.st_size

    def stamp(self, path: str) -> str | None:
        """Times and inode as they were before the first read: what was read is no older.

        The device is left out: it is numbered anew on each machine that mounts a shared disk.
        """
        opened = self._open(path)
        status = opened.status
        if opened.at - max(status.st_mtime, status.st_ctime) < _SETTLED_SECONDS:
            return None
        return f"{status.st_mtime_ns}-{status.st_ctime_ns}-{status.st_ino}"

    def requests_for(self, path: str, reads: int) -> int:
        return reads

    def read(self, path: str, span: Span) -> bytes:
        if not len(span):
            return b""
        opened = self._open(path)
        descriptor, before = opened.descriptor, opened.status
        status = os.fstat(descriptor)
        if (before.st_size, before.st_mtime_ns) != (status.st_size, status.st_mtime_ns):
            raise SourceChanged(
                f"{self._root / path}: changed while it was read: {before.st_size:,} bytes before, "
                f"{status.st_size:,} now",
                hint="run the command again when nothing writes to the file",
            )
        parts = []
        position = span.start
        while position < span.stop:
            part = os.pread(descriptor, span.stop - position, position)
            if not part:
                raise SourceError(
                    f"{self._root / path}: asked for {span}, the file has {status.st_size:,} bytes"
                )
            parts.append(part)
            position += len(part)
        self._ledger.add(byte_count=len(span))
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        with self._lock:
            for opened in self._opened.values():
                os.close(opened.descriptor)
            self._opened.clear()

    def _open(self, path: str) -> _Opened:
        with self._lock:
            if path not in self._opened:
                descriptor = self._descriptor(path)
                self._opened[path] = _Opened(descriptor, os.fstat(descriptor), time.time())
            return self._opened[path]

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
