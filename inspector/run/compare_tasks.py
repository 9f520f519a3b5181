"""Pairs of weights as tasks: some pairs each, in the order of their names."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

from inspector.analysis.compare.lineage import Lineage
from inspector.analysis.compare.samples import Sample
from inspector.analysis.compare.weight_diff import WeightRow, compare_pair
from inspector.checkpoint.comparison import parts_of_side
from inspector.checkpoint.policy import ReadPolicy
from inspector.checkpoint.reader import Part, Reader
from inspector.decode.device import CPU, open_device
from inspector.run.folder import RunFolder
from inspector.run.packing import packed, unpacked
from inspector.run.recipe import Recipe, TaskInput, marks_of
from inspector.run.tasks import (
    TASK_BYTES,
    TASK_ITEMS,
    Crew,
    batches,
    digest_of,
    jobs_inside,
    results_of,
)
from inspector.source.base import Source
from inspector.source.pool import map_ordered

_LINEAGE: Final = "lineage.json"

Opened = tuple[Recipe, Source]
"""A checkpoint that is open here, and how to open it elsewhere."""


@dataclass(frozen=True, slots=True)
class PairTask:
    """Compare some pairs on a device; the result is the row of each."""

    name: str
    inputs: tuple[TaskInput, ...]
    size: int
    samples: tuple[Sample, ...]
    device: str = CPU

    def run(self, sources: Sequence[Source]) -> bytes:
        device = open_device(self.device)
        jobs = self.inputs[0].recipe.jobs
        readers = Reader(sources[0], ReadPolicy(jobs)), Reader(sources[1], ReadPolicy(jobs))
        for side, reader in enumerate(readers):
            reader.expect([part for one in self.samples for part in parts_of_side(one, side)])
        found = map_ordered(
            lambda one: compare_pair(one, readers, device),
            self.samples,
            jobs=jobs_inside(self, jobs),
        )
        return packed(list(found))


def pair_tasks(
    samples: Sequence[Sample], sides: tuple[Opened, Opened], device: str = CPU
) -> list[PairTask]:
    """The samples as tasks, in their order; `device` is a name of `open_device`."""
    sizes = [
        sum(
            len(part.weight.span(part.start, part.stop))
            for side in (0, 1)
            for part in parts_of_side(one, side)
        )
        for one in samples
    ]
    return [
        replace(_task(number, samples[some], sum(sizes[some]), sides), device=device)
        for number, some in enumerate(batches(sizes, max_bytes=TASK_BYTES, max_items=TASK_ITEMS))
    ]


def rows_of(
    tasks: Sequence[PairTask], crew: Crew, folder: RunFolder | None, tell: Callable[[int], None]
) -> list[WeightRow]:
    """What was found of each pair, in order."""
    found = results_of(
        tasks, crew, folder, lambda content: unpacked(content, list[WeightRow]), tell
    )
    return [row for some in found for row in some]


def kept_lineage(folder: RunFolder, find: Callable[[], Lineage]) -> Lineage:
    """The lineage that was found before, or that `find` gives.

    It is found here, not by a worker: products of matrices depend on the threads of BLAS.
    """
    content = folder.load(_LINEAGE)
    kept = None if content is None else unpacked(content, Lineage)
    if kept is None:
        kept = find()
        folder.save(_LINEAGE, packed(kept))
    return kept


def _task(
    number: int, samples: Sequence[Sample], size: int, sides: tuple[Opened, Opened]
) -> PairTask:
    inputs: list[TaskInput] = []
    spans: list[tuple[int, str, int, int]] = []
    for side, (recipe, source) in enumerate(sides):
        parts = [part for one in samples for part in parts_of_side(one, side)]
        own = list(chain.from_iterable(map(Part.spans, parts)))
        shards = chain.from_iterable(map(Part.shards, parts))
        inputs.append(TaskInput(recipe, marks_of(source, shards)))
        spans += [(side, path, span.start, span.stop) for path, span in own]
    name = f"pairs-{number:05}-{digest_of(spans)}.json"
    return PairTask(name, tuple(inputs), size, tuple(samples))
