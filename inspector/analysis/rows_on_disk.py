"""Rows of experts that are asked for again, and cost too much to be read again: in a file."""

import os
import tempfile
import threading
import weakref
from collections.abc import Hashable
from functools import cached_property
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from inspector.analysis.packed_rows import PackedRows
from inspector.decode.numeric import Float32


class RowsOnDisk:
    """`[k, m]` values by key, in a temporary file that has no name and goes with this object.

    There is none before something is kept. Threads may share the object.

    >>> rows = RowsOnDisk()
    >>> rows.put((3, 200), np.array([[1.5, -2.0]], dtype=np.float32))
    >>> (3, 200) in rows, rows.take((3, 200)).tolist()
    (True, [[1.5, -2.0]])
    """

    def __init__(self) -> None:
        self._places: dict[Hashable, tuple[int, np.dtype[Any], tuple[int, ...]]] = {}
        self._end = 0
        self._lock = threading.Lock()

    @cached_property
    def _file(self) -> IO[bytes]:
        file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  closed as the object goes
        weakref.finalize(self, file.close)
        return file

    def __contains__(self, key: Hashable) -> bool:
        return key in self._places

    def put(self, key: Hashable, values: Float32) -> None:
        """Keep the values of a key, in half the bytes where that loses nothing.

        Raises:
            OSError: the disk is full, or there is no place for temporary files.
        """
        stored = np.ascontiguousarray(PackedRows(values[None]).stored)
        with self._lock:
            self._file.write(stored.tobytes())
            self._places[key] = self._end, stored.dtype, stored.shape
            self._end += stored.nbytes

    def take(self, key: Hashable) -> Float32:
        """The values of a key, bit for bit."""
        start, dtype, shape = self._places[key]
        size = dtype.itemsize * int(np.prod(shape))
        stored: npt.NDArray[Any] = np.frombuffer(
            os.pread(self._file.fileno(), size, start), dtype
        ).reshape(shape)
        return PackedRows.of(stored)[0]
