"""The signed alignment test: do two experts agree neuron by neuron more than relabelled ones would?

Null: the neurons of the reference are exchangeable, so any of the `m!` ways to relabel them is as
likely as the one found. Under it the inner product over neurons has an exact mean and variance
(Hoeffding's combinatorial central limit theorem); no resampling is needed. One-sided: agreement.

An expert is `[k, m]`: k sampled rows of `down_proj [H, m]`, one k-vector for each of m neurons.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

MIN_ROWS_FOR_COMPONENTS: Final = 8
"""From this many rows on, the strongest shared directions are projected out: one in eight."""


_STRIP_BYTES: Final = 240 << 10
"""Experts are prepared in strips of so many bytes: what lies between stays in a cache, and comes
from the heap, where larger blocks may each be mapped anew and cleared page by page."""

_NOTHING: Final = 1e-9
"""A mean whose square is this small beside that of the experts is rounding; two experts whose mean
was taken off are each other's opposites."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Experts ready for `z_scores`: `vectors` is `[experts, k, m]`, `grams` `[experts, k, k]`.

    Each row of a vector has mean zero over neurons; `grams` is `X X^T` of each expert.
    """

    vectors: Float32
    grams: Float64

    def __len__(self) -> int:
        return len(self.vectors)

    def take(self, experts: npt.NDArray[np.int64]) -> "Prepared":
        return Prepared(self.vectors[experts], self.grams[experts])


def unit_neurons(vectors: Float32, out: Float32 | None = None) -> Float32:
    """Each neuron's k-vector to unit norm; a zero vector stays zero. `[experts, k, m]`.

    Into `out` if given, which may be `vectors`; so with the functions below.
    """
    norms = np.sqrt(np.einsum("ekm,ekm->em", vectors, vectors))
    scale = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
    return np.asarray(np.multiply(vectors, scale[:, None, :], out=out))


def standard_rows(vectors: Float32, out: Float32 | None = None) -> Float32:
    """Each row to mean zero and standard deviation one over neurons; a constant row to zero."""
    found = np.subtract(vectors, vectors.mean(axis=2, keepdims=True), out=out)
    found *= _one_over_deviation(found)
    return np.asarray(found)


def row_standards(vectors: Float32) -> tuple[Float32, Float32]:
    """Mean of each row over neurons, and 1 / its standard deviation, 0 where it is constant."""
    mean = vectors.mean(axis=2, keepdims=True)
    return mean, _one_over_deviation(vectors - mean)


def _one_over_deviation(centred: Float32) -> Float32:
    """`[experts, k, 1]` of rows of mean zero."""
    squares = np.einsum("ekm,ekm->ek", centred, centred)[..., None]
    deviation = np.sqrt(squares / np.float32(centred.shape[2]))
    return np.asarray(np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0))


@dataclass(frozen=True, slots=True)
class Preparation:
    """How a layer's references say to prepare both sides: `basis` is `[directions, k]`."""

    basis: Float32

    def apply(self, vectors: Float32) -> Prepared:
        """Project the shared directions out, to unit neurons again, to mean zero again."""
        return _centred(self.projected(vectors))

    def apply_to_references(self, vectors: Float32) -> Prepared:
        """The same for references, in place, and off again with what they share at each neuron.

        Unit norm brings a common ancestor of the references back: without this, strangers that
        descend from that ancestor reach a mean z of 3 to 4.5 (m = 1536, k = 8, drift 1).
        """
        return _centred(without_common(self.projected(vectors, out=vectors)))

    def projected(self, vectors: Float32, out: Float32 | None = None) -> Float32:
        """Without the shared directions, each neuron of unit norm again; into `out` if given."""
        found = np.empty_like(vectors) if out is None else out
        shared = np.empty_like(vectors[next(strips(vectors), slice(0))])
        for strip in strips(vectors):
            some, kept = vectors[strip], found[strip]
            if len(self.basis):
                along = np.matmul(self.basis, some)
                product = np.matmul(self.basis.T, along, out=shared[: len(some)])
                some = np.subtract(some, product, out=kept)
            unit_neurons(some, out=kept)
        return found


