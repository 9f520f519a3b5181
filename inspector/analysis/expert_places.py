"""Rows of gate and up: is an expert whose `down_proj` says nothing a relative all the same?"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from inspector.analysis.expert_evidence import Evidence
from inspector.analysis.expert_sampler import Sampler
from inspector.analysis.expert_sides import ExpertSide
from inspector.analysis.layer_references import without_nan
from inspector.decode.numeric import Float32
from inspector.layout.families import Projection
from inspector.stats.matching import standard_rows
from inspector.stats.places import all_rows_in_place, log10_p_of_places

Ints = npt.NDArray[np.int64]

PLACE_ROWS: Final = 16
"""Rows of gate and of up, one neuron each: 13 in place have p <= 1.6e-10."""

_AT_A_TIME: Final = 64
"""Experts that are held at a time: 64 x 16 rows of gate and up of 4096 columns are 34 MB."""

_PROJECTIONS: Final = (Projection.GATE, Projection.UP)


def place_rows(sampler: Sampler, layer: int) -> list[int]:
    """The neurons that are looked at in both models: rows of one block, those of `down_proj`."""
    height = min(
        side.shape(layer, Projection.GATE)[0] for side in (sampler.target, sampler.reference)
    )
    return sorted({row % height for row in sampler.rows[:PLACE_ROWS]})


def place_cost(
    sampler: Sampler, layer: int, experts: Sequence[int], references: Sequence[int]
) -> int:
    """Bytes of the rows of some experts and of some references of a layer."""
    rows = place_rows(sampler, layer)
    return sum(
        sampler.target.read_cost(layer, experts, one, rows)
        + sampler.reference.read_cost(layer, references, one, rows)
        for one in _PROJECTIONS
    )


def read_places(sampler: Sampler, side: ExpertSide, layer: int, experts: Sequence[int]) -> Float32:
    """`[experts, rows, 2 H]`: rows of gate and up side by side."""
    rows = place_rows(sampler, layer)
    parts = [sampler.read(side, layer, experts, one, rows) for one in _PROJECTIONS]
    return np.concatenate([without_nan(part) for part in parts], axis=2)


def look_at_places(
    sampler: Sampler, layer: int, experts: Sequence[int], references: Sequence[int]
) -> tuple[list[int], list[Evidence]]:
    """Which experts have rows that are not all zero, and how all lie beside the references.

    Nothing is tested where there are no references. Some experts are held at a time.
    """
    numbers = np.asarray(references, dtype=np.int64)
    theirs = read_places(sampler, sampler.reference, layer, references) if references else None
    alive: list[int] = []
    evidence = []
    for start in range(0, len(experts), _AT_A_TIME):
        some = experts[start : start + _AT_A_TIME]
        raw = read_places(sampler, sampler.target, layer, some)
        alive += [one for one, values in zip(some, raw, strict=True) if values.any()]
        if theirs is not None:
            found = places_evidence(layer, np.asarray(some), raw, (numbers, theirs))
            evidence.append(found.likely())
    return alive, evidence


def places_evidence(
    layer: int, experts: Ints, raw: Float32, references: tuple[Ints, Float32]
) -> Evidence:
    """How many rows of each expert lie nearest to their own place in each reference.

    Each column is standardised over the rows, so that neither its scale nor an outlier counts.
    """
    numbers, theirs = references
    ours, theirs = _standard_columns(raw), _standard_columns(theirs)
    hits = all_rows_in_place(ours, theirs)
    none = np.full(hits.size, np.nan)
    return Evidence(
        layer,
        np.repeat(experts, len(numbers)),
        np.tile(numbers, len(experts)),
        none,
        none,
        exact_log10_p=log10_p_of_places(hits.ravel()),
    )


def _standard_columns(raw: Float32) -> Float32:
    return standard_rows(raw.transpose(0, 2, 1)).transpose(0, 2, 1)
