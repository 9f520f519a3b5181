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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from inspector.stats.matching import Preparation, row_standards, strips, unit_neurons

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SIGMAS: Final = np.geomspace(0.01, 8.0, 31)
"""Drifts that are tried: steps of 25 %, refined by a parabola through the best three."""

FRACTIONS: Final = np.linspace(0.0, 1.0, 101)
"""Retained fractions that are tried."""

_STEP: Final = float(np.log(SIGMAS[1] / SIGMAS[0]))
_STEPS: Final = 6
"""Lengths of neurons are told apart by steps of sigma, from a quarter of the rms to 3.8 of it."""
_GROUPS: Final = 2 * _STEPS + 1
_DRIFTS: Final = SIGMAS[0] * np.exp(_STEP * np.arange(-_STEPS, len(SIGMAS) + _STEPS))
"""Drifts relative to a neuron's own length that `SIGMAS` come to."""

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

_DOUBTS: Final = (0.0, 6.0)
"""Log odds against each shape of drift. With 8 rows the two look alike beyond a drift of 3."""

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


@dataclass(frozen=True, slots=True)
class NeuronPairs:
    """Neurons of n experts beside the same ones of their parents, each `[n, m]`.

    `cosines` are of a pair, `lengths` of the parent's neurons, relative to their rms.
    """

    cosines: Float64
    lengths: Float64

    def take(self, experts: Ints | slice) -> "NeuronPairs":
        """Those of some experts."""
        return NeuronPairs(self.cosines[experts], self.lengths[experts])

    def opposite(self) -> "NeuronPairs":
        """Those of experts with every neuron negated."""
        return NeuronPairs(-self.cosines, self.lengths)


@dataclass(frozen=True, slots=True)
class Templates:
    """Densities over the bins: `retained` is `[shapes, drifts, bins]`, `unrelated` `[bins]`.

    `retained` is of neurons that drifted by so much of their own length: of one that is twice as
    long as the rms, half as much as its expert.

    `log_mixtures` is `[shapes, drifts, bins, fractions]`, of each fraction that is tried: sums of
    float32 over an expert's neurons are off by some thousandths, where 1.9 is an interval.

    `dispersion` is how much farther from the truth log sigma is than neurons that count as
    independent would let it be (a ratio of mean squares, at least 1): intervals of sigma are
    widened by it.
    """

    retained: Float64
    unrelated: Float64
    log_mixtures: Float32
    dispersion: float = 1.0


def _templates(retained: Float64, unrelated: Float64) -> Templates:
    """The densities, and logs of their mixtures."""
    mixture = retained[..., None] * FRACTIONS
    mixture += unrelated[:, None] * (1 - FRACTIONS)
    return Templates(retained, unrelated, np.log(mixture, out=mixture).astype(np.float32))


def neuron_pairs(
    targets: Float32,
    references: Float32,
    preparation: Preparation,
    parents: Ints | None = None,
) -> NeuronPairs:
    """Each neuron of n targets beside the same one of its reference.

    Args:
        targets: `[n, k, m]` raw rows.
        references: `[R, k, m]` raw rows.
        preparation: of the layer: both sides lose the directions that all experts share.
        parents: which reference is each target's, `[n]`; None where it is that of its place.

    Rows are standardised by the parent's mean and deviation on both sides: the child's own depend
    on its new neurons.
    """
    return _Parents(references, preparation).pairs(targets, parents)


