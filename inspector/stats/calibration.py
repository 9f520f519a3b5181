"""Is the null what it claims? z of pairs that cannot be related, against the standard normal."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from inspector.stats.contrast import MAD_TO_SD

Float64 = npt.NDArray[np.float64]

MIN_TESTS: Final = 2_000
MAX_INFLATION: Final = 1.15
MAX_KS: Final = 0.02
_BOOTSTRAPS: Final = 200
_LOWER_BOUND: Final = 0.01


class Calibrated(StrEnum):
    """Whether p-values may be believed."""

    OK = "ok"
    INSUFFICIENT = "insufficient"
    UNCALIBRATED = "uncalibrated"


@dataclass(frozen=True, slots=True)
class Calibration:
    """What off-layer pairs say of the null.

    `inflation` is max(1, robust sd of z), by which every z is divided; `ks` is the largest distance
    of the p-values of z / inflation from uniform; `sd` the plain standard deviation of z.
    """

    status: Calibrated
    tests: int
    blocks: int
    ks: float | None
    sd: float | None
    inflation: float


def calibrate(blocks: Sequence[Float64], rng: np.random.Generator) -> Calibration:
    """Judge the null on blocks of z, one block a pair of different layers.

    Tests of one block share their experts, so the number of blocks, not of tests, says how sure the
    figures are: the KS limit is max(.02, 2 / sqrt(blocks)), and the lower bound of the inflation is
    the 1 % quantile over resamplings of whole blocks.
    """
    values = np.concatenate([np.empty(0), *(block.ravel() for block in blocks)])
    if not len(values):
        return Calibration(Calibrated.INSUFFICIENT, 0, 0, None, None, 1.0)
    raw = robust_sd(values)
    inflation = max(1.0, raw)
    ks = uniform_distance(values / inflation)
    sd = float(values.std())
    status = Calibrated.OK
    if len(values) < MIN_TESTS:
        status = Calibrated.INSUFFICIENT
    elif ks > max(MAX_KS, 2 / len(blocks) ** 0.5) or (
        inflation > MAX_INFLATION and _inflation_lower_bound(blocks, rng) > 1
    ):
        status = Calibrated.UNCALIBRATED
    return Calibration(status, len(values), len(blocks), ks, sd, inflation)


def robust_sd(values: Float64) -> float:
    """1.4826 x the median absolute value: the null's centre is known to be zero."""
    return float(MAD_TO_SD * np.median(np.abs(values)))


def uniform_distance(values: Float64) -> float:
    """The Kolmogorov-Smirnov distance between the upper-tail p-values of z and the uniform."""
    p = np.sort(ndtr(-values))
    steps = np.arange(len(p) + 1) / len(p)
    return float(max(np.max(steps[1:] - p), np.max(p - steps[:-1])))


def _inflation_lower_bound(blocks: Sequence[Float64], rng: np.random.Generator) -> float:
    estimates = [
        robust_sd(
            np.concatenate([blocks[i].ravel() for i in rng.integers(0, len(blocks), len(blocks))])
        )
        for _ in range(_BOOTSTRAPS)
    ]
    return float(np.quantile(estimates, _LOWER_BOUND))
