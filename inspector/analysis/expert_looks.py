"""One look at k rows of every expert that is still open: z against all references, and the null.

The rows are the same for every layer, every expert and both models, so that pairs from different
layers share coordinates and calibrate each other.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from inspector.decode.numeric import Float32
from inspector.layout.families import Projection
from inspector.stats.contrast import MIN_POOL
from inspector.stats.matching import (
    PairContrast,
    Preparation,
    Prepared,
    copy_z,
    pair_contrast,
    prepare_references,
    prepare_targets,
    standard_rows,
    unit_neurons,
    z_scores,
)

Float64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BLOCK_ROWS: Final = 128
"""Rows are chosen inside one block of this height: there every column has one FP8 scale."""

OUTLIER_RATIO: Final = 4.0
"""A row whose rms over the references exceeds this many times the median is skipped."""

_OUTLIER_REFERENCES: Final = 16
_NULL_LAYERS: Final = 4
_NULL_TARGETS: Final = 64
_PAIR_CANDIDATES: Final = 8
_PAIR_FLOOR: Final = 3.0


class ExpertSide(Protocol):
    """The experts of one model; `inspector.checkpoint.experts` reads them from a checkpoint."""

    @property
    def layers(self) -> tuple[int, ...]:
        """Layers with experts."""

    @property
    def total_bytes(self) -> int:
        """Bytes of the whole model, for the default budget."""

    def experts(self, layer: int) -> tuple[int, ...]:
        """Experts of a layer, by number."""

    def shape(self, layer: int, projection: Projection) -> tuple[int, int]:
        """`[rows, columns]` of that matrix of every expert of the layer."""

    def read(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> Float32:
        """`[experts, rows, columns]`, each column up to its own positive factor."""

    def read_cost(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        """Bytes that `read` would take."""


@dataclass(frozen=True, slots=True)
class LayerLook:
    """What one look at `rows` rows saw of one layer. `z` is `[experts, R]`, not yet deflated.

    `pool` is `[experts, P]`: the same targets against references of other layers, where R is small;
    `pairs` holds, by position in `experts`, contrasts between references that both look alike.
    """

    layer: int
    rows: int
    neurons: int
    experts: Ints
    references: Ints
    z: Float64
    pool: Float64 | None
    copy: Float64
    dead: npt.NDArray[np.bool_]
    pairs: Mapping[int, list[PairContrast]]


@dataclass(slots=True)
class Sampler:
    """Reads the chosen rows of `down_proj` of both sides; keeps references for their neighbours.

    `spent` counts the bytes that reads were estimated to take.
    """

    target: ExpertSide
    reference: ExpertSide
    layers: Sequence[int]
    rows: Sequence[int]
    spent: int = 0
    _references: dict[tuple[int, int], tuple[Preparation, Prepared]] = field(default_factory=dict)

    def targets(self, layer: int, experts: Ints, count: int) -> Float32:
        """`[experts, count, m]` of a layer's target experts."""
        return self.read(self.target, layer, experts.tolist(), Projection.DOWN, self.rows[:count])

    def references(self, layer: int, count: int) -> tuple[Preparation, Prepared]:
        """A layer's references, prepared; the last few layers are kept."""
        key = (layer, count)
        if key not in self._references:
            experts = self.reference.experts(layer)
            raw = self.read(self.reference, layer, experts, Projection.DOWN, self.rows[:count])
            width = 2 * null_width(len(self.layers), len(experts)) + 2
            while len(self._references) >= width:
                del self._references[next(iter(self._references))]
            self._references[key] = prepare_references(without_nan(raw))
        return self._references[key]

    def cost(self, layer: int, experts: Ints, count: int) -> int:
        """Bytes of a look at some experts of a layer, and at references that are not kept."""
        rows = self.rows[:count]
        others = null_layers(self.layers, layer, len(self.reference.experts(layer)))
        return self.target.read_cost(layer, experts.tolist(), Projection.DOWN, rows) + sum(
            self.reference.read_cost(one, self.reference.experts(one), Projection.DOWN, rows)
            for one in (layer, *others)
            if (one, count) not in self._references
        )

    def read(
        self,
        side: ExpertSide,
        layer: int,
        experts: Sequence[int],
        projection: Projection,
        rows: Sequence[int],
    ) -> Float32:
        """Read from a side, counting what it takes."""
        self.spent += side.read_cost(layer, experts, projection, rows)
        return side.read(layer, experts, projection, rows)


