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

from inspector.stats.intervals import Interval

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Expert = Sequence[Float32]
"""Matrices `[n, m]` of one expert, one column a neuron."""

FALSE_SHARE: Final = 0.0005
"""The share of kept pairs that may be chance, as expected: so few that one in 1,000 is rare."""

_TAIL: Final = 0.1
"""The largest of the chance cosines, this share of them, say how fast their tail falls."""

_MOST: Final = 0.999999
"""Cosines are taken as no larger, so that atanh is finite."""


Tables = Sequence[Float32]
"""Of two experts: for each of their matrices the cosines of all neurons with all, `[m, n]`."""


@dataclass(frozen=True, slots=True)
class NeuronMap:
    """`places[j]` is the reference's neuron that became neuron j of the target, -1 where none did.

    `is_negated[j]` says that it was negated, `retained` is the share of the target's neurons that
    have a place, with its 95 % Wilson interval. A pair was kept from the cosine `limit` on.
    """

    places: Ints
    is_negated: npt.NDArray[np.bool_]
    retained: Interval
    limit: float


@dataclass(frozen=True, slots=True)
class Fit:
    """The factor of target on reference, and the rms of what it leaves over that of what it gives.

    Of no neurons both are NaN.
    """

    slope: Interval
    residual: float


def cosine_tables(target: Expert, reference: Expert) -> list[Float32]:
    """Cosines of neurons in each matrix, its rows centred over neurons."""
    return [
        np.asarray(_directions(ours).T @ _directions(theirs))
        for ours, theirs in zip(target, reference, strict=True)
    ]


def map_neurons(
    tables: Tables, controls: Sequence[Tables], *, odd: Sequence[int] = ()
) -> NeuronMap:
    """The map of two experts, by the mean of their tables.

    Args:
        tables: of target and reference.
        controls: of the target and experts that are no relatives of it, at least one.
        odd: which tables a neuron changes the sign of when it is negated. Of a gated expert those
            are `down_proj` and `up_proj`, both at once; what a negated neuron computes is the same.
    """
    chance = np.concatenate([_assigned(_total(control, odd)[0])[2] for control in controls])
    total, is_opposite = _total(tables, odd)
    ours, theirs, cosines = _assigned(total)
    limit = kept_from(cosines, chance)
    kept = cosines >= limit
    places = np.full(len(total), -1, dtype=np.int64)
    places[ours[kept]] = theirs[kept]
    is_negated = np.zeros(len(total), dtype=np.bool_)
    is_negated[ours[kept]] = is_opposite[ours[kept], theirs[kept]]
    return NeuronMap(places, is_negated, wilson(int(kept.sum()), len(places)), limit)


def assign_neurons(target: Expert, reference: Expert) -> tuple[Ints, Ints, Float64]:
    """The assignment with the largest sum of cosines: neurons of either side, and their cosines.

    A cosine is the mean over matrices, rows centred over neurons; no neuron is negated.
    """
    return _assigned(_total(cosine_tables(target, reference), ())[0])


def _total(tables: Tables, odd: Sequence[int]) -> tuple[Float32, npt.NDArray[np.bool_]]:
    """The mean cosine of each pair with the better sign, and whether that is the opposite one."""
    even = [one for place, one in enumerate(tables) if place not in odd]
    total = np.zeros(tables[0].shape, dtype=np.float32)
    is_opposite = np.zeros(total.shape, dtype=np.bool_)
    if odd:
        signed = np.stack([tables[place] for place in odd]).sum(axis=0)
        total, is_opposite = np.abs(signed), np.asarray(signed < 0)
    for one in even:
        total = total + one
    return total / np.float32(len(tables)), is_opposite


def _assigned(total: Float32) -> tuple[Ints, Ints, Float64]:
    from scipy.optimize import linear_sum_assignment  # 0.1 s to load: few matches come to it

    rows, columns = linear_sum_assignment(total, maximize=True)
    return rows, columns, total[rows, columns].astype(np.float64)


