"""Sampled rows of a layer's experts, read in few requests: the injected side of expert matching."""

from collections.abc import Sequence

import numpy as np

from inspector.analysis.expert_sampler import Scales
from inspector.checkpoint import Checkpoint
from inspector.decode.numeric import Float32
from inspector.errors import LayoutError
from inspector.format.codings import Action
from inspector.format.dtypes import Dtype
from inspector.layout.experts import ExpertKey
from inspector.layout.families import Projection
from inspector.layout.weights import Weight
from inspector.source.pool import map_ordered


class CheckpointExperts:
    """Experts of an open checkpoint, by layer. `MemoryExperts` in the tests is the other one."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._inventory = checkpoint.weights.experts
        if not self._inventory.layers:
            raise LayoutError(
                f"{checkpoint.source.location}: no experts of a known naming",
                hint="known: layers.N.mlp.experts.N.{gate,up,down}_proj, w1/w2/w3, and fused ones",
            )

    @property
    def layers(self) -> tuple[int, ...]:
        return self._inventory.layers

    @property
    def total_bytes(self) -> int:
        catalog = self._checkpoint.catalog
        return int(catalog.sizes(catalog.all_rows).sum())

    def experts(self, layer: int) -> tuple[int, ...]:
        return self._inventory.experts(layer)

    def shape(self, layer: int, projection: Projection) -> tuple[int, int]:
        expert = self._inventory.experts(layer)[0]
        rows, columns = self._inventory.find(ExpertKey(layer, expert, projection)).shape
        return rows, columns

    def read(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> Float32:
        """`[experts, rows, columns]` values of the rows named; one read an expert.

        Where the rows lie in one block row, each column has one scale: the codes alone serve a
        statistic that normalises columns, and the scale is not read.
        """
        reader = self._checkpoint.reader
        weights = reader.settle([self._weight(layer, expert, projection) for expert in experts])
        start, stop = min(rows), max(rows) + 1
        chosen = np.asarray(rows, dtype=np.int64) - start

        def read_one(weight: Weight) -> Float32:
            if _needs_scale(weight, start, stop):
                return reader.read_values(weight, start, stop)[chosen]
            return reader.read_unscaled(weight, start, stop)[chosen]

        jobs = self._checkpoint.policy.jobs if self._checkpoint.is_remote else 2
        return np.stack(list(map_ordered(read_one, weights, jobs=jobs)))

    def read_cost(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        """Bytes that `read` would take, without reading them."""
        if not experts:
            return 0
        weight = self._weight(layer, experts[0], projection)
        start, stop = min(rows), max(rows) + 1
        grids = weight.grids if _needs_scale(weight, start, stop) else ()
        extra = sum(len(grid.span(start, stop)) for grid in grids)
        if grids and weight.group_index is not None:
            extra += len(weight.group_index.span)
        return len(experts) * (len(weight.span(start, stop)) + extra)

    def scales(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> Scales | None:
        """What `read` left out or put in: the multipliers at the rows named; one read an expert."""
        weights = [self._weight(layer, expert, projection) for expert in experts]
        start, stop = min(rows), max(rows) + 1
        if any(weight.scale is None for weight in weights):
            return None

        def read_one(weight: Weight) -> Float32:
            return self._checkpoint.reader.read_scale_rows(weight, rows)

        jobs = self._checkpoint.policy.jobs if self._checkpoint.is_remote else 2
        values = np.stack(list(map_ordered(read_one, weights, jobs=jobs)))
        return Scales(values, applied=_needs_scale(weights[0], start, stop))

    def scale_cost(self, layer: int, experts: Sequence[int], projection: Projection) -> int:
        """Bytes that `scales` would take."""
        if not experts:
            return 0
        weight = self._weight(layer, experts[0], projection)
        return len(experts) * len(weight.scale.span(0, weight.rows)) if weight.scale else 0

    def dtype(self, layer: int, projection: Projection) -> Dtype:
        expert = self._inventory.experts(layer)[0]
        return self._weight(layer, expert, projection).tensor.dtype

    def _weight(self, layer: int, expert: int, projection: Projection) -> Weight:
        return self._checkpoint.weights.expert(ExpertKey(layer, expert, projection))


def _needs_scale(weight: Weight, start: int, stop: int) -> bool:
    """Whether a column of these rows has more than one factor, or something taken off its codes."""
    return any(
        grid.action in (Action.SUBTRACT, Action.ADD)
        or start // grid.block[0] != (stop - 1) // grid.block[0]
        for grid in weight.grids
    )
