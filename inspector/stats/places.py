"""Nearest rows: how many of a few rows lie nearest to the row of the same place in the reference?

Null: the places of the reference's rows are exchangeable. Then the chance that h or more of k rows
match their own place is at most 1 / h!, whatever the rows are: no normal tail, no independence of
experts (union bound over the C(k, h) sets, each matched with probability (k - h)! / k!). One-sided.
"""

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def rows_in_place(target: Float32, references: Float32) -> Ints:
    """How many rows of one target, `[k, n]`, are nearest to the same row of each `[R, k, n]`.

    Rows of each expert are centred by their own mean over the k rows and compared by cosine. A row
    of zeros and a tie match nothing.
    """
    return np.asarray(all_rows_in_place(target[None], references)[0])


def all_rows_in_place(targets: Float32, references: Float32) -> Ints:
    """The same of several targets `[E, k, n]`, `[E, R]`."""
    ours, theirs = _centred(targets), _centred(references)
    rows, columns = ours.shape[1:]
    cosines = ours.reshape(-1, columns) @ theirs.reshape(-1, columns).T
    pairs = cosines.reshape(len(ours), rows, len(theirs), rows)
    own = np.einsum("ekrk->erk", pairs).copy()
    np.einsum("ekrk->erk", pairs)[:] = -np.inf
    others = np.maximum(pairs.max(axis=3), 0.0).transpose(0, 2, 1)
    return np.asarray((own > others).sum(axis=2), dtype=np.int64)


def log10_p_of_places(hits: Ints) -> Float64:
    """log10 of 1 / h!, the bound on the chance of `hits` or more.

    >>> log10_p_of_places(np.array([0, 1, 13])).round(2).tolist()
    [0.0, 0.0, -9.79]
    """
    return np.asarray(-gammaln(np.asarray(hits) + 1.0) / np.log(10) + 0.0)


def _centred(rows: Float32) -> Float32:
    """Rows without their mean over places, to unit length."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centred, axis=2, keepdims=True)
    scale = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
    return np.asarray(centred * scale, dtype=np.float32)
