"""The view of a comparison: tables in the order people ask, one flat table for programs."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from inspector.analysis.compare.config_diff import ConfigRow, Status
from inspector.analysis.compare.derived import Derived
from inspector.analysis.compare.files import FileRow, FilesDiff, Template
from inspector.analysis.compare.lineage import Lineage
from inspector.analysis.compare.report import CompareDocument, Comparison
from inspector.analysis.compare.tensor_diff import Folded, StoredAs, TensorsDiff, folded
from inspector.analysis.compare.weight_diff import WeightSummary
from inspector.analysis.config_meaning import Section
from inspector.analysis.name_lists import Names
from inspector.analysis.report import Cost, Model
from inspector.errors import Problem
from inspector.render.document import render_json
from inspector.render.params import params_by_component
from inspector.render.tables import Cell, Column, Table
from inspector.render.text import counted, percent, plain_number, short_count
from inspector.render.view import View

_NOTHING: Final = "-"
_SHARES: Final = ("share", "sparsity")
_TITLES: Final = {
    Section.TEXT: "text model",
    Section.VISION: "vision model",
    Section.QUANTIZATION: "quantization",
    Section.TOKENS: "special tokens of the config",
    Section.REST: "the rest of the config",
}
_MARKS: Final = {
    Status.SAME: "same",
    Status.CHANGED: "differs",
    Status.ONLY_MODEL: "model only",
    Status.ONLY_REF: "ref only",
}


def compare_view(
    found: Comparison,
    models: tuple[Model, Model],
    cost: Cost,
    findings: Sequence[Problem],
    *,
    differences_only: bool = False,
) -> View:
    """The view of a comparison; `differences_only` leaves out what is the same."""
    document = _document(found, models, cost, findings)
    return View(
        headline=_headline(found, *models),
        tables=lambda: [
            *_config_tables(found.config, differences_only=differences_only),
            *_meanings(found.config),
            *_derived_tables(found.parameters.derived),
            *_parameter_tables(found),
            *_file_tables(found.files, differences_only=differences_only),
            *_tensor_tables(found.tensors),
            *_weight_tables(document),
            *_lineage_tables(found.lineage),
        ],
        rows=lambda: Table(_FLAT, _flat(found)),
        names=lambda: (row[1] for row in _flat(found) if row[-1] != Status.SAME),
        document=lambda: render_json(document),
        footer=_footer(found),
    )


def _document(
    found: Comparison, models: tuple[Model, Model], cost: Cost, findings: Sequence[Problem]
) -> CompareDocument:
    model, ref = models
    return CompareDocument(
        schema="s1inspect/compare/1",
        model=model,
        cost=cost,
        findings=list(findings),
        ref=ref,
        config=found.config,
        parameters=found.parameters,
        files=found.files,
        tensors=found.tensors,
        lineage=found.lineage,
        weight_groups=found.weight_groups,
        left_out=found.left_out,
        weights=found.weights,
    )


def _headline(found: Comparison, model: Model, ref: Model) -> str:
    differing = sum(row.status != Status.SAME for row in found.config)
    totals = [
        short_count(best.total)
        for side in (found.parameters.model, found.parameters.ref)
        if side and (best := side.stored or side.formula)
    ]
    sizes = f"; {' against '.join(totals)} parameters" if len(totals) == 2 else ""
    return (
        f"{model.location} against {ref.location}: {differing:,} of "
        f"{counted(len(found.config), 'config field')} differ{sizes}"
    )


_SIDES: Final = (Column("model"), Column("ref"))


def _config_tables(rows: Sequence[ConfigRow], *, differences_only: bool) -> Iterator[Table]:
    for section in Section:
        show = _plain if section is Section.TOKENS else value
        shown = [
            (
                row.path.partition(".")[2],
                show(row.model),
                show(row.ref),
                _MARKS[Status(row.status)],
            )
            for row in rows
            if row.section == section and not (differences_only and row.status == Status.SAME)
        ]
        if shown:
            yield Table((Column("field"), *_SIDES, Column("")), shown, title=_TITLES[section])
    for row in rows:
        for side, names in (("model", row.model), ("ref", row.ref)):
            if isinstance(names, Names):
                title = f"{row.path.partition('.')[2]} of the {side}, as patterns"
                patterns = [(pattern.name,) for pattern in names.patterns]
                yield Table((Column("pattern"),), patterns, title=title)


def _meanings(rows: Sequence[ConfigRow]) -> list[Table]:
    """What differing fields mean; a note that several share is told once."""
    notes: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row.note and row.source and row.status != Status.SAME:
            notes.setdefault((row.note, row.source), []).append(row.path.rpartition(".")[2])
    told = [(", ".join(fields), note, source) for (note, source), fields in notes.items()]
    columns = (Column("field"), Column("meaning"), Column("source"))
    return [Table(columns, told, title="what these fields mean")] if told else []


def value(found: Any) -> str:
    """A config's value for people: thousands separated, nothing as a dash."""
    if found is None:
        return _NOTHING
    if isinstance(found, Names):
        unique = "all unique" if found.unique == found.entries else f"{found.unique:,} unique"
        return f"{counted(found.entries, 'name')}, {unique}"
    if isinstance(found, float) and found.is_integer() and abs(found) >= 1:
        found = int(found)
    if isinstance(found, int) and not isinstance(found, bool):
        return f"{found:,}"
    if isinstance(found, float):
        return repr(found)
    return found if isinstance(found, str) else msgspec.json.encode(found).decode()


