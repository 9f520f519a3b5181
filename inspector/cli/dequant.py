"""`dequant`: find the weights, decode them once, report and export on the way."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from inspector.analysis.plan import PlannedReads
from inspector.analysis.requantize import why_not_verified
from inspector.analysis.values import Looks, Output, WeightValues, dequant_document, examine_weight
from inspector.checkpoint import Checkpoint
from inspector.checkpoint.reader import Part
from inspector.cli.choosing import Choice, choose, refuse_large, refuse_over_budget
from inspector.cli.common import InputOptions, OutputOptions, finish, opened, write_plan
from inspector.cli.exporting import Export, check_export, exporting, provenance
from inspector.cli.output import say, write_view
from inspector.decode.numeric import Float32
from inspector.layout.weights import Weight
from inspector.render.text import counted
from inspector.render.values import Preview, values_view

_PREVIEW_ROWS: Final = 4
_PREVIEW_COLUMNS: Final = 6
_PREVIEWED: Final = 3


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked besides the choice: an export and its dtype, norms, a check of the codes."""

    file: str | None
    dtype: str
    norms: bool
    verify: bool


def run(inputs: InputOptions, outputs: OutputOptions, choice: Choice, ask: Ask) -> None:
    """Decode the weights that a choice names."""
    outputs.resolved()
    if ask.file is not None:
        check_export(ask.file, ask.dtype)
    with opened(inputs) as checkpoint:
        chosen = choose(checkpoint, inputs, choice)
        reads = checkpoint.reader.expect(chosen)
        if inputs.plan:
            what = f"{counted(len(chosen), 'weight')}, scales included"
            weights = PlannedReads(what=what, requests=reads.requests, bytes=reads.bytes)
            planned = [checkpoint.planned_so_far("finding the weights"), weights]
            write_plan("dequant", planned, checkpoint, outputs)
            return
        refuse_large(checkpoint, inputs, reads.bytes)
        refuse_over_budget(checkpoint, inputs, chosen, reads.bytes)
        previews: list[Preview] = []
        with _export_to(ask, chosen, checkpoint) as export:
            found = _examine_all(checkpoint, chosen, ask, export, previews)
        written = _written(ask, export)
        document = dequant_document(
            found, written, checkpoint.model, checkpoint.cost, checkpoint.problems
        )
        view = values_view(document, previews)
    write_view(view, outputs, checkpoint.problems)
    if ask.verify:
        _say_unverified(chosen)
    if written is not None:
        say(
            f"wrote {written.path}: {counted(len(found), 'tensor')}, {written.dtype}, "
            f"{written.bytes:,} bytes"
        )
    finish(checkpoint)


def _say_unverified(chosen: list[Part]) -> None:
    """A line for each reason why weights were not quantized again."""
    by_reason: dict[str, list[str]] = {}
    for part in chosen:
        reason = why_not_verified(part.weight, part.columns)
        if reason is not None:
            by_reason.setdefault(reason, []).append(part.weight.name)
    for reason, (first, *more) in by_reason.items():
        others = f" and {len(more)} more" if more else ""
        say(f"not verified: {first}{others}: {reason}")


def _export_to(
    ask: Ask, chosen: list[Part], checkpoint: Checkpoint
) -> AbstractContextManager[Export | None]:
    if ask.file is None:
        return nullcontext()
    source = checkpoint.source
    metadata = provenance(chosen, source.location, source.commit)
    return exporting(Path(ask.file), chosen, ask.dtype, metadata)


def _written(ask: Ask, export: Export | None) -> Output | None:
    if ask.file is None or export is None:
        return None
    return Output(
        path=ask.file,
        dtype=ask.dtype,
        bytes=Path(ask.file).stat().st_size,
        overflowed=sum(export.lost.values()),
    )


def _examine_all(
    checkpoint: Checkpoint,
    chosen: list[Part],
    ask: Ask,
    export: Export | None,
    previews: list[Preview],
) -> list[WeightValues]:
    """Every part decoded once: its values to the export, its first ones to the previews."""
    bar = _Bar(checkpoint, sum(part.stop - part.start for part in chosen))
    narrow = ask.file is not None and ask.dtype != "float32"

    def sink(weight: Weight, values: Float32) -> None:
        if len(previews) < _PREVIEWED and all(one.name != weight.name for one in previews):
            previews.append(_preview(weight, values))
        if export is not None:
            export.take(weight, values)
        bar.advance(len(values) if values.ndim else 1)

    return [
        examine_weight(
            part.weight,
            checkpoint.reader,
            (part.start, part.stop),
            sink,
            Looks(part.columns, norms=ask.norms, verify=ask.verify, narrow=narrow),
        )
        for part in chosen
    ]


@dataclass(slots=True)
class _Bar:
    """Rows that are decoded, on the progress bar."""

    checkpoint: Checkpoint
    total: int
    done: int = 0

    def advance(self, rows: int) -> None:
        self.done += rows
        self.checkpoint.policy.progress("rows decoded", self.done, self.total)


def _preview(weight: Weight, values: Float32) -> Preview:
    """The first numbers of a weight; those of a vector one below the other."""
    table = values.reshape(len(values), -1) if values.ndim else values.reshape(1, 1)
    if values.ndim == 1:
        table = table.T
    return Preview(weight.name, table[:_PREVIEW_ROWS, :_PREVIEW_COLUMNS].tolist())