class _Parents:
    """Parents `[R, k, m]`, ready for `pairs` with several sets of children.

    `lengths` are of their neurons `[R, m]`, relative to the rms, with every row weighing the same.
    """

    def __init__(self, raw: Float32, preparation: Preparation) -> None:
        units = unit_neurons(raw)
        self._preparation = preparation
        self._mean, self._scale = row_standards(units)
        self._directions = self._directions_of(units, self._mean, self._scale)
        rows = raw * self._scale
        lengths = np.sqrt(np.einsum("rkm,rkm->rm", rows, rows), dtype=np.float64)
        self.lengths = lengths / np.maximum(_rms(lengths[:, None]), 1e-30)[:, None]

    def pairs(self, children: Float32, parents: Ints | None = None) -> NeuronPairs:
        """Children beside the parent of each, by default that of its place."""
        own = np.arange(len(children)) if parents is None else parents
        cosines = np.empty((len(children), children.shape[2]))
        for strip in strips(children):
            units, parent = unit_neurons(children[strip]), own[strip]
            ours = self._directions_of(units, self._mean[parent], self._scale[parent])
            np.einsum("nkm,nkm->nm", ours, self._directions[parent], out=cosines[strip])
        return NeuronPairs(cosines, self.lengths[own])

    def drifted_cosines(self, raw: Float32, noise: Float32) -> Iterator[Float64]:
        """Of parents, whose rows `raw` are, with `raw + drift noise`, `[R, m]` for each drift.

        Until a child's neurons get unit norm all is linear in it, and so are inner products: those
        of a neuron, its noise and the mean that is taken off give the cosines at any drift.
        """
        one, other, mean = (self._turned(part) for part in (raw, noise, self._mean))
        towards = [_inner(part, self._directions) for part in (one, other, mean)]
        lengths = _inner(raw, raw), _inner(raw, noise), _inner(noise, noise)
        squares = _inner(one, one), _inner(one, other), _inner(other, other)
        off = _inner(one, mean), _inner(other, mean), _inner(mean, mean)
        for drift in _DRIFTS.tolist():
            unit = 1 / np.sqrt(np.maximum(_square(lengths, drift), 1e-30))
            along = (towards[0] + drift * towards[1]) * unit - towards[2]
            crossed = (off[0] + drift * off[1]) * unit
            square = _square(squares, drift) * unit**2 - 2 * crossed + off[2]
            yield along / np.sqrt(np.maximum(square, 1e-30))

    def _turned(self, vectors: Float32) -> Float64:
        """Rows on the scale of the parents', without the directions that all experts share."""
        basis = self._preparation.basis.astype(np.float64)
        scaled = vectors.astype(np.float64) * self._scale
        return np.asarray(scaled - basis.T @ (basis @ scaled))

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

    Drift is the neurons of another reference in another order, with one reference its own: as they
    are, and all of one length.
    """
    step = -(-len(references) // _MAX_EXPERTS)
    chosen, probed = references[::step], references[step // 2 :: step]
    noise = _drifts(chosen, rng)
    parents, some = _Parents(chosen, preparation), _Parents(chosen[::2], preparation)
    shapes = (parents, chosen, noise), (some, chosen[::2], _evened(noise[::2]))
    retained = [_drifted_densities(*shape) for shape in shapes]
    unrelated = _density(parents.pairs(noise).cosines)
    templates = _templates(np.array(retained), unrelated)
    others = _Parents(probed, preparation)
    probes = [
        others.pairs(probed + np.float32(sigma) * _drifts(probed, rng)).cosines for sigma in _PROBES
    ]
    pairs = NeuronPairs(np.concatenate(probes), np.tile(others.lengths, (len(_PROBES), 1)))
    fits = fit_retention(pairs, templates)
    errors = [
        np.log(fit.sigma.estimate / sigma) / (np.log(fit.sigma.high / fit.sigma.low) / (2 * 1.96))
        for sigma, fit in zip(np.repeat(_PROBES, len(probed)), fits, strict=True)
    ]
    return replace(templates, dispersion=max(1.0, float(np.mean(np.square(errors)))))


def _drifted_densities(parents: _Parents, raw: Float32, noise: Float32) -> list[Float64]:
    """Of the cosines of parents `[R, k, m]` with their children, for each of `_DRIFTS`."""
    noise = noise * parents.lengths[:, None].astype(np.float32)
    return [_density(cosines) for cosines in parents.drifted_cosines(raw, noise)]


def _drifts(experts: Float32, rng: np.random.Generator) -> Float32:
    """For each expert the neurons of the next one in another order, of the same rms."""
    noise = np.stack([one[:, rng.permutation(one.shape[1])] for one in np.roll(experts, 1, axis=0)])
    ratio = _rms(experts) / np.maximum(_rms(noise), 1e-30)
    return np.asarray(noise * ratio[:, None, None], dtype=np.float32)


def _evened(noise: Float32) -> Float32:
    """Drifts with every neuron as long as the rms of its expert."""
    lengths = np.sqrt(np.mean(noise * noise, axis=1, keepdims=True))
    return np.asarray(noise / np.maximum(lengths, 1e-30) * _rms(noise)[:, None, None], np.float32)


def against_matched(templates: Templates, cosines: Float64) -> Templates:
    """The templates where neurons were matched first; `cosines` are of strangers matched alike."""
    found = _templates(templates.retained, _density(cosines))
    return replace(found, dispersion=templates.dispersion)


def fit_retention(pairs: NeuronPairs, templates: Templates) -> list[Retention]:
    """The retained fraction and drift of each expert."""
    return [
        Retention(
            retained=_interval(one.max(axis=1).astype(np.float64), FRACTIONS, _DROP),
            sigma=_exponential(
                _interval(
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
    groups, bins = np.divmod(used, _BINS)
    places = _places(np.arange(len(SIGMAS))[:, None], groups - _STEPS)
    seen = counts[:, used].astype(np.float32)
    found = np.full((len(seen), len(SIGMAS), len(FRACTIONS)), -np.inf, dtype=np.float32)
    for logs, doubt in zip(templates.log_mixtures, _DOUBTS, strict=True):
        for sigma, drifts in enumerate(places):
            one = seen @ logs[drifts, bins] - doubt
            np.maximum(found[:, sigma], one, out=found[:, sigma])
    return found.transpose(0, 2, 1)


def _cell_counts(pairs: NeuronPairs) -> Ints:
    """Neurons of each expert by the length of their parents' and by cosine, `[n, cells]`."""
    experts, cells = len(pairs.cosines), _GROUPS * _BINS
    own = (_STEPS + _steps(pairs.lengths)) * _BINS + _bins(pairs.cosines)
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
    return np.flatnonzero(np.mean(_bins(cosines) < rare, axis=1) > _MANY_TIMES * _RARE)


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
    bins = _bins(pairs.cosines)
    places = _places(nearest[:, None], _steps(pairs.lengths))
    ours = share * templates.retained[:, places, bins].mean(axis=0)
    others = (1 - share) * templates.unrelated[bins]
    return np.asarray(ours / (ours + others))


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


