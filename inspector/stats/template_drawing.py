"""Templates drawn from the references of a layer, which drift by the neurons of one another."""

from dataclasses import replace
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from inspector.stats.matching import Preparation
from inspector.stats.neuron_pairs import NeuronPairs, Parents, rms
from inspector.stats.retention import fit_retention
from inspector.stats.retention_templates import (
    BINS,
    DRIFTS,
    FOLLOWS,
    GROUPS,
    SPREADS,
    Templates,
    density,
    length_steps,
    templates_of,
)

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

_MAX_EXPERTS: Final = 8
_PROBES: Final = (0.1, 0.3, 1.0, 1.0, 2.0)
"""Drifts of children that say how far estimates of sigma really vary."""

_BETWEEN: Final = 0.015
_OF_FEW_ROWS: Final = 0.1
"""How far log sigma is off, rms, for shapes of drift that lie between those that are tried, and for
what they have in one row and not in another: of k rows by so much / sqrt(k)."""

_FLOAT32_BITS: Final = 23
_ANOTHER_SCALE: Final = np.float32(0.7)
"""So that references that were rounded themselves are rounded again, as by another scale."""

_UNCHANGED: Final = 0.05
_UNROUNDED: Final = 0.01
"""Shares of neurons that rounding may have left as they were, and by which it moved less."""


class Experts(Protocol):
    """Raw rows `[R, k, m]`: an array, or what is indexed like one."""

    def __len__(self) -> int:
        """R."""

    def __getitem__(self, index: slice, /) -> Float32:
        """Some of them."""


