"""Densities of the cosine of a neuron with its parent's, by drift: what `retention` fits.

They are over bins of atanh(cosine), at drifts relative to the neuron's own length: a neuron that is
twice as long as the rms drifts by half as much of itself as its expert.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SIGMAS: Final = np.geomspace(0.01, 8.0, 31)
"""Drifts that are tried: steps of 25 %, refined by a parabola through the best three."""

FRACTIONS: Final = np.linspace(0.0, 1.0, 101)
"""Retained fractions that are tried."""

STEP: Final = float(np.log(SIGMAS[1] / SIGMAS[0]))
STEPS: Final = 6
"""Lengths of neurons are told apart by steps of sigma, from a quarter of the rms to 3.8 of it."""
GROUPS: Final = 2 * STEPS + 1
DRIFTS: Final = SIGMAS[0] * np.exp(STEP * np.arange(-STEPS, len(SIGMAS) + STEPS))
"""Drifts relative to a neuron's own length that `SIGMAS` come to."""

FOLLOWS: Final = (0.0, 0.5, 1.0)
SPREADS: Final = (1.0, 0.5, 0.25, 0.0)
"""How long the drift of a neuron is, beside the others of its expert: a power of its parent's
length (`FOLLOWS`) times a power of the length of another neuron (`SPREADS`). Each with each is a
shape of drift; the first of both is that of experts, added in another order."""

_LOWEST: Final = -2.5
_BIN: Final = 0.125
BINS: Final = 76
"""Bins of atanh(cosine), from -2.5 to 7; what lies beyond is in the outer bins."""
_PSEUDO_COUNT: Final = 0.5


@dataclass(frozen=True, slots=True)
class Templates:
    """Densities over the bins: `retained` is `[spreads, drifts, bins]`, `unrelated` `[bins]`.

    `retained` is of neurons that drifted by so much of their own length, for each of `SPREADS`.

    `log_mixtures` is `[spreads, drifts, bins, fractions]`, of each fraction that is tried: sums of
    float32 over an expert's neurons are off by some thousandths, where 1.9 is an interval.

    `errors` are how far log sigma is off, rms, beyond what neurons that count as independent say:
    for each of `SPREADS`, for each of `FOLLOWS`.

    `directions` are the factors that sigma may be too large by, at least and at most: drifts of
    templates have the directions that the layer's experts share, and others may have none.
    """

    retained: Float64
    unrelated: Float64
    log_mixtures: Float32
    errors: tuple[float, ...] = (0.0,) * (len(FOLLOWS) * len(SPREADS))
    directions: tuple[float, float] = (1.0, 1.0)


def templates_of(retained: Float64, unrelated: Float64) -> Templates:
    """The densities, and logs of their mixtures."""
    shares = FRACTIONS.astype(np.float32)
    mixture = retained.astype(np.float32)[..., None] * shares
    mixture += unrelated.astype(np.float32)[:, None] * (1 - shares)
    return Templates(retained, unrelated, np.log(mixture, out=mixture))


def against_matched(templates: Templates, cosines: Float64) -> Templates:
    """The templates where neurons were matched first; `cosines` are of strangers matched alike."""
    found = templates_of(templates.retained, density(cosines))
    return replace(found, errors=templates.errors, directions=templates.directions)


def length_steps(lengths: Float64) -> Ints:
    """By how many steps of sigma a neuron is longer than the rms."""
    steps = np.rint(np.log(np.maximum(lengths, 1e-9)) / STEP).astype(np.int64)
    return np.clip(steps, -STEPS, STEPS)


def drift_places(sigmas: Ints, steps: Ints) -> Ints:
    """Which of `DRIFTS` neurons have that are longer by `steps`, in an expert of a sigma."""
    return sigmas + STEPS - steps


def cosine_bins(cosines: Float64) -> Ints:
    """The bin of each cosine."""
    place = (np.arctanh(np.clip(cosines, -0.9999999, 0.9999999)) - _LOWEST) / _BIN
    return np.clip(place.astype(np.int64), 0, BINS - 1)


def density(cosines: Float64) -> Float64:
    """The share of cosines in each bin, `[bins]`; none is 0."""
    counts = np.bincount(cosine_bins(cosines).ravel(), minlength=BINS) + _PSEUDO_COUNT
    return np.asarray(counts / counts.sum())
