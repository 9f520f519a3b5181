"""The tests beside the signed one, on experts that it does not decide: sign flips and shifts."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from inspector.analysis.expert_estimates import Estimates
from inspector.analysis.expert_evidence import Evidence
from inspector.analysis.layer_references import Flips, LastFlips, LayerReferences
from inspector.decode.numeric import Float32
from inspector.stats.contrast import MAD_TO_SD, MIN_POOL, leave_one_out_contrast
from inspector.stats.flips import prepare_flip_targets
from inspector.stats.matching import Prepared, padded, z_scores
from inspector.stats.neuron_pairs import neuron_pairs
from inspector.stats.retention import fit_retention, fit_signs
from inspector.stats.shifts import best_shifts, z_at_shifts
from inspector.stats.skewness import permutation_skewness, without_skewness

Float64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_SKEWED_FROM = 3.5
"""From this z on the skewness of the permutation distribution matters and is taken off."""

_AT_A_TIME = 64
"""Targets whose products are held at a time: 64 x 136 x 1536 values are 53 MB."""


@dataclass(frozen=True)
class Against:
    """References by number, and the experts of other layers that fill a small pool.

    `flips` keeps what flips are tested by.
    """

    references: Ints
    own: LayerReferences
    pool: tuple[LayerReferences, ...]
    flips: LastFlips = field(default_factory=LastFlips)

    @cached_property
    def pool_flips(self) -> list[Flips]:
        return [one.flips() for one in self.pool]


@dataclass(frozen=True, slots=True)
class OpenExperts:
    """Experts of a layer that the signed test leaves open; `raw` is `[E, k, m]`.

    From `clear_z` on one may be accepted.
    """

    layer: int
    experts: Ints
    raw: Float32
    clear_z: float

    def some(self, most: int) -> "OpenExperts":
        """At most so many of them, evenly chosen; a copy, so that the others can go."""
        step = max(1, -(-len(self.experts) // most)) if most else len(self.experts) + 1
        chosen = slice(0, None if most else 0, step)
        return replace(self, experts=self.experts[chosen], raw=self.raw[chosen].copy())


def flip_scores(raw: Float32, references: Flips) -> Float64:
    """Z up to signs of some experts, `[E, k, m]` raw rows, against references made for that."""
    preparation, prepared = references
    parts = [raw[start : start + _AT_A_TIME] for start in range(0, len(raw), _AT_A_TIME)]
    scores = [z_scores(prepare_flip_targets(part, preparation), prepared) for part in parts]
    return np.concatenate(scores)


def flip_evidence(opened: OpenExperts, against: Against) -> Evidence:
    """Sign flips of some experts of a layer against all its references."""
    flips = against.flips(against.own)
    z = flip_scores(opened.raw, flips)
    others = [flip_scores(opened.raw, one) for one in against.pool_flips]
    contrast = leave_one_out_contrast(z, np.concatenate(others, axis=1) if others else None)
    preparation, prepared = flips
    for i in np.flatnonzero(z.max(axis=1) > _SKEWED_FROM).tolist():
        one = prepare_flip_targets(opened.raw[i : i + 1], preparation).vectors[0]
        skewness = permutation_skewness(one, prepared.vectors[z[i].argmax()])
        z[i], contrast[i] = (
            without_skewness(z[i], skewness),
            without_skewness(contrast[i], skewness),
        )
    return Evidence(
        opened.layer,
        np.repeat(opened.experts, len(against.references)),
        np.tile(against.references, len(opened.experts)),
        z.ravel(),
        contrast.ravel(),
        estimates=_flipped_estimates(opened, z, against),
    )


def _flipped_estimates(opened: OpenExperts, z: Float64, against: Against) -> dict[int, Estimates]:
    """What is left of the best reference, whatever the signs of neurons."""
    own = against.own
    clear = np.flatnonzero(z.max(axis=1) > opened.clear_z)
    if not len(clear):
        return {}
    best = z[clear].argmax(axis=1)
    neurons = neuron_pairs(opened.raw[clear], own.raw[best], own.preparation)
    fits = fit_signs(neurons, own.templates)
    return {
        expert: Estimates(number, fit)
        for expert, number, (fit, _) in zip(
            opened.experts[clear].tolist(), against.references[best].tolist(), fits, strict=True
        )
    }


def shift_evidence(opened: OpenExperts, targets: Prepared, against: Against) -> Evidence:
    """The best shift of each expert over all references, in contrast to the others at that shift.

    Args:
        opened: the experts, and the z from which on one may be accepted.
        targets: they, prepared as the layer's references are and padded to the larger side.
        against: the references.
    """
    size = targets.vectors.shape[2]
    references = padded(against.own.prepared, size)
    found = best_shifts(targets, references)
    best = found.z.argmax(axis=1)
    rows = np.arange(len(best))
    shift = found.shift[rows, best]
    others = [
        z_at_shifts(targets, padded(one.prepared, size), shift)
        for one in (against.own, *against.pool)
    ]
    values = np.concatenate(others, axis=1)
    contrast = np.array(
        [_contrast(values[row], int(column)) for row, column in enumerate(best.tolist())]
    )
    return Evidence(
        opened.layer,
        opened.experts,
        against.references[best],
        found.z[rows, best],
        contrast,
        trials=size - 1,
        estimates=_shifted_estimates(opened, found.z[rows, best], best, shift, against),
    )


def _shifted_estimates(
    opened: OpenExperts, z: Float64, best: Ints, shift: Ints, against: Against
) -> dict[int, Estimates]:
    """What is left of the best reference, the experts moved back."""
    own = against.own
    if opened.raw.shape[2] != own.raw.shape[2]:
        return {}
    clear = np.flatnonzero(z > opened.clear_z)
    if not len(clear):
        return {}
    moved = np.stack([np.roll(opened.raw[i], int(shift[i]), axis=1) for i in clear.tolist()])
    neurons = neuron_pairs(moved, own.raw[best[clear]], own.preparation)
    fits = fit_retention(neurons, own.templates)
    numbers = against.references[best[clear]].tolist()
    return {
        expert: Estimates(number, fit)
        for expert, number, fit in zip(opened.experts[clear].tolist(), numbers, fits, strict=True)
    }


def _contrast(values: Float64, place: int) -> float:
    """One value against the others of its pool."""
    others = np.delete(values, place)
    if len(others) < MIN_POOL:
        return float("nan")
    centre = float(np.median(others))
    spread = MAD_TO_SD * float(np.median(np.abs(others - centre)))
    return (float(values[place]) - centre) / spread if spread else float("nan")
