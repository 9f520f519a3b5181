"""The view of a check: sound or not in one line, then the findings by rule, then other readers."""

from collections.abc import Sequence
from typing import Final

from msgspec import structs

from inspector.analysis.integrity import (
    CheckDocument,
    Integrity,
    count_by_severity,
    files_with_findings,
    group_by_rule,
)
from inspector.errors import Problem, Severity
from inspector.format.readers import ReaderVerdicts
from inspector.format.rules import RULES
from inspector.render.document import render_json
from inspector.render.findings import (
    SHOWN_OF_A_RULE,
    counted_severity,
    details_table,
    summary_table,
)
from inspector.render.tables import Column, Table
from inspector.render.text import counted, decimal_bytes
from inspector.render.view import View

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


def check_view(document: CheckDocument, *, notes: Sequence[str] = (), limit: int | None) -> View:
    """The view of a check; `limit` bounds the findings, for people those of each rule."""
    found = document.findings
    shown = found[:limit]

    def tables() -> list[Table]:
        if not found:
            return []
        most = SHOWN_OF_A_RULE if limit is None else limit
        groups = group_by_rule(found)
        return [
            summary_table(groups, RULES),
            *(details_table(group, most) for group in groups if most),
            _reader_table(document.readers),
        ]

    return View(
        headline=_headline(document),
        tables=tables,
        rows=lambda: Table(_FINDING_COLUMNS, (_cells(finding) for finding in shown)),
        names=lambda: files_with_findings(found),
        document=lambda: render_json(structs.replace(document, findings=shown)),
        footer=[*notes, *_hidden(len(found) - len(shown))],
    )


def _headline(document: CheckDocument) -> str:
    location = document.model.location
    counts = count_by_severity(document.findings)
    files = counted(len(document.files), "file")
    told = ", ".join(counted_severity(severity, count) for severity, count in counts.items())
    if Severity.ERROR in counts or Severity.WARNING in counts:
        return f"{location}: {told} in {files}"
    noted = f" ({told})" if told else ""
    size = decimal_bytes(document.stored_bytes)
    return f"{location}: sound{noted}, {files}, {counted(document.tensors, 'tensor')}, {size}"


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


def index_notes(found: Integrity) -> list[str]:
    """What the headers were compared with."""
    lines = [
        f"compared with {one.file}, which places {counted(len(one.index.weight_map), 'tensor')}"
        for one in found.indexes
        if one.index is not None
    ]
    if not found.indexes and len(found.files) > 1:
        lines.append("no index: there is nothing to compare the headers with")
    return lines


def _hidden(count: int) -> list[str]:
    return [f"{counted(count, 'more finding')} (--limit)"] if count else []
