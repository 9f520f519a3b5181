"""What an expert has of the reference that it resembles: retained fraction, drift, scale, codes.

Estimates are made when rows are at hand, of every expert that may be accepted; no test rests on
them.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from inspector.analysis.expert_sampler import Sampler
from inspector.analysis.layer_references import LayerReferences
from inspector.decode.numeric import Float32
from inspector.decode.rounding import MANTISSA_BITS, code_distance, rounded_codes
from inspector.format.dtypes import Dtype
from inspector.layout.families import Projection
from inspector.stats.intervals import Interval
from inspector.stats.neuron_pairs import neuron_pairs
from inspector.stats.retention import Retention, fit_signs, retained_probabilities
from inspector.stats.slopes import fit_slope

Float64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

COPY_SHARE: Final = 0.999
"""At least this share of equal codes makes a copy exact."""

NEAR_RETAINED: Final = 0.98
NEAR_SIGMA: Final = 0.1
"""From here on a descendant is a near copy, and its codes are compared."""

MAX_SLOPE_SIGMA: Final = 0.5
"""Beyond this drift the factor is not given: neurons that count as retained are those that drifted
towards their parent, and the drift shares its directions (1.1 for a true 1 at sigma 1, m = 128)."""


@dataclass(frozen=True, slots=True)
class Estimates:
    """Of one expert and one reference. `scale` is None where it was not estimated.

    `is_flipped` says that some neurons are the negative of the reference's.
    """

    reference: int
    retention: Retention
    scale: Interval | None = None
    equal_codes: float | None = None
    is_flipped: bool = False


@dataclass(frozen=True, slots=True)
class Resemblances:
    """Experts of one layer, each with the reference it resembles most, by number and by position.

    `raw` is `[n, k, m]`, the rows that were read of the experts.
    """

    layer: int
    experts: Ints
    places: Ints
    numbers: Ints
    raw: Float32


def estimate(sampler: Sampler, pairs: Resemblances, references: LayerReferences) -> list[Estimates]:
    """Estimates of each pair; scales are read of both where drift is small enough."""
    distinct, parents = np.unique(pairs.places, return_inverse=True)
    raw = references.raw[distinct]
    neurons = neuron_pairs(pairs.raw, raw, references.preparation, parents)
    signs = fit_signs(neurons, references.templates)
    fits = [fit for fit, _ in signs]
    wanted = np.flatnonzero(
        [fit.sigma.estimate <= MAX_SLOPE_SIGMA and not is_flipped for fit, is_flipped in signs]
    )
    if not _can_be_read(sampler, pairs, wanted):
        wanted = wanted[:0]
    weights = retained_probabilities(
        neurons.take(wanted), [fits[i] for i in wanted.tolist()], references.templates
    )
    decoded = _decoded(sampler, pairs, wanted, raw[parents[wanted]])
    slopes = {
        place: fit_slope(one.values, one.parent, weight)
        for place, one, weight in zip(wanted.tolist(), decoded, weights, strict=True)
    }
    dtypes = (
        sampler.target.dtype(pairs.layer, Projection.DOWN),
        sampler.reference.dtype(pairs.layer, Projection.DOWN),
    )
    equal = {
        place: equal_codes(one.values, one.parent, one.scale, dtypes)
        for place, one in zip(wanted.tolist(), decoded, strict=True)
        if is_near(fits[place])
    }
    return [
        Estimates(number, fit, slopes.get(place), equal.get(place), is_flipped)
        for place, ((fit, is_flipped), number) in enumerate(
            zip(signs, pairs.numbers.tolist(), strict=True)
        )
    ]


def is_near(fit: Retention) -> bool:
    """Whether so little is lost or changed that an expert is a near copy at least."""
    return fit.retained.estimate >= NEAR_RETAINED and fit.sigma.estimate < NEAR_SIGMA


def _can_be_read(sampler: Sampler, pairs: Resemblances, wanted: Ints) -> bool:
    """Whether the scales of the wanted pairs are within the allowance."""
    numbers = np.unique(pairs.numbers[wanted]).tolist()
    experts = pairs.experts[wanted].tolist()
    rows = sampler.rows[: pairs.raw.shape[1]]
    return sampler.affords(
        sampler.target.scale_cost(pairs.layer, experts, Projection.DOWN, rows)
        + sampler.reference.scale_cost(pairs.layer, numbers, Projection.DOWN, rows)
    )


@dataclass(frozen=True, slots=True)
class _Decoded:
    """One expert's rows and those of its parent, `[k, m]` weights; `scale` multiplied the codes."""

    values: Float32
    parent: Float32
    scale: Float32 | None


def _decoded(
    sampler: Sampler, pairs: Resemblances, wanted: Ints, parents: Float32
) -> list[_Decoded]:
    """The weights of each wanted pair."""
    if not len(wanted):
        return []
    rows = sampler.rows[: pairs.raw.shape[1]]
    distinct, back = np.unique(pairs.numbers[wanted], return_inverse=True)
    experts = pairs.experts[wanted].tolist()
    ours = sampler.scales(sampler.target, pairs.layer, experts, rows)
    theirs = sampler.scales(sampler.reference, pairs.layer, distinct.tolist(), rows)
    raw = pairs.raw[wanted]
    values = raw if ours is None or ours.applied else raw * ours.values
    if theirs is not None and not theirs.applied:
        parents = parents * theirs.values[back]
    scales = [None] * len(raw) if ours is None else list(ours.values)
    return [_Decoded(*one) for one in zip(values, parents, scales, strict=True)]


def equal_codes(
    values: Float32, parent: Float32, scale: Float32 | None, dtypes: tuple[Dtype, Dtype]
) -> float | None:
    """The share of codes that rounding the parent as the producer did gives again.

    Args:
        values: weights of the target.
        parent: those of the reference, in the target's order.
        scale: what multiplied the target's codes.
        dtypes: how the target and the reference are stored.

    A parent as coarse as the target was rounded before, by a rule of its own: then codes that are
    next to each other count as equal. None for formats that are no floats.
    """
    dtype, source = dtypes
    if dtype not in MANTISSA_BITS or source not in MANTISSA_BITS:
        return None
    finer = MANTISSA_BITS[source] > MANTISSA_BITS[dtype]
    exact = finer or (source is dtype and scale is None)
    found, expected = (rounded_codes(side, scale, dtype) for side in (values, parent))
    return float(np.mean(code_distance(found, expected) <= (0 if exact else 1)))
