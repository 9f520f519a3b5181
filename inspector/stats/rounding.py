"""How a producer made its E4M3 scales, told from the largest code of each block.

A block's scale is made from its largest magnitude: as amax / 448, or as a power of two, rounded up
(DeepGEMM `ceil_to_ue8m0`, lmdeploy `fast_round_scale`), down to the format's largest exponent (OCP
Microscaling, "floor": saturates) or to the nearest. What is left of it is the code of the largest
magnitude. The null is that log2 of the magnitudes is uniform over whole octaves: then each policy
gives the largest codes known shares, and the blocks at hand have a likelihood under each.
"""

import math
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]

CODES: Final = 0x7F
"""Magnitudes of E4M3 codes that are numbers; 0x7E is 448."""

LEAST_MINIMAL: Final = 0x77
"""The least largest code that proves a power of two to be the smallest that holds the block: at
0x76 (216 to 232, stored as 224) it may be either; below, half the scale would have done."""

_FIRST: Final = 0x76
_EDGES: Final = (216.0, 232.0, 248.0, 272.0, 304.0, 336.0, 368.0, 400.0, 432.0)
"""Where codes 0x76 to 0x7E begin: midway between neighbouring values."""

_STRAY: Final = 1e-3
"""Share of blocks that may be made in any way: dead ones, and scales at a producer's floor."""

_DECIDED: Final = math.log(1000.0)
"""The best policy is this much more likely than the next, or none is named."""

_MOST_STRAYS: Final = 0.05


class Rounding(StrEnum):
    """Policies that can be told apart."""

    EXACT = "amax/448"
    CEIL = "ceil"
    FLOOR = "floor"
    NEAREST = "round"
    OTHER = "other"
    UNDECIDED = "undecided"


_RANGES: Final = MappingProxyType(
    {
        Rounding.CEIL: (224.0, 448.0),
        Rounding.FLOOR: (256.0, 512.0),
        Rounding.NEAREST: (448.0 / math.sqrt(2), 448.0 * math.sqrt(2)),
    }
)
"""Policy -> least and largest amax / scale that it leaves."""


def rounding_of(largest: Counts, *, powers_of_two: bool) -> Rounding:
    """The policy that explains the largest codes of the blocks.

    Args:
        largest: `[127]` blocks by the magnitude of their largest code, zero blocks left out.
        powers_of_two: whether the scales are.
    """
    total = int(largest.sum())
    if not total:
        return Rounding.UNDECIDED
    if not powers_of_two:
        at_top = int(largest[CODES - 1]) / total
        return Rounding.EXACT if at_top >= 1 - _MOST_STRAYS else Rounding.OTHER
    scores = {policy: _log_likelihood(largest, policy) for policy in _RANGES}
    (best, high), (_, low), *_ = sorted(scores.items(), key=lambda one: -one[1])
    strays = int(largest[~_possible(best)].sum())
    if strays > _MOST_STRAYS * total:
        return Rounding.OTHER
    return best if high - low > _DECIDED else Rounding.UNDECIDED


def saturates(policy: Rounding) -> bool:
    """Whether a policy makes codes of 448 out of larger magnitudes by itself."""
    return policy in (Rounding.FLOOR, Rounding.NEAREST)


def _shares(policy: Rounding) -> npt.NDArray[np.float64]:
    """`[127]` share of blocks whose largest code is each magnitude."""
    least, most = _RANGES[policy]
    edges = np.clip((*_EDGES, math.inf), least, most)
    shares = np.zeros(CODES)
    shares[_FIRST:] = np.diff(np.log2(edges)) / math.log2(most / least)
    return shares


def _possible(policy: Rounding) -> npt.NDArray[np.bool_]:
    return _shares(policy) > 0


def _log_likelihood(largest: Counts, policy: Rounding) -> float:
    shares = (1 - _STRAY) * _shares(policy) + _STRAY / CODES
    return float(largest @ np.log(shares))
