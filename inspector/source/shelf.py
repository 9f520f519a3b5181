"""`Shelf`: what was read of checkpoints, kept on disk between runs.

An entry is one file: a magic line, a head in JSON, a BLAKE2b checksum of head and content, the
content. It takes its name when it is complete, so that processes may read and write at once; one
that is damaged, cut short or of another version of this program is as good as absent. Folder and
entries are their owner's alone: what they hold may be of a private repository.
"""

import hashlib
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from inspector.errors import OutputError
from inspector.source.environment import assets_folder
from inspector.source.replacing import replacing
from inspector.version import __version__

FOLDER_NAME: Final = "s1inspect"
"""Below HF_ASSETS_CACHE, where huggingface_hub's documentation sends tools built on it."""

MAGIC: Final = b"s1inspect shelf 2\n"
"""Of every entry. The number goes up when what is kept changes between two releases."""

_OWNER_ONLY: Final = 0o700
_SUFFIX: Final = ".entry"
_CHECKSUM_BYTES: Final = 32
_LONGEST_HEAD: Final = 1 << 16


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry is of: `subject` names a checkpoint, `version` its commit where it has one."""

    kind: str
    subject: str
    version: str = ""


class _Head(msgspec.Struct, frozen=True, kw_only=True):
    label: Label
    saved_at: float
    tool_version: str


@dataclass(frozen=True, slots=True)
class Kept:
    """The content of an entry, and when it was saved, in seconds since 1970."""

    content: bytes
    saved_at: float


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the shelf as a person sees it; `saved_at` in seconds since 1970.

    `label` is None where the file says of nothing that this version of the program could use.
    """

    label: Label | None
    bytes: int
    saved_at: float
    path: Path


class Shelf:
    """Entries in one folder, which is made when the first is saved."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, label: Label) -> Kept | None:
        """What was saved under a label, or None."""
        try:
            with self._path(label).open("rb") as file:
                head, text = _read_head(file.read(len(MAGIC)), file.readline(_LONGEST_HEAD))
                checksum, content = file.read(_CHECKSUM_BYTES), file.read()
        except (OSError, ValueError):
            return None
        if head.label != label or checksum != _checksum(text, content):
            return None
        return Kept(content, head.saved_at)

    def save(self, label: Label, content: bytes) -> None:
        """Keep `content` under a label, in place of what was there.

        Raises:
            OutputError: the folder cannot be written, or the disk is full; nothing is left behind.
        """
        head = _Head(label=label, saved_at=time.time(), tool_version=__version__)
        text = msgspec.json.encode(head) + b"\n"
        path = self._path(label)
        try:
            self._make_folder()
            with replacing(path) as file:
                file.writelines((MAGIC, text, _checksum(text, content), content))
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror}") from error

    def entries(self, name: str | None = None) -> list[Entry]:
        """The files of the shelf, in order of their names; their heads alone are read.

        Args:
            name: only those of a checkpoint whose subject has these components, such as `org/name`
                or a path.
        """
        found = [entry for path in self._files() if (entry := _entry(path)) is not None]
        return found if name is None else [entry for entry in found if _is_of(entry.label, name)]

    def clear(self, name: str | None = None) -> tuple[int, int]:
        """Remove what `entries` lists: files and bytes removed.

        Raises:
            OutputError: a file cannot be removed.
        """
        count = size = 0
        for entry in self.entries(name):
            try:
                entry.path.unlink()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise OutputError(f"{entry.path}: cannot be removed: {error.strerror}") from error
            count += 1
            size += entry.bytes
        return count, size

    def _files(self) -> list[Path]:
        """Entries, and what broken runs left of theirs. Links are left alone: none is ours."""
        found = [*self.folder.glob(f"*{_SUFFIX}"), *self.folder.glob(f".*{_SUFFIX}.*")]
        return sorted(path for path in found if path.is_file() and not path.is_symlink())

    def _make_folder(self) -> None:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self.folder.mkdir(mode=_OWNER_ONLY, exist_ok=True)

    def _path(self, label: Label) -> Path:
        digest = hashlib.blake2b(msgspec.json.encode(label), digest_size=12).hexdigest()
        readable = re.sub(r"[^\w.-]+", "-", label.subject, flags=re.ASCII).strip("-")[-60:]
        return self.folder / f"{label.kind}-{readable}-{digest}{_SUFFIX}"


def _read_head(magic: bytes, text: bytes) -> tuple[_Head, bytes]:
    """The head and its text. Raises ValueError where this version did not write it."""
    if magic != MAGIC:
        raise ValueError("not an entry of this version")
    head = msgspec.json.decode(text, type=_Head)
    if head.tool_version != __version__:
        raise ValueError(f"of version {head.tool_version}")
    return head, text


def _checksum(text: bytes, content: bytes) -> bytes:
    digest = hashlib.blake2b(text, digest_size=_CHECKSUM_BYTES)
    digest.update(content)
    return digest.digest()


def _entry(path: Path) -> Entry | None:
    """What a file of the shelf is; None where it went away."""
    try:
        status = path.stat()
    except OSError:
        return None
    unusable = Entry(None, status.st_size, status.st_mtime, path)
    try:
        with path.open("rb") as file:
            head, _ = _read_head(file.read(len(MAGIC)), file.readline(_LONGEST_HEAD))
    except (OSError, ValueError):
        return unusable
    is_named_so = not path.name.startswith(".")
    return Entry(head.label, status.st_size, head.saved_at, path) if is_named_so else unusable


def _is_of(label: Label | None, name: str) -> bool:
    return label is not None and f"/{name.strip('/')}/" in f"/{label.subject}/"


def open_shelf() -> Shelf:
    """The cache of headers, where huggingface_hub's documentation puts such things."""
    return Shelf(assets_folder() / FOLDER_NAME)
