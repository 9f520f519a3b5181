"""`dequant`: find the weights, decode them once, report and export on the way."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Final

from inspector.analysis.listing import in_layers_and_experts
from inspector.analysis.plan import PlannedReads
from inspector.analysis.values import Output, WeightValues, examine_weight
from inspector.checkpoint import Checkpoint
from inspector.checkpoint.reader import Part
from inspector.cli.common import (
    UNASKED_BYTES,
    InputOptions,
    OutputOptions,
    finish,
    opened,
    write_plan,
)
from inspector.cli.options import ExportDtype
from inspector.cli.output import atomic_file, say, write_view
from inspector.decode.numeric import Float32
from inspector.errors import BudgetExceeded, NameNotFound, UsageError
from inspector.layout.select import is_literal, not_found, select_one_place
from inspector.layout.weights import Weight
from inspector.render.export import export_header, export_values, overflowed
from inspector.render.text import counted, decimal_bytes
from inspector.render.values import Preview, values_view
from inspector.version import __version__

_PREVIEW_ROWS: Final = 4
_PREVIEW_COLUMNS: Final = 6
_PREVIEWED: Final = 3

Sink = Callable[[Weight, Float32], None]


def run(
    inputs: InputOptions,
    outputs: OutputOptions,
    targets: Sequence[str],
    *,
    rows: str | None,
    file: str | None,
    dtype: ExportDtype,
) -> None:
    """Decode the weights that the targets name; `file` is the export."""
    outputs.resolved()
    if file is not None and not file.endswith(".safetensors"):
        raise UsageError(f"--output {file}: an export is a .safetensors file")
    with opened(inputs) as checkpoint, ExitStack() as stack:
        if all(is_literal(target) for target in targets):
            checkpoint.only_naming([target.removesuffix(".weight") for target in targets])
        chosen = [
            Part(weight, *_rows_of(weight, rows))
            for weight in _find_weights(checkpoint, inputs, targets, rows)
        ]
        reads = checkpoint.reader.expect(chosen)
        if inputs.plan:
            what = f"{counted(len(chosen), 'weight')}, scales included"
            planned = PlannedReads(what=what, requests=reads.requests, bytes=reads.bytes)
            write_plan("dequant", [planned], checkpoint, outputs)
            return
        _refuse_large(checkpoint, inputs, reads.bytes)
        _refuse_over_budget(checkpoint, inputs, chosen, reads.bytes)
        sink = None
        if file is not None:
            sink = stack.enter_context(_export(Path(file), chosen, dtype, checkpoint))
        previews: list[Preview] = []
        found = [_examine(checkpoint, part, sink, previews) for part in chosen]
        stack.close()
        written = None
        if file is not None:
            written = Output(path=file, dtype=dtype.value, bytes=Path(file).stat().st_size)
        view = values_view(
            found, previews, written, checkpoint.model, checkpoint.cost, checkpoint.problems
        )
    write_view(view, outputs, checkpoint.problems)
    if written is not None:
        say(
            f"wrote {written.path}: {counted(len(found), 'tensor')}, {written.dtype}, "
            f"{written.bytes:,} bytes"
        )
    finish(checkpoint)


def _refuse_large(checkpoint: Checkpoint, inputs: InputOptions, size: int) -> None:
    """Over a network, more than a few GB are read only by a person who says so."""
    if checkpoint.is_remote and inputs.max_bytes is None and size > UNASKED_BYTES:
        raise BudgetExceeded(
            f"these weights are {decimal_bytes(size)}; more than {decimal_bytes(UNASKED_BYTES)} "
            "over a network is read only when asked for",
            hint=f"choose fewer, or say --max-bytes {-(-size // 10**9)}GB",
        )


def _refuse_over_budget(
    checkpoint: Checkpoint, inputs: InputOptions, chosen: Sequence[Part], size: int
) -> None:
    """Say before the first read which weights --max-bytes leaves no room for."""
    if inputs.byte_budget is None:
        return
    left = max(0, inputs.byte_budget - checkpoint.ledger.bytes)
    if size <= left:
        return
    ends = accumulate(len(part.weight.span(part.start, part.stop)) for part in chosen)
    missing = [part.weight.name for part, end in zip(chosen, ends, strict=True) if end > left]
    named = missing or [chosen[-1].weight.name]
    more = f" and {len(named) - 1} more" if len(named) > 1 else ""
    raise BudgetExceeded(
        f"these weights take {size:,} bytes, --max-bytes {inputs.byte_budget:,} leaves {left:,}; "
        f"missing would be: {named[0]}{more}",
        hint="raise --max-bytes, or ask for less",
    )


def _examine(
    checkpoint: Checkpoint, part: Part, sink: Sink | None, previews: list[Preview]
) -> WeightValues:
    first: list[Float32] = []

    def take(weight: Weight, values: Float32) -> None:
        if not first:
            first.append(values)
        if sink is not None:
            sink(weight, values)

    rows = (part.start, part.stop)
    found = examine_weight(part.weight, checkpoint.reader, rows, take)
    if first and len(previews) < _PREVIEWED:
        table = first[0].reshape(len(first[0]), -1) if first[0].ndim else first[0].reshape(1, 1)
        if first[0].ndim == 1:
            table = table.T
        corner = table[:_PREVIEW_ROWS, :_PREVIEW_COLUMNS]
        previews.append(Preview(part.weight.name, corner.tolist()))
    return found


def _find_weights(
    checkpoint: Checkpoint,
    inputs: InputOptions,
    targets: Sequence[str],
    rows_option: str | None,
) -> list[Weight]:
    """The weights of all targets, each once: stored ones, else experts inside fused tensors."""
    book = checkpoint.weights
    found: dict[str, Weight] = {}
    for target in targets:
        rows = select_one_place(book.catalog.names, target)
        rows = in_layers_and_experts(
            book.catalog, rows, inputs.layer_numbers, inputs.expert_numbers
        )
        if rows_option is None:
            _refuse_large(checkpoint, inputs, int(book.catalog.sizes(rows).sum()))
        weights = list(book.stored_weights(rows))
        if len(rows) and not weights:
            name = book.catalog.names.name(int(rows[0]))
            raise NameNotFound(f"{name} is a scale", hint="name the weight; its scale goes with it")
        if not weights:
            weights = list(book.fused_weights(select_one_place(book.fused_names(), target)))
        if not weights:
            names = book.fused_names() if len(book.fused_names()) else book.catalog.names
            raise not_found(names, target, checkpoint.source.location)
        found |= {weight.name: weight for weight in weights}
    return list(found.values())


def _rows_of(weight: Weight, text: str | None) -> tuple[int, int]:
    """`A:B` as rows of a weight, each side optional."""
    if text is None:
        return 0, weight.rows
    match = re.fullmatch(r"(\d*):(\d*)", text.strip())
    if match is None:
        raise UsageError(f"--rows {text!r}: not A:B", hint="--rows 0:128 are rows 0 to 127")
    start = int(match[1] or 0)
    stop = int(match[2] or weight.rows)
    if not start < stop <= weight.rows:
        raise UsageError(f"--rows {text}: {weight.name} has rows 0:{weight.rows}")
    return start, stop


@contextmanager
def _export(
    path: Path,
    chosen: Sequence[Part],
    dtype: ExportDtype,
    checkpoint: Checkpoint,
) -> Iterator[Sink]:
    """A sink that writes values as they come, to a file that appears when all have."""
    shapes = [(part.weight.name, part.shape) for part in chosen]
    header = export_header(shapes, dtype.value, _provenance(checkpoint, chosen))
    lost: dict[str, int] = {}
    with atomic_file(path) as file:
        file.write(header)

        def sink(weight: Weight, values: Float32) -> None:
            beyond = overflowed(values, dtype.value)
            if beyond:
                lost[weight.name] = lost.get(weight.name, 0) + beyond
            file.write(export_values(values, dtype.value))

        yield sink
    for name, count in lost.items():
        say(f"warning: {count:,} values of {name} are infinite as {dtype.value}")


def _provenance(checkpoint: Checkpoint, chosen: Sequence[Part]) -> dict[str, str]:
    facts = {
        "format": "pt",
        "tool": f"s1inspect {__version__}",
        "source": checkpoint.source.location,
        "commit": checkpoint.source.commit or "",
    }
    for part in chosen:
        weight = part.weight
        scale = f" x {weight.scale.tensor.name}" if weight.scale else ""
        is_whole = (part.start, part.stop) == (0, weight.rows)
        rows = "" if is_whole else f" rows {part.start}:{part.stop}"
        facts[f"from.{weight.name}"] = f"{weight.tensor.dtype} {weight.tensor.name}{scale}{rows}"
    return facts
