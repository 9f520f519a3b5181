"""Shifts of neuron index: is an expert aligned after all its neurons moved by the same number?

Null, as in `stats/matching.py`: the neurons of the reference are exchangeable, so `z` at any one
shift has mean 0 and variance 1. The best of m shifts is reported; its p-value must be multiplied by
the number of shifts. One-sided. A target with fewer neurons than the reference is padded with
zeros: then a shift is the place that a slice was cut from, and mean and variance stay exact.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, rfft

from inspector.stats.matching import Prepared

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_TARGETS_AT_A_TIME: Final = 32
_REFERENCES_AT_A_TIME: Final = 32
"""Bound what is held: of 128 rows of 1536 neurons, 25 MB of spectra for each of the two."""


@dataclass(frozen=True, slots=True)
class BestShifts:
    """For each target and reference, `[E, R]`: the shift with the largest z, and that z.

    Neuron j of the target lies on neuron `j + shift` (modulo m) of the reference.
    """

    z: Float64
    shift: Ints


def best_shifts(targets: Prepared, references: Prepared) -> BestShifts:
    """The best shift other than 0 of every target against every reference, by FFT."""
    neurons = references.vectors.shape[2]
    z = np.empty((len(targets), len(references)))
    shift = np.empty(z.shape, dtype=np.int64)
    deviation = _deviation(targets, references)
    for theirs in _parts(len(references), _REFERENCES_AT_A_TIME):
        spectra = _spectra(references.vectors[theirs]).transpose(0, 2, 1)
        for ours in _parts(len(targets), _TARGETS_AT_A_TIME):
            products = np.matmul(np.conj(_spectra(targets.vectors[ours])), spectra)
            aligned = irfft(products, n=neurons, axis=0, overwrite_x=True)
            aligned[0] = -np.inf
            found = aligned.argmax(axis=0)
            best = np.take_along_axis(aligned, found[None], axis=0)[0]
            unit = deviation[ours, theirs]
            shift[ours, theirs] = found
            z[ours, theirs] = np.divide(best, unit, out=np.zeros(unit.shape), where=unit > 0)
    return BestShifts(z, shift)


def _parts(count: int, size: int) -> list[slice]:
    return [slice(start, min(count, start + size)) for start in range(0, count, size)]


def z_at_shifts(targets: Prepared, references: Prepared, shift: Ints) -> Float64:
    """Z of each target at its own shift against every reference, `[E, R]`: a pool to contrast with.

    Args:
        targets: E experts.
        references: R experts.
        shift: `[E]`, as in `BestShifts`.
    """
    moved = np.stack(
        [np.roll(one, by, axis=1) for one, by in zip(targets.vectors, shift.tolist(), strict=True)]
    )
    aligned = moved.reshape(len(moved), -1) @ references.vectors.reshape(len(references), -1).T
    deviation = _deviation(targets, references)
    z = np.zeros(deviation.shape)
    np.divide(aligned, deviation, out=z, where=deviation > 0)
    return z


def _spectra(vectors: Float32) -> npt.NDArray[np.complex64]:
    """`[frequencies, experts, k]`, so that one product of matrices serves a frequency."""
    return np.ascontiguousarray(rfft(vectors, axis=2).transpose(2, 0, 1))


def _deviation(targets: Prepared, references: Prepared) -> Float64:
    neurons = references.vectors.shape[2]
    ours, theirs = (side.grams.reshape(len(side), -1) for side in (targets, references))
    return np.asarray(np.sqrt(np.maximum(ours @ theirs.T, 0.0) / (neurons - 1)))
