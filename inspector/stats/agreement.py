"""Do two matrices retain the same neurons? Counts, and the chance of so many in common.

Null: which neurons one matrix retained says nothing of which the other did, so that the number they
have in common is hypergeometric. One-sided: more in common than independence leaves.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import hypergeom

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
    log_p = float(hypergeom.logsf(observed - 1, neurons, *counts)) if min(counts) else 0.0
    return Agreement(
        observed=observed,
        expected=counts[0] * counts[1] / neurons,
        most=min(counts),
        log10_p=round(min(0.0, log_p / math.log(10)), 3) + 0.0,
    )
