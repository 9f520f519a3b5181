"""The signed alignment test as a run makes it: z, its contrast, and the level of each look."""

from typing import Final

import numpy as np

from benchmarks.study.generator import Float32, Float64
from inspector.analysis.expert_match import LOOK_ALPHA, LOOK_ROWS
from inspector.stats.contrast import leave_one_out_contrast
from inspector.stats.correction import z_of_upper_tail
from inspector.stats.matching import prepare_references, prepare_targets, z_scores

FAMILY: Final = 48_128 * 128
"""Hypotheses of a full run: 94 layers of 512 experts against 128."""


def scores(targets: Float32, references: Float32) -> Float64:
    """Z of every target against every reference, `[E, R]`, from raw rows."""
    preparation, prepared = prepare_references(references)
    return z_scores(prepare_targets(targets, preparation), prepared)


def least_of_both(z: Float64, pool: Float64 | None = None) -> Float64:
    """z* = min(z, contrast); z alone where there is no contrast."""
    contrast = leave_one_out_contrast(z, pool)
    return np.where(np.isnan(contrast), z, np.minimum(z, contrast))


def needed_z(rows: int) -> float:
    """What Holm asks of the first acceptance in a full run, in the look at `rows` rows."""
    return z_of_upper_tail(LOOK_ALPHA[LOOK_ROWS.index(rows)] / FAMILY)
