"""The view of an audit: declared beside observed, families, loaders, then what is wrong."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from inspector.analysis.integrity import count_by_severity, group_by_rule
from inspector.analysis.listing import number_ranges
from inspector.analysis.quant.report import (
    AuditDocument,
    ChosenFacts,
    Declared,
    Family,
    LoaderFacts,
    LoaderTable,
    ModuleRow,
    Observed,
    SkipListFacts,
)
from inspector.analysis.quant.rules import AUDIT_ADVICE, AUDIT_RULES
from inspector.analysis.report import Model
from inspector.errors import Problem
from inspector.render.document import render_json
from inspector.render.findings import (
    SHOWN_OF_A_RULE,
    counted_severity,
    details_table,
    summary_table,
)
from inspector.render.tables import Cell, Column, Table
from inspector.render.text import counted
from inspector.render.view import View

_PATTERNS: Final = 12
"""Patterns of a list that people see: a list of single names has as many as entries."""

_ROWS: Final = tuple(Column(name) for name in ModuleRow.__struct_fields__)


def audit_view(
    document: AuditDocument,
    modules: Callable[[], Iterable[ModuleRow]] | None = None,
    *,
    limit: int | None,
) -> View:
    """The view of an audit; `limit` bounds the rows of modules, and for people the families.

    Args:
        document: what was found, its modules left out where `modules` is given.
        modules: makes the rows of modules, one by one as they are needed.
        limit: None shows all.
    """
    declared, observed, loaders = document.declared, document.observed, document.loaders
    findings = [found for found in document.findings if found.rule in AUDIT_RULES]

    def rows() -> Iterator[ModuleRow]:
        return islice(document.modules if modules is None else modules(), limit)

    def tables() -> list[Table]:
        skip = declared.modules_to_not_convert if declared else None
        groups = group_by_rule(findings)
        return [
            _comparison(declared, observed),
            *_families(observed, limit),
            *([_patterns(skip)] if skip and skip.patterns else []),
            *([_loaders(loaders)] if declared and declared.understood else []),
            *([summary_table(groups, AUDIT_RULES)] if groups else []),
            *(details_table(group, SHOWN_OF_A_RULE, AUDIT_ADVICE[group.rule]) for group in groups),
        ]

    return View(
        headline=_headline(document.model, document, findings),
        tables=tables,
        rows=lambda: Table(
            _ROWS, ([getattr(row, column.name) for column in _ROWS] for row in rows())
        ),
        names=lambda: (row.name for row in rows() if row.quantized),
        document=lambda: render_json(document, rows()),
        footer=_footer(document),
    )


def _headline(model: Model, document: AuditDocument, findings: Sequence[Problem]) -> str:
    declared, observed = document.declared, document.observed
    claim = declared.quant_method if declared else "no quantization"
    stored = (
        f"{observed.quantized_modules:,} modules quantized, {observed.unquantized_modules:,} not"
    )
    counts = count_by_severity(findings)
    told = ", ".join(counted_severity(severity, count) for severity, count in counts.items())
    of = f"{model.location}{_of_chosen(document.chosen)}"
    return f"{of}: declares {claim}; {stored}; {told or 'no findings'}"


def _of_chosen(chosen: ChosenFacts | None) -> str:
    if chosen is None:
        return ""
    parts = (("layer", chosen.layers), ("expert", chosen.experts))
    return "".join(
        f", {word}{'s' * (len(numbers) != 1)} {number_ranges(numbers).strip('{}')}"
        for word, numbers in parts
        if numbers is not None
    )


def _comparison(declared: Declared | None, observed: Observed) -> Table:
    """What is claimed and what is there, side by side."""
    columns = (Column("what"), Column("declared"), Column("observed"))
    skip = declared.modules_to_not_convert if declared else None
    rows: list[tuple[Cell, ...]] = [
        ("weights", _claimed_format(declared), _stored_formats(observed)),
        ("blocks", declared.weight_block_size if declared else None, _blocks(observed)),
        ("scales", None, ", ".join(f"{d} x{n:,}" for d, n in observed.scale_dtype.items())),
        ("scale_fmt", declared.scale_fmt if declared else None, _powers(observed)),
        ("rounding", None, observed.rounding),
        ("left alone", _claimed_list(skip), f"{observed.unquantized_modules:,} modules"),
    ]
    return Table(columns, rows)


def _claimed_format(declared: Declared | None) -> str | None:
    if declared is None:
        return None
    parts = (declared.quant_method, declared.fmt, declared.activation_scheme)
    return " ".join(part for part in parts if part)


def _claimed_list(skip: SkipListFacts | None) -> str:
    if skip is None:
        return "no list"
    entries = f"{skip.entries:,} entries, {skip.unique:,} unique"
    return f"{entries}; {counted(skip.covered, 'module')}"


def _stored_formats(observed: Observed) -> str:
    return ", ".join(dict.fromkeys(family.dtype for family in observed.quantized))


def _blocks(observed: Observed) -> str:
    said = dict.fromkeys(
        str(list(family.block)) if family.granularity in ("block", "group") else family.granularity
        for family in observed.quantized
        if family.block is not None
    )
    return ", ".join(word for word in said if word)


def _powers(observed: Observed) -> str | None:
    fraction = observed.power_of_two_fraction
    return None if fraction is None else f"{fraction:.2%} powers of two"


def _families(observed: Observed, limit: int | None) -> list[Table]:
    coded = (
        Column("quantized", nest=True), Column("modules", right=True), Column("listed", right=True),
        Column("dtype"), Column("scales"),
    )  # fmt: skip
    plain = (
        Column("unquantized", nest=True), Column("modules", right=True),
        Column("listed", right=True), Column("kind"), Column("dtype"),
    )  # fmt: skip
    return [
        Table(columns, [cells(family) for family in families[:limit]])
        for columns, families, cells in (
            (coded, observed.quantized, _coded_cells),
            (plain, observed.unquantized, _plain_cells),
        )
        if families
    ]


def _coded_cells(family: Family) -> tuple[Cell, ...]:
    return family.name, family.modules, family.listed, family.dtype, _scale(family)


def _plain_cells(family: Family) -> tuple[Cell, ...]:
    return family.name, family.modules, family.listed, family.kind, family.dtype


def _scale(family: Family) -> str | None:
    if family.scale_dtype is None:
        return None
    is_tiled = family.granularity in ("block", "group") and family.block is not None
    covers = list(family.block) if is_tiled and family.block else family.granularity
    return f"{family.scale_dtype} by {covers}" if covers else family.scale_dtype


def _patterns(skip: SkipListFacts) -> Table:
    columns = (Column(skip.key, nest=True), Column("entries", right=True))
    rows: list[tuple[Cell, ...]] = [(one.name, one.entries) for one in skip.patterns[:_PATTERNS]]
    more = len(skip.patterns) - _PATTERNS
    return Table(columns, [*rows, (f"... and {more:,} more", None)] if more > 0 else rows)


def _loaders(loaders: LoaderTable) -> Table:
    columns = (
        Column("loader"), Column("version"), Column("quantized", right=True),
        Column("unquantized", right=True), Column("against stored", right=True), Column("refuses"),
    )  # fmt: skip
    return Table(columns, list(_loader_rows(loaders)))


def _loader_rows(loaders: LoaderTable) -> Iterator[tuple[Cell, ...]]:
    for name in LoaderTable.__struct_fields__:
        facts: LoaderFacts | None = getattr(loaders, name)
        if facts is None:
            continue
        if facts.refuses:
            yield name, facts.version, None, None, None, facts.refuses
        else:
            refused = counted(facts.refused, "module") if facts.refused else None
            yield (
                name, facts.version, facts.quantized, facts.unquantized, facts.against_stored,
                refused,
            )  # fmt: skip


def _footer(document: AuditDocument) -> list[str]:
    declared, observed, chosen = document.declared, document.observed, document.chosen
    looked = observed.looked_into
    lines = []
    if looked.weights:
        lines.append(
            f"looked into {counted(looked.weights, 'quantized weight')}: "
            f"{counted(looked.scales, 'scale')}, codes of {counted(looked.blocks, 'block')}"
        )
    if looked.bitmasks:
        lines.append(f"looked into {counted(looked.bitmasks, 'bitmask')} of unquantized weights")
    if not lines:
        lines.append("no numbers were read")
    if chosen is not None:
        rest = counted(chosen.of_modules - chosen.modules, "module")
        lines.append(f"left out: {rest} of {chosen.of_modules:,}, by --layers and --experts")
    if looked.left_out:
        lines.append(f"--max-bytes left out {counted(looked.left_out, 'weight')}")
    if looked.axes_unknown:
        what = counted(looked.axes_unknown, "fused tensor")
        lines.append(f"{what} not looked into: the shapes do not tell the axis order")
    if declared is None:
        lines.append("the config claims no quantization: there is nothing to compare with")
    elif not declared.understood:
        lines.append(f"quant_method {declared.quant_method} is not understood: no rules of lists")
    return lines
