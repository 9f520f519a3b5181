"""Rows of experts that are kept for later, in half the memory where that loses nothing."""

from typing import Any

import numpy as np
import numpy.typing as npt

from inspector.decode.numeric import Float32

_LOW_HALF = np.uint32(0xFFFF)


class PackedRows:
    """`[experts, k, m]` values; an index gives them back as float32, bit for bit.

    >>> rows = PackedRows(np.array([[[1.5, -2.0]]], dtype=np.float32))
    >>> rows.shape, rows[0].tolist(), rows.nbytes
    ((1, 1, 2), [[1.5, -2.0]], 4)
    """

    def __init__(self, values: Float32) -> None:
        bits = np.ascontiguousarray(values).view(np.uint32)
        is_half = not any(np.any(one & _LOW_HALF) for one in bits)
        self._kept: npt.NDArray[Any] = _upper_halves(bits) if is_half else bits.view(np.float32)
        self.shape = values.shape

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, index: Any) -> Float32:
        found = self._kept[index]
        if found.dtype == np.float32:
            return np.asarray(found)
        wide = found.astype(np.uint32)
        wide <<= 16
        return np.asarray(wide.view(np.float32))

    @classmethod
    def of(cls, stored: npt.NDArray[Any]) -> "PackedRows":
        """Rows as `stored` gave them."""
        found = cls.__new__(cls)
        found._kept, found.shape = stored, stored.shape
        return found

    @property
    def stored(self) -> npt.NDArray[Any]:
        """`[experts, k, m]`: the values, or the upper halves of their bits."""
        return self._kept

    def every(self, step: int) -> "PackedRows":
        """Every `step`-th expert; the others can go."""
        return PackedRows.of(self._kept[::step].copy())

    @property
    def nbytes(self) -> int:
        """Bytes that are held."""
        return self._kept.nbytes


def _upper_halves(bits: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint16]:
    found = np.empty(bits.shape, dtype=np.uint16)
    for one, halves in zip(bits, found, strict=True):
        halves[:] = one >> 16
    return found
