"""Descriptors of files that are read again and again: few are open, none is closed under a read."""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

MOST_OPEN: Final = 16
"""Of one checkpoint. A process may have 256 on some systems, 1,024 on most; a match opens two
checkpoints or several, and published models have up to some hundred files of a few layers each."""


@dataclass(slots=True, eq=False)
class OpenFile:
    """A descriptor, and how many are reading by it."""

    descriptor: int
    readers: int = 0


class OpenFiles:
    """Opens files by name; the `most` that were used last stay open, and those that are read."""

    def __init__(self, descriptor: Callable[[str], int], *, most: int = MOST_OPEN) -> None:
        """`descriptor` opens a file; what it raises is raised."""
        self._descriptor = descriptor
        self._most = most
        self._lock = threading.Lock()
        self._open: OrderedDict[str, OpenFile] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def take(self, path: str) -> OpenFile:
        """The file, open until it is given back."""
        with self._lock:
            found = self._open.get(path)
            if found is None:
                found = self._open[path] = OpenFile(self._descriptor(path))
            else:
                self._open.move_to_end(path)
            found.readers += 1
            self._close_some()
            return found

    def give_back(self, file: OpenFile) -> None:
        """Whoever took it reads it no more."""
        with self._lock:
            file.readers -= 1
            self._close_some()

    def close(self) -> None:
        """Close all of them; nothing may be reading."""
        with self._lock:
            for file in self._open.values():
                os.close(file.descriptor)
            self._open.clear()

    def _close_some(self) -> None:
        excess = len(self._open) - self._most
        if excess <= 0:
            return
        idle = [path for path, file in self._open.items() if not file.readers]
        for path in idle[:excess]:
            os.close(self._open.pop(path).descriptor)
