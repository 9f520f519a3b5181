"""Each value against the others of its pool: median and MAD, leaving the value itself out."""

from typing import Final

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

MAD_TO_SD: Final = 1.4826
"""The median absolute deviation of a normal times this is its standard deviation."""

MIN_POOL: Final = 16
"""A contrast needs at least this many other values; with fewer there is none."""


def leave_one_out_contrast(values: Float64, extra: Float64 | None = None) -> Float64:
    """How far each value stands above the rest of its row, in robust standard deviations.

    Args:
        values: `[E, R]`; each is contrasted with the other `R - 1` of its row.
        extra: `[E, P]` more values for every pool of the row, never contrasted themselves.

    Returns:
        `[E, R]`; NaN where a pool has fewer than `MIN_POOL` values or its MAD is zero.
    """
    pool = values if extra is None else np.concatenate([values, extra], axis=1)
    if pool.shape[1] - 1 < MIN_POOL:
        return np.full(values.shape, np.nan)
    side, centres = _medians_without(pool, values)
    median, spread = np.empty((2, *values.shape))
    for case, centre in enumerate(centres):
        own, distances = np.abs(values - centre), np.abs(pool - centre)
        side_of_it, spreads = _medians_without(distances, own)
        here = side == case
        np.copyto(median, centre, where=here)
        np.copyto(spread, np.choose(side_of_it, spreads), where=here)
    spread *= MAD_TO_SD
    contrast = np.full(values.shape, np.nan)
    np.divide(values - median, spread, out=contrast, where=spread > 0)
    return contrast


def _medians_without(
    pool: Float64, values: Float64
) -> tuple[npt.NDArray[np.int64], tuple[Float64, Float64, Float64]]:
    """The median of each row `[E, n]` without one of its values, for each of `values` `[E, R]`.

    There are three at most, `[E, 1]` each: without a value from below the middle of the others,
    from it, and from above it. With them, which of the three is each value's.
    """
    others = pool.shape[1] - 1
    low, high = (others - 1) // 2, others // 2
    ordered = np.partition(pool, (low, low + 1, high, high + 1), axis=1)
    first, second, last = (ordered[:, place, None] for place in (low, low + 1, high + 1))
    middle = ordered[:, high, None]
    side = (values > first).astype(np.int64) + (values > middle)
    return side, ((second + last) / 2, (first + last) / 2, (first + middle) / 2)