def row_block(reference: ExpertSide, layer: int, rng: np.random.Generator) -> range:
    """The block of rows that a run samples, by chance among those of `down_proj`."""
    height = reference.shape(layer, Projection.DOWN)[0]
    start = BLOCK_ROWS * int(rng.integers(max(1, height // BLOCK_ROWS)))
    return range(start, min(height, start + BLOCK_ROWS))


def outlier_sample(experts: Sequence[int]) -> Sequence[int]:
    """The references of a layer that are read over the whole block, to find outlier rows."""
    return experts[:: -(-len(experts) // _OUTLIER_REFERENCES)]


def without_outliers(sampler: Sampler, layers: Sequence[int]) -> list[int]:
    """The rows of the sampler's block whose rms is not beyond `OUTLIER_RATIO` x the median.

    Up to 16 references of each of `layers` are read over the whole block; a row that is an
    outlier in any of these layers is left out.
    """
    outlier = np.zeros(len(sampler.rows), dtype=np.bool_)
    for layer in layers:
        experts = outlier_sample(sampler.reference.experts(layer))
        raw = sampler.read(sampler.reference, layer, experts, Projection.DOWN, sampler.rows)
        rms = np.sqrt(np.mean(np.square(without_nan(raw), dtype=np.float64), axis=(0, 2)))
        outlier |= rms > OUTLIER_RATIO * np.median(rms)
    return [row for row, skipped in zip(sampler.rows, outlier, strict=True) if not skipped]


def own_scores(sampler: Sampler, layer: int, raw: Float32) -> Float64:
    """Z of some experts of a layer, `[experts, k, m]` raw rows, against its references."""
    preparation, references = sampler.references(layer, raw.shape[1])
    return z_scores(prepare_targets(without_nan(raw), preparation), references)


def look_at_layer(
    sampler: Sampler, layer: int, experts: Ints, raw: Float32
) -> tuple[LayerLook, list[Float64]]:
    """Z of one layer's experts against its references and against those of a few other layers."""
    count = raw.shape[1]
    clean = without_nan(raw)
    dead = ~np.any(clean, axis=(1, 2))
    standard = standard_rows(unit_neurons(clean))
    preparation, references = sampler.references(layer, count)
    targets = preparation.apply(standard)
    z = z_scores(targets, references)
    few = len(references) <= MIN_POOL
    sample = np.flatnonzero(~dead)
    if not few and len(sample) > _NULL_TARGETS:
        sample = sample[:: -(-len(sample) // _NULL_TARGETS)]
    null = []
    pools = []
    for other in null_layers(sampler.layers, layer, len(references)):
        other_preparation, other_references = sampler.references(other, count)
        if few:
            scores = z_scores(other_preparation.apply(standard), other_references)
            pools.append(scores)
            null.append(scores[sample])
        else:
            null.append(z_scores(other_preparation.apply(standard[sample]), other_references))
    look = LayerLook(
        layer=layer,
        rows=count,
        neurons=raw.shape[2],
        experts=experts,
        references=np.asarray(sampler.reference.experts(layer), dtype=np.int64),
        z=z,
        pool=np.concatenate(pools, axis=1) if pools else None,
        copy=copy_z(targets, references),
        dead=dead,
        pairs=_contrast_pairs(targets, references, z),
    )
    return look, null


def null_width(layers: int, references: int) -> int:
    """How many other layers calibrate a layer; enough for a contrast where references are few."""
    return min(layers - 1, max(_NULL_LAYERS, math.ceil(2 * MIN_POOL / max(1, references))))


def null_layers(layers: Sequence[int], layer: int, references: int) -> list[int]:
    """The layers before `layer`; for the first few, those around it. So few are held at a time.

    >>> null_layers(range(10), 7, 128), null_layers(range(10), 1, 128)
    ([3, 4, 5, 6], [0, 2, 3, 4])
    """
    width = null_width(len(layers), references)
    position = list(layers).index(layer)
    start = max(0, position - width)
    stop = position if position >= width else width + 1
    return [other for other in layers[start:stop] if other != layer]


def without_nan(raw: Float32) -> Float32:
    """NaN codes as zeros: they carry no direction."""
    return np.nan_to_num(raw, nan=0.0) if np.isnan(raw.sum()) else raw


def _contrast_pairs(
    targets: Prepared, references: Prepared, z: Float64
) -> dict[int, list[PairContrast]]:
    """Contrasts of the best reference with the next ones, where more than one stands out."""
    pairs = {}
    for target in np.flatnonzero((z > _PAIR_FLOOR).sum(axis=1) > 1).tolist():
        best, *others = np.argsort(-z[target])[:_PAIR_CANDIDATES].tolist()
        one = targets.take(np.array([target], dtype=np.int64))
        pairs[target] = [
            pair_contrast(one, references, best, other)
            for other in others
            if z[target, other] > _PAIR_FLOOR
        ]
    return pairs
