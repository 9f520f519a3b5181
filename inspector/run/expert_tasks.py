"""Rows of experts read by workers: a read of a layer is cut into tasks of some experts each.

Each worker opens the checkpoint by itself, headers included, once.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from inspector.analysis.expert_sides import Scales
from inspector.checkpoint import Checkpoint, ReadPolicy
from inspector.checkpoint.experts import CheckpointExperts
from inspector.decode.numeric import Float32
from inspector.layout.families import Projection
from inspector.run.kept_experts import pack_values, unpack_values
from inspector.run.recipe import Recipe, TaskInput, access_of
from inspector.run.tasks import Crew, batches, digest_of, results_of
from inspector.source.base import Ledger, Source

EXPERTS: Final = 32
"""Experts of one task: as many reads as a worker has under way at a time."""

TASK_BYTES: Final = 64_000_000
"""And their bytes, at most: matrices may be read whole."""


@dataclass(frozen=True, slots=True)
class RowsTask:
    """Read rows of some experts of a layer, or their scales; `turned`, of the transposed matrix.

    The result is a safetensors file; an empty one says that there are no scales.
    """

    name: str
    inputs: tuple[TaskInput, ...]
    size: int
    layer: int
    experts: tuple[int, ...]
    projection: Projection
    rows: tuple[int, ...]
    scales: bool
    turned: bool = False

    def run(self, sources: Sequence[Source]) -> bytes:
        side = _opened(sources[0], self.inputs[0].recipe, turned=self.turned)
        if self.scales:
            found = side.scales(self.layer, self.experts, self.projection, self.rows)
            return b"" if found is None else pack_values(found, {})
        values = side.read(self.layer, self.experts, self.projection, self.rows)
        return pack_values(Scales(values, applied=False), {})


class WorkersExperts(CheckpointExperts):
    """Experts of a checkpoint that is open here, whose rows others read."""

    def __init__(
        self, checkpoint: Checkpoint, crew: Crew, given: TaskInput, *, turned: bool = False
    ) -> None:
        super().__init__(checkpoint, turned=turned)
        self._crew = crew
        self._given = given

    def read(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> Float32:
        found = self._found(layer, experts, projection, rows, scales=False)
        return np.concatenate([some.values for some in found if some is not None])

    def scales(
        self, layer: int, experts: Sequence[int], projection: Projection, rows: Sequence[int]
    ) -> Scales | None:
        found = self._found(layer, experts, projection, rows, scales=True)
        there = [some for some in found if some is not None]
        if len(there) < len(found):
            return None
        values = np.concatenate([some.values for some in there])
        return Scales(values, applied=there[0].applied)

    def _found(
        self,
        layer: int,
        experts: Sequence[int],
        projection: Projection,
        rows: Sequence[int],
        *,
        scales: bool,
    ) -> list[Scales | None]:
        each = self.read_cost(layer, experts[:1], projection, rows)
        cuts = batches([each] * len(experts), max_bytes=TASK_BYTES, max_items=EXPERTS)
        asked = layer, projection, list(rows), scales, self.is_turned
        tasks = [
            RowsTask(
                name=f"rows-{digest_of(*asked, list(experts[some]))}",
                inputs=(self._given,),
                size=each * len(experts[some]),
                layer=layer,
                experts=tuple(experts[some]),
                projection=projection,
                rows=tuple(rows),
                scales=scales,
                turned=self.is_turned,
            )
            for some in cuts
        ]
        return [one[0] for one in results_of(tasks, self._crew, None, _decoded)]


def _decoded(content: bytes) -> tuple[Scales | None] | None:
    """What a result says, in a tuple; None for one that is damaged."""
    if not content:
        return (None,)
    found = unpack_values(content)
    return None if found is None else (found,)


_SIDES: Final[dict[tuple[Recipe, bool], CheckpointExperts]] = {}
_LOCK: Final = threading.Lock()


def _opened(source: Source, recipe: Recipe, *, turned: bool) -> CheckpointExperts:
    """The experts of a checkpoint, its headers read once in this process."""
    with _LOCK:
        if (recipe, turned) not in _SIDES:
            checkpoint = Checkpoint(
                source,
                Ledger(),
                ReadPolicy(recipe.jobs),
                index_file=recipe.location.index,
                one_file=recipe.location.shard is not None,
                access=access_of(recipe),
            )
            for one in (False, True):
                _SIDES[recipe, one] = CheckpointExperts(checkpoint, turned=one)
        return _SIDES[recipe, turned]