def kept_from(cosines: Float64, chance: Float64) -> float:
    """The smallest cosine from which on at most `FALSE_SHARE` of the pairs are chance.

    The share of chance pairs among all is that below the median of `chance`, doubled (Storey 2002).
    """
    share = min(1.0, 2 * float(np.mean(cosines < np.median(chance))))
    ordered = np.sort(cosines)[::-1]
    false = share * len(cosines) * _share_above(ordered, chance)
    fine = np.flatnonzero(false <= FALSE_SHARE * np.arange(1, len(ordered) + 1))
    return float(ordered[fine[-1]]) if len(fine) else float("inf")


def _share_above(values: Float64, chance: Float64) -> Float64:
    """How much of `chance` is at least each value; in its tail no less than an exponential has.

    An assignment of 1,536 neurons has one or two pairs where one in 1,000 is asked for: beyond the
    largest of them nothing would count as chance. The tail is that of atanh(cosine), which has no
    end: of real weights the largest chance cosines are near .7, and their spacing says little of 1.
    """
    found = 1 - np.searchsorted(np.sort(chance), values, side="left") / len(chance)
    ours, theirs = (np.arctanh(np.clip(side, -_MOST, _MOST)) for side in (values, chance))
    start = float(np.quantile(theirs, 1 - _TAIL))
    beyond = theirs[theirs > start] - start
    scale = max(float(beyond.mean()) if len(beyond) else 0.0, 1e-12)
    tail = len(beyond) / len(chance) * np.exp(-np.maximum(ours - start, 0) / scale)
    return np.where(ours > start, np.maximum(found, tail), found)


def fit_factor(target: Expert, reference: Expert, found: NeuronMap, odd: Sequence[int]) -> Fit:
    """The factor of target on reference over the neurons that have a place, in all matrices given.

    Each row has an intercept (`fit_slope` says why); the interval is from the spread of neurons.
    Matrices named in `odd` are negated where the map says so.
    """
    ours = np.flatnonzero(found.places >= 0)
    if not len(ours):
        nothing = float("nan")
        return Fit(Interval(nothing, nothing, nothing), nothing)
    signs = np.where(found.is_negated[ours], -1, 1).astype(np.float32)
    products, squares = np.zeros(len(ours)), np.zeros(len(ours))
    length = 0.0
    for place, (one, other) in enumerate(zip(target, reference, strict=True)):
        mine = one[:, ours] * signs if place in odd else one[:, ours]
        mine, theirs = (
            side - side.mean(axis=1, keepdims=True) for side in (mine, other[:, found.places[ours]])
        )
        products += np.einsum("km,km->m", mine, theirs, dtype=np.float64)
        squares += np.einsum("km,km->m", theirs, theirs, dtype=np.float64)
        length += float(np.einsum("km,km->", mine, mine, dtype=np.float64))
    total = max(float(squares.sum()), 1e-300)
    slope = float(products.sum()) / total
    error = float(np.sqrt(np.sum((products - slope * squares) ** 2))) / total
    explained = max(slope * slope * total, 1e-300)
    left = max(length - slope * slope * total, 0.0)
    return Fit(
        Interval(slope, slope - 1.96 * error, slope + 1.96 * error), (left / explained) ** 0.5
    )


def wilson(hits: int, trials: int) -> Interval:
    """A share with its 95 % interval (Wilson 1927)."""
    square = 1.96**2
    share = hits / trials
    centre = (hits + square / 2) / (trials + square)
    half = 1.96 / (trials + square) * (hits * (1 - share) + square / 4) ** 0.5
    return Interval(share, max(0.0, centre - half), min(1.0, centre + half))


def _directions(rows: Float32) -> Float32:
    centred = rows - rows.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centred, axis=0)
    return np.asarray(centred / np.maximum(norms, 1e-30), dtype=np.float32)
