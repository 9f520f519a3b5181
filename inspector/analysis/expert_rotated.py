"""Where no order of hidden dimensions is in common: experts by what a rotation leaves alone.

Rows of gate and up are read of some layers. What is tested is `stats/rotation.py`; the null is
checked on references of the other layers that were read, as that of the signed test is.
"""

from collections.abc import Collection, Mapping, Sequence
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
from inspector.analysis.expert_sampler import Sampler
from inspector.analysis.expert_sides import ExpertSide
from inspector.analysis.layer_references import without_nan
from inspector.analysis.sampled_rows import BLOCK_ROWS
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
    models = question.models
    references = models.experts_of(question.reference.experts(layer), models.without_basis)
    sides = ((question.target, question.experts[layer].tolist()), (question.reference, references))
    return sum(
        side.read_cost(layer, experts, one, neurons) + side.scale_cost(layer, experts, one, neurons)
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
        if not self._question.models.without_basis:
            return
        allowed = sampler.allowance - sampler.spent - first_look
        self._layers, self._kept = rotation_layers(self._question, sampler.rows, allowed)
        sampler.allowance -= self._kept

    def release(self) -> None:
        """What is kept may be spent."""
        self._sampler.allowance += self._kept
        self._kept = 0

    def look(
        self, open_: Mapping[int, Ints], models: Collection[int]
    ) -> tuple[list[Evidence], RotationFacts | None]:
        """Test open experts of the layers that bytes were kept for, against some models."""
        if not any(len(open_[layer]) for layer in self._layers):
            return [], None
        neurons = rotation_rows(self._question, self._sampler.rows)
        asked = self._sampler, self._question, self._layers, open_, sorted(models)
        evidence, found = rotated_evidence(*asked)
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
    sampler: Sampler,
    question: Question,
    layers: Sequence[int],
    open_: Mapping[int, Ints],
    models: Collection[int],
) -> tuple[list[Evidence], Calibration]:
    """Open experts of some layers against references of some models, whatever the bases.

    References of one model are a pool of their own, as each has a basis of its own.
    """
    sketches = _Sketches(sampler, rotation_rows(question, sampler.rows))
    known = question.models
    numbers = {
        (model, layer): experts
        for model in models
        for layer in layers
        if (experts := known.experts_of(sampler.reference.experts(layer), [model]))
    }
    references = {}
    for (model, layer), experts in numbers.items():
        gains = known.gains(layer, model)[1]
        (raw,) = sketches.read(sampler.reference, layer, experts, [gains])
        references[model, layer] = prepare_references(raw)
    evidence: list[Evidence] = []
    null: list[Float64] = []
    for layer in layers:
        here = [model for model in models if (model, layer) in numbers]
        experts = open_[layer].tolist()
        if not experts or not here:
            continue
        ours = [known.gains(layer, model)[0] for model in here]
        found = sketches.read(sampler.target, layer, experts, ours)
        for model, raw in zip(here, found, strict=True):
            z = _scores(raw, references[model, layer])
            others = [
                _scores(raw, prepared)
                for (of, one), prepared in references.items()
                if of == model and known.layer(one, model) != known.layer(layer, model)
            ]
            null += others
            found_here = _evidence(layer, open_[layer], (numbers[model, layer], z), others)
            evidence.append(found_here.likely())
    return evidence, calibrate(null, np.random.default_rng(question.request.seed))


def _evidence(
    layer: int, experts: Ints, scored: tuple[Sequence[int], Float64], others: Sequence[Float64]
) -> Evidence:
    """Z against references of a layer, by their numbers; others fill the pool of a few."""
    numbers, z = np.asarray(scored[0], dtype=np.int64), scored[1]
    few = len(numbers) <= MIN_POOL and others
    contrast = leave_one_out_contrast(z, np.concatenate(others, axis=1) if few else None)
    return Evidence(
        layer,
        np.repeat(experts, len(numbers)),
        np.tile(numbers, len(experts)),
        z.ravel(),
        contrast.ravel(),
    )


def _scores(raw: Float32, references: tuple[Preparation, Prepared]) -> Float64:
    preparation, prepared = references
    return z_scores(prepare_targets(raw, preparation), prepared)


@dataclass(frozen=True, slots=True)
class _Sketches:
    """Reads neurons of gate and up as their cosines with some of them."""

    sampler: Sampler
    neurons: Sequence[int]

    def read(
        self,
        side: ExpertSide,
        layer: int,
        experts: Sequence[int],
        gains: Sequence[Float32 | None],
    ) -> list[Float32]:
        """`[experts, coordinates, neurons]` for each of some gains, multiplied in if not None."""
        parts: list[list[Float32]] = [[] for _ in gains]
        for start in range(0, len(experts), _AT_A_TIME):
            some = experts[start : start + _AT_A_TIME]
            gate, up = (self._weights(side, layer, some, one) for one in _PROJECTIONS)
            for own, gain in zip(parts, gains, strict=True):
                own.append(anchored(gate, up) if gain is None else anchored(gate * gain, up * gain))
        return [np.concatenate(own) for own in parts]

    def _weights(
        self, side: ExpertSide, layer: int, experts: Sequence[int], projection: Projection
    ) -> Float32:
        """Decoded rows: inner products over hidden dimensions need every scale."""
        raw = self.sampler.read(side, layer, experts, projection, self.neurons)
        scales = self.sampler.scales(side, layer, experts, self.neurons, projection)
        values = raw if scales is None or scales.applied else raw * scales.values
        return without_nan(np.asarray(values, dtype=np.float32))
