"""Templates drawn from the references of a layer, which drift by the neurons of one another."""

from dataclasses import replace
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from inspector.stats.matching import Preparation
from inspector.stats.neuron_pairs import NeuronPairs, Parents, rms
from inspector.stats.retention import fit_retention
from inspector.stats.retention_templates import DRIFTS, Templates, density, templates_of

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

_MAX_EXPERTS: Final = 8
_PROBES: Final = (0.1, 0.3, 1.0, 1.0, 2.0)
"""Drifts of children that say how far estimates of sigma really vary."""


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
    parents, some = Parents(chosen, preparation), Parents(chosen[::2], preparation)
    shapes = (parents, chosen, noise), (some, chosen[::2], _evened(noise[::2]))
    retained = [_drifted_densities(*shape) for shape in shapes]
    unrelated = density(parents.pairs(noise).cosines)
    found = templates_of(np.array(retained), unrelated)
    others = Parents(probed, preparation)
    probes = [
        others.pairs(probed + np.float32(sigma) * _drifts(probed, rng)).cosines for sigma in _PROBES
    ]
    pairs = NeuronPairs(np.concatenate(probes), np.tile(others.lengths, (len(_PROBES), 1)))
    fits = fit_retention(pairs, found)
    errors = [
        np.log(fit.sigma.estimate / sigma) / (np.log(fit.sigma.high / fit.sigma.low) / (2 * 1.96))
        for sigma, fit in zip(np.repeat(_PROBES, len(probed)), fits, strict=True)
    ]
    return replace(found, dispersion=max(1.0, float(np.mean(np.square(errors)))))


def _drifted_densities(parents: Parents, raw: Float32, noise: Float32) -> list[Float64]:
    """Of the cosines of parents `[R, k, m]` with their children, for each of `_DRIFTS`."""
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
