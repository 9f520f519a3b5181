"""Files that take their name when they are complete."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


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
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
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
