"""The factor of an expert on its parent."""

import numpy as np
import numpy.typing as npt

from inspector.stats.intervals import Interval

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


def fit_slope(target: Float32, reference: Float32, weights: Float64) -> Interval:
    """The factor a of `target = a reference + drift` over neurons weighted by `weights`, `[k, m]`.

    Each row has an intercept: drift shares the layer's mean with the reference, and that would
    count as its. The interval is from the spread of neurons (a sandwich), 95 %.
    """
    share = (weights / max(float(weights.sum()), 1e-300)).astype(np.float32)
    target, reference = (side - (side @ share)[:, None] for side in (target, reference))
    products = np.einsum("km,km->m", target, reference, dtype=np.float64)
    squares = np.einsum("km,km->m", reference, reference, dtype=np.float64)
    total = max(float(weights @ squares), 1e-300)
    slope = float(weights @ products) / total
    error = float(np.sqrt(np.sum((weights * (products - slope * squares)) ** 2))) / total
    return Interval(slope, slope - 1.96 * error, slope + 1.96 * error)
