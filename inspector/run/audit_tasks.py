"""An audit's looks as tasks: some weights each, in the order in which they lie."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from inspector.analysis.quant.evidence import CodeFigures, CodeFormat, Evidence, look_into
from inspector.analysis.quant.sample import Look, spans_of
from inspector.checkpoint.policy import ReadPolicy
from inspector.checkpoint.reader import Reader
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


@dataclass(frozen=True, slots=True)
class LookTask:
    """Look into some weights; the result is the evidence of each."""

    name: str
    inputs: tuple[TaskInput, ...]
    size: int
    looks: tuple[Look, ...]

    def run(self, sources: Sequence[Source]) -> bytes:
        jobs = self.inputs[0].recipe.jobs
        reader = Reader(sources[0], ReadPolicy(jobs))
        reader.expect_spans(spans_of(self.looks))
        found = map_ordered(
            partial(look_into, reader=reader), self.looks, jobs=jobs_inside(self, jobs)
        )
        return packed([_Looked.of(one) for one in found])


@dataclass(frozen=True, slots=True)
class _Looked:
    """Evidence as JSON can hold it, where formats are no keys."""

    evidence: Evidence
    formats: tuple[tuple[CodeFormat, CodeFigures], ...]

    @classmethod
    def of(cls, evidence: Evidence) -> "_Looked":
        return cls(replace(evidence, by_format={}), tuple(evidence.by_format.items()))

    @property
    def whole(self) -> Evidence:
        return replace(self.evidence, by_format=dict(self.formats))


def look_tasks(looks: Sequence[Look], recipe: Recipe, source: Source) -> list[LookTask]:
    """The looks as tasks, in their order."""
    sizes = [sum(len(span) for _, span in look.spans()) for look in looks]
    return [
        _task(number, looks[some], sum(sizes[some]), recipe, source)
        for number, some in enumerate(batches(sizes, max_bytes=TASK_BYTES, max_items=TASK_ITEMS))
    ]


def evidence_of(
    tasks: Sequence[LookTask],
    crew: Crew,
    folder: RunFolder | None,
    tell: Callable[[int], None],
) -> list[Evidence]:
    """What is found in each of the looks, in order."""
    found = results_of(tasks, crew, folder, lambda content: unpacked(content, list[_Looked]), tell)
    return [one.whole for some in found for one in some]


def _task(
    number: int, looks: Sequence[Look], size: int, recipe: Recipe, source: Source
) -> LookTask:
    spans = [(path, span.start, span.stop) for path, span in spans_of(looks)]
    rows = [look.rows for look in looks]
    marks = marks_of(source, (path for path, _, _ in spans))
    name = f"look-{number:05}-{digest_of(spans, rows)}.json"
    return LookTask(name, (TaskInput(recipe, marks),), size, tuple(looks))
