"""Experts whose hidden basis was rotated: inner products of neurons, which a rotation leaves alone.

With W -> W Q for an orthogonal Q, the gate and up rows of two neurons keep their inner products,
also where Q only permutes or negates dimensions. Some neurons of the sample are anchors; each of
the others is described by its cosines with their gate and up rows. These are coordinates that any
basis gives alike, in the place of hidden dimensions, so that the signed test (`matching`) applies.
Null: the reference's neurons that are no anchors are exchangeable, a part of the relabellings of
which the signed test speaks; its permutation mean and variance are exact here too. One-sided.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]

ROTATION_ROWS: Final = 64
"""Neurons that are sampled of gate and of up."""

ANCHOR_SHARE: Final = 0.25
"""Of them, one in four is an anchor: 16 anchors give 64 coordinates to 48 neurons. Of 4, 8, 12 and
16 anchors among 64 neurons, 16 gave the largest z at every drift (2048 hidden dimensions)."""

MIN_ROTATION_ROWS: Final = 32
"""Fewer neurons have too few relabellings: of 32, copies reach a z of 12 to 15."""


def anchored(gate: Float32, up: Float32) -> Float32:
    """`[E, 4 a, n - a]`: neurons by their cosines with the first `a`; gate and up are `[E, n, H]`.

    Coordinates are gate and up rows of the anchors with the gate row of a neuron, then the same
    with its up row. A zero row has cosines of zero.

    >>> rng = np.random.default_rng(0)
    >>> gate, up = rng.standard_normal((2, 1, 32, 8)).astype(np.float32)
    >>> turn = np.linalg.qr(rng.standard_normal((8, 8)))[0].astype(np.float32)
    >>> bool(np.allclose(anchored(gate, up), anchored(gate @ turn, up @ turn), atol=1e-6))
    True
    """
    rows = [_unit(gate), _unit(up)]
    count = round(ANCHOR_SHARE * gate.shape[1])
    anchors = np.concatenate([side[:, :count] for side in rows], axis=1)
    parts = [np.matmul(anchors, side[:, count:].transpose(0, 2, 1)) for side in rows]
    return np.concatenate(parts, axis=1)


def _unit(rows: Float32) -> Float32:
    norms = np.linalg.norm(rows, axis=2, keepdims=True)
    return np.asarray(np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0))
