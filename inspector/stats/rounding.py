"""How a producer made its scales, told from the largest code of each block.

A block's scale is made from its largest magnitude: amax / the largest value of the format, or a
power of two, rounded up (DeepGEMM `ceil_to_ue8m0`, lmdeploy `fast_round_scale`), down to the
format's largest exponent (OCP Microscaling, "floor": saturates) or to the nearest. What is left of
it is the code of the largest magnitude. The null of a policy is that log2 of the magnitudes, whole
octaves taken off, is normal around any place with any spread, an even one included: then the codes
of the blocks have known shares, and the blocks at hand a likelihood, taken at the place and spread
that fit them best. Blocks of one layer are all alike, so that an even spread alone is no fair null.
"""

import math
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

Counts = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

Levels = tuple[float, ...]
"""The magnitudes that a format has, ascending: those of its codes 0, 1, ..."""

_STRAY: Final = 1e-3
"""Share of blocks that may be made in any way: dead ones, and scales at a producer's floor."""

_DECIDED: Final = math.log(1000.0)
"""Policies that are less likely than the best by this factor are ruled out."""

_MOST_STRAYS: Final = 0.05

_MOST_BLOCKS: Final = 200
"""More blocks count as this many: the spread of no layer is normal, and of thousands of blocks any
difference from that would decide."""

_PLACES: Final = 128
_SPREADS: Final = (0.005, 0.02, 0.05, 0.1, 0.2)
"""Octaves; and even all around, which is one null more."""


class Rounding(StrEnum):
    """Policies that can be told apart."""

    EXACT = "exact"
    CEIL = "ceil"
    FLOOR = "floor"
    NEAREST = "round"
    OTHER = "other"
    UNDECIDED = "undecided"


POWERS: Final = (Rounding.CEIL, Rounding.FLOOR, Rounding.NEAREST)
"""The policies that make powers of two."""


def least_minimal(levels: Levels) -> int:
    """The least largest code that proves a power of two to be the smallest that holds a block.

    It follows the code of half the largest value, which may be either: 0x76 of E4M3 is 216 to 232,
    stored as 224. Below that, half the scale would have done.
    """
    return int(np.searchsorted(levels, levels[-1] / 2, side="right"))


def largest_left(policy: Rounding, levels: Levels) -> float:
    """The largest amax / scale that a policy leaves."""
    return _range(policy, levels)[1] if policy in POWERS else levels[-1]


def policies_of(
    histograms: Sequence[Counts], levels: Levels, *, powers_of_two: bool
) -> tuple[Rounding, ...]:
    """The policies that may have made some blocks, the likeliest first.

    Args:
        histograms: `[codes]` blocks by the magnitude of their largest code, zero blocks left out:
            one for each set of blocks that are like each other.
        levels: of the codes.
        powers_of_two: whether the scales are.
    """
    largest = np.sum(histograms, axis=0) if histograms else np.zeros(len(levels), dtype=np.int64)
    total = int(largest.sum())
    if not total:
        return POWERS if powers_of_two else (Rounding.EXACT, Rounding.OTHER)
    if not powers_of_two:
        at_top = int(largest[len(levels) - 1]) / total
        return (Rounding.EXACT if at_top >= 1 - _MOST_STRAYS else Rounding.OTHER,)
    share = min(1.0, _MOST_BLOCKS / total)
    scores = {
        policy: sum(
            (_log_likelihood(np.multiply(one, share), policy, levels) for one in histograms), 0.0
        )
        for policy in POWERS
    }
    best = max(scores.values())
    left = sorted(
        (policy for policy in POWERS if best - scores[policy] <= _DECIDED),
        key=lambda policy: -scores[policy],
    )
    strays = largest[: len(levels)] @ ~_possible(left[0], levels)
    return tuple(left) if strays <= _MOST_STRAYS * total else (Rounding.OTHER,)


def rounding_of(
    histograms: Sequence[Counts], levels: Levels, *, powers_of_two: bool
) -> Rounding:  # fmt: skip
    """The one policy that explains the largest codes of the blocks, if it is one."""
    found = policies_of(histograms, levels, powers_of_two=powers_of_two)
    return found[0] if len(found) == 1 else Rounding.UNDECIDED


def _range(policy: Rounding, levels: Levels) -> tuple[float, float]:
    """The least and the largest amax / scale that a policy of powers of two leaves."""
    top = levels[-1]
    least = {
        Rounding.CEIL: top / 2,
        Rounding.FLOOR: 2.0 ** math.floor(math.log2(top)),
        Rounding.NEAREST: top / math.sqrt(2),
    }[policy]
    return least, 2 * least


@lru_cache(maxsize=32)
def _shares(policy: Rounding, levels: Levels) -> Float64:
    """`[nulls, codes]` share of blocks whose largest code is each magnitude, for each null."""
    least, most = _range(policy, levels)
    edges = np.log2(np.clip((least, *_between(levels), most), least, most))
    octaves = np.floor(np.log2(least)) + np.arange(-1, 3)
    places = np.arange(_PLACES) / _PLACES  # the same for all policies, or one fits better by luck
    found = [np.diff(edges)]
    for spread in _SPREADS:
        away = edges - (places[:, None, None] + octaves[:, None])
        by_octave = np.diff(ndtr(away / spread))
        found.extend(by_octave.sum(axis=1))
    return np.stack(found)


def _between(levels: Levels) -> Float64:
    """Where the codes of the levels begin but for the first: midway between neighbours."""
    values = np.array(levels)
    return np.asarray((values[1:] + values[:-1]) / 2)


def _possible(policy: Rounding, levels: Levels) -> npt.NDArray[np.bool_]:
    return np.asarray(_shares(policy, levels)[0] > 0)


def _log_likelihood(largest: Float64, policy: Rounding, levels: Levels) -> float:
    shares = (1 - _STRAY) * _shares(policy, levels) + _STRAY / len(levels)
    by_null = np.log(shares) @ largest[: len(levels)]
    return float(np.max(by_null))