def _derived_tables(rows: Sequence[Derived]) -> list[Table]:
    if not rows:
        return []
    columns = (
        Column("quantity"), Column("model", right=True), Column("ref", right=True),
        Column("model / ref", right=True, show=plain_number),
    )  # fmt: skip
    shown = [
        (
            row.quantity,
            _quantity(row.quantity, row.model),
            _quantity(row.quantity, row.ref),
            row.ratio,
        )
        for row in rows
    ]
    return [Table(columns, shown, title="quantities that the configs imply")]


def _quantity(name: str, number: float | None) -> str:
    if number is None:
        return _NOTHING
    if name.endswith(_SHARES):
        return percent(number)
    return f"{number:,}" if isinstance(number, int) else plain_number(number)


def _parameter_tables(found: Comparison) -> list[Table]:
    both = [side for side in (found.parameters.model, found.parameters.ref) if side]
    return params_by_component(both) if len(both) == 2 else []


def _file_tables(files: FilesDiff, *, differences_only: bool) -> Iterator[Table]:
    for rows, title in (
        (files.generation, "generation_config.json"),
        (files.special, "tokens with a role"),
        (files.tokens, f"added tokens that differ ({files.shared_tokens:,} are the same)"),
    ):
        shown = [row for row in rows if not (differences_only and row.status == Status.SAME)]
        if shown:
            columns = (Column("key"), *_SIDES, Column(""))
            yield Table(columns, [_file_row(row) for row in shown], title=title)
    if files.chat_template_model or files.chat_template_ref:
        yield _templates(files.chat_template_model, files.chat_template_ref)
    lists = [("model only", files.only_model), ("ref only", files.only_ref)]
    only = [(name, where) for where, names in lists for name in names]
    if only:
        yield Table((Column("file"), Column("")), only, title="files beside the weights")


def _file_row(row: FileRow) -> tuple[Cell, ...]:
    return row.key, _plain(row.model), _plain(row.ref), _MARKS[Status(row.status)]


def _plain(found: Any) -> str:
    """A setting or a token's number as the file has it."""
    if found is None:
        return _NOTHING
    return found if isinstance(found, str) else msgspec.json.encode(found).decode()


def _templates(model: Template | None, ref: Template | None) -> Table:
    rows = [
        (name, *(value(getattr(one, name)) if one else _NOTHING for one in (model, ref)))
        for name in Template.__struct_fields__
    ]  # fmt: skip
    return Table((Column("property"), *_SIDES), rows, title="chat templates")


def _tensor_tables(tensors: TensorsDiff | None) -> Iterator[Table]:
    if tensors is None:
        return
    columns = (
        Column("tensors"), Column("count", right=True), Column("model"), Column("ref"),
        Column("differs"),
    )  # fmt: skip
    for rows, title in (
        (tensors.changed, "tensors that differ"),
        (tensors.only_model, "tensors of the model only"),
        (tensors.only_ref, "tensors of the ref only"),
    ):
        if rows:
            yield Table(columns, [_folded_row(one) for one in folded(rows)], title=title)


def _folded_row(one: Folded) -> tuple[Cell, ...]:
    names = one.names[0] if len(one.names) == 1 else f"{{{','.join(one.names)}}}"
    sides = [_stored(side, one_shape=one.one_shape) for side in (one.model, one.ref)]
    return f"{one.place}{names}", one.tensors, *sides, ", ".join(one.differs)


