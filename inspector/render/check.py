"""The view of a check: sound or not in one line, then the findings by rule, then other readers."""

from collections.abc import Sequence
from typing import Final

from inspector.analysis.integrity import (
    CheckDocument,
    Integrity,
    RuleGroup,
    count_by_severity,
    files_with_findings,
    group_by_rule,
)
from inspector.analysis.report import Cost, Model
from inspector.errors import Problem, Severity
from inspector.format.readers import ReaderVerdicts, verdicts_on
from inspector.format.rules import RULES
from inspector.render.document import render_json
from inspector.render.tables import Column, Table
from inspector.render.text import counted, decimal_bytes, escape
from inspector.render.view import View

SHOWN_OF_A_RULE: Final = 5
"""Findings of one rule that people see; 100,000 names absent from a shard are one fault."""

_LONGEST: Final = 200
"""Letters of a name in a table for people; programs get all."""

_FINDING_COLUMNS: Final = tuple(
    Column(name)
    for name in ("rule", "severity", "shard", "tensor", "offset", "message", "expected", "found")
)
_READER_COLUMNS: Final = (
    Column("rule"),
    Column("safetensors"),
    Column("huggingface_hub"),
    Column("huggingface_js"),
    Column("hf_mem"),
)


def check_view(found: Integrity, model: Model, cost: Cost, *, limit: int | None) -> View:
    """The view of a check; `limit` bounds the findings, for people those of each rule."""
    shown = found.findings[:limit]
    document = CheckDocument(
        schema="s1inspect/check/1",
        model=model,
        cost=cost,
        findings=list(shown),
        readers=verdicts_on(finding.rule for finding in found.findings),
        files=list(found.files),
    )

    def tables() -> list[Table]:
        if not found.findings:
            return []
        most = SHOWN_OF_A_RULE if limit is None else limit
        groups = group_by_rule(found.findings)
        return [
            _summary(groups),
            *(_details(group, most) for group in groups if most),
            _reader_table(document.readers),
        ]

    return View(
        headline=_headline(found, model),
        tables=tables,
        rows=lambda: Table(_FINDING_COLUMNS, (_cells(finding) for finding in shown)),
        names=lambda: files_with_findings(found.findings),
        document=lambda: render_json(document),
        footer=_footer(found, hidden=len(found.findings) - len(shown)),
    )


def _headline(found: Integrity, model: Model) -> str:
    counts = count_by_severity(found.findings)
    files = counted(len(found.files), "file")
    told = ", ".join(_counted(severity, count) for severity, count in counts.items())
    if Severity.ERROR in counts or Severity.WARNING in counts:
        return f"{model.location}: {told} in {files}"
    noted = f" ({told})" if told else ""
    size = decimal_bytes(found.bytes)
    return f"{model.location}: sound{noted}, {files}, {counted(found.tensors, 'tensor')}, {size}"


def _counted(severity: Severity, count: int) -> str:
    return f"{count:,} info" if severity is Severity.INFO else counted(count, str(severity))


def _summary(groups: Sequence[RuleGroup]) -> Table:
    columns = (
        Column("severity"), Column("rule"), Column("findings", right=True),
        Column("files", right=True), Column("meaning"),
    )  # fmt: skip
    rows = [
        (str(group.severity), group.rule, len(group.findings), group.files, RULES[group.rule][1])
        for group in groups
    ]
    return Table(columns, rows)


def _details(group: RuleGroup, most: int) -> Table:
    """The first findings of a rule, and a line for how many more there are."""
    first = group.findings[:most]
    messages = {finding.message for finding in first}
    told = _short(messages.pop()) if len(messages) == 1 else None
    columns = [Column("where"), Column("expected"), Column("found")]
    rows: list[list[str | None]] = [
        [_short(str(finding.where)), _short(finding.expected), _short(finding.found)]
        for finding in first
    ]
    if told is None:
        columns.append(Column("what"))
        rows = [[*row, _short(one.message)] for row, one in zip(rows, first, strict=True)]
    more = len(group.findings) - len(first)
    if more > 0:
        rows.append([f"... and {more:,} more", *([None] * (len(columns) - 1))])
    return Table(columns, rows, title=escape(f"{group.rule}: {told}" if told else group.rule))


def _short(text: str) -> str:
    """Text that a person can look over: the middle of a longer one is left out."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} ... {text[-40:]}"


def _reader_table(readers: Sequence[ReaderVerdicts]) -> Table:
    rows = [
        (one.rule, one.safetensors, one.huggingface_hub, one.huggingface_js, one.hf_mem)
        for one in readers
    ]
    return Table(_READER_COLUMNS, rows, title="what other readers do with such a file")


def _cells(finding: Problem) -> tuple[object, ...]:
    where = finding.where
    return (
        finding.rule, str(finding.severity), where.shard, where.tensor, where.offset,
        finding.message, finding.expected, finding.found,
    )  # fmt: skip


def _footer(found: Integrity, *, hidden: int) -> list[str]:
    lines = [
        f"compared with {one.file}, which places {counted(len(one.index.weight_map), 'tensor')}"
        for one in found.indexes
        if one.index is not None
    ]
    if not found.indexes and len(found.files) > 1:
        lines.append("no index: there is nothing to compare the headers with")
    if hidden:
        lines.append(f"{counted(hidden, 'more finding')} (--limit)")
    return lines