def draw_templates(
    references: Experts,
    preparation: Preparation,
    rng: np.random.Generator,
    mantissa_bits: int | None = None,
) -> Templates:
    """Templates from the references of one layer, `[R, k, m]` raw rows.

    Drift is the neurons of another reference in another order, with one reference its own, as long
    as each of `SPREADS` says. Children are rounded to `mantissa_bits`, so that this does not count
    as drift; None leaves them as they are.
    """
    step = -(-len(references) // _MAX_EXPERTS)
    chosen, probed = references[::step], references[step // 2 :: step]
    noise = _drifts(chosen, rng)
    lengths = np.sqrt(np.maximum(np.mean(np.square(noise, dtype=np.float64), axis=1), 1e-60))
    parents, some = Parents(chosen, preparation), Parents(chosen[::2], preparation)
    own = rounded(_ANOTHER_SCALE * chosen, mantissa_bits) / _ANOTHER_SCALE
    long = _drifted_densities(parents, own, noise)
    even = _drifted_densities(some, own[::2], _evened(noise[::2]))
    retained = np.array([long, *(_spread(even, lengths, power) for power in SPREADS[1:-1]), even])
    if mantissa_bits is not None:
        retained = _with_unrounded(retained)
    found = templates_of(retained, density(parents.pairs(noise).cosines))
    scatter = np.array(_scatter(lengths))
    beyond = _errors_beyond(Parents(probed, preparation), probed, found, rng, mantissa_bits)
    unknown = _BETWEEN**2 + _OF_FEW_ROWS**2 / chosen.shape[1]
    errors = np.sqrt(unknown + scatter + max(0.0, beyond - scatter[0]))
    return replace(found, errors=tuple(errors.tolist()), directions=_directions(parents, noise))


def _errors_beyond(
    parents: Parents,
    raw: Float32,
    templates: Templates,
    rng: np.random.Generator,
    mantissa_bits: int | None,
) -> float:
    """The mean square by which log sigma is farther off than it is said to be, of known drifts.

    Drifts are those of experts.
    """
    children = [
        rounded(raw + np.float32(sigma) * _drifts(raw, rng), mantissa_bits) for sigma in _PROBES
    ]
    cosines = np.concatenate([parents.pairs(one).cosines for one in children])
    pairs = NeuronPairs(cosines, np.tile(parents.lengths, (len(_PROBES), 1)))
    fits = fit_retention(pairs, templates)
    truths = np.repeat(_PROBES, len(raw))
    sigmas = [
        np.log(np.maximum(side, 1e-3))
        for side in zip(
            *((fit.sigma.estimate, fit.sigma.low, fit.sigma.high) for fit in fits), strict=True
        )
    ]
    said = (sigmas[2] - sigmas[1]) / (2 * 1.96)
    return float(np.mean((sigmas[0] - np.log(truths)) ** 2 - said**2))


def _scatter(lengths: Float64) -> list[float]:
    """The mean square by which the rms of an expert's drift scatters, in log, for each shape.

    Most neurons say nothing of the few that drifted farthest, which decide the rms. `lengths` are
    of the neurons of experts, `[R, m]`.
    """
    tails = {
        power: float(np.mean(lengths ** (4 * power)) / np.mean(lengths ** (2 * power)) ** 2)
        for power in (*FOLLOWS, *SPREADS)
    }
    return [
        (tails[follows] * tails[spread] - 1) / (4 * lengths.shape[1])
        for follows in FOLLOWS
        for spread in SPREADS
    ]


def rounded(values: Float32, mantissa_bits: int | None) -> Float32:
    """Values at so many bits of mantissa, ties to even; None leaves them as they are.

    >>> rounded(np.array([1.0625, 1.07, -3.1], dtype=np.float32), 3).tolist()
    [1.0, 1.125, -3.0]
    """
    if mantissa_bits is None or mantissa_bits >= _FLOAT32_BITS:
        return values
    lost = _FLOAT32_BITS - mantissa_bits
    bits = np.ascontiguousarray(values).view(np.uint32)
    half = np.uint32((1 << (lost - 1)) - 1) + ((bits >> np.uint32(lost)) & np.uint32(1))
    return ((bits + half) >> np.uint32(lost) << np.uint32(lost)).view(np.float32)


def _with_unrounded(retained: Float64) -> Float64:
    """The lowest drifts, `[spreads, drifts, bins]`, with neurons that rounding did not change.

    A copy of what was rounded alike has them: cosines of 1, some others above the likeliest. They
    come on top: what is said of other cosines stays.
    """
    found = retained.copy()
    for one in (one for spread in found for one in spread[:GROUPS]):
        above = np.arange(BINS) > one.argmax()
        one[above] += _UNROUNDED / max(1, above.sum())
        one[-1] += _UNCHANGED
    return found


def _directions(parents: Parents, noise: Float32) -> tuple[float, float]:
    """What sigma is too small and too large by where a drift has no directions.

    Such a drift is as large in each row as the experts are. What is kept of those of experts varies
    from neuron to neuron, and with it what it is on average.
    """
    turned = parents.turned(noise)
    left, whole = (
        np.einsum("rkm,rkm->rm", side, side, dtype=np.float64) for side in (turned, noise)
    )
    is_there = whole > 0
    if not is_there.any():
        return 1.0, 1.0
    left, whole = np.maximum(left[is_there], 1e-30), whole[is_there]
    kept = left / whole
    means = np.array([kept.mean(), np.exp(np.log(kept).mean()), left.sum() / whole.sum()])
    free = parents.kept_without_directions(np.mean(np.square(noise, dtype=np.float64), axis=2))
    factors = np.sqrt(max(free, 1e-30) / means)
    return min(1.0, float(factors.min())), max(1.0, float(factors.max()))


def _spread(even: list[Float64], lengths: Float64, power: float) -> list[Float64]:
    """Densities where drifts are as long as a power of `lengths`: mixtures of even ones."""
    roots = lengths**power
    steps, counts = np.unique(length_steps(roots / np.sqrt(np.mean(roots**2))), return_counts=True)
    last = len(even) - 1
    at = np.clip(np.arange(len(even))[:, None] + steps, 0, last)
    return list(np.einsum("dsb,s->db", np.array(even)[at], counts / counts.sum()))


def _drifted_densities(parents: Parents, raw: Float32, noise: Float32) -> list[Float64]:
    """Of the cosines of parents `[R, k, m]` with their children, for each of `DRIFTS`."""
    noise = noise * parents.lengths[:, None].astype(np.float32)
    return [density(cosines) for cosines in parents.drifted_cosines(raw, noise, DRIFTS.tolist())]


def _drifts(experts: Float32, rng: np.random.Generator) -> Float32:
    """For each expert the neurons of the next one in another order, of the same rms."""
    noise = np.stack([one[:, rng.permutation(one.shape[1])] for one in np.roll(experts, 1, axis=0)])
    ratio = rms(experts) / np.maximum(rms(noise), 1e-30)
    return np.asarray(noise * ratio[:, None, None], dtype=np.float32)


def _evened(noise: Float32) -> Float32:
    """Drifts with every neuron as long as the rms of its expert."""
    lengths = np.sqrt(np.mean(noise * noise, axis=1, keepdims=True))
    return np.asarray(noise / np.maximum(lengths, 1e-30) * rms(noise)[:, None, None], np.float32)
