"""Likelihood of cosines of neurons by retained fraction, drift and shape of the drift.

Fractions are tried coarsely first, and all of them where the likelihood comes near the best.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from inspector.stats.matching import strips
from inspector.stats.neuron_pairs import NeuronPairs
from inspector.stats.retention_templates import (
    BINS,
    FOLLOWS,
    FRACTIONS,
    GROUPS,
    SIGMAS,
    SPREADS,
    STEPS,
    Templates,
    cosine_bins,
    drift_places,
    length_steps,
)

Float32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_DOUBT: Final = 3.0
"""Log odds against each shape of drift but that of experts, for the estimate. With 8 rows all look
alike beyond a drift of 3."""

_PLAUSIBLE: Final = 6.0
"""A shape counts where its log likelihood comes so near to the best of all."""

_DROP: Final = 2.0
"""An interval reaches about as far down from the top (log likelihood)."""

_COARSE: Final = 10.0
"""Fractions that are tried first are so near to each other that no top is missed by more."""

_UNEQUAL: Final = 5.0
"""Tops that are missed by unequal amounts differ by no more than this: the fraction is the same."""


class Profiles(NamedTuple):
    """Log likelihoods of n experts: `[n, shapes, sigmas]` and `[n, shapes, fractions]`.

    Shapes are those of `SPREADS`, for each of `FOLLOWS`; the first is that of experts. Profiles are
    exact of shapes that are `plausible`, `[n, shapes]`; `likeliest` is one of these, `[n]`.
    """

    sigmas: Float32
    fractions: Float32
    plausible: Flags
    likeliest: Ints


class _Seen(NamedTuple):
    """Neurons of n experts in each cell that holds any: `counts` is `[n, cells]`.

    A cell is a bin of cosines, its `columns`, and by how many steps its neurons drift less of their
    own length than the rms, its `groups`.
    """

    counts: Float32
    groups: Ints
    columns: Ints


def profiles(pairs: NeuronPairs, templates: Templates) -> Profiles:
    """Of each expert, by the likeliest shapes of its drift and those that lead farthest away."""
    logs = templates.log_mixtures
    seen = _seen(pairs)
    sigmas = _coarse_profiles(seen, logs, pairs.cosines.shape[1])
    within = sigmas >= sigmas.max(axis=2, keepdims=True) - _DROP - _UNEQUAL
    within[:, :, 1:] |= within[:, :, :-1]
    within[:, :, :-1] |= within[:, :, 1:]
    tried = _worth_trying(sigmas)
    within &= tried[:, :, None]
    fractions = np.full((*sigmas.shape[:2], len(FRACTIONS)), -np.inf, dtype=np.float32)
    for shape, sigma in np.argwhere(within.any(axis=0)).tolist():
        follows, spread = divmod(shape, len(SPREADS))
        counts, groups, columns = seen[follows]
        some = np.flatnonzero(within[:, shape, sigma])
        found = counts[some] @ logs[spread, drift_places(np.array(sigma), groups), columns]
        sigmas[some, shape, sigma] = found.max(axis=1)
        fractions[some, shape] = np.maximum(fractions[some, shape], found)
    tops = np.where(tried, sigmas.max(axis=2), -np.inf)
    likeliest = (tops - _doubts(tops)).argmax(axis=1)
    plausible = tops >= tops.max(axis=1, keepdims=True) - _PLAUSIBLE
    plausible[np.arange(len(tops)), likeliest] = True
    return Profiles(sigmas, fractions, plausible, likeliest)


def _doubts(tops: Float32) -> Float32:
    """Of `[n, shapes]`: what is taken off the likelihood of each shape."""
    return np.float32(_DOUBT) * (np.arange(tops.shape[1]) > 0)


def _worth_trying(sigmas: Float32) -> Flags:
    """Of coarse profiles `[n, shapes, sigmas]`: which shapes of each expert tell the answer.

    The best two, the best without doubts, and of the plausible ones those whose drift may be the
    smallest and the largest.
    """
    rows, tops = np.arange(len(sigmas)), sigmas.max(axis=2)
    tried = np.zeros(tops.shape, dtype=np.bool_)
    judged = tops - _doubts(tops)
    for _ in range(2):
        best = judged.argmax(axis=1)
        tried[rows, best] = True
        judged[rows, best] = -np.inf
    tried[rows, tops.argmax(axis=1)] = True
    inside = sigmas >= tops[:, :, None] - _DROP
    inside &= (tops >= tops.max(axis=1, keepdims=True) - _PLAUSIBLE)[:, :, None]
    for side in (inside, inside[:, :, ::-1]):
        first = np.where(side.any(axis=2), side.argmax(axis=2), side.shape[2])
        tried[rows, first.argmin(axis=1)] = True
    return tried


def _coarse_profiles(seen: list[_Seen], logs: Float32, neurons: int) -> Float32:
    """`[n, shapes, sigmas]`, the best of some fractions: by equal steps of their standard error."""
    points = 1 + int(np.ceil(np.pi / 2 / np.sqrt(2 * _COARSE / neurons)))
    steps = np.sin(np.linspace(0, np.pi / 2, points)) ** 2
    some = np.unique(np.rint((len(FRACTIONS) - 1) * steps).astype(np.int64))
    coarse = np.ascontiguousarray(np.moveaxis(logs[..., some], 0, 2))
    coarse = coarse.reshape(*coarse.shape[:2], -1)
    found = np.empty((len(seen[0].counts), len(FOLLOWS), len(SPREADS), len(SIGMAS)), np.float32)
    for follows, (counts, groups, columns) in enumerate(seen):
        for sigma in range(len(SIGMAS)):
            one = counts @ coarse[drift_places(np.array(sigma), groups), columns]
            found[:, follows, :, sigma] = one.reshape(len(one), len(SPREADS), -1).max(axis=2)
    return found.reshape(len(found), -1, len(SIGMAS))


def _seen(pairs: NeuronPairs) -> list[_Seen]:
    """For each of `FOLLOWS`."""
    found = [_cell_counts(pairs.take(strip)) for strip in strips(pairs.cosines)]
    seen = []
    for counts in map(np.concatenate, zip(*found, strict=True)):
        used = np.flatnonzero(counts.any(axis=0))
        groups, columns = np.divmod(used, BINS)
        seen.append(_Seen(counts[:, used].astype(np.float32), groups - STEPS, columns))
    return seen


def _cell_counts(pairs: NeuronPairs) -> list[Ints]:
    """Neurons of each expert by length and cosine, `[n, cells]` for each of `FOLLOWS`."""
    experts, cells = len(pairs.cosines), GROUPS * BINS
    own = cosine_bins(pairs.cosines) + cells * np.arange(experts)[:, None]
    found = []
    for power in FOLLOWS:
        shorter = pairs.lengths ** (1 - power)
        if power:
            shorter = shorter * np.sqrt(np.mean(pairs.lengths ** (2 * power), axis=1))[:, None]
        at = own + (STEPS + length_steps(shorter)) * BINS
        found.append(np.bincount(at.ravel(), minlength=experts * cells).reshape(experts, cells))
    return found
