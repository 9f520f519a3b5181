"""Which neuron became which: an assignment of all neurons of two experts, and what of it is real.

An assignment always exists. How high its cosines rise by chance is seen from the same assignment
between the target and control experts that are no relatives; pairs are kept from the cosine on at
which at most `FALSE_SHARE` of the kept ones are expected to be of that kind.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from inspector.stats.retention import Interval

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Expert = Sequence[Float32]
"""Matrices `[n, m]` of one expert, one column a neuron."""

FALSE_SHARE: Final = 0.001
"""The share of kept pairs that may be chance."""


@dataclass(frozen=True, slots=True)
class NeuronMap:
    """`places[j]` is the reference's neuron that became neuron j of the target, -1 where none did.

    `retained` is their share of the target's neurons with its 95 % Wilson interval, `slope` the
    factor of target on reference over them, `residual` what that leaves, relative to what it
    explains; both are NaN where nothing is kept. A pair was kept from the cosine `limit` on.
    """

    places: Ints
    retained: Interval
    slope: float
    residual: float
    limit: float


def map_neurons(target: Expert, reference: Expert, controls: Sequence[Expert]) -> NeuronMap:
    """The map of two experts.

    Args:
        target: `down_proj`, or that with gate and up transposed; the same for each side.
        reference: the parent.
        controls: experts that are no relatives of the target, at least one.
    """
    chance = np.concatenate([assign_neurons(target, control)[2] for control in controls])
    ours, theirs, cosines = assign_neurons(target, reference)
    limit = kept_from(cosines, chance)
    kept = cosines >= limit
    places = np.full(target[0].shape[1], -1, dtype=np.int64)
    places[ours[kept]] = theirs[kept]
    slope, residual = _fit(target, reference, ours[kept], theirs[kept])
    return NeuronMap(places, _wilson(int(kept.sum()), len(places)), slope, residual, limit)


def assign_neurons(target: Expert, reference: Expert) -> tuple[Ints, Ints, Float64]:
    """The assignment with the largest sum of cosines: neurons of either side, and their cosines.

    A cosine is the mean over matrices, rows centred over neurons.
    """
    total = np.zeros((target[0].shape[1], reference[0].shape[1]))
    for ours, theirs in zip(target, reference, strict=True):
        total += _directions(ours).T @ _directions(theirs)
    total /= len(target)
    rows, columns = linear_sum_assignment(total, maximize=True)
    return rows, columns, total[rows, columns]


def kept_from(cosines: Float64, chance: Float64) -> float:
    """The smallest cosine from which on at most `FALSE_SHARE` of the pairs are chance.

    The share of chance pairs among all is that below the median of `chance`, doubled (Storey 2002).
    """
    share = min(1.0, 2 * float(np.mean(cosines < np.median(chance))))
    ordered = np.sort(cosines)[::-1]
    above = len(chance) - np.searchsorted(np.sort(chance), ordered, side="left")
    false = share * len(cosines) * above / len(chance)
    fine = np.flatnonzero(false <= FALSE_SHARE * np.arange(1, len(ordered) + 1))
    return float(ordered[fine[-1]]) if len(fine) else float("inf")


def _fit(
    target: Sequence[Float32], reference: Sequence[Float32], ours: Ints, theirs: Ints
) -> tuple[float, float]:
    if not len(ours):
        return float("nan"), float("nan")
    one = np.concatenate([side[:, ours].ravel() for side in target]).astype(np.float64)
    other = np.concatenate([side[:, theirs].ravel() for side in reference]).astype(np.float64)
    squares = max(float(other @ other), 1e-300)
    slope = float(one @ other) / squares
    left = one - slope * other
    explained = max(slope * slope * squares, 1e-300)
    return slope, float(np.sqrt((left @ left) / explained))


def _wilson(hits: int, trials: int) -> Interval:
    square = 1.96**2
    share = hits / trials
    centre = (hits + square / 2) / (trials + square)
    half = 1.96 / (trials + square) * (hits * (1 - share) + square / 4) ** 0.5
    return Interval(share, max(0.0, centre - half), min(1.0, centre + half))


def _directions(rows: Float32) -> Float32:
    centred = rows - rows.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centred, axis=0)
    return np.asarray(centred / np.maximum(norms, 1e-30), dtype=np.float32)
