"""Do two matrices retain the same neurons? Counts, and the chance of so many in common.

Null: which neurons one matrix retained says nothing of which the other did, so that the number they
have in common is hypergeometric. One-sided: more in common than independence leaves.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

Float64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Neurons that both matrices have at one place, what independence would leave, log10 p.

    `most` is what the smaller of the two could have in common with the larger. Where either
    retained all or nothing, nothing can be told: p is 1.
    """

    observed: int
    expected: float
    most: int
    log10_p: float


def agreement(first: Ints, second: Ints) -> Agreement:
    """Of two maps of the same neurons: their places, -1 where a neuron has none.

    >>> agreement(np.array([0, 1, -1, -1]), np.array([0, 1, -1, -1]))
    Agreement(observed=2, expected=1.0, most=2, log10_p=-0.778)
    """
    neurons = len(first)
    counts = [int(np.count_nonzero(one >= 0)) for one in (first, second)]
    observed = int(np.count_nonzero((first >= 0) & (first == second)))
    return Agreement(
        observed=observed,
        expected=counts[0] * counts[1] / neurons,
        most=min(counts),
        log10_p=round(_log10_tail(observed, neurons, *counts), 3) + 0.0,
    )


def _log10_tail(common: int, neurons: int, ours: int, theirs: int) -> float:
    """log10 of P(X >= common), of X hypergeometric; finite far below the smallest float."""
    least = max(0, ours + theirs - neurons)
    if common <= least:
        return 0.0
    counts = np.arange(common, min(ours, theirs) + 1, dtype=np.float64)
    terms = (
        _log_binomial(ours, counts)
        + _log_binomial(neurons - ours, theirs - counts)
        - _log_binomial(neurons, np.float64(theirs))
    )
    return min(0.0, float(np.logaddexp.reduce(terms)) / math.log(10))


def _log_binomial(n: int, k: Float64 | np.float64) -> Float64:
    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))
