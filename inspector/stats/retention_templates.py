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

_STEP: Final = float(np.log(SIGMAS[1] / SIGMAS[0]))
STEPS: Final = 6
"""Lengths of neurons are told apart by steps of sigma, from a quarter of the rms to 3.8 of it."""
GROUPS: Final = 2 * STEPS + 1
DRIFTS: Final = SIGMAS[0] * np.exp(_STEP * np.arange(-STEPS, len(SIGMAS) + STEPS))
"""Drifts relative to a neuron's own length that `SIGMAS` come to."""

_LOWEST: Final = -2.5
_BIN: Final = 0.125
BINS: Final = 76
"""Bins of atanh(cosine), from -2.5 to 7; what lies beyond is in the outer bins."""
_PSEUDO_COUNT: Final = 0.5


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


def templates_of(retained: Float64, unrelated: Float64) -> Templates:
    """The densities, and logs of their mixtures."""
    mixture = retained[..., None] * FRACTIONS
    mixture += unrelated[:, None] * (1 - FRACTIONS)
    return Templates(retained, unrelated, np.log(mixture, out=mixture).astype(np.float32))


def against_matched(templates: Templates, cosines: Float64) -> Templates:
    """The templates where neurons were matched first; `cosines` are of strangers matched alike."""
    found = templates_of(templates.retained, density(cosines))
    return replace(found, dispersion=templates.dispersion)


def length_steps(lengths: Float64) -> Ints:
    """By how many steps of sigma a neuron is longer than the rms."""
    steps = np.rint(np.log(np.maximum(lengths, 1e-9)) / _STEP).astype(np.int64)
    return np.clip(steps, -STEPS, STEPS)


def drift_places(sigmas: Ints, steps: Ints) -> Ints:
    """Which of `DRIFTS` neurons have that are longer by `steps`, in an expert of a sigma."""
    return sigmas + STEPS - steps


def cosine_bins(cosines: Float64) -> Ints:
    """The bin of each cosine."""
    place = (np.arctanh(np.clip(cosines, -0.9999999, 0.9999999)) - _LOWEST) / _BIN
    return np.clip(place.astype(np.int64), 0, BINS - 1)


def _counts(cosines: Float64) -> Float64:
    return np.bincount(cosine_bins(cosines).ravel(), minlength=BINS).astype(np.float64)


def density(cosines: Float64) -> Float64:
    """The share of cosines in each bin, `[bins]`; none is 0."""
    counts = _counts(cosines) + _PSEUDO_COUNT
    return np.asarray(counts / counts.sum())
