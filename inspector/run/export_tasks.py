"""Decoded weights as a folder of files, one a layer or a part of one; each file is a task.

With the index that is written last, the folder is a checkpoint by itself.
"""

import hashlib
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

import msgspec

from inspector.analysis.values import Looks, WeightValues, examine_weight
from inspector.checkpoint.policy import ReadPolicy
from inspector.checkpoint.reader import Part, Reader
from inspector.decode.numeric import Float32
from inspector.errors import OutputError
from inspector.format.index import INDEX_NAME
from inspector.layout.weights import Weight
from inspector.render.export import EXPORT_DTYPES, export_header
from inspector.render.values import Preview, preview_first
from inspector.run.export_file import Export, provenance
from inspector.run.folder import RUN_FILE, RunFolder
from inspector.run.packing import packed, unpacked
from inspector.run.recipe import Recipe, TaskInput, marks_of
from inspector.run.tasks import Crew, batches, digest_of, results_of
from inspector.source.base import Source
from inspector.source.replacing import replacing

FILE_BYTES: Final = 2_000_000_000
"""A larger layer is cut into files of this size: what a kill costs at most, for each writer."""

OUTSIDE: Final = "outside-layers"
"""The file of weights whose names have no number."""

_LONGEST_STEM: Final = 120
_SAFE: Final = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True, slots=True)
class ExportAs:
    """What is written and looked at, into which folder, and what the files say of the source."""

    folder: str
    dtype: str
    norms: bool
    verify: bool
    location: str
    commit: str | None


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """One file that was written; `lost` counts values that became infinite, by weight."""

    file: str
    bytes: int
    lost: dict[str, int]
    weights: list[WeightValues]
    previews: list[Preview]


@dataclass(frozen=True, slots=True)
class ExportTask:
    """Write one file; the result is what a report says of it."""

    name: str
    inputs: tuple[TaskInput, ...]
    size: int
    parts: tuple[Part, ...]
    file: str
    how: ExportAs

    def run(self, sources: Sequence[Source]) -> bytes:
        how = self.how
        folder = Path(how.folder)
        if not (folder / RUN_FILE).is_file():
            raise OutputError(
                f"{folder}: is not the run's folder where this worker runs",
                hint="--out must be a folder that every worker has under the same name",
            )
        reader = Reader(sources[0], ReadPolicy(self.inputs[0].recipe.jobs))
        reader.expect(self.parts)
        shapes = [(part.weight.name, part.shape) for part in self.parts]
        header = export_header(shapes, how.dtype, provenance(self.parts, how.location, how.commit))
        path = folder / self.file
        try:
            with replacing(path, durable=True, shared=True) as file:
                file.write(header)
                export = Export(file, how.dtype)
                previews: list[Preview] = []
                weights = [self._written(part, reader, export, previews) for part in self.parts]
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
        size = path.stat().st_size
        lost = export.lost
        return packed(
            Exported(file=self.file, bytes=size, lost=lost, weights=weights, previews=previews)
        )

    def _written(
        self, part: Part, reader: Reader, export: Export, previews: list[Preview]
    ) -> WeightValues:
        how = self.how

        def sink(weight: Weight, values: Float32) -> None:
            preview_first(previews, weight.name, values)
            export.take(weight, values)

        narrow = how.dtype != "float32"
        looks = Looks(part.columns, norms=how.norms, verify=how.verify, narrow=narrow)
        return examine_weight(part.weight, reader, (part.start, part.stop), sink, looks)


def export_tasks(
    parts: Sequence[Part], how: ExportAs, recipe: Recipe, source: Source, *, file_bytes: int
) -> list[ExportTask]:
    """A task for each file: the weights of a layer, cut where they are more than `file_bytes`."""
    groups: dict[str, list[Part]] = {}
    for part in parts:
        groups.setdefault(_group(part.weight.name), []).append(part)
    tasks: list[ExportTask] = []
    for group, members in groups.items():
        sizes = [_exported_bytes(part, how.dtype) for part in members]
        cuts = list(batches(sizes, max_bytes=file_bytes, max_items=len(members)))
        for number, some in enumerate(cuts, 1):
            cut = f"-{number:05}-of-{len(cuts):05}" if len(cuts) > 1 else ""
            file = f"{_stem(group)}{cut}.safetensors"
            tasks.append(_task(len(tasks), members[some], file, how, (recipe, source)))
    return tasks


def exported(
    tasks: Sequence[ExportTask], crew: Crew, folder: RunFolder, tell: Callable[[int], None]
) -> list[Exported]:
    """What was written, file by file; and the index of all files, when they are there."""

    def decode(content: bytes) -> Exported | None:
        found = unpacked(content, Exported)
        return found if found is not None and _is_there(folder.path / found.file, found) else None

    found = results_of(tasks, crew, folder, decode, tell)
    weight_map = {weight.name: one.file for one in found for weight in one.weights}
    total = sum(_exported_bytes(part, task.how.dtype) for task in tasks for part in task.parts)
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    folder.save(INDEX_NAME, msgspec.json.format(msgspec.json.encode(index)))
    return found


def _exported_bytes(part: Part, dtype: str) -> int:
    return int(EXPORT_DTYPES[dtype][1].itemsize) * math.prod(part.shape)


def _is_there(path: Path, found: Exported) -> bool:
    return path.is_file() and path.stat().st_size == found.bytes


def _task(
    number: int, parts: Sequence[Part], file: str, how: ExportAs, opened: tuple[Recipe, Source]
) -> ExportTask:
    recipe, source = opened
    spans = list(dict.fromkeys(chain.from_iterable(map(Part.spans, parts))))
    shards = chain.from_iterable(map(Part.shards, parts))
    digest = digest_of(
        file,
        [(path, span.start, span.stop) for path, span in spans],
        [(part.weight.name, part.start, part.stop, part.columns) for part in parts],
    )
    return ExportTask(
        name=f"file-{number:05}-{digest}.json",
        inputs=(TaskInput(recipe, marks_of(source, shards)),),
        size=sum(len(part.weight.span(part.start, part.stop)) for part in parts),
        parts=tuple(parts),
        file=file,
        how=how,
    )


def _group(name: str) -> str:
    """What shares a file: the name up to its first number, which is that of a layer.

    >>> _group("model.language_model.layers.3.mlp.gate.weight"), _group("lm_head.weight")
    ('model.language_model.layers.3', '')
    """
    words = name.split(".")
    numbered = [at for at, word in enumerate(words) if word.isdigit()]
    return ".".join(words[: numbered[0] + 1]) if numbered else ""


def _stem(group: str) -> str:
    """A group as the name of a file; one that no file should have is told apart by a digest.

    >>> _stem("model.layers.3"), _stem("../layers.3")
    ('model.layers.3', '_layers.3-73854d3ac879b8b6')
    """
    safe = _SAFE.sub("_", group).lstrip(".")[:_LONGEST_STEM]
    if safe == group:
        return safe or OUTSIDE
    return f"{safe}-{hashlib.blake2b(group.encode(), digest_size=8).hexdigest()}"