def _inner(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> Float64:
    """Of each neuron of `[R, k, m]`; one of the two may have one for all neurons."""
    one, other = np.broadcast_arrays(one, other)
    return np.asarray(np.einsum("rkm,rkm->rm", one, other, dtype=np.float64))


def _square(products: Sequence[Float64], drift: float) -> Float64:
    """Of `a + drift b`, where `products` are a.a, a.b and b.b."""
    return products[0] + 2 * drift * products[1] + drift**2 * products[2]


def _rms(experts: Float32 | Float64) -> Float64:
    """`[n]`, of `[n, k, m]`."""
    return np.asarray(np.sqrt(np.mean(np.square(experts, dtype=np.float64), axis=(1, 2))))


def _steps(lengths: Float64) -> Ints:
    """By how many steps of sigma a neuron is longer than the rms."""
    steps = np.rint(np.log(np.maximum(lengths, 1e-9)) / _STEP).astype(np.int64)
    return np.clip(steps, -_STEPS, _STEPS)


def _places(sigmas: Ints, steps: Ints) -> Ints:
    """Which of `_DRIFTS` neurons have that are longer by `steps`, in an expert of a sigma."""
    return sigmas + _STEPS - steps


def _bins(cosines: Float64) -> Ints:
    place = (np.arctanh(np.clip(cosines, -0.9999999, 0.9999999)) - _LOWEST) / _BIN
    return np.clip(place.astype(np.int64), 0, _BINS - 1)


def _counts(cosines: Float64) -> Float64:
    return np.bincount(_bins(cosines).ravel(), minlength=_BINS).astype(np.float64)


def _density(cosines: Float64) -> Float64:
    counts = _counts(cosines) + _PSEUDO_COUNT
    return np.asarray(counts / counts.sum())


def _interval(profile: Float64, grid: Float64, drop: float) -> Interval:
    """Where the profile is highest, and how far it stays within `drop` of that.

    Its top is the parabola through the best three points of the grid; an end that lies beyond them
    is on a line between two points.
    """
    best = int(profile.argmax())
    middle, step = float(profile[best]), float(grid[1] - grid[0])
    slope = bend = 0.0
    if 0 < best < len(grid) - 1:
        left, _, right = profile[best - 1 : best + 2].tolist()
        slope, bend = (right - left) / 2, 2 * middle - left - right
    shift = slope / bend if bend > 0 else 0.0
    reach = (2 * drop / bend) ** 0.5 if bend > 0 else 0.0
    limit = middle + shift * slope / 2 - drop
    inside = np.flatnonzero(profile >= limit).tolist() or [best]
    estimate = float(grid[best]) + step * shift
    low, high = estimate - step * reach, estimate + step * reach
    if inside[0] < best or not reach:
        low = min(_crossing(profile - limit, grid, inside[0], -1), estimate)
    if inside[-1] > best or not reach:
        high = max(_crossing(profile - limit, grid, inside[-1], 1), estimate)
    return Interval(estimate, low, high)


def _crossing(above: Float64, grid: Float64, last: int, step: int) -> float:
    """Where `above` falls to zero beyond the grid point `last`."""
    beyond = last + step
    if not 0 <= beyond < len(grid):
        return float(grid[last])
    share = above[last] / max(above[last] - above[beyond], 1e-12)
    return float(grid[last] + share * (grid[beyond] - grid[last]))


def _exponential(interval: Interval) -> Interval:
    return Interval(*(float(np.exp(v)) for v in (interval.estimate, interval.low, interval.high)))
