"""`Shelf`: what was read of checkpoints, kept on disk between runs.

An entry is one file: a magic line, a label in JSON, a BLAKE2b checksum of label and content, the
content. It takes its name when it is complete, so that processes may read and write at once; one
that is damaged, cut short or of another version of this program is as good as absent.
"""

import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from inspector.errors import OutputError

FOLDER_NAME: Final = "s1inspect"
"""Below HF_ASSETS_CACHE, where huggingface_hub's documentation sends tools built on it."""

_MAGIC: Final = b"s1inspect shelf 1\n"
_SUFFIX: Final = ".entry"
_CHECKSUM_BYTES: Final = 32


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry is of: `subject` names a checkpoint, `version` its commit where it has one."""

    kind: str
    subject: str
    version: str = ""


class _Stored(msgspec.Struct, frozen=True, kw_only=True):
    label: Label
    saved_at: float


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as a person sees it; `saved_at` in seconds since 1970."""

    label: Label
    bytes: int
    saved_at: float
    path: Path


class Shelf:
    """Entries in one folder, which is made when the first is saved."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, label: Label) -> bytes | None:
        """The content saved under a label, or None."""
        found = _read(self._path(label))
        if found is None or found[0].label != label:
            return None
        return found[1]

    def saved_at(self, label: Label) -> float | None:
        """When an entry was saved, in seconds since 1970."""
        found = _read(self._path(label))
        return None if found is None else found[0].saved_at

    def save(self, label: Label, content: bytes) -> None:
        """Keep `content` under a label, in place of what was there.

        Raises:
            OutputError: the folder cannot be written, or the disk is full; nothing is left behind.
        """
        head = msgspec.json.encode(_Stored(label=label, saved_at=time.time())) + b"\n"
        path = self._path(label)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.writelines((_MAGIC, head, _checksum(head, content), content))
                Path(temporary).replace(path)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror}") from error

    def entries(self) -> Iterator[Entry]:
        """Every entry that can be read, by name."""
        for path in sorted(self.folder.glob(f"*{_SUFFIX}")):
            found = _read(path)
            if found is not None:
                stored, content = found
                yield Entry(stored.label, len(content), stored.saved_at, path)

    def clear(self) -> tuple[int, int]:
        """Remove every entry, sound or not, and what broken runs left: files and bytes removed."""
        count = size = 0
        for path in [*self.folder.glob(f"*{_SUFFIX}"), *self.folder.glob(f".*{_SUFFIX}.*")]:
            try:
                size += path.stat().st_size
                path.unlink()
                count += 1
            except FileNotFoundError:
                continue
            except OSError as error:
                raise OutputError(f"{path}: cannot be removed: {error.strerror}") from error
        return count, size

    def _path(self, label: Label) -> Path:
        digest = hashlib.blake2b(msgspec.json.encode(label), digest_size=12).hexdigest()
        readable = re.sub(r"[^\w.-]+", "-", label.subject, flags=re.ASCII).strip("-")[-60:]
        return self.folder / f"{label.kind}-{readable}-{digest}{_SUFFIX}"


def _read(path: Path) -> tuple[_Stored, bytes] | None:
    """An entry's head and content; None where it is not there or not as it was written."""
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                return None
            head = file.readline(1 << 16)
            checksum = file.read(_CHECKSUM_BYTES)
            content = file.read()
        if checksum != _checksum(head, content):
            return None
        return msgspec.json.decode(head, type=_Stored), content
    except (OSError, msgspec.MsgspecError):
        return None


def _checksum(head: bytes, content: bytes) -> bytes:
    digest = hashlib.blake2b(head, digest_size=_CHECKSUM_BYTES)
    digest.update(content)
    return digest.digest()
