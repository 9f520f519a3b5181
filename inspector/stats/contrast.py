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
    count = values.shape[1]
    pool = values if extra is None else np.concatenate([values, extra], axis=1)
    if pool.shape[1] - 1 < MIN_POOL:
        return np.full(values.shape, np.nan)
    order = np.argsort(pool, axis=1, kind="stable")
    ordered = np.take_along_axis(pool, order, axis=1)
    rank = np.argsort(order, axis=1, kind="stable")[:, :count]
    median = _median_without(ordered, rank)
    spread = np.empty_like(median)
    for row in range(len(values)):
        for centre in np.unique(median[row]):
            here = np.flatnonzero(median[row] == centre)
            distance = np.abs(pool[row] - centre)
            place = np.argsort(distance, kind="stable")
            rank_here = np.argsort(place, kind="stable")[here]
            spread[row, here] = _median_without(distance[place][None], rank_here[None])[0]
    spread *= MAD_TO_SD
    contrast = np.full(values.shape, np.nan)
    np.divide(values - median, spread, out=contrast, where=spread > 0)
    return contrast


def _median_without(ordered: Float64, rank: npt.NDArray[np.int64]) -> Float64:
    """The median of each sorted row `[E, n]` without its element at `rank` `[E, R]`."""
    others = ordered.shape[1] - 1
    low, high = (others - 1) // 2, others // 2
    below = np.take_along_axis(ordered, low + (rank <= low), axis=1)
    above = np.take_along_axis(ordered, high + (rank <= high), axis=1)
    return np.asarray((below + above) / 2)
