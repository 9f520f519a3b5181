"""`dequant`: find the weights, decode them once, report and export on the way."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from inspector.analysis.plan import PlannedReads
from inspector.analysis.requantize import why_not_verified
from inspector.analysis.values import Looks, Output, WeightValues, dequant_document, examine_weight
from inspector.checkpoint import Checkpoint
from inspector.checkpoint.reader import Part
from inspector.cli.choosing import Choice, choose, refuse_large, refuse_over_budget
from inspector.cli.common import InputOptions, OutputOptions, finish, opened, write_plan
from inspector.cli.export_folder import check_folder, export_to
from inspector.cli.exporting import check_export, exporting
from inspector.cli.output import say, write_view
from inspector.cli.running import RunOptions
from inspector.decode.numeric import Float32
from inspector.layout.weights import Weight
from inspector.render.text import counted
from inspector.render.values import Preview, preview_first, values_view
from inspector.render.view import View
from inspector.run.export_file import Export, provenance


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked besides the choice: an export and its dtype, norms, a check of the codes."""

    file: str | None
    dtype: str
    norms: bool
    verify: bool


def run(
    inputs: InputOptions, outputs: OutputOptions, choice: Choice, ask: Ask, running: RunOptions
) -> None:
    """Decode the weights that a choice names."""
    outputs.resolved()
    check_folder(running, ask.file)
    if ask.file is not None:
        check_export(ask.file, ask.dtype)
    with opened(inputs) as checkpoint:
        chosen = choose(checkpoint, inputs, choice)
        reader = checkpoint.reader
        reads = reader.expect(chosen) if running.out is None else reader.plan(chosen)
        if inputs.plan:
            what = f"{counted(len(chosen), 'weight')}, scales included"
            is_estimate = any(part.is_estimate for part in chosen)
            weights = PlannedReads(
                what=what, requests=reads.requests, bytes=reads.bytes, is_estimate=is_estimate
            )
            planned = [checkpoint.planned_so_far("finding the weights"), weights]
            write_plan("dequant", planned, checkpoint, outputs)
            return
        refuse_large(checkpoint, inputs, reads.bytes)
        refuse_over_budget(checkpoint, inputs, chosen, reads.bytes)
        if running.out is None:
            view, wrote = _examined(checkpoint, chosen, ask)
        else:
            asked: dict[str, str | bool | None] = {
                "--dtype": ask.dtype,
                "--norms": ask.norms,
                "--verify": ask.verify,
            }
            view, wrote = export_to(running.out, running, inputs, checkpoint, choice, chosen, asked)
    write_view(view, outputs, checkpoint.problems)
    if ask.verify:
        _say_unverified(chosen)
    if wrote is not None:
        say(wrote)
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


def _examined(checkpoint: Checkpoint, chosen: list[Part], ask: Ask) -> tuple[View, str | None]:
    """Decode every part: the report, and what is to be said of the file that was asked for."""
    previews: list[Preview] = []
    with _export_to(ask, chosen, checkpoint) as export:
        found = _examine_all(checkpoint, chosen, ask, export, previews)
    written = _written(ask, export)
    document = dequant_document(
        found, written, checkpoint.model, checkpoint.cost, checkpoint.problems
    )
    view = values_view(document, previews)
    if written is None:
        return view, None
    tensors = counted(len(found), "tensor")
    return view, f"wrote {written.path}: {tensors}, {written.dtype}, {written.bytes:,} bytes"


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
        preview_first(previews, weight.name, values)
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
