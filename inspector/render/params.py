"""The view of parameter counts: one model in depth, or several side by side."""

from collections.abc import Iterator, Sequence
from typing import Final

from inspector.analysis.params.report import ModelParams, ParamsDocument, models_in
from inspector.analysis.params.terms import (
    Component,
    ComponentCount,
    Conventions,
    Counts,
    Included,
)
from inspector.render.document import render_json
from inspector.render.tables import Cell, Column, Table
from inspector.render.text import decimal_bytes, escape, percent, short_count
from inspector.render.view import View

_HEADINGS: Final = 58
"""Letters that the names of models may take above a table, beside the components."""


def params_view(document: ParamsDocument) -> View:
    """The view of the parameters of some models, the first of them the one that was named."""
    found = models_in(document)
    return View(
        headline="; ".join(_headline(one) for one in found),
        tables=lambda: _of_one(found[0]) if len(found) == 1 else _of_several(found),
        rows=lambda: _flat(found),
        names=lambda: [one.model.location for one in found],
        document=lambda: render_json(document),
        footer=_footer(found, document.conventions),
    )


def _headline(one: ModelParams) -> str:
    best = one.stored or one.formula
    if best is None:
        return f"{one.model.location}: no parameters"
    how = "stored" if one.stored else "by formula"
    share = "" if one.activated_share is None else f" ({percent(one.activated_share)})"
    return (
        f"{one.model.location}: {short_count(best.total)} parameters {how}, "
        f"{short_count(best.activated)} activated a token{share}"
    )


def _of_one(one: ModelParams) -> list[Table]:
    columns = (
        Column("component"),
        *(Column(name, right=True) for name in ("formula", "stored", "activated")),
        _size("bytes"),
    )
    rows: list[Sequence[Cell]] = []
    for name in _row_names([one]):
        formula, stored = _row(one.formula, name), _row(one.stored, name)
        best = stored or formula
        rows.append(
            (
                name,
                formula.parameters if formula else None,
                stored.parameters if stored else None,
                best.activated if best else None,
                stored.bytes if stored else None,
            )
        )
    totals = [counts.total if counts else None for counts in (one.formula, one.stored)]
    best_sum = one.stored or one.formula
    rows.append(("total", *totals, best_sum.activated if best_sum else None, None))
    tables = [Table(columns, rows)]
    if one.differences:
        tables.append(_differences(one))
    tables += _memory([one])
    return tables


def _of_several(found: Sequence[ModelParams]) -> list[Table]:
    return [*params_by_component(found), *_memory(found)]


def params_by_component(found: Sequence[ModelParams]) -> list[Table]:
    """Components by model, for all parameters and for those that a token activates."""
    most = _HEADINGS // len(found)
    models = [Column(_cut(_short_name(one), most), right=True, show=short_count) for one in found]
    tables = []
    for which, title in ((0, "parameters"), (1, "activated a token")):
        rows: list[Sequence[Cell]] = [
            (name, *(_two(_row(one.stored or one.formula, name))[which] for one in found))
            for name in _row_names(found)
        ]
        rows.append(("total", *(_sums(one.stored or one.formula)[which] for one in found)))
        tables.append(Table([Column("component"), *models], rows, title=title))
    return tables


def _cut(name: str, most: int) -> str:
    """A name that fits above its column: its beginning and its end."""
    return name if len(name) <= most else f"{name[: most // 2]}..{name[-(most // 2 - 2) :]}"


def _short_name(one: ModelParams) -> str:
    """A model's name without the folders or the owner before it."""
    return escape(one.model.location.rstrip("/").rpartition("/")[2] or one.model.location)


def _row(counts: Counts | None, name: str) -> ComponentCount | None:
    return counts.of(name) if counts else None


def _row_names(found: Sequence[ModelParams]) -> list[str]:
    """The rows that any of the models has, the text model's total after its parts."""
    there = {
        row.component
        for one in found
        for counts in (one.formula, one.stored)
        if counts
        for row in counts.breakdown
    }
    names = [str(component) for component in Component]
    names.insert(names.index("vision"), "text")
    return [name for name in names if name in there]


def _two(row: ComponentCount | None) -> tuple[Cell, Cell]:
    return (row.parameters, row.activated) if row else (None, None)


def _sums(counts: Counts | None) -> tuple[Cell, Cell]:
    return (counts.total, counts.activated) if counts else (None, None)


def _differences(one: ModelParams) -> Table:
    columns = (
        Column("component"), Column("formula", right=True), Column("stored", right=True),
        Column("why"),
    )  # fmt: skip
    rows = [(d.component, d.formula, d.stored, d.explanation) for d in one.differences]
    return Table(columns, rows, title="formula and headers differ")


def _memory(found: Sequence[ModelParams]) -> list[Table]:
    several = len(found) > 1
    lead = [Column("model")] if several else []
    weights = Table(
        [*lead, Column("weights as"), _size("all"), _size("activated")],
        [
            (*([_short_name(one)] if several else []), w.dtype, w.total_bytes, w.activated_bytes)
            for one in found
            for w in one.weight_memory
        ],
        title="memory for weights, without scales",
    )
    caches = Table(
        [
            *lead, Column("cache as"), Column("context", right=True), _size("bytes"),
            Column("a token", right=True),
        ],
        [
            (
                *([_short_name(one)] if several else []),
                c.dtype, c.context, c.bytes, c.bytes_per_token,
            )
            for one in found
            for c in one.cache_memory
        ],
        title="cache of keys and values, one sequence",
    )  # fmt: skip
    return [weights, caches] if any(one.cache_memory for one in found) else [weights]


def _size(name: str) -> Column:
    return Column(name, right=True, show=decimal_bytes)


def _footer(found: Sequence[ModelParams], conventions: Conventions) -> list[str]:
    several = len(found) > 1
    totals, activated = _left_out(conventions.total), _left_out(conventions.activated)
    lines = [f"total counts all but: {totals}; activated counts all but: {activated}"]
    for one in found:
        start = f"{one.model.location}: " if several else ""
        lines += [
            f"{start}not counted: {apart.elements:,} {apart.kind} in {apart.tensors:,} tensors"
            for apart in one.apart
        ]
        if one.stored and one.formula and not one.differences:
            lines.append(f"{start}formula and headers agree in every component")
        lines += [f"{start}{note}" for note in one.notes]
    return lines


def _left_out(included: Included) -> str:
    names = [name for name in included.__struct_fields__ if not getattr(included, name)]
    return ", ".join(names) or "nothing"


def _flat(found: Sequence[ModelParams]) -> Table:
    columns = (
        Column("model"), Column("source"), Column("component"),
        Column("parameters", right=True), Column("activated", right=True),
        Column("bytes", right=True),
    )  # fmt: skip
    return Table(columns, _flat_rows(found))


def _flat_rows(found: Sequence[ModelParams]) -> Iterator[tuple[Cell, ...]]:
    for one in found:
        for source, counts in (("stored", one.stored), ("formula", one.formula)):
            if counts is None:
                continue
            start = (one.model.location, source)
            for row in counts.breakdown:
                yield (*start, row.component, row.parameters, row.activated, row.bytes)
            yield (*start, "total", counts.total, counts.activated, None)
