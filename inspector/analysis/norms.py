"""Euclidean norms of the rows and columns of a matrix: one for each neuron, on either side."""

import msgspec
import numpy as np
import numpy.typing as npt

from inspector.decode.numeric import Float32

Float64 = npt.NDArray[np.float64]


class AxisNorms(msgspec.Struct, frozen=True, kw_only=True):
    """`values` of each row or column, in order; None where one has a value that is no number.

    `largest` is the place of the maximum, `zeros` how many are zero; figures leave None out.
    """

    min: float | None
    median: float | None
    max: float | None
    largest: int | None
    zeros: int
    values: list[float | None]


class Norms(msgspec.Struct, frozen=True, kw_only=True):
    """Norms of a matrix. An expert's neuron is a row of gate and up, and a column of down."""

    rows: AxisNorms
    columns: AxisNorms


class NormSums:
    """Sums of squares in float64, by row and by column, of rows that come piece by piece."""

    def __init__(self, columns: int) -> None:
        self._rows: list[Float64] = []
        self._columns = np.zeros(columns, dtype=np.float64)

    def add(self, values: Float32) -> None:
        """Take in some rows, `[rows, columns]`."""
        for start in range(0, len(values), _STRIP_ROWS):
            squares = np.square(values[start : start + _STRIP_ROWS], dtype=np.float64)
            self._rows.append(squares.sum(axis=1))
            self._columns += squares.sum(axis=0)

    def norms(self) -> Norms:
        by_row = np.concatenate([np.empty(0), *self._rows])
        return Norms(rows=_of(np.sqrt(by_row)), columns=_of(np.sqrt(self._columns)))


_STRIP_ROWS = 16


def _of(norms: Float64) -> AxisNorms:
    real = np.isfinite(norms)
    some = norms[real]
    return AxisNorms(
        min=float(some.min()) if len(some) else None,
        median=float(np.median(some)) if len(some) else None,
        max=float(some.max()) if len(some) else None,
        largest=int(np.flatnonzero(real)[some.argmax()]) if len(some) else None,
        zeros=int(np.count_nonzero(some == 0)),
        values=[value if ok else None for value, ok in zip(norms.tolist(), real, strict=True)],
    )
