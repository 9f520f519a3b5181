"""Estimates with their 95 % intervals, and those of profile likelihoods on a grid."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and its 95 % interval."""

    estimate: float
    low: float
    high: float


class Intervals(NamedTuple):
    """Of n profiles, each `[n]`."""

    estimates: Float64
    lows: Float64
    highs: Float64

    def each(self) -> list[Interval]:
        """One by one."""
        sides = (self.estimates.tolist(), self.lows.tolist(), self.highs.tolist())
        return [Interval(*one) for one in zip(*sides, strict=True)]


def profile_intervals(profiles: Float64, grid: Float64, drop: float) -> Intervals:
    """Where each profile of `[n, points]` is highest, and how far it stays within `drop` of that.

    Its top is the parabola through the best three points of the grid; an end that lies beyond them
    is on a line between two points. A profile that does not fall by `drop` ends with the grid.
    """
    count, last = len(profiles), len(grid) - 1
    rows, best = np.arange(count), profiles.argmax(axis=1)
    step = float(grid[1] - grid[0])
    middle = profiles[rows, best]
    left, right = (profiles[rows, np.clip(best + by, 0, last)] for by in (-1, 1))
    within = (best > 0) & (best < last)
    slope, bend = np.where(within, [(right - left) / 2, 2 * middle - left - right], 0.0)
    bends = bend > 0
    divisor = np.where(bends, bend, 1.0)
    shift = np.where(bends, slope / divisor, 0.0)
    reach = np.where(bends, (2 * drop / divisor) ** 0.5, 0.0)
    limit = middle + shift * slope / 2 - drop
    inside = profiles >= limit[:, None]
    inside[rows, best] = True
    first, final = inside.argmax(axis=1), last - inside[:, ::-1].argmax(axis=1)
    estimates = grid[best] + step * shift
    above = profiles - limit[:, None]
    lows = np.where(
        (first < best) | ~bends,
        np.minimum(_crossings(above, grid, first, -1), estimates),
        estimates - step * reach,
    )
    highs = np.where(
        (final > best) | ~bends,
        np.maximum(_crossings(above, grid, final, 1), estimates),
        estimates + step * reach,
    )
    return Intervals(estimates, lows, highs)


def _crossings(above: Float64, grid: Float64, last: Ints, step: int) -> Float64:
    """Where each of `above` falls to zero beyond its grid point `last`."""
    rows = np.arange(len(above))
    beyond = np.clip(last + step, 0, len(grid) - 1)
    here, there = above[rows, last], above[rows, beyond]
    share = here / np.maximum(here - there, 1e-12)
    return np.asarray(
        np.where(beyond == last, grid[last], grid[last] + share * (grid[beyond] - grid[last]))
    )