def _stored(side: StoredAs | None, *, one_shape: bool) -> str:
    if side is None:
        return _NOTHING
    scale = f" with {side.scale} scales" if side.scale else ""
    shape = f" {list(side.shape)}" if one_shape else ""
    return f"{side.dtype}{shape}{scale}{', fused' if side.fused else ''}"


def _weight_tables(document: CompareDocument) -> Iterator[Table]:
    groups = document.weight_groups
    yield from _weight_table(groups.by_component, "component", "weights by component")
    yield from _weight_table(groups.by_layer, "layer", "weights by layer")


def _weight_table(rows: Sequence[WeightSummary], name: str, title: str) -> Iterator[Table]:
    if not rows:
        return
    columns = (
        Column(name), Column("pairs", right=True), Column("equal in"),
        Column("cosine", right=True, show=plain_number),
        Column("change", right=True, show=plain_number),
        Column("largest", right=True, show=plain_number),
    )  # fmt: skip
    shown = [
        (
            row.group,
            row.pairs,
            ", ".join(f"{kind} {count:,}" for kind, count in row.equal.items()),
            row.median_cosine,
            row.median_relative_change,
            row.largest_relative_change,
        )
        for row in rows
    ]
    yield Table(columns, shown, title=title)


def _lineage_tables(lineage: Lineage | None) -> list[Table]:
    if lineage is None or not lineage.evidence:
        return []
    columns = (
        Column("evidence"), Column("tensors", right=True),
        Column("effect", right=True, show=plain_number),
        Column("log10 p", right=True, show=plain_number),
    )  # fmt: skip
    rows = [(one.kind, one.tensors, one.effect, one.log10_p) for one in lineage.evidence]
    return [Table(columns, rows, title=f"hidden basis: {lineage.basis.replace('_', ' ')}")]


def _footer(found: Comparison) -> list[str]:
    lines = []
    if found.tensors is not None:
        same = sum(row.tensors for row in found.tensors.same)
        lines.append(f"{counted(same, 'tensor')} have the same name, shape, dtype and layout")
    sampled = sum(row.rows < row.rows_of for row in found.weights)
    if sampled:
        lines.append(
            f"{counted(len(found.weights), 'weight')} compared, {sampled:,} from a sample of rows; "
            "--full reads all"
        )
    if found.lineage is not None and found.lineage.evidence:
        lines.append(f"hidden basis {found.lineage.basis.replace('_', ' ')}: {found.lineage.says}")
    if found.left_out:
        lines.append(f"not compared, for they cannot be decoded: {', '.join(found.left_out[:3])}")
    if found.weights:
        lines.append(
            "cosine and change are medians over the pairs; equal in quantization: no number "
            "differs by more than its rounding"
        )
    return lines


_FLAT: Final = (
    Column("part"), Column("name"), Column("model"), Column("ref"), Column("status"),
)  # fmt: skip


def _flat(found: Comparison) -> Iterator[tuple[Cell, ...]]:
    for config in found.config:
        yield "config", config.path, _cell(config.model), _cell(config.ref), config.status
    for one in found.parameters.derived:
        status = Status.SAME if one.model == one.ref else Status.CHANGED
        yield "quantity", one.quantity, _cell(one.model), _cell(one.ref), str(status)
    files = found.files
    for row in (*files.generation, *files.special, *files.tokens):
        yield row.file, row.key, _cell(row.model), _cell(row.ref), row.status
    for status, names in ((Status.ONLY_MODEL, files.only_model), (Status.ONLY_REF, files.only_ref)):
        for name in names:
            yield "file", name, None, None, str(status)
    if found.tensors is not None:
        every = (found.tensors.changed, found.tensors.only_model, found.tensors.only_ref)
        for tensor in (*(row for rows in every for row in rows), *found.tensors.same):
            sides = [_stored(s, one_shape=True) if s else None for s in (tensor.model, tensor.ref)]
            yield "tensors", tensor.name, *sides, tensor.status
    for weight in found.weights:
        figures = f"cosine {weight.cosine}, relative change {weight.relative_change}"
        yield "weight", weight.name, figures, None, weight.equal


def _cell(found: Any) -> str | None:
    return None if found is None else _plain(found)
