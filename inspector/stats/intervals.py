"""Estimates with their 95 % intervals, and those of a profile likelihood on a grid."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and its 95 % interval."""

    estimate: float
    low: float
    high: float


def profile_interval(profile: Float64, grid: Float64, drop: float) -> Interval:
    """Where the profile is highest, and how far it stays within `drop` of that.

    Its top is the parabola through the best three points of the grid; an end that lies beyond them
    is on a line between two points.
    """
    best = int(profile.argmax())
    middle, step = float(profile[best]), float(grid[1] - grid[0])
    slope = bend = 0.0
    if 0 < best < len(grid) - 1:
        left, _, right = profile[best - 1 : best + 2].tolist()
        slope, bend = (right - left) / 2, 2 * middle - left - right
    shift = slope / bend if bend > 0 else 0.0
    reach = (2 * drop / bend) ** 0.5 if bend > 0 else 0.0
    limit = middle + shift * slope / 2 - drop
    inside = np.flatnonzero(profile >= limit).tolist() or [best]
    estimate = float(grid[best]) + step * shift
    low, high = estimate - step * reach, estimate + step * reach
    if inside[0] < best or not reach:
        low = min(_crossing(profile - limit, grid, inside[0], -1), estimate)
    if inside[-1] > best or not reach:
        high = max(_crossing(profile - limit, grid, inside[-1], 1), estimate)
    return Interval(estimate, low, high)


def _crossing(above: Float64, grid: Float64, last: int, step: int) -> float:
    """Where `above` falls to zero beyond the grid point `last`."""
    beyond = last + step
    if not 0 <= beyond < len(grid):
        return float(grid[last])
    share = above[last] / max(above[last] - above[beyond], 1e-12)
    return float(grid[last] + share * (grid[beyond] - grid[last]))


def exponential(interval: Interval) -> Interval:
    """Of an estimate that is a logarithm."""
    return Interval(*(float(np.exp(v)) for v in (interval.estimate, interval.low, interval.high)))