def strips(vectors: npt.NDArray[Any]) -> Iterator[slice]:
    """Experts, some at a time."""
    size = max(1, _STRIP_BYTES // max(1, vectors[:1].nbytes))
    for start in range(0, len(vectors), size):
        yield slice(start, start + size)


def standardised(raw: Float32, out: Float32 | None = None) -> Float32:
    """Steps 1 and 2: neurons of unit norm, then rows of mean zero and standard deviation one."""
    found = np.empty(raw.shape, dtype=np.float32) if out is None else out
    for strip in strips(raw):
        units = unit_neurons(raw[strip], out=found[strip])
        standard_rows(units, out=units)
    return found


def _centred(vectors: Float32) -> Prepared:
    """Rows to mean zero over neurons, in place, and the Gram matrix of each expert."""
    grams = np.empty((len(vectors), vectors.shape[1], vectors.shape[1]))
    for strip in strips(vectors):
        some = vectors[strip]
        some -= some.mean(axis=2, keepdims=True)
        grams[strip] = np.matmul(some, some.transpose(0, 2, 1))
    return Prepared(vectors, grams)


def prepare_references(raw: Float32, out: Float32 | None = None) -> tuple[Preparation, Prepared]:
    """Steps 1 to 6 for the references of one layer, `[R, k, m]` raw rows; into `out` if given.

    What the references have in common at each neuron index is taken off, which removes an ancestor
    and any effect of position. Only here: centring the targets too would erase a layout in which
    all descend from one reference.
    """
    vectors = without_common(standardised(raw, out))
    preparation = _preparation(vectors)
    return preparation, preparation.apply_to_references(vectors)


def without_common(vectors: Float32) -> Float32:
    """Each reference without its own multiple of their mean at each neuron index; in place.

    One alone stays as it is. The multiple is least squares. Of strangers it is near 1 and this is
    to subtract the mean; of references that drifted unequally far from an ancestor, the nearest has
    more of it, and with the mean alone taken off an expert from that ancestor would pass for its
    child.
    """
    if len(vectors) < 2:
        return vectors
    mean = vectors.mean(axis=0)
    length = float(np.sum(mean * mean, dtype=np.float64))
    squares = np.einsum("rkm,rkm->r", vectors, vectors, dtype=np.float64)
    if length <= _NOTHING * float(squares.mean()):
        return vectors
    share = np.einsum("rkm,km->r", vectors, mean, dtype=np.float64) / length
    for one, multiple in zip(vectors, share.tolist(), strict=True):
        one -= np.float32(multiple) * mean
    return vectors


def prepare_uncentred(raw: Float32) -> tuple[Preparation, Prepared]:
    """The same without the means over references: what they have in common stays.

    A target that resembles all of them in this way, and none once it is gone, shares an ancestor.
    """
    vectors = standardised(raw)
    preparation = _preparation(vectors)
    return preparation, preparation.apply(vectors)


def _preparation(vectors: Float32) -> Preparation:
    """The strongest shared directions of a layer's references, one in eight of the rows."""
    rows = vectors.shape[1]
    basis = np.empty((0, rows), dtype=np.float32)
    if rows >= MIN_ROWS_FOR_COMPONENTS:
        gram = np.zeros((rows, rows))
        for strip in strips(vectors):
            some = vectors[strip]
            gram += np.matmul(some, some.transpose(0, 2, 1)).sum(axis=0, dtype=np.float64)
        _, directions = np.linalg.eigh(gram)
        basis = directions[:, -max(1, rows // 8) :].T.astype(np.float32)
    return Preparation(basis)


def prepare_targets(raw: Float32, preparation: Preparation) -> Prepared:
    """Steps 1, 2 and 4 to 6 for target experts, `[E, k, m]` raw rows."""
    return preparation.apply(standardised(raw))


def z_scores(targets: Prepared, references: Prepared) -> Float64:
    """Z of every target against every reference, `[E, R]`.

    `T = sum_j <t_j, r_j>` has mean 0 and variance `tr(C_t C_r) / (m - 1)` over relabellings,
    exactly, as the rows of both sides have mean zero. A dead expert has no variance, and z = 0.

    >>> rng = np.random.default_rng(0)
    >>> raw = rng.standard_normal((3, 8, 64)).astype(np.float32)
    >>> preparation, references = prepare_references(raw)
    >>> bool(z_scores(prepare_targets(raw[:1], preparation), references)[0].argmax() == 0)
    True
    """
    neurons = targets.vectors.shape[2]
    aligned = _flat(targets.vectors) @ _flat(references.vectors).T
    variance = _flat(targets.grams) @ _flat(references.grams).T / (neurons - 1)
    deviation = np.sqrt(np.maximum(variance, 0.0))
    z = np.zeros(deviation.shape, dtype=np.float64)
    np.divide(aligned, deviation, out=z, where=deviation > 0)
    return z


def copy_z(targets: Prepared, references: Prepared) -> Float64:
    """The z that an exact copy would reach, for each target, `[E]`: the median over references.

    A copy has `T = tr C`, of the smaller side where one is a slice of the other, so this is
    `sqrt((m - 1) k_eff)`, with the number of rows that are effectively independent read from the
    data.
    """
    neurons = targets.vectors.shape[2]
    trace_t = np.einsum("ekk->e", targets.grams)
    trace_r = np.einsum("rkk->r", references.grams)
    product = _flat(targets.grams) @ _flat(references.grams).T
    best = np.minimum.outer(trace_t, trace_r) * np.sqrt(neurons - 1)
    ratio = np.divide(best, np.sqrt(product), out=np.zeros_like(best), where=product > 0)
    return np.asarray(np.median(ratio, axis=1), dtype=np.float64)


def padded(prepared: Prepared, neurons: int) -> Prepared:
    """Experts with neurons of zeros added, up to `neurons`: rows keep mean zero.

    So the permutation mean and variance of a smaller expert against a larger one stay exact.
    """
    missing = neurons - prepared.vectors.shape[2]
    if not missing:
        return prepared
    return Prepared(np.pad(prepared.vectors, ((0, 0), (0, 0), (0, missing))), prepared.grams)


@dataclass(frozen=True, slots=True)
class PairContrast:
    """Two references that a target resembles: does it resemble the first more, or need both?

    `contrast_z` is the z of the target against `first - second`; `first_given_second` and its
    counterpart are the z of what each adds to the other in the regression on both.
    """

    first: int
    second: int
    contrast_z: float
    first_given_second: float
    second_given_first: float

    def deflated(self, inflation: float) -> "PairContrast":
        """The same with every z divided by the inflation of the null."""
        return PairContrast(
            self.first,
            self.second,
            self.contrast_z / inflation,
            self.first_given_second / inflation,
            self.second_given_first / inflation,
        )


def pair_contrast(target: Prepared, references: Prepared, first: int, second: int) -> PairContrast:
    """Contrast two references on one target (`target` has one expert)."""
    a, b = references.vectors[first], references.vectors[second]
    along_b = _overlap(a, b) / max(_overlap(b, b), 1e-30)
    along_a = _overlap(a, b) / max(_overlap(a, a), 1e-30)
    return PairContrast(
        first,
        second,
        _z_against(target, a - b),
        _z_against(target, a - np.float32(along_b) * b),
        _z_against(target, b - np.float32(along_a) * a),
    )


def _z_against(target: Prepared, vector: Float32) -> float:
    gram = (vector @ vector.T).astype(np.float64)
    return float(z_scores(target, Prepared(vector[None], gram[None]))[0, 0])


def _overlap(first: Float32, second: Float32) -> float:
    return float(np.sum(first * second, dtype=np.float64))


def _flat(arrays: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return arrays.reshape(len(arrays), math.prod(arrays.shape[1:]))
