"""Where no order of hidden dimensions is in common: experts by what a rotation leaves alone.

Rows of gate and up are read of some layers. What is tested is `stats/rotation.py`; the null is
checked on references of the other layers that were read, as that of the signed test is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from inspector.analysis.expert_evidence import Evidence
from inspector.analysis.expert_question import (
    ROTATION_LAYERS,
    Ints,
    Question,
    spread_layers,
)
from inspector.analysis.expert_report import RotationFacts
from inspector.analysis.expert_sampler import BLOCK_ROWS, ExpertSide, Sampler, without_nan
from inspector.decode.numeric import Float32
from inspector.layout.families import Projection
from inspector.stats.calibration import Calibration, calibrate
from inspector.stats.contrast import MIN_POOL, leave_one_out_contrast
from inspector.stats.matching import (
    Preparation,
    Prepared,
    prepare_references,
    prepare_targets,
    z_scores,
)
from inspector.stats.rotation import MIN_ROTATION_ROWS, ROTATION_ROWS, anchored

Float64 = npt.NDArray[np.float64]

_AT_A_TIME: Final = 32
"""Experts whose rows are held: 32 x 64 rows x 4096 x 2 matrices are 67 MB."""

_UNKNOWN: Final = (None, None)
"""Gains of a layer whose norm has no known name: none are multiplied in."""

_PROJECTIONS: Final = (Projection.GATE, Projection.UP)


def rotation_rows(question: Question, rows: Sequence[int]) -> range:
    """The neurons that are read: consecutive ones, of one block where it is large enough."""
    layer = question.layers[0]
    heights = (
        one.shape(layer, Projection.GATE)[0] for one in (question.target, question.reference)
    )
    height = min(heights)
    count = min(ROTATION_ROWS, height)
    start = rows[0] // BLOCK_ROWS * BLOCK_ROWS % height
    return range(min(start, height - count), min(start, height - count) + count)


def rotation_layers(question: Question, rows: Sequence[int], allowed: int) -> tuple[list[int], int]:
    """The layers to read with so many bytes, spread evenly, and what they take."""
    layers, neurons = question.layers, rotation_rows(question, rows)
    if len(neurons) < MIN_ROTATION_ROWS:
        return [], 0
    for count in range(min(ROTATION_LAYERS, len(layers)), 0, -1):
        chosen = spread_layers(layers, count)
        cost = sum(_layer_cost(question, layer, neurons) for layer in chosen)
        if cost <= allowed:
            return chosen, cost
    return [], 0


def _layer_cost(question: Question, layer: int, neurons: Sequence[int]) -> int:
    sides = (
        (question.target, question.experts[layer].tolist()),
        (question.reference, question.reference.experts(layer)),
    )
    return sum(
        side.read_cost(layer, experts, one, neurons) + side.scale_cost(layer, experts, one)
        for side, experts in sides
        for one in _PROJECTIONS
    )


class RotatedBranch:
    """The bytes that a run keeps for a rotated basis, until experts show that there is none."""

    def __init__(self, sampler: Sampler, question: Question) -> None:
        self._sampler = sampler
        self._question = question
        self._layers: list[int] = []
        self._kept = 0

    def reserve(self, first_look: int) -> None:
        """Set aside what is afforded beside the first look, where the basis is missing."""
        sampler = self._sampler
        if not self._question.basis_is_missing:
            return
        allowed = sampler.allowance - sampler.spent - first_look
        self._layers, self._kept = rotation_layers(self._question, sampler.rows, allowed)
        sampler.allowance -= self._kept

    def release(self) -> None:
        """What is kept may be spent."""
        self._sampler.allowance += self._kept
        self._kept = 0

    def look(self, open_: Mapping[int, Ints]) -> tuple[list[Evidence], RotationFacts | None]:
        """Test open experts of the layers that bytes were kept for."""
        if not self._layers:
            return [], None
        neurons = rotation_rows(self._question, self._sampler.rows)
        evidence, found = rotated_evidence(self._sampler, self._question, self._layers, open_)
        return evidence, RotationFacts(
            layers=self._layers,
            neurons=len(neurons),
            status=str(found.status),
            tests=found.tests,
            ks=found.ks,
            sd=found.sd,
            inflation=found.inflation,
        )


def rotated_evidence(
    sampler: Sampler, question: Question, layers: Sequence[int], open_: Mapping[int, Ints]
) -> tuple[list[Evidence], Calibration]:
    """Open experts of some layers against their references, whatever the basis of either side."""
    sketches = _Sketches(sampler, rotation_rows(question, sampler.rows))
    gains = question.stage_zero.gains if question.stage_zero else {}
    references = {}
    for layer in layers:
        experts = sampler.reference.experts(layer)
        raw = sketches.read(sampler.reference, layer, experts, gains.get(layer, _UNKNOWN)[1])
        references[layer] = prepare_references(raw)
    evidence: list[Evidence] = []
    null: list[Float64] = []
    for layer in layers:
        experts = open_[layer].tolist()
        if not experts:
            continue
        raw = sketches.read(sampler.target, layer, experts, gains.get(layer, _UNKNOWN)[0])
        z = _scores(raw, references[layer])
        apart = [one for one in layers if sampler.origin(one) != sampler.origin(layer)]
        others = [_scores(raw, references[one]) for one in apart]
        null += others
        numbers = np.asarray(sampler.reference.experts(layer), dtype=np.int64)
        few = len(numbers) <= MIN_POOL and others
        contrast = leave_one_out_contrast(z, np.concatenate(others, axis=1) if few else None)
        evidence.append(
            Evidence(
                layer,
                np.repeat(open_[layer], len(numbers)),
                np.tile(numbers, len(experts)),
                z.ravel(),
                contrast.ravel(),
            )
        )
    return evidence, calibrate(null, np.random.default_rng(question.request.seed))


def _scores(raw: Float32, references: tuple[Preparation, Prepared]) -> Float64:
    preparation, prepared = references
    return z_scores(prepare_targets(raw, preparation), prepared)


@dataclass(frozen=True, slots=True)
class _Sketches:
    """Reads neurons of gate and up as their cosines with some of them."""

    sampler: Sampler
    neurons: Sequence[int]

    def read(
        self, side: ExpertSide, layer: int, experts: Sequence[int], gains: Float32 | None
    ) -> Float32:
        """`[experts, coordinates, neurons]`, gains multiplied in."""
        parts = []
        for start in range(0, len(experts), _AT_A_TIME):
            some = experts[start : start + _AT_A_TIME]
            gate, up = (self._weights(side, layer, some, one) for one in _PROJECTIONS)
            parts.append(
                anchored(gate, up) if gains is None else anchored(gate * gains, up * gains)
            )
        return np.concatenate(parts)

    def _weights(
        self, side: ExpertSide, layer: int, experts: Sequence[int], projection: Projection
    ) -> Float32:
        """Decoded rows: inner products over hidden dimensions need every scale."""
        raw = self.sampler.read(side, layer, experts, projection, self.neurons)
        scales = self.sampler.scales(side, layer, experts, self.neurons, projection)
        values = raw if scales is None or scales.applied else raw * scales.values
        return without_nan(np.asarray(values, dtype=np.float32))
