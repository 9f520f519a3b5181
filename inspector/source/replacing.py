"""Files that take their name when they are complete."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from inspector.errors import OutputError, UsageError


@contextmanager
def replacing(path: Path, *, durable: bool = False, shared: bool = False) -> Iterator[IO[bytes]]:
    """A file that takes the place of what is at `path` at the end; on any error nothing is left.

    Args:
        path: in a folder that is there.
        durable: whether its bytes are on the disk before its name is.
        shared: whether others may read it, as the umask says; else it is its owner's alone.

    Raises:
        OSError: it cannot be written.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=_beginning(path.name))
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        if shared:
            umask = os.umask(0)
            os.umask(umask)
            Path(temporary).chmod(0o666 & ~umask)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def is_unfinished(path: Path, name: str) -> bool:
    """Whether a file is what a killed writer of the file `name` left in place of it."""
    return path.name.startswith(_beginning(name))


def _beginning(name: str) -> str:
    return f".{name}."


@contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes its name when it is complete; on any error nothing is left behind.

    A device or a pipe, such as /dev/stdout, is written as it is: a rename would replace it. A link
    is followed.

    Raises:
        UsageError: there is no such folder, or the name is that of a folder.
        OutputError: the file cannot be written.
    """
    if path.is_dir() or not path.parent.is_dir():
        reason = "it is a folder" if path.is_dir() else f"no folder {path.parent}"
        raise UsageError(f"{path}: cannot be written: {reason}")
    if path.is_symlink():
        path = path.resolve()
    with _explained(path):
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                yield file
            return
        with replacing(path, shared=True) as file:
            yield file


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
