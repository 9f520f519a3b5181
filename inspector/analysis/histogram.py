"""How values are spread, in one pass that does not know their range beforehand.

Every value is counted by the upper half of its float32 bits: sign, exponent and seven bits of the
fraction. Edges that are small multiples of a power of two lie between such counts, so the bins made
of them afterwards are exact. A value on an edge belongs to the bin farther from zero.
"""

from typing import Final

import msgspec
import numpy as np

from inspector.decode.numeric import Float32

_STRIP: Final = 1 << 15
_HALVES: Final = 1 << 16
_MOST_BINS: Final = 24
_EXACT_EDGE: Final = 256
"""Multiples of a power of two up to this have no more than the eight bits that are counted by."""


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """`counts[i]` values lie between `edges[i]` and `edges[i + 1]`; the rest below and above."""

    edges: list[float]
    counts: list[int]
    below: int
    above: int


class Tally:
    """Values by the upper half of their bits."""

    def __init__(self) -> None:
        self._counts = np.zeros(_HALVES, dtype=np.int64)

    def add(self, values: Float32) -> None:
        """Count values in, in strips that a cache holds."""
        upper = values.reshape(-1).view(np.uint16)[1::2]
        for start in range(0, len(upper), _STRIP):
            self._counts += np.bincount(upper[start : start + _STRIP], minlength=_HALVES)

    def histogram(self, mean: float, std: float) -> Histogram | None:
        """Bins over four standard deviations around the mean; None where nothing varies.

        Bins at either end that hold nothing are left out.
        """
        if not (np.isfinite(mean) and np.isfinite(std) and std > 0):
            return None
        step = 2.0 ** np.ceil(np.log2(8 * std / _MOST_BINS))
        while abs(mean) + 4 * std > _EXACT_EDGE * step:
            step *= 2
        first = int(np.floor((mean - 4 * std) / step))
        stop = int(np.ceil((mean + 4 * std) / step))
        used = np.flatnonzero(self._counts)
        values = (used.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
        real = ~np.isnan(values)
        used, values = used[real], values[real]
        outward = np.floor(np.abs(values) / step)
        bins = np.where(np.signbit(values), -outward - 1, outward)
        places = np.clip(bins, first - 1, stop).astype(np.int64) - (first - 1)
        sums = np.zeros(stop - first + 2, dtype=np.int64)
        np.add.at(sums, places, self._counts[used])
        full = np.flatnonzero(sums[1:-1])
        left, right = (int(full[0]), int(full[-1]) + 1) if len(full) else (0, stop - first)
        edges = [float((first + edge) * step) for edge in range(left, right + 1)]
        below, above = int(sums[0]), int(sums[-1])
        return Histogram(
            edges=edges, counts=sums[1:-1][left:right].tolist(), below=below, above=above
        )
