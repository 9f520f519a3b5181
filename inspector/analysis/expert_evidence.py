"""Tests of one kind on one layer as values, and which of them pass over the whole family."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from inspector.analysis.expert_estimates import Estimates
from inspector.stats.correction import holm_accepts, log10_upper_tail

Float64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SMALL_LOG10_P: Final = -1.0
"""Tests above this p can pass in no family of interest: they are not sorted, and have no q."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Tests of target experts against references of one layer; parallel arrays, one entry a test.

    `z` and `contrast` are not deflated; `contrast` is NaN where none was possible. `trials` is the
    number of places at which each was tried, of which the best is kept: p is multiplied by it.
    `exact_log10_p` is given where a test has no z; `estimates` is, by expert, what is left of its
    best reference.
    """

    layer: int
    experts: Ints
    references: Ints
    z: Float64
    contrast: Float64
    trials: int = 1
    exact_log10_p: Float64 | None = None
    estimates: Mapping[int, Estimates] = field(default_factory=dict)

    def star(self, inflation: float) -> Float64:
        """z* = min(z / inflation, contrast); z alone where there is no contrast."""
        return np.fmin(self.z / inflation, self.contrast)

    def likely(self) -> "Evidence":
        """Only the tests that some inflation can leave small: of millions, what is kept.

        An inflation is at least 1, so no p gets smaller by it; the others are no evidence.
        """
        small = np.flatnonzero(self.log10_p(1.0) < SMALL_LOG10_P)
        exact = self.exact_log10_p
        return replace(
            self,
            experts=self.experts[small],
            references=self.references[small],
            z=self.z[small],
            contrast=self.contrast[small],
            exact_log10_p=None if exact is None else exact[small],
        )

    def log10_p(self, inflation: float) -> Float64:
        """Of z*, times the number of trials, at most 1."""
        if self.exact_log10_p is not None:
            return self.exact_log10_p
        logs = log10_upper_tail(self.star(inflation)) + np.log10(self.trials)
        return np.asarray(np.minimum(0.0, logs))


def passed(
    log10_p: Sequence[Float64], *, hypotheses: int, alpha: float
) -> list[npt.NDArray[np.bool_]]:
    """Which tests pass by Holm over the whole family, for arrays of any shape.

    Hypotheses of the family that are not among them enter with p = 1.
    """
    flat = np.concatenate([np.empty(0), *(logs.ravel() for logs in log10_p)])
    small = np.flatnonzero(flat < SMALL_LOG10_P)
    accepted = np.zeros(len(flat), dtype=np.bool_)
    accepted[small] = holm_accepts(flat[small], hypotheses=hypotheses, alpha=alpha)
    edges = np.cumsum([logs.size for logs in log10_p])[:-1]
    return [
        part.reshape(logs.shape)
        for part, logs in zip(np.split(accepted, edges), log10_p, strict=True)
    ]
