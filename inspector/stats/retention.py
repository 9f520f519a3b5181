"""How much of a parent is left: the fraction of neurons retained, and how far those drifted.

A neuron of a child is either retained, `t = r + sigma n` with a drift n as long as r in the rms of
their experts, or new. The cosines of a child's neurons with its parent's are fitted by a mixture of
two densities: one of retained neurons at some sigma, one of unrelated neurons. Both are made from
the layer's own experts (templates), so heavy tails and shared directions are in them; no normal
distribution is assumed. A drift turns a short neuron farther than a long one, so the density of a
retained neuron is that of its parent's length. How long drifts are beside each other is not known:
of twelve shapes (`FOLLOWS`, `SPREADS`) the likeliest one counts.

Intervals are of the profile likelihood, 95 %, neurons counting as independent, of every shape that
is plausible; those of sigma are widened by what templates cannot know (`Templates.errors`,
`Templates.directions`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from inspector.stats.intervals import Interval, Intervals, profile_intervals
from inspector.stats.neuron_pairs import NeuronPairs
from inspector.stats.retention_likelihood import profiles
from inspector.stats.retention_templates import (
    FRACTIONS,
    SIGMAS,
    Templates,
    cosine_bins,
    drift_places,
    length_steps,
)

Float64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

NEGATED: Final = 0.05
"""A smaller share of neurons that resemble the negative of their parent's is not called flipped."""

_RARE: Final = 0.01
_MANY_TIMES: Final = 3
"""Strangers have this share of cosines in the lowest bins; three times as many is worth a look."""

_DROP: Final = 1.92
"""Half the 95 % quantile of chi-square with one degree of freedom."""


@dataclass(frozen=True, slots=True)
class Retention:
    """What is left of a parent. `neurons` is the size of the sample.

    `sigma` is the drift relative to the parent, rms over rms, with every row weighing the same; the
    cosine is 1 / sqrt(1 + sigma^2). The smallest that is estimated is .01. Rounding that templates
    were not drawn with counts as drift: of FP8 (E4M3) it is .027.
    """

    retained: Interval
    sigma: Interval
    neurons: int


def fit_retention(pairs: NeuronPairs, templates: Templates) -> list[Retention]:
    """The retained fraction and drift of each expert.

    Estimates are those by the likeliest shape of drift; intervals cover what all plausible shapes
    give.
    """
    sigmas, fractions, plausible, likeliest = profiles(pairs, templates)
    shares = profile_intervals(fractions[plausible].astype(np.float64), FRACTIONS, _DROP)
    shapes = np.nonzero(plausible)[1]
    drifts = _sigmas(sigmas[plausible].astype(np.float64), shapes, templates)
    return [
        Retention(retained, sigma, pairs.cosines.shape[1])
        for retained, sigma in zip(
            _united(shares, plausible, likeliest).each(),
            _united(drifts, plausible, likeliest).each(),
            strict=True,
        )
    ]


def _sigmas(profiles: Float64, shapes: Ints, templates: Templates) -> Intervals:
    """Drifts by profiles over `SIGMAS`, each for one of `shapes`.

    Where the smallest that is tried is within the interval, that begins at 0.
    """
    found = profile_intervals(profiles, np.log(SIGMAS), _DROP)
    lows = np.where(found.lows <= np.log(SIGMAS[0]), -np.inf, found.lows)
    error = 1.96 * np.array(templates.errors)[shapes]
    low, high = (
        np.hypot(found.estimates - lows, error),
        np.hypot(found.highs - found.estimates, error),
    )
    least, most = templates.directions
    return Intervals(
        np.exp(found.estimates),
        np.exp(found.estimates - low) / most,
        np.exp(found.estimates + high) / least,
    )


def _united(each: Intervals, plausible: Flags, likeliest: Ints) -> Intervals:
    """The estimates of the likeliest shapes `[n]`, and what all plausible shapes give.

    `each` is of those of `[n, shapes]` that are `plausible`.
    """
    starts = np.searchsorted(np.nonzero(plausible)[0], np.arange(len(plausible)))
    estimates = np.zeros(plausible.shape)
    estimates[plausible] = each.estimates
    return Intervals(
        estimates[np.arange(len(plausible)), likeliest],
        np.minimum.reduceat(each.lows, starts),
        np.maximum.reduceat(each.highs, starts),
    )


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
