"""Many tests at once: Holm's step-down over a fixed number of hypotheses, tails without zeros."""

import math

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr, ndtri_exp

Float64 = npt.NDArray[np.float64]


def log10_upper_tail(z: Float64) -> Float64:
    """log10 of P(Z >= z) for a standard normal; finite for every finite z, so p is never 0."""
    return np.asarray(log_ndtr(-np.asarray(z, dtype=np.float64)) / math.log(10))


def z_of_upper_tail(p: float) -> float:
    """The z whose upper tail is `p`.

    >>> round(z_of_upper_tail(0.01 / 6_160_384), 2)
    5.92
    """
    return -float(ndtri_exp(math.log(p)))


def holm_accepts(log10_p: Float64, *, hypotheses: int, alpha: float) -> npt.NDArray[np.bool_]:
    """Which hypotheses Holm's procedure rejects at family-wise `alpha`.

    Args:
        log10_p: of the hypotheses that were tested. The other `hypotheses - len(log10_p)` of the
            family enter with p = 1.
        hypotheses: size of the family.
        alpha: the family-wise error rate of this part of the budget.
    """
    if len(log10_p) > hypotheses:
        raise ValueError(f"{len(log10_p)} tests in a family of {hypotheses}")
    accepted = np.zeros(len(log10_p), dtype=np.bool_)
    order = np.argsort(log10_p, kind="stable")
    limits = math.log10(alpha) - np.log10(hypotheses - np.arange(len(log10_p)))
    failed = np.flatnonzero(log10_p[order] > limits)
    passed = order[: failed[0]] if len(failed) else order
    accepted[passed] = True
    return accepted
