"""Many tests at once: Holm's step-down and Benjamini-Hochberg over a fixed number of hypotheses."""

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


def log10_q_values(log10_p: Float64, *, hypotheses: int) -> Float64:
    """log10 of the Benjamini-Hochberg q of each test: the false discovery rate at which it passes.

    Args:
        log10_p: of the hypotheses that were tested, at least all small ones. The other
            `hypotheses - len(log10_p)` of the family count as tests with p = 1.
        hypotheses: size of the family.

    >>> (10 ** log10_q_values(np.log10([0.01, 0.04, 0.02]), hypotheses=4)).round(3).tolist()
    [0.04, 0.053, 0.04]
    """
    if len(log10_p) > hypotheses:
        raise ValueError(f"{len(log10_p)} tests in a family of {hypotheses}")
    order = np.argsort(log10_p, kind="stable")
    ranks = np.arange(1, len(log10_p) + 1)
    raw = log10_p[order] + math.log10(max(hypotheses, 1)) - np.log10(ranks)
    q = np.empty(len(log10_p))
    q[order] = np.minimum(0.0, np.minimum.accumulate(raw[::-1])[::-1])
    return q
