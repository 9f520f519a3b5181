"""How much of a parent is left: the fraction of neurons retained, and how far those drifted.

A neuron of a child is either retained, `t = r + sigma n` with a drift n as long as r, or new. The
cosines of a child's neurons with its parent's are fitted by a mixture of two densities: one of
retained neurons at some sigma, one of unrelated neurons. Both are made from the layer's own experts
(templates), so heavy tails and shared directions are in them; no normal distribution is assumed.
Intervals are of the profile likelihood, 95 %; neurons count as independent.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from inspector.stats.matching import Preparation, row_standards, strips, unit_neurons

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

SIGMAS: Final = np.geomspace(0.01, 8.0, 31)
"""Drifts that are tried: steps of 25 %, refined by a parabola through the best three."""

FRACTIONS: Final = np.linspace(0.0, 1.0, 101)
"""Retained fractions that are tried."""

_LOWEST: Final = -2.5
_BIN: Final = 0.125
_BINS: Final = 76
"""Bins of atanh(cosine), from -2.5 to 7; what lies beyond is in the outer bins."""

NEGATED: Final = 0.05
"""A smaller share of neurons that resemble the negative of their parent's is not called flipped."""

_RARE: Final = 0.01
_MANY_TIMES: Final = 3
"""Strangers have this share of cosines in the lowest bins; three times as many is worth a look."""

_DROP: Final = 1.92
"""Half the 95 % quantile of chi-square with one degree of freedom."""

_MAX_EXPERTS: Final = 8
_PROBES: Final = (0.1, 0.3, 1.0, 1.0, 2.0)
"""Drifts of children that say how far estimates of sigma really vary."""
_PSEUDO_COUNT: Final = 0.5


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and its 95 % interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Retention:
    """What is left of a parent. `neurons` is the size of the sample.

    `sigma` is the drift relative to the parent, rms over rms; the cosine is 1 / sqrt(1 + sigma^2).
    Rounding to FP8 counts as a drift of .027.
    """

    retained: Interval
    sigma: Interval
    neurons: int


@dataclass(frozen=True)
class Templates:
    """Densities over the bins: `retained` is `[sigmas, bins]`, `unrelated` `[bins]`.

    `dispersion` is how much farther from the truth log sigma is than neurons that count as
    independent would let it be (a ratio of mean squares, at least 1): intervals of sigma are
    widened by it.
    """

    retained: Float64
    unrelated: Float64
    dispersion: float = 1.0

    @cached_property
    def log_mixtures(self) -> Float64:
        """Of each fraction and drift that is tried, `[fractions * sigmas, bins]`."""
        mixture = FRACTIONS[:, None, None] * self.retained
        mixture += (1 - FRACTIONS)[:, None, None] * self.unrelated
        return np.log(mixture, out=mixture).reshape(-1, mixture.shape[2])


def neuron_cosines(
    targets: Float32,
    references: Float32,
    preparation: Preparation,
    parents: npt.NDArray[np.int64] | None = None,
) -> Float64:
    """Cosine of each neuron of a target with the same one of its reference, `[n, m]`.

    Args:
        targets: `[n, k, m]` raw rows.
        references: `[R, k, m]` raw rows.
        preparation: of the layer: both sides lose the directions that all experts share.
        parents: which reference is each target's, `[n]`; None where it is that of its place.

    Rows are standardised by the parent's mean and deviation on both sides: the child's own depend
    on its new neurons.
    """
    return _Parents(references, preparation).cosines(targets, parents)


class _Parents:
    """Parents `[R, k, m]`, ready for `cosines` with several sets of children."""

    def __init__(self, raw: Float32, preparation: Preparation) -> None:
        units = unit_neurons(raw)
        self._preparation = preparation
        self._mean, self._scale = row_standards(units)
        self._directions = self._directions_of(units, self._mean, self._scale)

    def cosines(self, children: Float32, parents: npt.NDArray[np.int64] | None = None) -> Float64:
        """`[n, m]` of children with the parent of each, by default that of its place."""
        own = np.arange(len(children)) if parents is None else parents
        found = np.empty((len(children), children.shape[2]))
        for strip in strips(children):
            units, parent = unit_neurons(children[strip]), own[strip]
            ours = self._directions_of(units, self._mean[parent], self._scale[parent])
            np.einsum("nkm,nkm->nm", ours, self._directions[parent], out=found[strip])
        return found

    def _directions_of(self, units: Float32, mean: Float32, scale: Float32) -> Float32:
        """Of units, which are changed."""
        units -= mean
        units *= scale
        return self._preparation.projected(units, out=units)


class Experts(Protocol):
    """Raw rows `[R, k, m]`: an array, or what is indexed like one."""

    def __len__(self) -> int:
        """R."""

    def __getitem__(self, index: slice, /) -> Float32:
        """Some of them."""


