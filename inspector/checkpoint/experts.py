"""Sampled rows of a layer's experts, read in few requests: the injected side of expert matching."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np

from inspector.analysis.expert_sides import Scales
from inspector.analysis.report import Reads
from inspector.catalog import TensorRow
from inspector.checkpoint import Checkpoint
from inspector.decode.numeric import Float32
from inspector.errors import LayoutError
from inspector.format.codings import Action
from inspector.format.dtypes import Dtype
from inspector.layout.experts import ExpertKey
from inspector.layout.families import Projection
from inspector.layout.scales import ScaleGrid
from inspector.layout.weights import Weight
from inspector.source.pool import map_ordered

Item = TypeVar("Item")
Result = TypeVar("Result")

_LOCAL_JOBS: Final = 2
"""Reads of files on disk that go on beside each other, of one side."""


class CheckpointExperts:
    """Experts of an open checkpoint, by layer. `MemoryExperts` in the tests is the other one.

    `turned`: every matrix is taken as its transpose and decoded. Where fused tensors are stored
    inputs first, rows of that are runs of bytes; of others the whole matrix is read.
    """

    def __init__(self, checkpoint: Checkpoint, *, turned: bool = False) -> None:
        checkpoint.take_shapes()
        self._checkpoint = checkpoint
        self._turned = turned
        self._inventory = checkpoint.weights.experts
        if not self._inventory.layers:
            raise LayoutError(
                f"{checkpoint.source.location}: no experts of a known naming",
                hint="known: layers.N.mlp.experts.N.{gate,up,down}_proj, w1/w2/w3, and fused ones",
            )

    @property
    def is_turned(self) -> bool:
        """Whether every matrix is taken as its transpose."""
        return self._turned

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
        return (columns, rows) if self._turned else (rows, columns)

    def read(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> Float32:
        """`[experts, rows, columns]` values of the rows named; one read an expert.

        Where the rows lie in one block row, each column has one scale: the codes alone serve a
        statistic that normalises columns, and the scale is not read.
        """
        reader = self._checkpoint.reader
        weights = reader.settle([self._weight(layer, expert, projection) for expert in experts])
        _, columns = self.shape(layer, projection)
        found = np.empty((len(weights), len(rows), columns), dtype=np.float32)

        def read_one(place: int) -> None:
            found[place] = self._rows(weights[place], rows)

        for _ in self._each(read_one, _by_new_shards(weights)):
            pass
        return found

    def _each(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """What reads give, beside each other.

        Over a network all that are asked for share threads: also what is read ahead, of either
        side, takes its turn.
        """
        if self._checkpoint.is_remote:
            return self._checkpoint.policy.lanes.map_ordered(function, items)
        return map_ordered(function, items, jobs=_LOCAL_JOBS)

    def _rows(self, weight: Weight, rows: Sequence[int]) -> Float32:
        """Those rows of one expert's matrix, or of its transpose."""
        part = self._part(weight, rows)
        read = self._checkpoint.reader
        values = (read.read_values if part.needs_scale else read.read_unscaled)(
            part.weight, part.start, part.stop
        )
        if part.is_whole:
            return np.ascontiguousarray(values[:, list(rows)].T)
        return values[np.asarray(rows, dtype=np.int64) - part.start]

    def _part(self, weight: Weight, rows: Sequence[int]) -> "_Part":
        """What is read for rows of a matrix, or of its transpose."""
        start, stop = min(rows), max(rows) + 1
        if not self._turned:
            return _Part(weight, start, stop, needs_scale=_needs_scale(weight, start, stop))
        turned = weight.turned()
        if turned is None:
            return _Part(weight, 0, weight.rows, needs_scale=bool(weight.grids), is_whole=True)
        return _Part(turned, start, stop, needs_scale=bool(turned.grids))

    def read_cost(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        """Bytes that `read` would take, without reading them."""
        if not experts:
            return 0
        part = self._part(self._weight(layer, experts[0], projection), rows)
        spans = [one for _, one in part.weight.spans(part.start, part.stop)]
        spans += [one for grid in part.grids for _, one in grid.spans(part.start, part.stop)]
        if part.group_index is not None:
            spans.append(part.group_index.span)
        states = self._state_reads(layer, experts, projection)
        return len(experts) * sum(map(len, spans)) + states.bytes

    def read_requests(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        """Reads that `read` would take, without making them."""
        if not experts:
            return 0
        part = self._part(self._weight(layer, experts[0], projection), rows)
        each = sum(1 for _ in part.weight.spans(part.start, part.stop))
        each += sum(1 for grid in part.grids for _ in grid.spans(part.start, part.stop))
        each += part.group_index is not None
        return len(experts) * each + self._state_reads(layer, experts, projection).requests

    def _state_reads(self, layer: int, experts: Sequence[int], projection: Projection) -> Reads:
        """What the states of matrices take, where there are such beside them."""
        if not self._weight(layer, experts[0], projection).states:
            return Reads(requests=0, bytes=0)
        weights = (self._weight(layer, expert, projection) for expert in experts)
        spans = ((tensor.shard, tensor.span) for weight in weights for tensor in weight.states)
        return self._checkpoint.reader.plan_spans(spans)

    def scales(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> Scales | None:
        """What `read` left out or put in: the multipliers at the rows named; one read an expert."""
        reader = self._checkpoint.reader
        weights = [self._weight(layer, expert, projection) for expert in experts]
        start, stop = min(rows), max(rows) + 1
        if self._turned or any(weight.scale is None for weight in weights):
            return None
        if any(weight.scale and weight.scale.nested for weight in weights):
            weights = reader.settle(weights)  # their offsets are in their states

        def read_one(weight: Weight) -> Float32:
            return reader.read_scale_rows(weight, rows)

        values = np.stack(list(self._each(read_one, weights)))
        return Scales(values, applied=_needs_scale(weights[0], start, stop))

    def scale_cost(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> int:
        """Bytes that `scales` would take."""
        if not experts or self._turned:
            return 0
        weight = self._weight(layer, experts[0], projection)
        if weight.scale is None:
            return 0
        spans = [one for _, one in weight.scale.spans(min(rows), max(rows) + 1)]
        if weight.group_index is not None and weight.scale.shape[1] > 1:
            spans.append(weight.group_index.span)
        is_coded = weight.scale.nested is not None
        states = self._state_reads(layer, experts, projection).bytes if is_coded else 0
        return len(experts) * sum(map(len, spans)) + states

    def dtype(self, layer: int, projection: Projection) -> Dtype:
        expert = self._inventory.experts(layer)[0]
        return self._weight(layer, expert, projection).tensor.dtype

    def _weight(self, layer: int, expert: int, projection: Projection) -> Weight:
        return self._checkpoint.weights.expert(ExpertKey(layer, expert, projection))


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows `[start, stop)` of a weight; `is_whole` says that the rows asked for are its columns."""

    weight: Weight
    start: int
    stop: int
    needs_scale: bool
    is_whole: bool = False

    @property
    def grids(self) -> tuple[ScaleGrid, ...]:
        """What must be read beside the codes."""
        return self.weight.grids if self.needs_scale else ()

    @property
    def group_index(self) -> TensorRow | None:
        """The group of each column, read where grids are."""
        return self.weight.group_index if self.needs_scale else None


def _by_new_shards(weights: Sequence[Weight]) -> list[int]:
    """The places of weights, the first of each shard before the others.

    A hub says where a shard is when rows of it are first asked for, and whoever asks too waits: so
    that is asked while another shard is read. Of 94 layers in 184 shards that were 15 s.
    """
    first: dict[str, int] = {}
    for place, weight in enumerate(weights):
        first.setdefault(weight.tensor.shard, place)
    early = set(first.values())
    return [*first.values(), *(place for place in range(len(weights)) if place not in early)]


def _needs_scale(weight: Weight, start: int, stop: int) -> bool:
    """Whether a column of these rows has more than one factor, or something taken off its codes."""
    return any(
        grid.action in (Action.SUBTRACT, Action.ADD)
        or start // grid.block[0] != (stop - 1) // grid.block[0]
        for grid in weight.grids
    )
