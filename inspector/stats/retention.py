"""How much of a parent is left: the fraction of neurons retained, and how far those drifted.

A neuron of a child is either retained, `t = r + sigma n` with a drift n as long as r in the rms of
their experts, or new. The cosines of a child's neurons with its parent's are fitted by a mixture of
two densities: one of retained neurons at some sigma, one of unrelated neurons. Both are made from
the layer's own experts (templates), so heavy tails and shared directions are in them; no normal
distribution is assumed. A drift turns a short neuron farther than a long one, so the density of a
retained neuron is that of its parent's length. Lengths of drifts may have a tail as heavy as those
of neurons, or none: of these two shapes the likelier one counts. Intervals are of the profile
likelihood, 95 %; neurons count as independent.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from inspector.stats.intervals import Interval, exponential, profile_interval
from inspector.stats.matching import strips
from inspector.stats.neuron_pairs import NeuronPairs
from inspector.stats.retention_templates import (
    BINS,
    FRACTIONS,
    GROUPS,
    SIGMAS,
    STEPS,
    Templates,
    cosine_bins,
    drift_places,
    length_steps,
)

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

NEGATED: Final = 0.05
"""A smaller share of neurons that resemble the negative of their parent's is not called flipped."""

_RARE: Final = 0.01
_MANY_TIMES: Final = 3
"""Strangers have this share of cosines in the lowest bins; three times as many is worth a look."""

_DROP: Final = 1.92
"""Half the 95 % quantile of chi-square with one degree of freedom."""

_DOUBTS: Final = (0.0, 6.0)
"""Log odds against each shape of drift. With 8 rows the two look alike beyond a drift of 3."""


@dataclass(frozen=True, slots=True)
class Retention:
    """What is left of a parent. `neurons` is the size of the sample.

    `sigma` is the drift relative to the parent, rms over rms; the cosine is 1 / sqrt(1 + sigma^2).
    Rounding to FP8 counts as a drift of .027.
    """

    retained: Interval
    sigma: Interval
    neurons: int


def fit_retention(pairs: NeuronPairs, templates: Templates) -> list[Retention]:
    """The retained fraction and drift of each expert."""
    return [
        Retention(
            retained=profile_interval(one.max(axis=1).astype(np.float64), FRACTIONS, _DROP),
            sigma=exponential(
                profile_interval(
                    one.max(axis=0).astype(np.float64),
                    np.log(SIGMAS),
                    _DROP * templates.dispersion,
                )
            ),
            neurons=pairs.cosines.shape[1],
        )
        for one in _likelihood(pairs, templates)
    ]


def _likelihood(pairs: NeuronPairs, templates: Templates) -> Float32:
    """Log likelihood of each expert at every fraction and sigma, `[n, fractions, sigmas]`.

    Of the likelier shape of drift.
    """
    some = [pairs.take(strip) for strip in strips(pairs.cosines)]
    counts = np.concatenate([_cell_counts(one) for one in some])
    used = np.flatnonzero(counts.any(axis=0))
    groups, columns = np.divmod(used, BINS)
    rows = drift_places(np.arange(len(SIGMAS))[:, None], groups - STEPS)
    seen = counts[:, used].astype(np.float32)
    found = np.full((len(seen), len(SIGMAS), len(FRACTIONS)), -np.inf, dtype=np.float32)
    for logs, doubt in zip(templates.log_mixtures, _DOUBTS, strict=True):
        for sigma, drifts in enumerate(rows):
            one = seen @ logs[drifts, columns] - doubt
            np.maximum(found[:, sigma], one, out=found[:, sigma])
    return found.transpose(0, 2, 1)


def _cell_counts(pairs: NeuronPairs) -> Ints:
    """Neurons of each expert by the length of their parents' and by cosine, `[n, cells]`."""
    experts, cells = len(pairs.cosines), GROUPS * BINS
    own = (STEPS + length_steps(pairs.lengths)) * BINS + cosine_bins(pairs.cosines)
    own += cells * np.arange(experts)[:, None]
    return np.bincount(own.ravel(), minlength=experts * cells).reshape(experts, cells)


def fit_signs(pairs: NeuronPairs, templates: Templates) -> list[tuple[Retention, bool]]:
    """The same where some neurons may be negated, and whether some are.

    Neurons with their sign and neurons without are fitted apart, each against the new ones; some
    count as negated where the interval of their fraction lies above `NEGATED`. The drift is that of
    the larger part.
    """
    found = [(kept, False) for kept in fit_retention(pairs, templates)]
    doubtful = _with_opposites(pairs.cosines, templates)
    if not len(doubtful):
        return found
    opposite = pairs.take(doubtful).opposite()
    for place, negated in zip(doubtful.tolist(), fit_retention(opposite, templates), strict=True):
        kept = found[place][0]
        if negated.retained.low <= NEGATED:
            continue
        larger = max(kept, negated, key=lambda one: one.retained.estimate)
        first, second = kept.retained, negated.retained
        retained = Interval(
            _either(first.estimate, second.estimate),
            _either(first.low, second.low),
            _either(first.high, second.high),
        )
        found[place] = replace(larger, retained=retained), True
    return found


def _with_opposites(cosines: Float64, templates: Templates) -> Ints:
    """Experts with more neurons opposite to their parent's than strangers have."""
    rare = np.searchsorted(np.cumsum(templates.unrelated), _RARE)
    return np.flatnonzero(np.mean(cosine_bins(cosines) < rare, axis=1) > _MANY_TIMES * _RARE)


def _either(kept: float, negated: float) -> float:
    """The fraction of neurons retained with either sign, from each fraction beside the new ones."""
    odds = sum(share / max(1 - share, 1e-9) for share in (kept, negated))
    return odds / (1 + odds)


def retained_probabilities(
    pairs: NeuronPairs, fits: Sequence[Retention], templates: Templates
) -> Float64:
    """How likely it is of each neuron that it was retained, `[n, m]`, given each expert's fit."""
    sigmas = np.array([fit.sigma.estimate for fit in fits])
    share = np.array([fit.retained.estimate for fit in fits])[:, None]
    nearest = np.abs(np.log(SIGMAS) - np.log(sigmas)[:, None]).argmin(axis=1)
    columns = cosine_bins(pairs.cosines)
    rows = drift_places(nearest[:, None], length_steps(pairs.lengths))
    ours = share * templates.retained[:, rows, columns].mean(axis=0)
    others = (1 - share) * templates.unrelated[columns]
    return np.asarray(ours / (ours + others))