def draw_templates(
    references: Experts, preparation: Preparation, rng: np.random.Generator
) -> Templates:
    """Templates from the references of one layer, `[R, k, m]` raw rows.

    Drift is the neurons of another reference in another order; with one reference, its own.
    """
    step = -(-len(references) // _MAX_EXPERTS)
    chosen, probed = references[::step], references[step // 2 :: step]
    noise = _drifts(chosen, rng)
    parents = _Parents(chosen, preparation)
    retained = []
    children = np.empty_like(chosen)
    for sigma in SIGMAS:
        np.multiply(noise, np.float32(sigma), out=children)
        children += chosen
        retained.append(_density(parents.cosines(children)))
    unrelated = _density(parents.cosines(noise))
    templates = Templates(np.stack(retained), unrelated)
    others = _Parents(probed, preparation)
    errors = [
        np.log(one.sigma.estimate / sigma) / (np.log(one.sigma.high / one.sigma.low) / (2 * 1.96))
        for sigma in _PROBES
        for one in fit_retention(
            others.cosines(probed + np.float32(sigma) * _drifts(probed, rng)), templates
        )
    ]
    return replace(templates, dispersion=max(1.0, float(np.mean(np.square(errors)))))


def _drifts(experts: Float32, rng: np.random.Generator) -> Float32:
    """For each expert the neurons of the next one in another order, of the same rms."""
    noise = np.stack([one[:, rng.permutation(one.shape[1])] for one in np.roll(experts, 1, axis=0)])
    ratio = _rms(experts) / np.maximum(_rms(noise), 1e-30)
    return np.asarray(noise * ratio[:, None, None], dtype=np.float32)


def against_matched(templates: Templates, cosines: Float64) -> Templates:
    """The templates where neurons were matched first; `cosines` are of strangers matched alike."""
    return replace(templates, unrelated=_density(cosines))


def fit_retention(cosines: Float64, templates: Templates) -> list[Retention]:
    """The retained fraction and drift of each expert, from its cosines `[n, m]`."""
    counts = np.stack([_counts(one) for one in cosines])
    likelihood = (counts @ templates.log_mixtures.T).reshape(-1, len(FRACTIONS), len(SIGMAS))
    return [
        Retention(
            retained=_interval(one.max(axis=1), FRACTIONS, _DROP),
            sigma=_exponential(
                _interval(one.max(axis=0), np.log(SIGMAS), _DROP * templates.dispersion)
            ),
            neurons=cosines.shape[1],
        )
        for one in likelihood
    ]


def fit_signs(cosines: Float64, templates: Templates) -> list[tuple[Retention, bool]]:
    """The same where some neurons may be negated, and whether some are.

    Neurons with their sign and neurons without are fitted apart, each against the new ones; some
    count as negated where the interval of their fraction lies above `NEGATED`. The drift is that of
    the larger part.
    """
    found = [(kept, False) for kept in fit_retention(cosines, templates)]
    doubtful = _with_opposites(cosines, templates)
    if not len(doubtful):
        return found
    for place, negated in zip(
        doubtful.tolist(), fit_retention(-cosines[doubtful], templates), strict=True
    ):
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


def _with_opposites(cosines: Float64, templates: Templates) -> npt.NDArray[np.int64]:
    """Experts with more neurons opposite to their parent's than strangers have."""
    rare = np.searchsorted(np.cumsum(templates.unrelated), _RARE)
    return np.flatnonzero(np.mean(_bins(cosines) < rare, axis=1) > _MANY_TIMES * _RARE)


def _either(kept: float, negated: float) -> float:
    """The fraction of neurons retained with either sign, from each fraction beside the new ones."""
    odds = sum(share / max(1 - share, 1e-9) for share in (kept, negated))
    return odds / (1 + odds)


def retained_probability(cosines: Float64, fit: Retention, templates: Templates) -> Float64:
    """How likely it is of each neuron that it was retained, `[m]`, given the fit of its expert."""
    nearest = int(np.abs(np.log(SIGMAS) - np.log(fit.sigma.estimate)).argmin())
    ours = fit.retained.estimate * templates.retained[nearest]
    others = (1 - fit.retained.estimate) * templates.unrelated
    return np.asarray((ours / (ours + others))[_bins(cosines)])


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


def _rms(experts: Float32) -> Float64:
    return np.asarray(np.sqrt(np.mean(np.square(experts, dtype=np.float64), axis=(1, 2))))


def _bins(cosines: Float64) -> npt.NDArray[np.int64]:
    place = (np.arctanh(np.clip(cosines, -0.9999999, 0.9999999)) - _LOWEST) / _BIN
    return np.clip(place.astype(np.int64), 0, _BINS - 1)


def _counts(cosines: Float64) -> Float64:
    return np.bincount(_bins(cosines).ravel(), minlength=_BINS).astype(np.float64)


def _density(cosines: Float64) -> Float64:
    counts = _counts(cosines) + _PSEUDO_COUNT
    return np.asarray(counts / counts.sum())


def _interval(profile: Float64, grid: Float64, drop: float) -> Interval:
    """Where the profile is highest, and how far it stays within `drop` of that."""
    best = int(profile.argmax())
    estimate = float(grid[best])
    if 0 < best < len(grid) - 1:
        left, middle, right = profile[best - 1 : best + 2]
        curve = left - 2 * middle + right
        if curve < 0:
            step = float(grid[best + 1] - grid[best])
            estimate += 0.5 * step * float((left - right) / curve)
    limit = float(profile[best]) - drop
    inside = np.flatnonzero(profile >= limit)
    low = _crossing(profile - limit, grid, int(inside[0]), -1)
    high = _crossing(profile - limit, grid, int(inside[-1]), 1)
    return Interval(estimate, min(low, estimate), max(high, estimate))


def _crossing(above: Float64, grid: Float64, last: int, step: int) -> float:
    """Where `above` falls to zero beyond the grid point `last`."""
    beyond = last + step
    if not 0 <= beyond < len(grid):
        return float(grid[last])
    share = above[last] / max(above[last] - above[beyond], 1e-12)
    return float(grid[last] + share * (grid[beyond] - grid[last]))


def _exponential(interval: Interval) -> Interval:
    return Interval(*(float(np.exp(v)) for v in (interval.estimate, interval.low, interval.high)))
